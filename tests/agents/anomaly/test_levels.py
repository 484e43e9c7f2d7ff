"""Levels of SPEC 3.4 at their bounds, trend, confidence, and the sentence that people read."""

from __future__ import annotations

import pytest

from agents.anomaly.levels import Level, Trend, confidence, deviation, trend
from agents.anomaly.words import sentence

MONDAY_TEN = 1_760_313_600.0 + 10 * 3600 + 25 * 60


@pytest.mark.parametrize(
    "value,level",
    [
        (109.0, None),
        (110.0, Level.LOW),
        (130.0, Level.LOW),
        (131.0, Level.MEDIUM),
        (200.0, Level.MEDIUM),
        (201.0, Level.HIGH),
        (400.0, Level.HIGH),
        (401.0, Level.CRITICAL),
    ],
)
def test_level_by_excess_over_the_baseline(value: float, level: Level | None) -> None:
    assert deviation(value, 100, 1).level is level


def test_near_a_baseline_of_zero_sigmas_decide() -> None:
    found = deviation(13.0, 0.5, 1)
    assert found.percent is None and found.level is Level.CRITICAL
    assert deviation(2.0, 0.0, 1).level is None


def test_a_fall_weighs_as_much_as_the_rise_that_would_mend_it() -> None:
    assert deviation(25, 100, 1).level is deviation(400, 100, 1).level is Level.HIGH
    assert deviation(25, 100, 1).percent == -75
    assert deviation(0, 100, 5).level is Level.CRITICAL  # 20 sigmas below


def test_a_negative_baseline_has_its_size() -> None:
    assert deviation(-500, -100, 1).level is Level.CRITICAL
    assert deviation(-500, -100, 1).percent == -400


def test_a_spread_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        deviation(1, 1, 0)


def test_trend_is_the_slope_over_the_window() -> None:
    assert trend([1, 2, 3, 4, 5], 1) is Trend.RISING
    assert trend([5, 4, 3, 2], 1) is Trend.FALLING
    assert trend([1, 1.01, 0.99, 1], 1) is Trend.STEADY
    assert trend([1, 9], 1) is Trend.STEADY


def test_confidence_is_a_half_at_the_threshold() -> None:
    assert (confidence(0.5, 0.5), confidence(1.0, 0.5), confidence(0.1, 0.5)) == (0.5, 1.0, 0.5)


@pytest.mark.parametrize(
    "value,baseline,spread,words",
    [
        (340, 100, 10, "p99 latency of checkout is 340: 3.4x its usual level for Monday 10:00 (100)"),
        (150, 100, 10, "p99 latency of checkout is 150: 50 % above its usual level for Monday 10:00 (100)"),
        (70, 100, 10, "p99 latency of checkout is 70: 30 % below its usual level for Monday 10:00 (100)"),
        (20, 100, 10, "p99 latency of checkout is 20: only 20 % of its usual level for Monday 10:00 (100)"),
        (7, 0.2, 1, "p99 latency of checkout is 7: 6.8 times its usual spread above its usual level for Monday 10:00 (0.2)"),
        (0, 100, 10, "p99 latency of checkout is 0: 10.0 times its usual spread below its usual level for Monday 10:00 (100)"),
        (101, 100, 10, "p99 latency of checkout is 101: its course is unusual, though it is near its usual level for Monday 10:00 (100)"),
        (2e9, 1e6, 10, "p99 latency of checkout is 2e+09: 2000.0x its usual level for Monday 10:00 (1e+06)"),
    ],
)
def test_one_plain_sentence(value: float, baseline: float, spread: float, words: str) -> None:
    assert sentence("p99 latency of checkout", MONDAY_TEN, value, baseline, spread) == words
