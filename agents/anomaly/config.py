"""The one frozen configuration of the detectors: the same for all series, all sample rates and all data sets."""

from __future__ import annotations

from dataclasses import dataclass

HOUR, DAY = 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Config:
    """Times are seconds; what is counted in samples says so."""

    warm_samples: int = 100
    warm_age: float = DAY  # a series must have been seen for one day, or its first morning is news

    # Seasonal z.
    clip: float = 4.0  # spreads; what a single sample may teach
    profile_floor: float = 0.1  # a visit of a slot weighs at least this; 1/days before
    relative_floor: float = 1e-3  # the spread is at least this share of the level's size

    # Range novelty.
    short: float = HOUR
    middle: float = 4 * HOUR
    rate_short: float = 2 * HOUR
    rate_long: float = 8 * HOUR
    long: float = DAY
    memory: float = 60 * DAY  # ranges relax towards the running mean with this time constant
    widen: float = 1e9  # shares of the range; how far one sample may widen it
    knee: float = 0.1  # excess over range at which a stream gives half of what it can

    # Combination.
    z_weight: float = 0.5
    z_from: float = 3.0
    z_knee: float = 3.0
    carry: float = 0.5
    refractory_samples: float = 80.0
    budget: float = 1e9  # own recent evidence at which a series' scores are halved
    budget_memory: float = 14 * DAY
    scale: float = 2.0  # evidence that makes a score of 0.5
    threshold: float = 0.5


FROZEN = Config()
