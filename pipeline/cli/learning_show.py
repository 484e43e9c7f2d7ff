"""Comparisons and calibrations as tables."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.cli.common import print_table
from pipeline.learn.calibration import Fitted, Measured
from pipeline.learn.compare import Column, Comparison

MEASURES = (
    ("accuracy", "accuracy"),
    ("macro_f1", "macro-F1"),
    ("kappa", "kappa, quadratic"),
    ("cost", "levels missed, squared"),
    ("under_triage", "under-triage of P1, P2"),
    ("false_p1", "false P1 of verdicts P1"),
    ("false_p1_per_1000", "false P1 of 1,000"),
    ("log_loss", "log-loss"),
    ("brier", "Brier"),
    ("ece", "ECE, 15 bins"),
)


def print_comparison(found: Comparison) -> None:
    print(f"On {found.about}:")
    rows = [("labels", *(str(one.found.n) if one.found else "0" for one in found.columns))]
    rows += [(title, *(cell(one, name) for one in found.columns)) for name, title in MEASURES]
    print_table(("", *(one.name for one in found.columns)), rows)
    print("In brackets: 95 % by bootstrap. Log-loss, Brier and ECE of the rules are of how often people's word followed on each verdict.")
    print(f"{'Better' if found.verdict.better else 'Not better'}: {found.verdict.reason}.")


def cell(one: Column, name: str) -> str:
    value = getattr(one.found, name) if one.found is not None else None
    if value is None:
        return "-"
    form = "{:.0f}" if name == "false_p1_per_1000" else "{:.3f}"
    ends = one.between.get(name)
    return form.format(value) + (f" [{form.format(ends.low)}, {form.format(ends.high)}]" if ends else "")


def print_fits(fits: Sequence[Fitted]) -> None:
    if not fits:
        print("No label knows the probabilities of a model: nothing to calibrate.")
        return
    rows: list[Sequence[object]] = []
    for one in fits:
        if one.before is None:
            continue
        rows.append((one.model, one.labels, "in use", *figures(one.before)))
        rows += [(one.model, one.labels, name, *figures(after)) for name, after in one.after.items()]
    if rows:
        print_table(("model and prompt", "labels", "correction", "ece", "ece of P1", "brier", "nll"), rows)
        print("ECE of 15 bins of equal numbers. Each half of the labels is corrected by what the other half taught.")
    for one in fits:
        hot = f" (temperature {one.temperature:.2f})" if one.temperature is not None else ""
        print(f"{one.model}: {one.reason}{hot}.")


def figures(one: Measured) -> tuple[str, ...]:
    return tuple(f"{value:.3f}" for value in (one.ece, one.p1_ece, one.brier, one.nll))
