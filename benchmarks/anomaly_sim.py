"""Simulated web and operations metrics with labels: minute and hourly series of four families, the same for the same seed.

They have days and weeks, noise with heavy tails, slow growth, and deploys that move the level a little: none of these is an anomaly.
Planted and labelled are bursts, falls to almost nothing, level shifts and slow leaks. It is a simulation: it shows whether one threshold
serves sample rates and shapes that the other data do not have, and nothing about how often real incidents look like this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.anomaly.arrays import Exact

DAY = 86400.0
START = 1_760_313_600.0  # a Monday
FAMILIES = ("requests", "latency", "errors", "cpu")
MINUTE, HOURLY = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    t: Exact
    x: Exact
    windows: tuple[tuple[int, int], ...]  # first and last sample of each anomaly


def simulate(seed: int, each: int = 3, minute_days: int = 14, hourly_days: int = 60) -> list[Series]:
    """`each` series of each family at each of the two rates."""
    made = []
    for rate, days, word in ((MINUTE, minute_days, "minute"), (HOURLY, hourly_days, "hourly")):
        for place, family in enumerate(FAMILIES):
            for number in range(each):
                rng = np.random.default_rng([seed, int(rate), place, number])
                made.append(one(f"{word}/{family}_{number}", family, rate, days, rng))
    return made


def one(name: str, family: str, rate: float, days: int, rng: np.random.Generator) -> Series:
    n = int(days * DAY / rate)
    t: Exact = START + rate * np.arange(n, dtype=np.float64)
    x = usual(family, t, rng)
    for when in rng.integers(n // 8, n, size=max(1, days // 7)):  # deploys
        x[when:] *= 1 + rng.uniform(-0.08, 0.08)
    windows: list[tuple[int, int]] = []
    free = np.linspace(0.3, 0.95, 5)
    for place in free[rng.random(len(free)) < 0.8]:
        at = int((place + rng.uniform(-0.05, 0.02)) * n)
        windows.append(plant(family, x, at, rate, rng))
    return Series(name, t, x, tuple(windows))


def usual(family: str, t: Exact, rng: np.random.Generator) -> Exact:
    hours, day = np.mod(t / 3600, 24), np.floor(np.mod(t / DAY + 3, 7))
    shape = 1 + rng.uniform(0.3, 0.7) * np.sin((hours - rng.uniform(6, 12)) * np.pi / 12)
    shape *= np.where(day >= 5, rng.uniform(0.5, 0.9), 1.0)
    grown = 1 + rng.uniform(0, 0.1) * np.linspace(0, 1, len(t))
    wobble = smooth_noise(len(t), 30, rng)
    base = 10 ** rng.uniform(0, 4)
    if family == "requests":
        mean = base * 10 * shape * grown * (1 + 0.04 * wobble)
        return np.asarray(rng.poisson(mean), float)
    if family == "latency":
        return base * (1 + 0.2 * (shape - 1)) * grown * np.exp(0.12 * rng.standard_t(5, len(t)) + 0.05 * wobble)
    if family == "errors":
        return np.asarray(rng.poisson(2.0 * shape), float) + (rng.random(len(t)) < 0.003) * rng.exponential(5, len(t))
    return np.clip(35 * shape * grown + 4 * wobble + 2 * rng.standard_normal(len(t)), 0, 100)


def smooth_noise(n: int, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
    kernel = np.hanning(width + 2)[1:-1]
    made = np.convolve(rng.standard_normal(n + width), kernel / np.sqrt((kernel**2).sum()), mode="same")[:n]
    return np.asarray(made, float)


def plant(family: str, x: Exact, at: int, rate: float, rng: np.random.Generator) -> tuple[int, int]:
    kind = rng.choice(("burst", "fall", "shift", "leak"))
    day, end = int(DAY / rate), len(x) - 1
    if kind == "burst" or (kind == "fall" and family == "errors"):
        last = min(at + max(2, int(rng.uniform(10, 60) * 60 / rate)), end)
        x[at : last + 1] = x[at : last + 1] * rng.uniform(2.5, 5) + 3 * x[:at].mean() * 0.5
    elif kind == "fall":
        last = min(at + max(2, int(rng.uniform(10, 90) * 60 / rate)), end)
        x[at : last + 1] *= rng.uniform(0, 0.15)
    elif kind == "shift":
        last = min(at + max(3, day // 8), end)
        x[at:] = x[at:] + x[:at].mean() * rng.uniform(0.8, 1.5)
    else:
        last = min(at + max(6, day // 4), end)
        x[at : last + 1] += np.linspace(0, 1, last + 1 - at) * x[:at].mean() * rng.uniform(1, 2)
    if family == "cpu":
        np.clip(x, 0, 100, out=x)
    return at, last


@dataclass(frozen=True, slots=True)
class Found:
    """`f1` over events: an event is found by an alarm inside its window (half its length of grace); other alarms are false."""

    events: int
    found: int
    false: int
    days: float

    @property
    def f1(self) -> float:
        return 2 * self.found / max(2 * self.found + self.false + self.events - self.found, 1)


def judge(series: Series, alarms: NDArray[np.bool_]) -> Found:
    places = np.flatnonzero(alarms)
    used = np.zeros(len(places), np.bool_)
    found = 0
    for first, last in series.windows:
        inside = (places >= first) & (places <= last + (last - first + 1) // 2)
        found += bool(inside.any())
        used |= inside
    days = float(series.t[-1] - series.t[0]) / DAY
    return Found(len(series.windows), found, int((~used).sum()), days)


def together(all_found: list[Found]) -> Found:
    return Found(
        sum(one.events for one in all_found),
        sum(one.found for one in all_found),
        sum(one.false for one in all_found),
        sum(one.days for one in all_found),
    )
