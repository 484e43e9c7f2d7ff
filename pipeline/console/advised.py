"""What models did in a run: which verdicts they improved, which lack them, and what they cost. Bounded in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.console.line import Line
from schemas.incident import AdviceStatus, Incident, IncidentAdvice
from schemas.usage import Usage

MICRO = 1_000_000
RESERVES_KEPT = 10_000
"""Calls whose end has not been read."""
ANSWERED = (AdviceStatus.ADOPTED, AdviceStatus.AMENDED, AdviceStatus.NOT_ADOPTED)


@dataclass
class Advised:
    """`news` of each revision, `usage` of each call."""

    advised: int = 0
    """Answers that came in time and are shown."""
    amended: int = 0
    """Answers that came after the deadline and are shown."""
    not_adopted: int = 0
    degraded: int = 0
    """Verdicts that lacked their model at the deadline."""
    calls: int = 0
    _micro_usd: int = 0
    _reserves: dict[str, int] = field(default_factory=dict)

    @property
    def cost_usd(self) -> float:
        """Of all calls; one that has not ended counts as what it may cost at most."""
        return (self._micro_usd + sum(self._reserves.values())) / MICRO

    def to_json(self) -> dict[str, int | float]:
        return {"advised": self.advised, "amended": self.amended, "degraded": self.degraded, "advice_cost_usd": round(self.cost_usd, 6)}

    def usage(self, usage: Usage) -> None:
        micro = round(usage.cost_usd * MICRO)
        if usage.kind == "reserve":
            self._reserves[usage.usage_id] = micro
            if len(self._reserves) > RESERVES_KEPT:
                self._micro_usd += self._reserves.pop(next(iter(self._reserves)))
            return
        self._reserves.pop(usage.usage_id, None)
        self._micro_usd += micro
        self.calls += usage.asked and not usage.cached and bool(usage.incident_id)  # warming up and self-tests are about no incident

    def news(self, before: Incident | None, now: Incident) -> Line | None:
        """What a revision says of a model that the one before did not; None where that is nothing."""
        advice, known = now.advice, before.advice if before is not None else None
        if advice is None or advice.status is AdviceStatus.PENDING or same(known, advice):
            return None
        match advice.status:
            case AdviceStatus.ADOPTED:
                self.advised += 1
            case AdviceStatus.AMENDED:
                self.amended += 1
            case AdviceStatus.NOT_ADOPTED:
                self.not_adopted += 1
            case AdviceStatus.MISSING:
                self.degraded += 1
        return Line(now.updated_at, KINDS[advice.status], told(now, advice, known))


KINDS = {
    AdviceStatus.ADOPTED: "advised",
    AdviceStatus.AMENDED: "late",
    AdviceStatus.NOT_ADOPTED: "advised",
    AdviceStatus.MISSING: "degraded",
}


def same(before: IncidentAdvice | None, now: IncidentAdvice) -> bool:
    """Whether both speak of one answer, or of its lack."""
    if before is None or before.status is not now.status:
        return False
    return now.status is AdviceStatus.MISSING or (before.provider, before.cost_usd, before.took_ms, before.confidence) == (
        now.provider,
        now.cost_usd,
        now.took_ms,
        now.confidence,
    )


def told(incident: Incident, advice: IncidentAdvice, before: IncidentAdvice | None = None) -> str:
    """`P3→P2 i7c3 by ollama/llama3.1:8b in 0.8 s, 0.91 sure, $0.0000: summary`."""
    head = f"{move(incident, advice)} {incident.incident_id}"
    if advice.status is AdviceStatus.MISSING:
        return f"{head} {advice.reason.text}: the verdict of the rules stands"
    sure = f", {advice.confidence:.2f} sure" if advice.confidence is not None else ""
    cost = advice.cost_usd - (before.cost_usd if before is not None else 0.0)
    by = f"{head} by {advice.provider}/{advice.model} in {advice.took_ms / 1000:.1f} s{sure}, ${max(cost, 0.0):.4f}"
    if advice.status is AdviceStatus.NOT_ADOPTED:
        return f"{by}; not adopted: {advice.reason.text}"
    review = "; for review: " + advice.reason.text if advice.needs_review else ""
    return f"{by}: {incident.summary}{review}"


def move(incident: Incident, advice: IncidentAdvice) -> str:
    """The severity of the rules, and what is shown instead where that differs."""
    rule, shown = advice.rule_severity, incident.severity
    return rule.value if rule is shown else f"{rule.value}→{shown.value}"


def brief(incident: Incident) -> str:
    """For a cell of a table, the most telling first; empty where no model was asked."""
    advice = incident.advice
    if advice is None:
        return ""
    match advice.status:
        case AdviceStatus.PENDING:
            return "asked"
        case AdviceStatus.MISSING:
            return "no answer"
        case AdviceStatus.NOT_ADOPTED:
            return f"not adopted: {advice.reason.code}"
    late = "late " if advice.status is AdviceStatus.AMENDED else ""
    review = "review " if advice.needs_review else ""
    return f"{late}{move(incident, advice)} {review}{advice.confidence or 0:.2f} ${advice.cost_usd:.4f} {advice.provider}"
