"""What a detector is: for one series `score_one` and `learn_one`, for N series `step`; both give the same numbers.

Times are seconds since 1970 in UTC. A score is in [0, 1], the same scale for every series and sample rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.anomaly.arrays import Exact, Fast, Index


class Silence(Enum):
    """Why a detector has no score: never the same as a score of 0."""

    WARMING = "warming up"
    SKIPPED = "not a sample: not finite, or not later than the last one"


WARMING = Silence.WARMING
SKIPPED = Silence.SKIPPED


@dataclass(frozen=True, slots=True)
class Score:
    """One sample against its series. `alarm` is true once an event; `baseline` and `spread` are in the unit of the value."""

    value: float
    alarm: bool
    baseline: float
    spread: float


@dataclass(frozen=True, slots=True)
class Scores:
    """The same for a step: one element a sample. `value` is NaN where there is no score, `skipped` says which of these were no samples."""

    value: Fast
    alarm: NDArray[np.bool_]
    baseline: Exact
    spread: Fast
    skipped: NDArray[np.bool_]

    def at(self, place: int) -> Score | Silence:
        if self.skipped[place]:
            return SKIPPED
        value = float(self.value[place])
        if value != value:
            return WARMING
        return Score(value, bool(self.alarm[place]), float(self.baseline[place]), float(self.spread[place]))


class Detector(Protocol):
    """One series. `score_one` changes nothing; call it before `learn_one` of the same sample."""

    def score_one(self, t: float, x: float) -> Score | Silence: ...

    def learn_one(self, t: float, x: float) -> None: ...


class Bank(Protocol):
    """N series. A step scores one sample of each series named in `series` (all, in order, by default), then learns it.

    A series may occur once a step. Returns scores in the order of the arguments.
    """

    @property
    def size(self) -> int: ...

    def step(self, t: Exact, x: Exact, series: Index | None = None) -> Scores: ...

    def to_bytes(self) -> bytes: ...
