"""An outcome of `fluxai advice try` as lines: name and text. All of the text may come from outside; whoever prints it makes it safe."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pipeline.cli.advice_routes import told
from pipeline.history.asked import money
from schemas.advice import AdviceTask

if TYPE_CHECKING:
    from pipeline.cli.advice_ask import Outcome

SCRIPTED = "scripted: a built-in answer, no model was asked"


def lines(it: Outcome, *, show_prompt: bool, raw: bool) -> Iterator[tuple[str, str]]:
    question = it.request.question
    floor = f", floor {question.floor.value}" if question.floor is not question.rule_severity else ""
    yield "about", f"{question.title or question.task.value}; the rules say {question.rule_severity.value}{floor}"
    yield "route", told(it.route)
    for name, why in it.route.route.passed_over.items():
        yield "", f"{name} is passed over: {why}"
    yield "prompt", f"{it.rendered.prompt_id}, about {it.rendered.input_tokens} tokens, an answer of {it.rendered.max_tokens} at most"
    yield "untrusted", ", ".join(together(it.rendered.tainted)) or "nothing"
    if it.rendered.removed:
        yield "removed", "speaks to a machine: " + ", ".join(it.rendered.removed)
    yield "estimate", ", ".join(f"{name} {f'{money(usd)} at most' if usd else 'costs nothing'}" for name, usd in it.estimates.items())
    if show_prompt:
        yield from sent(it)
    if raw:
        yield from ((f"raw {one.name}"[:10], answer.text) for one in it.heard for answer in one.answers)
    yield from answer_lines(it)


def together(paths: Iterable[str]) -> list[str]:
    """`alerts[0].labels (7)` for seven labels."""
    count = Counter(re.sub(r"(labels|annotations|facts|candidates)\..*|^(timeline|history|changes)\[.*", r"\1\2", path) for path in paths)
    return [f"{path} ({times})" if times > 1 else path for path, times in count.items()]


def sent(it: Outcome) -> Iterator[tuple[str, str]]:
    asked = [(one.name, ask.system, ask.user) for one in it.heard for ask in one.asks]
    for name, system, user in asked or [("nobody", it.rendered.system, it.rendered.user)]:
        yield "system", f"to {name}, static:\n{system.strip()}"
        yield "user", f"to {name}; between <<data ...>> and <<end ...>> stands what others wrote:\n{user.strip()}"


def answer_lines(it: Outcome) -> Iterator[tuple[str, str]]:
    receipt, advice = it.receipt, it.receipt.advice
    for tried in (one for one in receipt.tried if one.outcome != "passed_over"):
        yield "tried", f"{tried.provider}: {tried.outcome}{f', {tried.detail}' if tried.detail else ''}, {tried.took_ms} ms"
    if advice is None:
        stands = "; the verdict of the rules would stand" if it.request.question.task is AdviceTask.TRIAGE else ""
        yield "answer", f"none{stands}" if receipt.tried else f"none: {receipt.detail}{stands}"
        return
    if advice.provider == "scripted":
        yield "answer", SCRIPTED
    else:
        tokens = f"{advice.tokens_in} tokens in ({advice.tokens_cached} of them from its cache), {advice.tokens_out} out"
        first = next((answer.first_token_s for one in it.heard for answer in one.answers if answer.first_token_s is not None), None)
        began = f", first token after {first * 1000:.0f} ms" if first is not None else ""
        yield "answer", f"{advice.provider}/{advice.model}: {tokens}, {advice.took_ms} ms{began}, {money(advice.cost_usd)}"
    yield "redacted", ", ".join(f"{kind} {number}" for kind, number in advice.redacted.items()) or left_here(it)
    if advice.severity is not None and it.weighed is not None:
        shown = f"shown as {it.weighed.severity.value}" if it.weighed.adopted else "not adopted"
        review = "; for review" if it.weighed.needs_review else ""
        yield "verdict", f"{advice.severity.value}, {advice.confidence:.2f} sure; {shown} ({it.weighed.code}: {it.weighed.text}){review}"
    if advice.probabilities:
        yield "", "  ".join(f"{name} {share:.2f}" for name, share in advice.probabilities.items())
    yield "says", advice.summary or "nothing that could be kept"
    if advice.runbooks:
        yield "runbooks", ", ".join(advice.runbooks)
    for why in advice.dropped:
        yield "dropped", why


def left_here(it: Outcome) -> str:
    local = {one.name: one.local for one in it.heard}
    advice = it.receipt.advice
    return "nothing; it did not leave this network" if advice is not None and local.get(advice.provider) else "nothing was found"
