"""How far stated probabilities can be believed, and corrections that make them believable. Plain Python, no randomness.

An `Outcome` is a stated distribution over severities and what it was in truth. ECE is of the likeliest severity, in bins of equal numbers
(Nixon et al. 2019); Brier is the sum over all classes, from 0 to 2; NLL is in nats. Temperature is Guo et al. 2017; isotonic is a
monotone step for each class, found by pooling adjacent violators, then scaled to sum 1 (Zadrozny and Elkan 2002).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from math import exp, log
from operator import itemgetter
from typing import Any, NamedTuple

from schemas.base import Severity

CLASSES = tuple(severity.value for severity in Severity)
LEAST = 1e-6
"""No stated probability counts as less: one sure mistake must not be infinitely bad."""
BINS = 15
GOLDEN = (5**0.5 - 1) / 2
HOTTEST = log(20)
COLD, HOT = 1e-3, 1e3
STEPS, KNOTS, OFFSETS = 1_000, 100_000, 2**63
"""Bounds of what is read as a calibration."""


class Outcome(NamedTuple):
    stated: Mapping[str, float]
    truth: str


Knots = tuple[tuple[float, float], ...]
"""Stated probability to observed share, both rising."""


@dataclass(frozen=True)
class Step:
    """One fitted correction. Labels from offset `since` on carry probabilities that it has corrected already."""

    since: int
    temperature: float = 1.0
    knots: Mapping[str, Knots] | None = None

    def apply(self, stated: Mapping[str, float]) -> dict[str, float]:
        return temperature_apply(stated, self.temperature) if self.knots is None else isotonic_apply(stated, self.knots)


@dataclass(frozen=True)
class Calibration:
    """Corrections in the order in which they were fitted, each on what those before it had made. Without any it changes nothing."""

    steps: tuple[Step, ...] = ()

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Calibration:
        """From the `content` of a snapshot `calibration/...`. Raises ValueError when it is none; a retry does not help."""
        try:
            steps = content["steps"]
            if not isinstance(steps, list) or len(steps) > STEPS:
                raise ValueError(f"this is no calibration: `steps` is a list of at most {STEPS}")
            return cls(tuple(map(read_step, steps)))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no calibration: {type(error).__name__}") from None

    def content(self) -> dict[str, Any]:
        return {
            "steps": [
                {"since": step.since}
                | (
                    {"temperature": step.temperature}
                    if step.knots is None
                    else {"knots": {k: [*map(list, v)] for k, v in step.knots.items()}}
                )
                for step in self.steps
            ]
        }

    def apply(self, stated: Mapping[str, float], since: int = 0) -> dict[str, float]:
        """The corrected distribution over P1-P4; empty stays empty: who gave none gets none.

        `since`: offset of the label that recorded `stated`, to bring it to where all corrections were in use; 0 of what a model just said.
        """
        corrected = dict(stated)
        for step in self.steps if stated else ():
            if step.since > since:
                corrected = step.apply(corrected)
        return corrected


def read_step(given: Mapping[str, Any]) -> Step:
    """Raises ValueError, KeyError, TypeError or AttributeError when it is none."""
    since = given["since"]
    if isinstance(since, bool) or not isinstance(since, int) or not 1 <= since <= OFFSETS:
        raise ValueError("this is no calibration: a step needs an offset `since` from 1 on")
    if (table := given.get("knots")) is None:
        return Step(since, bounded(given.get("temperature", 1.0), COLD, HOT))
    knots = {name: read_knots(table[name]) for name in CLASSES}
    return Step(since, knots=knots)


def read_knots(rows: object) -> Knots:
    if not isinstance(rows, list) or not 1 <= len(rows) <= KNOTS or not all(isinstance(row, list) and len(row) == 2 for row in rows):
        raise ValueError(f"this is no calibration: knots are at least one and at most {KNOTS} pairs")
    knots = tuple((bounded(x, 0, 1), bounded(y, 0, 1)) for x, y in rows)
    if not all(before[0] <= after[0] for before, after in pairwise(knots)):
        raise ValueError("this is no calibration: knots rise")
    return knots


def bounded(value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"this is no calibration: a number from {low:g} to {high:g} is needed")
    return float(value)


def normal(stated: Mapping[str, float]) -> dict[str, float]:
    """All of P1-P4, none below `LEAST`, with the sum 1. What is no share counts as the next one that is; no number as none."""
    held = {name: min(max(LEAST, stated.get(name, 0.0)), 1.0) for name in CLASSES}
    total = sum(held.values())
    return {name: share / total for name, share in held.items()}


# -- measures ---------------------------------------------------------------------------------------------------------------------------


def nll(outcomes: Sequence[Outcome]) -> float:
    """Mean negative log-likelihood of the truth. Raises ZeroDivisionError for no outcomes, as all measures here do."""
    return -sum(log(normal(stated)[truth]) for stated, truth in outcomes) / len(outcomes)


def brier(outcomes: Sequence[Outcome]) -> float:
    return sum((stated.get(name, 0.0) - (name == truth)) ** 2 for stated, truth in outcomes for name in CLASSES) / len(outcomes)


def ece(outcomes: Sequence[Outcome], bins: int = BINS) -> float:
    """Mean distance of confidence from accuracy, over at most `bins` bins of equal numbers."""
    pairs = []
    for stated, truth in outcomes:
        top = max(CLASSES, key=lambda name: stated.get(name, 0.0))
        pairs.append((stated.get(top, 0.0), top == truth))
    return binned_gap(pairs, bins)


def class_ece(outcomes: Sequence[Outcome], name: str, bins: int = BINS) -> float:
    """The same of one class's probability, whether or not it is the likeliest."""
    return binned_gap([(stated.get(name, 0.0), truth == name) for stated, truth in outcomes], bins)


def binned_gap(pairs: list[tuple[float, bool]], bins: int) -> float:
    """Whoever said the same is equally right: else the order among equals, where the wrong come first, would make gaps of its own."""
    ordered: list[tuple[float, float]] = []
    for said, alike in groupby(sorted(pairs), key=itemgetter(0)):
        rights = [right for _, right in alike]
        ordered += [(said, sum(rights) / len(rights))] * len(rights)
    count, gap = len(ordered), 0.0
    for at in range(bins):
        piece = ordered[at * count // bins : (at + 1) * count // bins]
        gap += abs(sum(said for said, _ in piece) - sum(right for _, right in piece))
    return gap / count


def kappa(pairs: Sequence[tuple[str, str]]) -> float:
    """Cohen's kappa of (said, truth) with quadratic weights: 1 agrees, 0 is chance. 1 where all said and all true are the same class."""
    places = [(CLASSES.index(said), CLASSES.index(truth)) for said, truth in pairs]
    seen = sum((said - truth) ** 2 for said, truth in places) / len(places)
    by_said = [sum(said == at for said, _ in places) / len(places) for at in range(len(CLASSES))]
    by_truth = [sum(truth == at for _, truth in places) / len(places) for at in range(len(CLASSES))]
    chance = sum(p * q * (i - j) ** 2 for i, p in enumerate(by_said) for j, q in enumerate(by_truth))
    return 1 - seen / chance if chance else 1.0


# -- temperature ------------------------------------------------------------------------------------------------------------------------


def temperature_apply(stated: Mapping[str, float], temperature: float) -> dict[str, float]:
    sums = {name: log(share) / temperature for name, share in normal(stated).items()}
    top = max(sums.values())
    raised = {name: exp(one - top) for name, one in sums.items()}
    total = sum(raised.values())
    return {name: one / total for name, one in raised.items()}


def temperature_fit(outcomes: Sequence[Outcome]) -> float:
    """The temperature between 1/20 and 20 with the least NLL: above 1 where the stated probabilities are too sure."""

    def loss(cold: float) -> float:
        return nll([Outcome(temperature_apply(stated, exp(cold)), truth) for stated, truth in outcomes])

    low, high = -HOTTEST, HOTTEST
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-3:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = loss(right)
    return exp((low + high) / 2)


# -- isotonic ---------------------------------------------------------------------------------------------------------------------------


def isotonic_fit(outcomes: Sequence[Outcome]) -> dict[str, Knots]:
    return {name: pooled([(normal(stated)[name], float(truth == name)) for stated, truth in outcomes]) for name in CLASSES}


def pooled(points: Sequence[tuple[float, float]]) -> Knots:
    """Pool adjacent violators: (mean of x, share) of each block. Shares keep away from 0 and 1 as far as the number of points allows."""
    blocks: list[list[float]] = []  # sum of x, sum of y, points
    for x, alike in groupby(sorted(points), key=itemgetter(0)):  # what was stated alike is corrected alike
        shares = [y for _, y in alike]
        blocks.append([x * len(shares), sum(shares), float(len(shares))])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][2] >= blocks[-1][1] * blocks[-2][2]:
            last = blocks.pop()
            blocks[-1] = [one + other for one, other in zip(blocks[-1], last, strict=True)]
    edge = 1 / (len(points) + 2)
    return tuple((x / count, min(max(y / count, edge), 1 - edge)) for x, y, count in blocks)


def isotonic_apply(stated: Mapping[str, float], knots: Mapping[str, Knots]) -> dict[str, float]:
    given = normal(stated)
    return normal({name: between(knots[name], given[name]) for name in CLASSES})


def between(knots: Knots, x: float) -> float:
    """On the straight line between the neighbours of `x`; beyond the ends as at the end."""
    at = bisect_right(knots, (x, 2.0))
    if at == 0 or at == len(knots):
        return knots[0][1] if at == 0 else knots[-1][1]
    (x0, y0), (x1, y1) = knots[at - 1], knots[at]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if x1 > x0 else y1
