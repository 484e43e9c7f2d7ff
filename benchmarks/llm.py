"""How fast a real model server answers triage prompts, by how many are asked at once.

    python -m benchmarks.llm --url http://127.0.0.1:11434 --model llama3.1:8b --slots 1,2,4,8

The prompts are the product's (agents/advice/prompts), each about another incident, asked by the product's provider, on warmed slots.
Speed does not hang on the values of the weights; what the answers are worth is not measured here. `measured_on` says on what: the server's
words, or `--weights` where you know better; `machine` is this one. Exit status 4 where no server or no such model is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import httpx

from agents.advice.answer import Accepted, check
from agents.advice.prompt import render, template
from benchmarks import machine
from benchmarks.report import Result, percentile, say
from pipeline.act.providers.base import Answer, Ask, Provider, ProviderError
from schemas.advice import AdviceTask, AskedAlert, Candidate, Question, ServiceCard
from schemas.base import Severity

IN_TIME_S = 15.0
TIMEOUT_S = 120.0
KINDS = (
    ("HighErrorRate", "{share}% of requests to {service} answer 503", "checkout errors"),
    ("LatencyHigh", "p99 of {service} is {share} s", "latency degraded"),
    ("DiskFilling", "Volume /data of {service}-2 is {share}% full", "disk of a single replica"),
    ("CertificateExpires", "The certificate of {service} expires in {share} days", "certificate, staging"),
)


class Missing(Exception):
    """What is not there, and what to do."""


@dataclass(frozen=True)
class Heard:
    question: Question
    answer: Answer | ProviderError
    took_s: float


def question(number: int) -> Question:
    name, words, cause = KINDS[number % len(KINDS)]
    service = f"shop-{number}"
    summary = words.format(service=service, share=10 + number % 80)
    labels = {"cluster": f"eu-{number % 7}", "namespace": "shop", "pod": f"{service}-{number * 7919 % 100_000}", "team": "shop"}
    return Question(
        task=AdviceTask.TRIAGE,
        incident_id=f"inc-{number}",
        title=f"{name} on {service}",
        rule_severity=Severity.P3,
        alerts=[
            AskedAlert(
                name=name, service=service, environment="production", source="prometheus", summary=summary, description=cause, labels=labels
            )
        ],
        service=ServiceCard(service=service, owner="shop", tier=1 + number % 3, customer_facing=True, used_by=["web"]),
        candidates=[Candidate(id=f"rb-{at}", title=f"{kind[0]} of a service") for at, kind in enumerate(KINDS)],
    )


def an_ask(about: Question) -> Ask:
    made = render(template(AdviceTask.TRIAGE), about, secret=b"benchmarks.llm")
    return Ask(
        task=about.task.value,
        prompt=made.prompt_id,
        system=made.system,
        user=made.user,
        schema=made.schema,
        max_tokens=made.max_tokens,
        timeout_s=TIMEOUT_S,
        labels=made.labels,
    )


async def hear(provider: Provider, number: int) -> Heard:
    about = question(number)
    began = time.monotonic()
    try:
        answer: Answer | ProviderError = await provider.ask(an_ask(about))
    except ProviderError as error:
        answer = error
    return Heard(about, answer, time.monotonic() - began)


async def level(provider: Provider, busy: int, seconds: float, least: int, first: int) -> Result:
    """`busy` asks at once for `seconds`, and at least `least` in all; each slot is warmed before."""
    await asyncio.gather(*(provider.ask(replace(an_ask(question(first + at)), warm=True)) for at in range(busy)))
    heard: list[Heard] = []
    began = time.monotonic()
    numbers = iter(range(first + busy, sys.maxsize))

    async def asker() -> None:
        while time.monotonic() - began < seconds or len(heard) < least:
            heard.append(await hear(provider, next(numbers)))

    await asyncio.gather(*(asker() for _ in range(busy)))
    return summed(busy, heard, time.monotonic() - began)


def summed(busy: int, heard: list[Heard], seconds: float) -> Result:
    answers = [(one, one.answer) for one in heard if isinstance(one.answer, Answer)]
    failures = sorted({one.answer.failure.value for one in heard if isinstance(one.answer, ProviderError)})
    result: Result = {"at_once": busy, "asked": len(heard), "answered": len(answers), "failures": failures}
    result["in_15_s"] = round(sum(one.took_s <= IN_TIME_S for one, _ in answers) / len(heard), 4)
    if not answers:
        return result
    first = sorted(answer.first_token_s for _, answer in answers if answer.first_token_s is not None)
    steps = [(a.took_s - a.first_token_s) / (a.tokens_out - 1) for _, a in answers if a.first_token_s is not None and a.tokens_out > 1]
    took = sorted(one.took_s for one, _ in answers)
    shape = template(AdviceTask.TRIAGE)
    accepted = sum(isinstance(check(one.question, shape, a.text, a.probabilities), Accepted) for one, a in answers)
    return result | {
        "step_ms": round(statistics.median(steps) * 1000, 3) if steps else None,
        "first_token_p50_ms": round(percentile(first, 0.5) * 1000, 1) if first else None,
        "first_token_p99_ms": round(percentile(first, 0.99) * 1000, 1) if first else None,
        "took_p50_ms": round(percentile(took, 0.5) * 1000, 1),
        "took_p99_ms": round(percentile(took, 0.99) * 1000, 1),
        "triages_per_s": round(len(answers) / seconds, 3),
        "tokens_out_per_s": round(sum(a.tokens_out for _, a in answers) / seconds, 1),
        "tokens_in_p50": statistics.median(a.tokens_in for _, a in answers),
        "tokens_out_p50": statistics.median(a.tokens_out for _, a in answers),
        "accepted_by_our_checks": round(accepted / len(answers), 4),
        "reload_s": round(max(a.load_s for _, a in answers), 3),
    }


def compared(alone: Result, most: Result) -> Result:
    """`gain`: triages a second of `most` to those of `alone`. A server that works on one after the other gains nothing, and its steps take
    about as long as alone; where they take longer and nothing is gained, it does batch, and the processor is what binds."""
    if not alone.get("triages_per_s") or not most.get("triages_per_s") or not alone.get("step_ms") or not most.get("step_ms"):
        return {"gain": None, "looks_serial": False}
    gain = most["triages_per_s"] / alone["triages_per_s"]
    more = most["at_once"] / alone["at_once"]
    return {"gain": round(gain, 2), "looks_serial": more >= 2 and gain < 1.3 and most["step_ms"] < alone["step_ms"] * more**0.5}


def provider_of(options: argparse.Namespace, slots: int) -> Provider:
    from pipeline.act.providers.ollama import Ollama
    from pipeline.act.providers.openai_compatible import OpenAICompatible

    if options.api == "openai":
        return OpenAICompatible(options.url, options.model, slots=slots, local=True)
    return Ollama(options.url, options.model, slots=slots)


async def told(options: argparse.Namespace) -> dict[str, Any]:
    """What the server says of its model: the label of all figures."""
    label: dict[str, Any] = {"engine": options.api, "model": options.model, "weights": options.weights or "not told"}
    if options.api != "ollama":
        return label
    async with httpx.AsyncClient(base_url=options.url, timeout=10.0, trust_env=False) as http:
        label["engine"] = f"ollama {(await http.get('/api/version')).json().get('version')}"
        shown = (await http.post("/api/show", json={"model": options.model})).json()
        running = (await http.get("/api/ps")).json().get("models", [])
    details, about = shown.get("details", {}), shown.get("model_info", {})
    said = f"{details.get('parameter_size', '?')} {details.get('quantization_level', '')}".strip()
    described = about.get("general.description", "")
    label["weights"] = options.weights or (f"{said}, {described}" if described else said)
    mine: dict[str, Any] = next((one for one in running if one.get("name", "").partition(":")[0] == options.model.partition(":")[0]), {})
    label["size_mb"] = round(mine.get("size", 0) / 2**20, 1)
    label["on_gpu"] = bool(mine.get("size_vram"))
    return label


async def measure(options: argparse.Namespace) -> Result:
    levels = [int(one) for one in options.slots.split(",")]
    provider = provider_of(options, max(levels))
    try:
        try:
            found = await provider.check(5.0)  # type: ignore[attr-defined]  # both have it, and only they
        except ProviderError as error:
            raise Missing(error.what) from None
        say(f"{found.says}. {found.warning}".strip())
        rows: list[Result] = []
        for busy in levels:
            rows.append(await level(provider, busy, options.seconds, options.least, first=1000 * (len(rows) + 1)))
            say(f"  {busy} at once: {json.dumps(rows[-1])}")
        label = await told(options)
        return {"levels": rows, **compared(rows[0], rows[-1]), "measured_on": label}
    finally:
        await provider.close()


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.llm", description="Speed of a real model server with the triage prompt.")
    parser.add_argument("--url", default=os.environ.get("OLLAMA_URL", ""), help="default: OLLAMA_URL")
    parser.add_argument("--model", default=os.environ.get("OLLAMA_MODEL", "llama3.1:8b"))
    parser.add_argument("--api", choices=("ollama", "openai"), default="ollama")
    parser.add_argument("--slots", default="1,2,4,8", help="how many at once, one after the other; the server needs the greatest of them")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each")
    parser.add_argument("--least", type=int, default=8, help="asks at least, of each")
    parser.add_argument("--weights", default="", help="what the weights are, where the server cannot know: 'random, 8B-sized'")
    options = parser.parse_args(given)
    try:
        if not options.url:
            raise Missing("no server is named: give --url, or set OLLAMA_URL")
        facts = machine.facts()
        result = asyncio.run(measure(options))
    except Missing as error:
        print(f"llm: {error}", file=sys.stderr)
        sys.exit(4)
    except KeyboardInterrupt:
        sys.exit(130)
    if result["looks_serial"]:
        say("  more at once are answered no faster: is OLLAMA_NUM_PARALLEL set where the server runs?")
    print(json.dumps({"benchmark": "llm", **result, "machine": facts}), flush=True)


if __name__ == "__main__":
    main()
