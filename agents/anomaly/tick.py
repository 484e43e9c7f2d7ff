"""What every detector needs of a sample: is it one, how often does this series come, how old is it, where in the day and the week is it.

All arithmetic of the detectors is + - * / and square root, which IEEE 754 fixes: a state gives the same scores bit for bit on any machine
and at any number of series in a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.anomaly.arrays import Arrays, Exact, Fast
from agents.anomaly.config import DAY, Config

FAST = {"count": 1, "gap": 1}
EXACT = {"last": 1, "first": 1, "origin": 1}
DAY_SLOTS, WEEK_SLOTS = 96, 168
SLOT, WEEK_SLOT = DAY / DAY_SLOTS, 7 * DAY / WEEK_SLOTS
LARGEST = 1e30
UNKNOWN_GAP = 60.0
THURSDAY = 3  # 1970-01-01 in days after a Monday


@dataclass(frozen=True, slots=True)
class Tick:
    """One sample of each series: `v` is the value less the first value ever seen, `gap` the usual seconds between samples."""

    v: Fast
    gap: Fast
    stretched: Fast  # the gap as means see it, see Config
    fresh: Fast  # 1 / samples so far, this one included
    count: Fast  # samples seen before this one
    age: Fast
    day: Exact  # days since 1970
    day_slot: NDArray[np.intp]
    week_slot: NDArray[np.intp]
    warm: NDArray[np.bool_]

    def rate(self, seconds: float) -> Fast:
        """Weight of one sample in a mean over `seconds`: a plain mean while the series is younger than that."""
        return np.maximum(self.stretched / (self.stretched + np.float32(seconds)), self.fresh)


def usable(state: Arrays, t: Exact, x: Exact) -> NDArray[np.bool_]:
    """Finite and later than the last one. (An empty series has seen nothing, whatever its last time.)"""
    later = t > state.times("last")
    if not later.all():
        later |= (state.rows("count") == 0) & np.isfinite(t)
    return later & (np.abs(x) < LARGEST) & (t < LARGEST)


def tick(state: Arrays, t: Exact, x: Exact, config: Config) -> Tick:
    count, gap = state.rows("count"), state.rows("gap")
    last, first, origin = state.times("last"), state.times("first"), state.times("origin")
    new = count == 0
    if new.any():
        np.copyto(first, t, where=new)
        np.copyto(last, t, where=new)
        np.copyto(origin, x, where=new)
    passed = (t - last).astype(np.float32)
    learn_gap(gap, passed, count)
    before = count.copy()
    age = (t - first).astype(np.float32)
    usual_gap = np.where(gap > 0, gap, np.float32(UNKNOWN_GAP))
    day = np.floor(t / DAY)
    in_day = t - day * DAY
    week_day = np.mod(day + THURSDAY, 7.0)
    found = Tick(
        v=(x - origin).astype(np.float32),
        gap=usual_gap,
        stretched=np.sqrt(usual_gap * np.float32(config.reference_gap)),
        fresh=np.float32(1) / (before + np.float32(1)),
        count=before,
        age=age,
        day=day,
        day_slot=(in_day / SLOT).astype(np.intp),
        week_slot=((week_day * DAY + in_day) / WEEK_SLOT).astype(np.intp),
        warm=(before >= config.warm_samples) & (age >= config.warm_age),
    )
    np.copyto(last, t)
    np.minimum(count + np.float32(1), np.float32(1e7), out=count)
    return found


def learn_gap(gap: Fast, passed: Fast, count: Fast) -> None:
    """Follow the median of the gaps: a step of 5 % towards each; one pause does not move it."""
    if (passed == gap).all():
        return
    step = gap + np.clip(passed - gap, gap * np.float32(-0.05), gap * np.float32(0.05))
    np.copyto(gap, np.where(count < 2, np.where(passed > 0, passed, gap), step))
