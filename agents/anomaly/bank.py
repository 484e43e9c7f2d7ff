"""The detectors: a bank of N series that steps over arrays, and one series as a bank of one."""

from __future__ import annotations

from enum import Enum

import numpy as np

from agents.anomaly import decide, novelty, seasonal, tick
from agents.anomaly.arrays import Arrays, Exact, Fast, Index, Layout
from agents.anomaly.config import FROZEN, Config
from agents.anomaly.contract import Score, Scores, Silence

CHUNK = 16_384
"""Series a pass: bounds the temporary arrays (about 1 kB a series). Smaller passes were slower: numpy costs about 1 µs a call."""


class Kind(Enum):
    SEASONAL = "seasonal"
    NOVELTY = "novelty"
    COMBINED = "combined"


EXACT = {**tick.EXACT, **seasonal.EXACT}
WITHOUT_STREAMS = Layout({**tick.FAST, **decide.FAST, **seasonal.FAST}, EXACT)
WITH_STREAMS = Layout({**tick.FAST, **decide.FAST, **novelty.FAST, **seasonal.FAST}, EXACT)


def layout_of(kind: Kind) -> Layout:
    return WITHOUT_STREAMS if kind is Kind.SEASONAL else WITH_STREAMS


class ArrayBank:
    """N series of one kind of detector. State is `arrays`; nothing else is remembered."""

    def __init__(self, size: int, kind: Kind = Kind.COMBINED, config: Config = FROZEN, arrays: Arrays | None = None) -> None:
        self.kind, self.config = kind, config
        self.arrays = Arrays(layout_of(kind), size) if arrays is None else arrays

    @property
    def size(self) -> int:
        return self.arrays.size

    def step(self, t: Exact, x: Exact, series: Index | None = None) -> Scores:
        count = self.size if series is None else len(series)
        if len(t) != count or len(x) != count:
            raise ValueError(f"{len(t)} times and {len(x)} values for {count} series")
        found = Scores(
            np.full(count, np.nan, np.float32),
            np.zeros(count, np.bool_),
            np.full(count, np.nan),
            np.full(count, np.nan, np.float32),
            np.zeros(count, np.bool_),
        )
        for first in range(0, count, CHUNK):
            last = min(first + CHUNK, count)
            which = slice(first, last) if series is None else series[first:last]
            self._chunk(t[first:last], x[first:last], which, found, first)
        return found

    def _chunk(self, t: Exact, x: Exact, which: slice | Index, found: Scores, start: int) -> None:
        places = which
        if isinstance(which, slice):
            part = self.arrays.columns(which.start, which.stop)
        else:
            part = self.arrays.take(which, seasonal.PROFILES)
        good = tick.usable(part, t, x)
        if good.all():
            keep: slice | Index = slice(start, start + len(t))
        else:
            here = np.flatnonzero(good)
            found.skipped[start : start + len(t)] = ~good
            places = here + places.start if isinstance(places, slice) else places[here]
            part, t, x, keep = part.take(here, seasonal.PROFILES), t[here], x[here], here + start
        if len(t):
            self._advance(part, places, t, x, keep, found)
        if not isinstance(places, slice):
            self.arrays.put(places, part)

    def _advance(self, part: Arrays, places: slice | Index, t: Exact, x: Exact, keep: slice | Index, found: Scores) -> None:
        config = self.config
        now = tick.tick(part, t, x, config)
        usual = seasonal.seasonal(part, now, places, self.arrays, config)
        evidence: Fast = np.zeros(len(t), np.float32)
        if self.kind is not Kind.SEASONAL:
            size = np.abs(usual.z)
            evidence += novelty.novelty(part, now, usual, config)
            evidence *= size / (size + np.float32(config.gate))
        if self.kind is not Kind.NOVELTY:
            weight = np.float32(config.z_weight if self.kind is Kind.COMBINED else 1)
            evidence += weight * decide.z_evidence(part, now, usual, config)
        value, alarm = decide.decide(part, now, evidence, config)
        found.value[keep], found.alarm[keep], found.spread[keep] = value, alarm, usual.spread
        found.baseline[keep] = usual.baseline + part.times("origin")

    def to_bytes(self) -> bytes:
        return self.arrays.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes, kind: Kind = Kind.COMBINED, config: Config = FROZEN) -> ArrayBank:
        arrays = Arrays.from_bytes(layout_of(kind), data)
        return cls(arrays.size, kind, config, arrays)


class One:
    """One series: a bank of one, so that its numbers are those of the step."""

    def __init__(self, kind: Kind = Kind.COMBINED, config: Config = FROZEN, bank: ArrayBank | None = None) -> None:
        self.bank = ArrayBank(1, kind, config) if bank is None else bank
        self._ahead: tuple[float, float, ArrayBank] | None = None

    def score_one(self, t: float, x: float) -> Score | Silence:
        """Of a copy, which is kept: learning the same sample next costs nothing."""
        ahead = ArrayBank.from_bytes(self.bank.to_bytes(), self.bank.kind, self.bank.config)
        scores = ahead.step(np.array([t]), np.array([x]))
        self._ahead = t, x, ahead
        return scores.at(0)

    def learn_one(self, t: float, x: float) -> None:
        if self._ahead is not None and self._ahead[:2] == (t, x):
            self.bank = self._ahead[2]
        else:
            self.bank.step(np.array([t]), np.array([x]))
        self._ahead = None

    def to_bytes(self) -> bytes:
        return self.bank.to_bytes()
