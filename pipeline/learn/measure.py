"""How good verdicts were, measured against what people said: a table of figures with bootstrap intervals.

Labels come from incidents that a person looked at and said something about. Rates are of those, not of all incidents.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from agents.calibrate import CLASSES, Outcome, brier, ece, kappa, nll

URGENT = CLASSES[:2]
RESAMPLES = 300
INTERVAL = 0.95


class Judged(NamedTuple):
    """One verdict and the truth. `stated` is empty where who gave it states no probabilities."""

    said: str
    truth: str
    stated: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Scores:
    """None where there is nothing to measure: no urgent incident, no verdict P1, no probabilities."""

    n: int
    accuracy: float
    macro_f1: float
    """Of the severities that occur, said or true."""
    kappa: float
    """Quadratic weights."""
    cost: float
    """Mean square of the levels between verdict and truth."""
    under_triage: float | None
    """Share of true P1 and P2 that were called less urgent."""
    false_p1: float | None
    """Share of the verdicts P1 that a person lowered."""
    false_p1_per_1000: float
    """The same of 1,000 labelled incidents."""
    log_loss: float | None
    brier: float | None
    ece: float | None


class Interval(NamedTuple):
    low: float
    high: float


def scores(rows: Sequence[Judged]) -> Scores:
    """Raises ValueError for no rows."""
    if not rows:
        raise ValueError("nothing to measure")
    pairs = [(row.said, row.truth) for row in rows]
    urgent = [row for row in rows if row.truth in URGENT]
    p1 = [row for row in rows if row.said == CLASSES[0]]
    lowered = sum(row.truth != CLASSES[0] for row in p1)
    stated = [Outcome(row.stated, row.truth) for row in rows] if all(row.stated for row in rows) else []
    return Scores(
        n=len(rows),
        accuracy=sum(said == truth for said, truth in pairs) / len(rows),
        macro_f1=macro_f1(pairs),
        kappa=kappa(pairs),
        cost=sum((CLASSES.index(said) - CLASSES.index(truth)) ** 2 for said, truth in pairs) / len(rows),
        under_triage=sum(row.said > row.truth for row in urgent) / len(urgent) if urgent else None,
        false_p1=lowered / len(p1) if p1 else None,
        false_p1_per_1000=1000 * lowered / len(rows),
        log_loss=nll(stated) if stated else None,
        brier=brier(stated) if stated else None,
        ece=ece(stated) if stated else None,
    )


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    found = []
    for name in CLASSES:
        hits = sum(said == truth == name for said, truth in pairs)
        total = sum((said == name) + (truth == name) for said, truth in pairs)
        if total:
            found.append(2 * hits / total)
    return sum(found) / len(found)


def intervals(rows: Sequence[Judged], resamples: int = RESAMPLES) -> dict[str, Interval]:
    """Percentile bootstrap of each figure of `Scores` that can be measured. The same rows give the same intervals.

    ECE of a resample is too high by what repeated rows add to each bin, so its interval is moved by the mean of that.
    """
    chance = random.Random(len(rows))  # no secret: resampling that can be repeated
    drawn = [scores([rows[chance.randrange(len(rows))] for _ in rows]) for _ in range(resamples)]
    found, measured = {}, scores(rows)
    for field in fields(Scores):
        values = sorted(value for one in drawn if (value := getattr(one, field.name)) is not None)
        if not values or field.name == "n":
            continue
        cut = round((1 - INTERVAL) / 2 * (len(values) - 1))
        low, high = values[cut], values[-1 - cut]
        if field.name == "ece" and measured.ece is not None:
            bias = sum(values) / len(values) - measured.ece
            low, high = max(0.0, low - bias), max(0.0, high - bias)
        found[field.name] = Interval(low, high)
    return found
