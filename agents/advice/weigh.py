"""Weigh an answer against the rules: what of it is shown, and why.

A model never decides who is told, when, or whether: pages go by the severity of the rules. What it says is shown beside it, and it may
raise what is shown; to P1 only where the classifier, which people taught, agrees. It lowers nothing but where a person gave a floor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from agents.advice.config import AdviceConfig
from agents.advice.rows import AdviceRow
from schemas.advice import Advice
from schemas.base import Reason, Severity, from_ms
from schemas.incident import AdviceStatus, IncidentAdvice

P1, P2 = Severity.P1, Severity.P2
AGREES = 0.7
"""Probability of P1 from which the classifier agrees with a model that says P1: right in .72 of 116 verdicts measured, at 0.5 in .59."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What is shown of an answer."""

    severity: Severity
    code: str
    text: str
    adopted: bool = True
    needs_review: bool = False
    heard: bool = True
    """Its words are shown too: not those of an answer that plays down what the rules say."""


def take(row: AdviceRow, advice: Advice, *, learned: Mapping[str, float] | None, candidates: Collection[str], late: bool) -> None:
    """Keep an answer. What is not in the incident is not kept, whoever let it through before."""
    row.waiting, row.answered, row.late, row.code, row.text = False, True, late, "", ""
    row.severity = advice.severity.value if advice.severity is not None else ""
    row.confidence, row.probabilities = advice.confidence, dict(advice.probabilities)
    row.confirmed = learned is not None and learned.get(P1.value, 0.0) >= AGREES
    row.summary = advice.summary
    row.runbooks = [one for one in advice.runbooks if one in candidates]
    row.provider, row.model, row.prompt, row.took_ms = advice.provider, advice.model, advice.prompt, advice.took_ms
    row.cost_usd = round(row.cost_usd + advice.cost_usd, 9)


def weigh(row: AdviceRow, rule: Severity, config: AdviceConfig) -> Weighed:
    """What is shown of the answer in `row`, given the severity of the rules as it is now."""
    said = Severity(row.severity) if row.severity else rule
    if row.overruled:
        return Weighed(rule, "overruled", "a person has said how urgent it is", heard=not rule.outranks(said))
    if row.confidence < config.confidence:
        text = f"{row.model} says {said.value} and is {row.confidence:.2f} sure, less than {config.confidence:.2f}"
        return Weighed(rule, "unsure", text, adopted=False, needs_review=True, heard=False)
    if said.outranks(rule):
        return raised(row, rule, said)
    if rule.outranks(said):
        return lowered(row, rule, said, config.floor(rule))
    return Weighed(rule, "agreed", f"{row.model} agrees with the rules on {rule.value}")


def raised(row: AdviceRow, rule: Severity, said: Severity) -> Weighed:
    if said is P1 and not row.confirmed:
        text = f"{row.model} says P1, which neither the rules nor the classifier confirm: shown as P2, paged as {rule.value}"
        return Weighed(P2 if P2.outranks(rule) else rule, "p1_not_confirmed", text, needs_review=True)
    return Weighed(said, "raised", f"{row.model} raises {rule.value} to {said.value}; paged as {rule.value}")


def lowered(row: AdviceRow, rule: Severity, said: Severity, floor: Severity) -> Weighed:
    shown = said if said.outranks(floor) else floor
    if shown is rule:
        text = f"{row.model} says {said.value}; the rules' {rule.value} stands"
        return Weighed(rule, "floor", text, adopted=False, needs_review=True, heard=False)
    return Weighed(shown, "lowered", f"{row.model} lowers {rule.value} to {shown.value}; paged as {rule.value}", heard=False)


def shown(row: AdviceRow | None, rule: Severity, config: AdviceConfig) -> tuple[Severity, IncidentAdvice | None]:
    """(severity to show, what to say of the advice) for the next revision; (rule, None) where no model is asked, or in shadow."""
    if row is None or not row.asks or config.mode != "active":
        return rule, None
    if not row.answered:
        status = AdviceStatus.MISSING if row.code else AdviceStatus.PENDING
        if row.code:
            reason = Reason(code=row.code, text=row.text)
        else:
            reason = Reason(code="asked", text=f"a model is asked; its answer is due by {from_ms(row.deadline):%H:%M:%S} UTC")
        return rule, IncidentAdvice(status=status, reason=reason, rule_severity=rule)
    weighed = weigh(row, rule, config)
    status = AdviceStatus.NOT_ADOPTED if not weighed.adopted else AdviceStatus.AMENDED if row.late else AdviceStatus.ADOPTED
    advice = IncidentAdvice(
        status=status,
        reason=Reason(code=weighed.code, text=weighed.text),
        severity=Severity(row.severity) if row.severity else None,
        rule_severity=rule,
        needs_review=weighed.needs_review,
        confidence=round(row.confidence, 3),
        provider=row.provider,
        model=row.model,
        prompt=row.prompt,
        cost_usd=row.cost_usd,
        took_ms=row.took_ms,
        summary=row.summary if weighed.heard else "",
    )
    return weighed.severity, advice
