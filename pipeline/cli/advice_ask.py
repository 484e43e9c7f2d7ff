"""Ask a model one question from the command line, through the same adviser as the worker, and keep what is worth showing."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pipeline.act.providers.wrapping import Wrapping
from pipeline.cli.advice_ledger import ledger_for
from pipeline.cli.common import Exit, Refusal, now
from pipeline.models import SETTINGS_OF, provider_facts

if TYPE_CHECKING:
    from agents.advice.prompt import Rendered, Template
    from agents.advice.route import Route
    from agents.advice.weigh import Weighed
    from pipeline.act.providers.base import Answer, Ask, Provider
    from pipeline.act.providers.budget import Ledger
    from pipeline.known import Known
    from pipeline.routing import DryRun
    from pipeline.settings import Settings
    from schemas.advice import AdviceRequest, Question
    from schemas.effect import Receipt

CANNED: dict[str, dict[str, Any]] = {
    "triage": {
        "severity": "{severity}",
        "confidence": 80,
        "summary": "{name} fires.",
        "runbooks": [],
    },
    "prose": {"text": "{name} was said by the built-in script, no model was asked."},
    "noise_rule": {
        "matchers": [],
        "threshold": "",
        "reason": "{name} was said by the built-in script, no model was asked.",
    },
}
"""What `--provider scripted` answers: the rules' severity and the alert's name, so that it passes our checks."""


class Listening(Wrapping):
    """Keeps what a provider was sent and what it said."""

    def __init__(self, inner: Provider) -> None:
        super().__init__(inner)
        self.asks: list[Ask] = []
        self.answers: list[Answer] = []

    async def ask(self, ask: Ask) -> Answer:
        self.asks.append(ask)
        answer = await self.inner.ask(ask)
        self.answers.append(answer)
        return answer


@dataclass(frozen=True)
class Outcome:
    """All of one question: how it was routed and put, who was asked, what was said, and what of it would be shown."""

    request: AdviceRequest
    route: DryRun
    template: Template
    rendered: Rendered
    estimates: Mapping[str, float]
    """USD that a call may cost at most, by provider of the chain."""
    heard: Sequence[Listening]
    receipt: Receipt
    weighed: Weighed | None
    """None where nothing of the answer is weighed: no answer, or a task whose answer is text."""


def ask(settings: Settings, known: Known, request: AdviceRequest, provider: str | None, within_s: float) -> Outcome:
    """Refuses where there is nobody to ask. A question that nobody answers is an Outcome whose receipt says why."""
    return asyncio.run(answered(settings, known, request, provider, within_s))


async def answered(settings: Settings, known: Known, request: AdviceRequest, provider: str | None, within_s: float) -> Outcome:
    from agents.advice.prompt import render, template
    from pipeline.act.adviser import Adviser
    from pipeline.routing import dry_run

    question = request.question
    shape = template(question.task, known.version(question.task))
    rendered = render(shape, question, secret=secrets.token_bytes(16))
    rules = known.rules if provider is None else [only(provider)]
    route = dry_run(rules, question, known.available, known.forbidden)
    if not route.route.providers:
        raise nobody(route.route)
    paid = any(one.paid and one.name in route.route.providers for one in provider_facts(settings, known.config.advice))
    async with ledger_for(settings, known.config.advice, paid=paid) as ledger:
        pairs = {name: listened(stack) for name, stack in stacks_of(settings, known, question, ledger).items()}
        stacks = {name: stack for name, (stack, _) in pairs.items()}
        estimates = {name: cost(stacks[name], rendered) for name in route.route.providers if name in stacks}
        adviser = Adviser(
            stacks,
            known.config.advice,
            routes=lambda: rules,
            active_version=known.version,
            calibrate=known.calibrate,
            forbidden=known.forbidden,
        )
        timed = within(request, within_s)
        try:
            receipt = await adviser.advise(timed)
        finally:
            await adviser.close()
    heard = [ear for _, ear in pairs.values()]
    return Outcome(timed, route, shape, rendered, estimates, heard, receipt, weighed(question, receipt, known))


def within(request: AdviceRequest, seconds: float) -> AdviceRequest:
    """The request as if it were asked now, to be answered so soon."""
    moment = now()
    deadline = moment + timedelta(seconds=seconds)
    return request.model_copy(update={"asked_at": moment, "deadline": deadline, "late_until": deadline + timedelta(seconds=1)})


def only(provider: str) -> Any:
    from schemas.routing import RoutingRule

    return RoutingRule(rule_id="command line", order=0, providers=[provider], reason=f"--provider {provider}")


def stacks_of(settings: Settings, known: Known, question: Question, ledger: Ledger | None) -> dict[str, Provider]:
    from pipeline.act.providers.build import build
    from pipeline.act.providers.scripted import Scripted

    stacks: dict[str, Provider] = dict(build(settings, known.config.advice, ledger=ledger, unbudgeted=ledger is None))
    if "scripted" in known.available:
        stacks["scripted"] = Scripted([canned(question)])
    return stacks


def canned(question: Question) -> str:
    task = question.task.value
    shape = CANNED.get(task, CANNED["prose"])
    name = question.alerts[0].name if question.alerts else question.title
    filled = {
        key: value.format(severity=question.rule_severity.value, name=name) if isinstance(value, str) else value
        for key, value in shape.items()
        if key != "runbooks" or question.candidates
    }
    return json.dumps(filled | ({"matchers": [f'name="{name}"']} if task == "noise_rule" else {}))


def listened(stack: Provider) -> tuple[Provider, Listening]:
    """The stack with an ear right before the wire: there a question stands as it leaves us, after redaction."""
    last: Provider = stack
    while isinstance(last, Wrapping) and isinstance(last.inner, Wrapping):
        last = last.inner
    if not isinstance(last, Wrapping):
        ear = Listening(last)
        return ear, ear
    ear = Listening(last.inner)
    last.inner = ear
    return stack, ear


def cost(stack: Provider, rendered: Rendered) -> float:
    from pipeline.act.providers.base import Ask, worst_cost

    asked = Ask(
        task="", prompt=rendered.prompt_id, system=rendered.system, user=rendered.user, schema=rendered.schema,
        max_tokens=rendered.max_tokens, timeout_s=1.0,
    )  # fmt: skip
    return worst_cost(stack, asked)


def weighed(question: Question, receipt: Receipt, known: Known) -> Weighed | None:
    """What the decide lane would make of it."""
    from agents.advice.rows import AdviceRow
    from agents.advice.weigh import take, weigh

    if receipt.advice is None or receipt.advice.severity is None:
        return None
    row = AdviceRow()
    take(row, receipt.advice, learned=question.learned, candidates=[one.id for one in question.candidates], late=False)
    return weigh(row, question.rule_severity, known.config.advice)


def nobody_named(settings: Settings, provider: str | None) -> None:
    """Refuses at once where nobody can be asked, with the fix."""
    scripted = "Without any server: --provider scripted"
    if provider == "scripted":
        return
    if provider is not None and provider not in SETTINGS_OF:
        raise Refusal(Exit.USAGE, f"There is no provider {provider!r}.", f"Known: {', '.join(SETTINGS_OF)}, scripted.")
    if provider is not None and provider not in settings.providers:
        raise Refusal(Exit.USAGE, f"{provider} is not set up: {SETTINGS_OF[provider]} is not set.", scripted)
    if not settings.providers:
        raise Refusal(
            Exit.USAGE, "No model is set up.", f"Set OLLAMA_URL, ANTHROPIC_API_KEY or OPENAI_BASE_URL (docs/models.md). {scripted}"
        )


def nobody(route: Route) -> Refusal:
    from agents.advice.route import NOT_SET_UP

    set_up = {name: why for name, why in route.passed_over.items() if why != NOT_SET_UP}
    whys = "; ".join(f"{name}: {why}" for name, why in (set_up or route.passed_over).items()) or route.reason
    return Refusal(Exit.NO, f"Nobody may be asked: {whys}.", "See: fluxai advice routes --test FILE, fluxai providers")


def as_json(it: Outcome) -> dict[str, Any]:
    from pipeline.cli.advice_routes import as_json as route_json

    return {
        "question": it.request.question.model_dump(mode="json"),
        "route": route_json(it.route),
        "prompt": {
            "id": it.rendered.prompt_id,
            "tokens_estimated": it.rendered.input_tokens,
            "untrusted": list(it.rendered.tainted),
            "removed": list(it.rendered.removed),
        },
        "estimates_usd": dict(it.estimates),
        "sent": [{"provider": one.name, "system": ask.system, "user": ask.user} for one in it.heard for ask in one.asks],
        "raw": [{"provider": one.name, "text": answer.text} for one in it.heard for answer in one.answers],
        "receipt": it.receipt.model_dump(mode="json"),
        "weighed": None if it.weighed is None else dataclasses.asdict(it.weighed),
    }
