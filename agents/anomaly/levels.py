"""Levels of an anomaly (SPEC 3.4): by excess over the baseline in percent, by robust sigmas where the baseline is near zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


PERCENT = ((300.0, Level.CRITICAL), (100.0, Level.HIGH), (30.0, Level.MEDIUM), (10.0, Level.LOW))
SIGMAS = ((12.0, Level.CRITICAL), (8.0, Level.HIGH), (5.0, Level.MEDIUM), (3.0, Level.LOW))
"""Where the percentage means nothing. SPEC gives no figures for sigmas: these are ours."""
NEAR_ZERO = 1.0
"""Spreads: a baseline smaller than this is near zero."""
FLAT = 0.05
"""Share of the spread; a slope below it over the whole window is steady."""


class Trend(Enum):
    RISING = "rising"
    FALLING = "falling"
    STEADY = "steady"


@dataclass(frozen=True, slots=True)
class Deviation:
    """`percent` is None near a baseline of zero; both keep their sign. `level` is None below the lowest one."""

    percent: float | None
    sigmas: float
    level: Level | None


def deviation(value: float, baseline: float, spread: float) -> Deviation:
    """`spread` is one robust sigma in the unit of the value; it must be positive.

    A fall can be 100 % at most, so that a fall's percentage is what the baseline exceeds the value by: a fall to a quarter is as much
    as a rise to four times. (Where the value is near zero or on the other side of it, sigmas decide.)
    """
    if not spread > 0:
        raise ValueError("a spread is positive")
    apart = value - baseline
    sigmas = apart / spread
    if abs(baseline) < NEAR_ZERO * spread:
        return Deviation(None, sigmas, first(SIGMAS, abs(sigmas)))
    percent = 100 * apart / abs(baseline)
    if abs(value) >= abs(baseline) or baseline * value < 0:
        return Deviation(percent, sigmas, first(PERCENT, abs(percent)))
    if abs(value) < NEAR_ZERO * spread:
        return Deviation(percent, sigmas, first(SIGMAS, abs(sigmas)))
    return Deviation(percent, sigmas, first(PERCENT, 100 * (abs(baseline) / abs(value) - 1)))


def first(bounds: Sequence[tuple[float, Level]], size: float) -> Level | None:
    """The highest level whose bound is exceeded (the lowest bound itself counts)."""
    for bound, level in bounds[:-1]:
        if size > bound:
            return level
    bound, level = bounds[-1]
    return level if size >= bound else None


def trend(values: Sequence[float], spread: float) -> Trend:
    """Least-squares slope over the window, in spreads from its first to its last sample."""
    n = len(values)
    if n < 3:
        return Trend.STEADY
    middle, mean = (n - 1) / 2, sum(values) / n
    slope = sum((i - middle) * (x - mean) for i, x in enumerate(values)) / sum((i - middle) ** 2 for i in range(n))
    moved = slope * (n - 1) / spread
    if abs(moved) <= FLAT * n**0.5:
        return Trend.STEADY
    return Trend.RISING if moved > 0 else Trend.FALLING


def confidence(score: float, threshold: float) -> float:
    """How sure an anomaly is, 0.5 at the threshold and 1 at a score of 1. Not calibrated: it orders, it is no probability."""
    return 0.5 + 0.5 * max(0.0, min(1.0, (score - threshold) / (1 - threshold)))
