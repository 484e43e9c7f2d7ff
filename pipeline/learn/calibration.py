"""Calibrations of language models from what people said: fitted on one half of the labels, measured on the other, both ways round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.calibrate import Calibration, Outcome, Step, brier, class_ece, ece, isotonic_fit, nll, temperature_fit
from pipeline.learn.compare import newest_of_each
from schemas.learning import Label, Snapshot

LEAST = 30
ISOTONIC_FROM = 2_000
"""Labels from which steps may be promoted; with fewer they follow chance (Niculescu-Mizil and Caruana 2005: about a thousand and more)."""
PREFIX = "calibration/"
Fit = Callable[[Sequence[Outcome]], Calibration]


@dataclass(frozen=True)
class Measured:
    ece: float
    p1_ece: float
    brier: float
    nll: float

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Measured:
        return cls(ece(outcomes), class_ece(outcomes, "P1"), brier(outcomes), nll(outcomes))


@dataclass(frozen=True)
class Fitted:
    """One model and prompt. `before` is with the calibration in use, if any; all figures are of labels that no fit has seen."""

    model: str
    labels: int
    before: Measured | None
    after: Mapping[str, Measured]
    chosen: str
    """`temperature`, `isotonic`, or empty: nothing is better."""
    reason: str
    temperature: float | None
    snapshot: Snapshot | None

    def to_json(self) -> dict[str, Any]:
        def plain(one: Measured) -> dict[str, float]:
            return {name: round(value, 6) for name, value in vars(one).items()}

        return {
            "model": self.model,
            "labels": self.labels,
            "before": plain(self.before) if self.before else None,
            "after": {name: plain(one) for name, one in self.after.items()},
            "chosen": self.chosen,
            "reason": self.reason,
            "temperature": self.temperature,
        }


def calibrations(labels: Iterable[tuple[int, Label]], in_use: Mapping[str, Snapshot], by: str) -> list[Fitted]:
    """Each model and prompt that labels know with probabilities. Raises ValueError when a calibration in use cannot be read."""
    groups: dict[str, list[tuple[int, Label]]] = {}
    for offset, label in newest_of_each(labels, 10**9):
        if label.advised_probabilities and label.model:
            groups.setdefault(label.model, []).append((offset, label))
    return [fitted(model, rows, in_use.get(PREFIX + model), by) for model, rows in sorted(groups.items())]


def fitted(model: str, rows: Sequence[tuple[int, Label]], in_use: Snapshot | None, by: str) -> Fitted:
    if len(rows) < LEAST:
        return Fitted(model, len(rows), None, {}, "", f"{len(rows)} labels; {LEAST} are needed", None, None)
    now = Calibration.from_content(in_use.content) if in_use is not None else Calibration()
    outcomes = [Outcome(now.apply(label.advised_probabilities, offset), str(label.severity)) for offset, label in rows]
    since = rows[-1][0] + 1
    fits: dict[str, Fit] = {
        "temperature": lambda part: Calibration((Step(since, temperature_fit(part)),)),
        "isotonic": lambda part: Calibration((Step(since, knots=isotonic_fit(part)),)),
    }
    before = Measured.of(outcomes)
    after = {name: Measured.of(crosswise(outcomes, fit)) for name, fit in fits.items()}
    candidates = [name for name in fits if name != "isotonic" or len(rows) >= ISOTONIC_FROM]
    best = min(candidates, key=lambda name: after[name].nll)
    better = after[best].nll < before.nll and after[best].brier <= before.brier
    whole = fits[best](outcomes)
    reason = f"{best}: NLL {after[best].nll:.3f} against {before.nll:.3f}, Brier {after[best].brier:.3f} against {before.brier:.3f}"
    snapshot = None
    if better:
        chain = Calibration(now.steps + whole.steps)
        figures = {
            f"{when}_{name}": round(value, 6) for when, one in (("", after[best]), ("before", before)) for name, value in vars(one).items()
        }
        snapshot = Snapshot(
            name=PREFIX + model,
            version=since,
            labels=len(rows),
            content=chain.content(),
            metrics={name.lstrip("_"): value for name, value in figures.items()},
            replaced=in_use.version if in_use is not None else None,
            at=rows[-1][1].at,
            by=by,
        )
    temperature = whole.steps[0].temperature if best == "temperature" else None
    return Fitted(
        model, len(rows), before, after, best if better else "", reason if better else f"not better: {reason}", temperature, snapshot
    )


def crosswise(outcomes: Sequence[Outcome], fit: Fit) -> list[Outcome]:
    """Every second one corrected by what the others taught, both ways round."""
    made = []
    for part in (0, 1):
        correction = fit(outcomes[1 - part :: 2])
        made += [Outcome(correction.apply(stated), truth) for stated, truth in outcomes[part::2]]
    return made
