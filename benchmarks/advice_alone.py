"""The adviser by itself, without Kafka, before a fake of Ollama in a process of its own: how near it comes to what the server's slots
allow, and what becomes of its requests when the server fails."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from agents.advice.config import AdviceConfig
from benchmarks.fake_ollama import Remote, process
from benchmarks.fake_reply import Fault
from benchmarks.report import Result, Wrong, say
from pipeline.act.adviser import CALL_ENDS_S, Adviser
from pipeline.act.providers.breaker import Breaker
from pipeline.act.providers.cache import Cache
from pipeline.act.providers.ollama import Ollama
from pipeline.decide.questions import FIRST_S, RECEIPT_MS
from schemas.advice import AdviceRequest, AdviceTask, AskedAlert, Candidate, Question, ServiceCard
from schemas.base import Severity, from_ms
from schemas.effect import Receipt

MODEL = "llama3.1:8b"
VERDICT_S, RECEIPT_S = float(FIRST_S), RECEIPT_MS / 1000
"""An incident's deadline after its alert came in, and how long before it decide wants the receipt."""
LATE_S = 180.0
TOLERANCE = 1.05
FAULTS = (Fault.DEAD, Fault.HANG, Fault.BUSY, Fault.DRIP, Fault.NONSENSE)
SHARES = ((Severity.P1, 0.1), (Severity.P2, 0.3), (Severity.P3, 0.8), (Severity.P4, 1.0))
"""Cumulative."""


@dataclass(frozen=True)
class Server:
    """What the fake is like. `step_ms`: of a token by how many slots generate, in its own notation."""

    slots: int
    step_ms: str
    tokens: int
    prefill_ms: float = 0.14

    @property
    def options(self) -> tuple[str, ...]:
        slots, tokens = str(self.slots), str(self.tokens)
        tuned = ("--step-ms", self.step_ms, "--prefill-ms", str(self.prefill_ms), "--answer-tokens", tokens, "--chunk-tokens", "8")
        return ("--slots", slots, "--model", MODEL, *tuned)

    @property
    def step_s(self) -> float:
        """With all slots busy."""
        return next(float(ms) for busy, _, ms in (one.partition(":") for one in self.step_ms.split(",")) if int(busy) == self.slots) / 1000


@dataclass
class Storm:
    """What became of requests that all came at once. Seconds since then."""

    receipts: list[tuple[Severity, Receipt, float]] = field(default_factory=list)
    deadline_s: float = 0.0
    took_s: float = 0.0

    def in_time(self, *, answered: bool = False, severity: Severity | None = None) -> float:
        """Share that had a receipt by the deadline, or an answer."""
        chosen = [one for one in self.receipts if severity in (None, one[0])]
        good = [at <= self.deadline_s and (receipt.status == "done" or not answered) for _, receipt, at in chosen]
        return sum(good) / max(1, len(good))

    def outcomes(self) -> dict[str, int]:
        return dict(Counter(receipt.tried[-1].outcome if receipt.tried else receipt.detail for _, receipt, _ in self.receipts))


def requests(count: int, deadline_s: float, late_s: float, seed: int = 7) -> list[AdviceRequest]:
    """Incidents of different services; every tenth a P1."""
    chance = random.Random(seed)
    now = time.time()
    made = []
    for number in range(count):
        dice = chance.random()
        severity = next(level for level, up_to in SHARES if dice < up_to)
        made.append(request(f"{seed}-{number}", severity, now, deadline_s, late_s))
    return made


def request(name: str, severity: Severity, now: float, deadline_s: float, late_s: float) -> AdviceRequest:
    service = f"svc-{name}"
    alert = AskedAlert(
        name="HighErrorRate",
        service=service,
        environment="production",
        source="alertmanager",
        source_severity="critical",
        summary=f"Error rate of {service} is above 5 %",
        description=f"More than 5 % of the requests to {service} failed during the last 10 minutes.",
        labels={"cluster": "eu-1", "namespace": "shop", "pod": f"{service}-0"},
    )
    question = Question(
        task=AdviceTask.TRIAGE,
        incident_id=name,
        title=f"HighErrorRate on {service}",
        rule_severity=severity,
        floor=severity,
        alerts=[alert],
        service=ServiceCard(service=service, owner="shop", tier=1, customer_facing=True, used_by=["checkout"]),
        candidates=[Candidate(id="rb-errors", title="High error rate", score=0.9, text="Look at the newest deploy. Roll it back.")],
    )
    return AdviceRequest(
        effect_id=f"{name}-1",
        incident_id=name,
        domain="eu-1",
        revision=1,
        question=question,
        asked_at=from_ms(round(now * 1000)),
        deadline=from_ms(round((now + deadline_s) * 1000)),
        late_until=from_ms(round((now + deadline_s + late_s) * 1000)),
    )


@asynccontextmanager
async def adviser(server: Server, fake: Remote) -> AsyncIterator[Adviser]:
    """Ready: warm in all slots, and tested."""
    stack = Cache(Breaker(Ollama(fake.url, MODEL, slots=server.slots)))
    one = Adviser({"ollama": stack}, AdviceConfig())
    try:
        await one.start()
        for _ in range(1500):
            if one.status()["ollama"]["fits"] is not None:
                break
            await asyncio.sleep(0.02)
        status = one.status()["ollama"]
        if not status["fits"]:
            raise Wrong(f"the self-test says of a server with {server.slots} slots: {status['self_test']}")
        yield one
    finally:
        await one.close()


async def storm(one: Adviser, asked: Sequence[AdviceRequest], deadline_s: float) -> Storm:
    result = Storm(deadline_s=deadline_s)
    began = time.monotonic()

    async def ask(request: AdviceRequest) -> None:
        receipt = await one.advise(request)
        result.receipts.append((request.question.rule_severity, receipt, time.monotonic() - began))

    await asyncio.gather(*(ask(request) for request in asked))
    result.took_s = time.monotonic() - began
    if len(result.receipts) != len(asked):
        raise Wrong(f"{len(asked)} requests have {len(result.receipts)} receipts")
    return result


def makespan(server: Server, count: int) -> Result:
    """A storm with time enough for all: how much longer than by arithmetic the server is busy with it."""

    async def run() -> tuple[Storm, dict[str, float], dict[str, float]]:
        with process(*server.options) as fake:
            async with adviser(server, fake) as one:
                before = fake.stats()
                result = await storm(one, requests(count, 600.0, 0.0), 600.0)
                return result, before, fake.stats()

    result, before, after = asyncio.run(run())
    if result.in_time(answered=True) < 1.0:
        raise Wrong(f"of {count} incidents without a deadline not all were answered: {result.outcomes()}")
    tokens, read = after["tokens_out"] - before["tokens_out"], after["tokens_read"] - before["tokens_read"]
    rounds = -(-count // server.slots)
    optimum = rounds * (tokens / count) * server.step_s + read * server.prefill_ms / 1000
    ratio = result.took_s / optimum
    say(
        f"  {count} incidents on {server.slots} slots: {result.took_s:.2f} s, by arithmetic {optimum:.2f} s "
        f"({tokens / count:.0f} tokens of {server.step_s * 1000:.1f} ms, {read / count:.0f} prompt tokens that no slot remembered)"
    )
    return {
        "makespan_to_optimum": round(ratio, 4),
        "makespan_s": round(result.took_s, 2),
        "optimum_s": round(optimum, 2),
        "incidents": count,
        "answer_s": round(tokens / count * server.step_s + read / count * server.slots * server.prefill_ms / 1000, 3),
        "in_flight_max": int(after["in_flight_max"]),
        "reloads": int(after["reloads"]),
        "fake_late_ms_max": after["late_ms_max"],
    }


def largest(server: Server, answer_s: float) -> tuple[int, int]:
    """How many answers fit before the deadline when they take 5 % longer than by arithmetic, and the largest storm whose P1s, every tenth,
    do."""
    time_s = VERDICT_S - RECEIPT_S - CALL_ENDS_S
    answers = int(time_s / (answer_s * TOLERANCE)) * server.slots
    return answers, answers * 10


def priority(server: Server, answer_s: float) -> Result:
    """The largest storm that the server's speed allows: more incidents than it can answer, and just so many P1s as it can."""
    answers, count = largest(server, answer_s)
    asked = requests(count, VERDICT_S - RECEIPT_S, 0.0, seed=11)
    room = answers
    for at, one in enumerate(asked):  # by chance there may be a few more P1s than fit
        if one.question.rule_severity is Severity.P1:
            room -= 1
            if room < 0:
                asked[at] = one.model_copy(update={"question": one.question.model_copy(update={"rule_severity": Severity.P2})})

    async def run() -> tuple[Storm, dict[str, float]]:
        with process(*server.options) as fake:
            async with adviser(server, fake) as one:
                return await storm(one, fresh(asked, VERDICT_S - RECEIPT_S), VERDICT_S - RECEIPT_S), fake.stats()

    result, stats = asyncio.run(run())
    p1s = sum(severity is Severity.P1 for severity, _, _ in result.receipts)
    share = result.in_time(answered=True, severity=Severity.P1)
    say(f"  {count} incidents at once, {p1s} P1 (the server can answer {answers}): {share:.1%} of the P1 answered by the model in time")
    return {
        "p1_model_share": round(share, 4),
        "largest_storm": count,
        "largest_storm_p1": p1s,
        "answers_that_fit": answers,
        "answered_in_time": sum(receipt.status == "done" for _, receipt, _ in result.receipts),
        "storm_receipts_in_time": round(result.in_time(), 4),
        "storm_fake_late_ms_max": stats["late_ms_max"],
        "in_flight_max": int(stats["in_flight_max"]),
        "reloads": int(stats["reloads"]),
    }


def fresh(asked: Sequence[AdviceRequest], deadline_s: float) -> list[AdviceRequest]:
    """The same, asked now."""
    now = time.time()
    deadline = from_ms(round((now + deadline_s) * 1000))
    return [one.model_copy(update={"asked_at": from_ms(round(now * 1000)), "deadline": deadline, "late_until": deadline}) for one in asked]


def failing(server: Server, fault: Fault, count: int, deadline_s: float) -> Result:
    """The server is well, then it fails, then incidents come, all at once. Late answers are allowed, as by default."""

    async def run() -> tuple[Storm, float, float]:
        with process(*server.options) as fake:
            async with adviser(server, fake) as one:
                await asyncio.to_thread(fake.set_fault, fault)
                asked = requests(count, deadline_s, LATE_S, seed=13)
                before = one.status()["ollama"]["answered"]
                result = await storm(one, asked, deadline_s)
                return result, one.status()["ollama"]["in_flight_max"], one.status()["ollama"]["answered"] - before

    result, in_flight, answers = asyncio.run(run())
    last = max(at for _, _, at in result.receipts)
    say(f"  {fault.value}: {result.in_time():.1%} of {count} receipts by the deadline, the last after {last:.2f} of {deadline_s:.1f} s")
    return {
        "receipts_in_time": round(result.in_time(), 6),
        "last_receipt_s": round(last, 2),
        "answers": answers,
        "accepted": sum(receipt.status == "done" for _, receipt, _ in result.receipts),
        "outcomes": result.outcomes(),
        "in_flight_max": in_flight,
    }
