"""The one frozen configuration of the detectors: the same for all series, all sample rates and all data sets."""

from __future__ import annotations

from dataclasses import dataclass

HOUR, DAY = 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Config:
    """Times are seconds; what is counted in samples says so.

    Time constants of means hold at a sample each `reference_gap` and are stretched by the root of gap / reference_gap: half-way between
    the same number of seconds and the same number of samples, so that an hourly series is smoothed over a few samples too.
    """

    warm_samples: int = 200
    warm_age: float = DAY
    reference_gap: float = 300.0

    # Seasonal z.
    clip: float = 4.0  # spreads; what a single sample may teach
    profile_floor: float = 0.1  # a visit of a slot weighs at least this; 1/days before
    relative_floor: float = 1e-3  # the spread is at least this share of the usual size of the value
    z_from: float = 3.0  # below this no evidence
    z_memory: float = 7 * DAY  # how long a record of |z| makes its like usual
    z_knee: float = 0.3  # share beyond the record that gives half of the evidence
    z_first: float = 10.0  # a record while warming up is at most this

    # Range novelty.
    short: float = HOUR
    middle: float = 4 * HOUR
    rate_short: float = 2 * HOUR
    rate_long: float = 8 * HOUR
    long: float = DAY
    memory: float = 60 * DAY  # ranges relax towards the running mean with this time constant
    widen: float = 0.3  # shares of the range; how far one sample may widen it
    yield_share: float = 0.05  # of the excess; it widens by this much at least, else a range of no width would stay so
    knee: float = 0.1  # excess over range at which a stream gives half of what it can

    # Combination.
    z_weight: float = 0.7  # of z evidence against one stream
    gate: float = 1.0  # |z| at which novelty counts half: what is perfectly usual for its hour is no news
    settle: float = 400.0  # samples at which a young series' evidence counts half
    carry: float = 0.3  # share of the evidence that is carried to the next sample
    refractory: float = 120.0  # samples; one event is one alarm
    scale: float = 0.6  # evidence that makes a score of 0.5
    threshold: float = 0.5


FROZEN = Config()
