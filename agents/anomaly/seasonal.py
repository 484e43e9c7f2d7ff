"""Robust seasonal z: how far is a sample from what this hour of this day usually is.

Level and spread come from daily aggregates of the last 14 days, merged by Chan's formula (Chan, Golub, LeVeque 1979); the shape from a
profile of the day (96 slots) and what the hour of the week adds to it (168). A sample teaches at most `clip` spreads, so that an incident
is not learned as usual at once; a lasting change is, since clipped samples widen the spread and move the level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.anomaly.arrays import Arrays, Fast, Index
from agents.anomaly.config import DAY, Config
from agents.anomaly.tick import DAY_SLOTS, SLOT, WEEK_SLOT, WEEK_SLOTS, Tick

DAYS = 14
RING = ("n", "value", "residual", "m2")
FAST = {
    **{f"ring_{name}": DAYS for name in RING},
    **{f"closed_{name}": 1 for name in RING},
    **{f"today_{name}": 1 for name in RING},
    "size": 1,
    "day_profile": DAY_SLOTS,
    "week_profile": WEEK_SLOTS,
}
EXACT = {"today": 1}
ONE = np.float32(1)
PROFILES = "day_profile"
"""Its rows and those after it are read and written in place."""


@dataclass(frozen=True, slots=True)
class Seasonal:
    baseline: Fast  # less the origin, as Tick.v
    spread: Fast
    z: Fast
    day_residual: Fast  # to level and day profile
    week_residual: Fast  # to level, day and week profile
    learned: Fast  # the value as far as it may teach


def seasonal(state: Arrays, now: Tick, columns: slice | Index, whole: Arrays, config: Config) -> Seasonal:
    """Score, then learn. `columns` are the places of these series in `whole`, whose profiles are read and written slot by slot."""
    turn_days(state, now)
    level, spread = level_and_spread(state, now, config)
    day, week = whole.rows("day_profile"), whole.rows("week_profile")
    day_at, week_at = cells(now.day_slot, columns), cells(now.week_slot, columns)
    day_part, week_part = day[day_at], week[week_at]
    day_residual = now.v - level - day_part
    residual = day_residual - week_part
    z = residual / spread
    limit = spread * np.float32(config.clip)
    taught = np.where(now.warm, np.clip(residual, -limit, limit), residual)
    learned = now.v - residual + taught
    day_rate, week_rate = profile_rates(now, config)
    left = learned - level - day_part
    baseline = level + day_part + week_part
    day[day_at] = day_part + day_rate * left
    week[week_at] = week_part + week_rate * (left - week_part)
    learn_today(state, learned, taught)
    size = state.rows("size")
    size += now.rate(DAYS * DAY) * (np.abs(now.v) - size)
    return Seasonal(baseline, spread, z, day_residual, residual, learned)


def level_and_spread(state: Arrays, now: Tick, config: Config) -> tuple[Fast, Fast]:
    """The closed days and today, merged."""
    n0, n1 = state.rows("closed_n"), state.rows("today_n")
    n = np.maximum(n0 + n1, ONE)
    level = (n0 * state.rows("closed_value") + n1 * state.rows("today_value")) / n
    apart = state.rows("today_residual") - state.rows("closed_residual")
    mean = (n0 * state.rows("closed_residual") + n1 * state.rows("today_residual")) / n
    m2 = state.rows("closed_m2") + state.rows("today_m2") + apart * apart * (n0 * n1 / n)
    floor = np.float32(config.relative_floor) * state.rows("size") + np.float32(1e-12)
    return level, np.maximum(np.sqrt(m2 / n + mean * mean), floor)


def learn_today(state: Arrays, value: Fast, residual: Fast) -> None:
    n, mean, today, m2 = (state.rows(f"today_{name}") for name in RING)
    n += ONE
    share = ONE / n
    mean += (value - mean) * share
    apart = residual - today
    today += apart * share
    m2 += apart * (residual - today)


def cells(slots: Index, columns: slice | Index) -> tuple[Any, Any]:
    """Where these slots of these series are: one row of the profile where all are in the same slot, which costs least."""
    if (slots == slots[0]).all():
        return int(slots[0]), columns
    return slots, np.arange(columns.start, columns.stop) if isinstance(columns, slice) else columns


def profile_rates(now: Tick, config: Config) -> tuple[Fast, Fast]:
    """A visit of a slot (all samples in it together) weighs 1/days at first, `profile_floor` later; of the week, half of 1/weeks."""
    days = now.age * np.float32(1 / DAY)
    visit = np.maximum(ONE / (ONE + np.floor(days)), np.float32(config.profile_floor))
    day: Fast = visit * np.minimum(now.gap * np.float32(1 / SLOT), ONE)
    weeks = np.floor(days * np.float32(1 / 7))
    visit = np.maximum(ONE / (np.float32(2) + weeks), np.float32(config.profile_floor)) * np.float32(0.5)
    week: Fast = visit * np.minimum(now.gap * np.float32(1 / WEEK_SLOT), ONE)
    return day, week


def turn_days(state: Arrays, now: Tick) -> None:
    today = state.times("today")
    turned = np.flatnonzero(now.day != today)
    if not len(turned):
        return
    part = state.take(turned, PROFILES)
    old, new = part.times("today"), now.day[turned]
    place = np.mod(old, DAYS).astype(np.intp)
    each = np.arange(len(turned))
    for name in RING:
        part.rows(f"ring_{name}")[place, each] = part.rows(f"today_{name}")
        part.rows(f"today_{name}")[:] = 0
    counts = part.rows("ring_n")
    for ahead in range(1, DAYS + 1):
        gone = np.flatnonzero(old + ahead <= new)
        counts[np.mod(old + ahead, DAYS).astype(np.intp)[gone], gone] = 0
    old[:] = new
    close(part)
    state.put(turned, part)


def close(part: Arrays) -> None:
    """Merge the ring into one aggregate (Chan), day after day from the first slot."""
    n, value, residual, m2 = (np.zeros(part.size, np.float32) for _ in RING)
    ring = [part.rows(f"ring_{name}") for name in RING]
    for place in range(DAYS):
        more, its_value, its_residual, its_m2 = (row[place] for row in ring)
        total = np.maximum(n + more, ONE)
        share = more / total
        apart = its_residual - residual
        m2 = m2 + np.where(more > 0, its_m2 + apart * apart * n * share, np.float32(0))
        value = value + (its_value - value) * share
        residual = residual + apart * share
        n = n + more
    for name, row in zip(RING, (n, value, residual, m2), strict=True):
        part.rows(f"closed_{name}")[:] = row
