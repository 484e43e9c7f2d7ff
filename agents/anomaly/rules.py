"""Windowed rules (SPEC 3.3): a share of the last samples breaches a bound. Pure; a rule is data, users write theirs in the same form.

A rule is evaluated over the samples of its window among the newest 50. Critical rules are asked at each sample, all others each 30 s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from agents.anomaly.levels import Level

KEPT = 50
EVERY = 30.0
LEAST_KEPT = 10
"""Samples without which the periodic evaluation says nothing; critical rules ask for their own `least` only."""


@dataclass(frozen=True, slots=True)
class Sample:
    t: float
    x: float


class Side(Enum):
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class WindowRule:
    """Breached when at least `share` of at least `least` samples of the last `window` seconds lie beyond `bound` (unit of the metric)."""

    name: str
    metric: str
    bound: float
    window: float
    least: int
    level: Level
    side: Side = Side.ABOVE
    share: float = 0.6

    def __post_init__(self) -> None:
        if not (self.window > 0 and 1 <= self.least <= KEPT and 0 < self.share <= 1):
            raise ValueError(f"{self.name}: window > 0, 1 <= least <= {KEPT} and 0 < share <= 1 are needed")


@dataclass(frozen=True, slots=True)
class Breach:
    rule: WindowRule
    seen: int
    beyond: int
    worst: float

    @property
    def ratio(self) -> float:
        return self.beyond / self.seen


MINUTE = 60.0
SHIPPED = (
    WindowRule("error_rate_spike", "error_rate", 10.0, 5 * MINUTE, 5, Level.CRITICAL),
    WindowRule("latency_high", "latency_ms", 1000.0, 5 * MINUTE, 5, Level.MEDIUM),  # a warning
    WindowRule("circuit_breaker_candidate", "error_rate", 50.0, 2 * MINUTE, 3, Level.CRITICAL),
    WindowRule("rate_limit_breach", "throttled_rate", 5.0, 5 * MINUTE, 5, Level.HIGH),
    WindowRule("retry_storm", "retry_rate", 20.0, 2 * MINUTE, 3, Level.CRITICAL),
    WindowRule("upstream_degradation", "upstream_error_rate", 5.0, 5 * MINUTE, 5, Level.HIGH),
    WindowRule("cost_spike", "cost_percent_of_budget", 150.0, 60 * MINUTE, 5, Level.MEDIUM),
    WindowRule("capacity_warning", "utilization", 85.0, 10 * MINUTE, 5, Level.MEDIUM),
    WindowRule("security_anomaly", "auth_failure_rate", 30.0, 5 * MINUTE, 5, Level.HIGH),
    WindowRule("recovery", "error_rate", 1.0, 5 * MINUTE, 5, Level.LOW, Side.BELOW, share=1.0),  # told only after a breach
)
"""Rates are percent. The first three are SPEC 3.3's own figures; the bounds of the others are ours and are settings."""


def breach(rule: WindowRule, samples: Sequence[Sample], now: float) -> Breach | None:
    """Whether the rule is breached by the samples in (now - window, now], oldest first; None where it is not, or too few are there."""
    inside = [one.x for one in samples[-KEPT:] if now - rule.window < one.t <= now and one.x == one.x]
    if len(inside) < rule.least:
        return None
    above = rule.side is Side.ABOVE
    beyond = sum((x > rule.bound) if above else (x < rule.bound) for x in inside)
    if beyond < rule.share * len(inside):
        return None
    return Breach(rule, len(inside), beyond, max(inside) if above else min(inside))


def breaches(rules: Iterable[WindowRule], metric: str, samples: Sequence[Sample], now: float, periodic: bool) -> list[Breach]:
    """What is breached now. `periodic` is the turn of each 30 s; between these turns only critical rules are asked."""
    enough = periodic and len(samples) >= LEAST_KEPT
    found = (breach(rule, samples, now) for rule in rules if rule.metric == metric and (enough or rule.level is Level.CRITICAL))
    return [one for one in found if one is not None]


def recovered(rule: WindowRule, samples: Sequence[Sample], now: float, was: bool) -> bool:
    """A breach has ended: enough samples in the window, none of them beyond the bound. An empty window proves nothing."""
    if not was:
        return False
    inside = [one.x for one in samples[-KEPT:] if now - rule.window < one.t <= now and one.x == one.x]
    beyond = [x for x in inside if (x > rule.bound if rule.side is Side.ABOVE else x < rule.bound)]
    return len(inside) >= rule.least and not beyond
