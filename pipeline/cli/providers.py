"""`fluxai providers`: which language models are set up, and whether they work."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from pipeline.cli.advice_off import PAID, who_may_be_asked
from pipeline.cli.common import BROKER, JSON, Exit, load_settings, now, print_json, print_table, read_config, safe

if TYPE_CHECKING:
    from agents.advice.config import AdviceConfig
    from pipeline.act.providers.base import Answer, Ask, Provider
    from pipeline.models import ProviderFacts
    from pipeline.settings import Settings
    from schemas.advice import Question

WITHIN_S = 120.0
"""A server that loads a large model from a slow disk is silent for so long."""
CHECK_S = 5.0
MOST_AT_ONCE = 32
"""Calls that the test of a server's slots makes together."""


@dataclass
class Tested:
    """What came of asking a provider for real. `works`: it answered as it must."""

    provider: str
    works: bool = False
    model: str = ""
    says: str = ""
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    first_token_ms: int | None = None
    took_ms: int | None = None
    schema_honoured: bool | None = None
    probabilities: bool | None = None
    slots: str = ""
    """Whether it works on as many requests at once as the setting says, in words."""
    cost_usd: float = 0.0


def providers(
    test: bool = typer.Option(False, "--test", help="Ask each one that is set up for real. Paid ones cost a fraction of a cent."),
    paid: bool = PAID,
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """The providers of language models: set up or not, where, how many at once. Exit code 1 when --test finds one that does not work.

    \b
    Example:
      fluxai providers
      fluxai providers --test
    """
    from pipeline.models import provider_facts

    settings = load_settings(brokers=broker)
    config = read_config(settings).advice
    asking = who_may_be_asked(settings, None, paid) if test and settings.providers else settings
    facts = provider_facts(settings, config)
    budget = budget_line(settings, config) if any(one.set_up and one.paid for one in facts) else ""
    tested = asyncio.run(test_all(asking, config, facts)) if test else []
    if json:
        for one in facts:
            result = next((each for each in tested if each.provider == one.name), None)
            print_json(asdict(one) | ({"test": asdict(result)} if result is not None else {}))
    else:
        show(facts, config, budget)
        for result in tested:
            for line in report(result):
                print(safe(line))
        if test and not tested:
            print("No model is set up that may be asked: nothing to test.")
    if any(not one.works for one in tested):
        raise typer.Exit(Exit.NO)


def show(facts: list[ProviderFacts], config: AdviceConfig, budget: str) -> None:
    print_table(
        ("provider", "state", "url", "model", "where", "slots"),
        [
            (
                one.name,
                state(one, config),
                one.url if one.set_up else "",
                (one.model or "its first model") if one.set_up else "",
                ("this network" if one.local else "outside") + (", paid" if one.paid else "") if one.set_up else "",
                one.slots if one.set_up else "",
            )
            for one in facts
        ],
    )
    if budget:
        print(safe(budget))


def state(one: ProviderFacts, config: AdviceConfig) -> str:
    if not one.set_up:
        return f"not set up: set {one.setting}"
    if not one.allowed:
        return "not asked: AI_LOCAL_ONLY"
    return {"off": "AI_MODE is off: the pipeline does not ask it", "shadow": "asked, in shadow"}.get(config.mode, "asked")


def budget_line(settings: Settings, config: AdviceConfig) -> str:
    from pipeline.history.base import HistoryUnavailable
    from pipeline.history.choose import choose_history, history_cluster
    from pipeline.settings import reveal
    from pipeline.spending import budget_now

    if "brokers" not in settings.model_fields_set and settings.postgres_url is None:
        return f"Budget ${config.budget:.2f} a day, {config.analyses_per_hour} calls an hour; what is spent is known where Kafka is named."
    kafka = settings.kafka_client() | {"log_level": "0"}
    try:
        choice = choose_history(kafka, settings.topic_prefix, reveal(settings.postgres_url) or None, history_cluster(settings))
        return str(budget_now(choice.history, settings, config, now()))
    except HistoryUnavailable as error:
        return f"What is spent is not known now: {error}"


async def test_all(settings: Settings, config: AdviceConfig, facts: list[ProviderFacts]) -> list[Tested]:
    from pipeline.act.providers.build import build
    from pipeline.cli.advice_ledger import ledger_for

    paid = any(one.name in settings.providers and one.allowed and one.paid for one in facts)
    async with ledger_for(settings, config, paid=paid) as ledger:
        stacks = build(settings, config, ledger=ledger, unbudgeted=ledger is None)
        try:
            return [await tested(stacks[one.name], one.slots) for one in facts if one.name in stacks]
        finally:
            for stack in stacks.values():
                await stack.close()


async def tested(stack: Provider, slots: int) -> Tested:
    """One call that may load the model, one that is measured, and, where calls cost nothing, as many at once as there are slots."""
    from pipeline.act.providers.base import ProviderError
    from pipeline.act.providers.wrapping import innermost

    found = Tested(stack.name, model=stack.model)
    bare: Any = innermost(stack)
    asked: Provider = stack if stack.paid else bare  # beneath the cache, unless that is where budgets bind
    try:
        check = await bare.check(CHECK_S)
        found.model, found.says = check.model, check.says
        found.warnings += [check.warning] if check.warning else []
        ask, question = test_ask()
        if not stack.paid:
            await asked.ask(ask)
        began = time.monotonic()
        answer = await asked.ask(ask)
        judge(found, question, answer, time.monotonic() - began)
        if not stack.paid:
            found.slots = await at_once(found, asked, ask, min(slots, MOST_AT_ONCE), found.took_ms or 0)
    except ProviderError as error:
        found.error = str(error)
    return found


def test_ask() -> tuple[Ask, Question]:
    """A question about an alert that nobody had."""
    from agents.advice.prompt import render, template
    from pipeline.act.providers.base import Ask
    from schemas.advice import AdviceTask, AskedAlert, Candidate, Question
    from schemas.base import Severity

    alert = AskedAlert(name="HighErrorRate", service="shop-cart", environment="production", summary="12% of requests answer 503")
    question = Question(
        task=AdviceTask.TRIAGE,
        title="HighErrorRate on shop-cart",
        rule_severity=Severity.P2,
        floor=Severity.P4,
        alerts=[alert],
        candidates=[Candidate(id="rb-errors", title="Errors of a service", score=0.8)],
    )
    made = render(template(question.task), question, secret=secrets.token_bytes(16))
    ask = Ask(
        task="triage", prompt=made.prompt_id, system=made.system, user=made.user, schema=made.schema, max_tokens=made.max_tokens,
        timeout_s=WITHIN_S, labels=made.labels, severity=Severity.P4,
    )  # fmt: skip
    return ask, question


def judge(found: Tested, question: Question, answer: Answer, took_s: float) -> None:
    from agents.advice.answer import Accepted, check
    from agents.advice.prompt import template

    checked = check(question, template(question.task), answer.text, answer.probabilities)
    found.schema_honoured = isinstance(checked, Accepted)
    found.works = found.schema_honoured
    if not isinstance(checked, Accepted):
        found.error = f"its answer is no use: {checked.code}, {checked.detail}"
    found.probabilities = bool(answer.probabilities)
    found.took_ms = round(took_s * 1000)
    found.first_token_ms = None if answer.first_token_s is None else round(answer.first_token_s * 1000)
    found.cost_usd = answer.cost_usd
    if answer.load_s > 0.1:
        found.warnings.append(f"it loaded the model again ({answer.load_s:.1f} s): another program asks it with other options")


async def at_once(found: Tested, provider: Provider, ask: Ask, slots: int, single_ms: int) -> str:
    from pipeline.act.self_test import verdict

    began = time.monotonic()

    async def one() -> float:
        await provider.ask(ask)
        return time.monotonic() - began

    if slots == 1:
        return "1 is set: requests are asked one at a time"
    ends = await asyncio.gather(*(one() for _ in range(slots)))
    fits, words = verdict(provider.name, slots, single_ms / 1000, ends)
    if not fits:
        found.warnings.append(words)
    return words


def report(it: Tested) -> list[str]:
    if not it.works:
        return [f"{it.provider}: DOES NOT WORK: {it.error}", *(f"  note: {one}" for one in it.warnings)]
    first = f"first token after {it.first_token_ms} ms, " if it.first_token_ms is not None else ""
    sure = "gives probabilities" if it.probabilities else "gives no probabilities: how sure it is stands in its answer"
    lines = [
        f"{it.provider}: works. {it.model}: {it.says}",
        f"  {first}whole answer after {it.took_ms} ms, schema honoured, {sure}, ${it.cost_usd:.6f}",
    ]
    if it.slots:
        lines.append(f"  slots: {it.slots}")
    return lines + [f"  note: {one}" for one in it.warnings if one != it.slots]
