"""Windowed rules: the figures of SPEC 3.3, and who is asked when."""

from __future__ import annotations

import pytest

from agents.anomaly.levels import Level
from agents.anomaly.rules import KEPT, SHIPPED, Sample, Side, WindowRule, breach, breaches, recovered

RULES = {rule.name: rule for rule in SHIPPED}
SPIKE = RULES["error_rate_spike"]


def samples(*values: float, every: float = 10.0, until: float = 1000.0) -> list[Sample]:
    return [Sample(until - every * (len(values) - 1 - place), x) for place, x in enumerate(values)]


def test_shipped_figures_are_those_of_the_specification() -> None:
    told = {name: (rule.bound, rule.window, rule.least, rule.level) for name, rule in RULES.items()}
    assert told["error_rate_spike"] == (10.0, 300.0, 5, Level.CRITICAL)
    assert told["latency_high"] == (1000.0, 300.0, 5, Level.MEDIUM)
    assert told["circuit_breaker_candidate"] == (50.0, 120.0, 3, Level.CRITICAL)
    assert len(RULES) == len(SHIPPED) == 10


def test_five_samples_beyond_the_bound_are_a_breach_and_four_are_not() -> None:
    assert breach(SPIKE, samples(12, 13, 14, 15), 1000) is None
    found = breach(SPIKE, samples(12, 13, 14, 15, 16), 1000)
    assert found is not None and (found.seen, found.beyond, found.worst, found.ratio) == (5, 5, 16, 1.0)


def test_the_bound_itself_is_no_breach() -> None:
    assert breach(SPIKE, samples(*[10.0] * 6), 1000) is None


def test_samples_out_of_the_window_and_from_the_future_do_not_count() -> None:
    old = samples(*[50.0] * 8, until=690)
    assert breach(SPIKE, old, 1000) is None
    assert breach(SPIKE, samples(*[50.0] * 8), 900) is None


def test_not_a_number_does_not_count() -> None:
    assert breach(SPIKE, samples(12, 12, 12, 12, float("nan")), 1000) is None


def test_one_wild_sample_among_many_is_no_breach() -> None:
    assert breach(SPIKE, samples(1, 1, 99, 1, 1, 1), 1000) is None


def test_only_the_newest_fifty_are_looked_at() -> None:
    many = samples(*[50.0] * 40, *[1.0] * KEPT, every=1.0)
    assert breach(SPIKE, many, 1000) is None


def test_critical_rules_are_asked_at_each_sample_others_each_thirty_seconds() -> None:
    errors, latencies = samples(*[60.0] * 9), samples(*[2000.0] * 12)
    assert [one.rule.name for one in breaches(SHIPPED, "error_rate", errors, 1000, periodic=False)] == [
        "error_rate_spike",
        "circuit_breaker_candidate",
    ]
    assert breaches(SHIPPED, "latency_ms", latencies, 1000, periodic=False) == []
    assert [one.rule.name for one in breaches(SHIPPED, "latency_ms", latencies, 1000, periodic=True)] == ["latency_high"]
    assert breaches(SHIPPED, "latency_ms", latencies[:9], 1000, periodic=True) == []


def test_recovery_needs_a_breach_before_and_samples_now() -> None:
    calm = samples(*[2.0] * 6)
    assert recovered(SPIKE, calm, 1000, was=True)
    assert not recovered(SPIKE, calm, 1000, was=False)
    assert not recovered(SPIKE, [], 1000, was=True)
    assert not recovered(SPIKE, samples(2, 2, 2, 2, 11), 1000, was=True)


@pytest.mark.parametrize("wrong", [{"window": 0.0}, {"least": 0}, {"least": 51}, {"share": 0.0}, {"share": 1.1}])
def test_a_rule_that_could_never_hold_is_refused(wrong: dict[str, float]) -> None:
    fitting = {"bound": 1.0, "window": 60.0, "least": 3, "share": 0.5} | wrong
    with pytest.raises(ValueError, match="mine"):
        WindowRule("mine", "m", fitting["bound"], fitting["window"], int(fitting["least"]), Level.LOW, Side.BELOW, fitting["share"])
