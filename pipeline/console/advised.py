"""What models did in a run: which verdicts they improved, which lack them, and what they cost. Bounded in memory."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.console.line import Line
from pipeline.console.plural import many
from pipeline.history.asked import became, set_aside
from schemas.incident import AdviceStatus, Incident, IncidentAdvice
from schemas.usage import Usage

MICRO = 1_000_000
RESERVES_KEPT = 10_000
"""Calls whose end has not been read."""
SILENT_S = 60.0
"""How long a verdict without its model is held against the server, unless an answer comes."""


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
    clock: Callable[[], float] = time.monotonic
    _silent: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=100))
    _micro_usd: int = 0
    _reserves: dict[str, int] = field(default_factory=dict)

    @property
    def cost_usd(self) -> float:
        """Of all calls; one that has not ended counts as what it may cost at most."""
        return (self._micro_usd + sum(self._reserves.values())) / MICRO

    def to_json(self) -> dict[str, int | float]:
        counts = {"advised": self.advised, "amended": self.amended, "not_adopted": self.not_adopted, "degraded": self.degraded}
        return counts | {"advice_cost_usd": round(self.cost_usd, 6)}

    def usage(self, usage: Usage) -> None:
        micro = round(usage.cost_usd * MICRO)
        if usage.kind == "reserve":
            self._reserves[usage.usage_id] = micro
            if len(self._reserves) > RESERVES_KEPT:
                self._micro_usd += self._reserves.pop(next(iter(self._reserves)))
            return
        self._reserves.pop(usage.usage_id, None)
        self._micro_usd += micro
        sent = usage.asked and not usage.cached and usage.outcome != "unreachable"
        self.calls += sent and bool(usage.incident_id)  # warming up and self-tests are about no incident

    @property
    def silence(self) -> str:
        """Why verdicts of the last minute lack their model, the commonest reason; empty where none does, or an answer came since."""
        while self._silent and self._silent[0][0] < self.clock() - SILENT_S:
            self._silent.popleft()
        if not self._silent:
            return ""
        why, _ = Counter(reason for _, reason in self._silent).most_common(1)[0]
        return f"model: no answer for {many(len(self._silent), 'verdict')} in the last minute: {why}"

    def news(self, before: Incident | None, now: Incident) -> Line | None:
        """What a revision says of a model that the one before did not; None where that is nothing."""
        advice, known = now.advice, before.advice if before is not None else None
        if advice is None or advice.status is AdviceStatus.PENDING or same(known, advice):
            return None
        if advice.status is AdviceStatus.MISSING:
            self._silent.append((self.clock(), advice.reason.text))
        else:
            self._silent.clear()
        match advice.status:
            case _ if set_aside(advice):
                pass  # counted when it came
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
    """`P3→P2 i7c3 Payments fails: ollama/llama3.1:8b in 0.8 s, 0.91 sure, $0.0000: its words`: what a model wrote stands last."""
    head = f"{move(incident, advice)} {incident.incident_id} {incident.title}"
    if advice.status is AdviceStatus.MISSING:
        return f"{head}: no answer, the verdict of the rules stands: {advice.reason.text}"
    sure = f", {advice.confidence:.2f} sure" if advice.confidence is not None else ""
    cost = advice.cost_usd - (before.cost_usd if before is not None else 0.0)
    by = f"{head}: {advice.provider}/{advice.model} in {advice.took_ms / 1000:.1f} s{sure}, ${max(cost, 0.0):.4f}"
    if advice.status is AdviceStatus.NOT_ADOPTED or set_aside(advice):
        return f"{by}; {became(advice)}: {advice.reason.text}"
    review = "; for review: " + advice.reason.text if advice.needs_review else ""
    return f"{by}{review}{f': {advice.summary}' if advice.summary else ''}"


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
            return f"no answer: {advice.reason.text}"
        case AdviceStatus.NOT_ADOPTED:
            return f"not adopted: {advice.reason.text}"
    if set_aside(advice):
        return f"{became(advice)}: {advice.reason.text}"
    late = "late " if advice.status is AdviceStatus.AMENDED else ""
    review = "review " if advice.needs_review else ""
    return f"{late}{move(incident, advice)} {review}{advice.confidence or 0:.2f} ${advice.cost_usd:.4f} {advice.provider}"
