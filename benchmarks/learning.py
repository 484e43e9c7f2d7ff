"""What the classifier learns from labels in one pass, on alert rules whose severity their authors gave. Needs no Kafka.

Each file of the folder is a team that labels its alerts one after the other, in an order fixed by a digest of their ids. Every verdict
counts before its label is learned. The source's word is withheld (it is the truth here), and words of severity are taken out of the names:
the rules have the name and the summary, the classifier name, service and source only.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

from agents.calibrate import Calibration, Outcome, Step, brier, ece, nll, temperature_fit
from agents.learned import WORD, Classifier, likeliest
from agents.normalize.words import level_of
from agents.score import rate
from benchmarks.report import Result, Wrong, arguments, conduct, parse, say
from pipeline.learn.calibration import crosswise
from pipeline.learn.measure import Judged, scores
from pipeline.learn.promote import Gate, Learners, SeverityLearner, figures
from pipeline.learn.trainer import SeverityTrainer
from schemas.alert import Alert, RawCoordinates
from schemas.base import AlertStatus
from schemas.learning import Features, Label

START = datetime(2026, 1, 1, tzinfo=UTC)
SAYS_IT = ("critical", "crit", "warn", "info", "severe", "major", "minor", "sev", "emergency")
"""Beginnings of words that give the truth away."""
AUTHORS = 3
"""People of a team; each has one word an hour, so that all of them count."""
SHOWN = ("accuracy", "macro_f1", "kappa", "under_triage", "false_p1", "log_loss", "brier", "ece")


def main() -> None:
    parser = arguments(__doc__ or "", seconds=2, rate=None, quick_seconds=0.2)
    parser.add_argument("--data", type=Path, required=True, help="folder of *.jsonl with id, alertname, service, source, summary, severity")
    conduct("learning", parse(parser), measure, ())


def measure(options: argparse.Namespace) -> Result:
    files = sorted(options.data.glob("*.jsonl"))
    if not files:
        raise Wrong(f"there are no *.jsonl files in {options.data}")
    sets = {}
    SeverityTrainer()  # river's import is no cost of a label
    for file in files:
        labels = stream([json.loads(line) for line in file.read_text().splitlines()])
        sets[file.stem] = one_pass(labels, options.seconds)
        say(f"  {file.stem}: {len(labels)} labels, {sets[file.stem]['promoted']} snapshots promoted")
        for name in ("majority", "rules", "in_use", "classifier", "classifier_second_half", "cooled_second_half"):
            found = sets[file.stem][name]
            say(f"    {name:24}" + "  ".join(f"{key} {found[key]:.3f}" for key in SHOWN if key in found))
        for bound, found in sets[file.stem]["p1_confirmed"].items():
            say(f"    P1 at least {bound} probable: {found['n']} verdicts, precision {found['precision']}, recall {found['recall']}")
    first = next(iter(sets.values()))
    return {"us_per_question": first["us_per_question"], "us_per_label": first["us_per_label"], "sets": sets}


def stream(rows: Sequence[dict[str, Any]]) -> list[Label]:
    ordered = sorted(rows, key=lambda row: blake2b(row["id"].encode()).digest())
    return [label for number, row in enumerate(ordered) if (label := labelled(number, row)) is not None]


def labelled(number: int, row: dict[str, Any]) -> Label | None:
    truth = level_of(row["severity"])
    if truth is None:
        return None
    name = "".join(word[:1].upper() + word[1:] for word in WORD.findall(row["alertname"]) if not word.lower().startswith(SAYS_IT))
    where = RawCoordinates(topic="", partition=0, offset=number)
    alert = Alert(
        alert_id=row["id"], fingerprint=row["id"], source=row["source"], domain="", name=name, summary=row["summary"],
        status=AlertStatus.FIRING, received_at=START, deadline=START, raw=where,
    )  # fmt: skip
    return Label(
        label_id=row["id"],
        kind="severity",
        incident_id=row["id"],
        domain="",
        features=Features(name=name, service=row["service"], source=row["source"]),
        rule_severity=rate(alert, tier=3, customer_facing=False, known=False)[0],
        severity=truth,
        by=f"author {number % AUTHORS}",
        at=START + timedelta(hours=number),
    )


def one_pass(labels: Sequence[Label], seconds: float) -> Result:
    everything = SeverityLearner(gate=Gate(every=10**9, window=len(labels)))
    began = time.process_time()
    for offset, label in enumerate(labels):
        everything.take(offset, label)
    per_label = (time.process_time() - began) / len(labels)
    candidate = everything.candidate(everything.verdict())
    ours = [Judged(likeliest(row.stated).value, str(row.label.severity), row.stated) for row in everything.window]
    half = ours[len(ours) // 2 :]
    lane, in_use = as_the_lane(labels)
    return {
        "labels": len(labels),
        "truth": dict(Counter(str(label.severity) for label in labels).most_common()),
        "majority": figures(scores([Judged(most_common(labels), str(one.severity), {}) for one in labels])),
        "rules": figures(scores([Judged(str(row.label.rule_severity), str(row.label.severity), row.rules) for row in everything.window])),
        "in_use": figures(scores(in_use)),
        "classifier": figures(scores(ours)),
        "classifier_second_half": figures(scores(half)),
        "cooled_second_half": cooled(half),
        "p1_confirmed": {f"{bound:.1f}": confirmed(ours, bound) for bound in (0.5, 0.6, 0.7)},
        "promoted": lane,
        "us_per_label": round(per_label * 1e6, 1),
        "us_per_question": question_cost(Classifier.from_snapshot(candidate), labels, seconds),
        "snapshot_bytes": len(candidate.to_json()),
    }


def as_the_lane(labels: Sequence[Label]) -> tuple[int, list[Judged]]:
    """(snapshots promoted, verdicts of what was in use at each label): the rules until a snapshot is better."""
    learners, promoted, verdicts = Learners(), 0, []
    for offset, label in enumerate(labels):
        classifier = learners.severity.classifier
        said = likeliest(classifier.probabilities(label.features)) if classifier is not None else label.rule_severity
        verdicts.append(Judged(said.value, str(label.severity), {}))
        promoted += learners.take(offset, label)[0] is not None
    return promoted, verdicts


def cooled(rows: Sequence[Judged]) -> dict[str, float]:
    """With a temperature, each half of the rows by what the other half taught."""
    stated = [Outcome(row.stated, row.truth) for row in rows]
    made = crosswise(stated, lambda part: Calibration((Step(1, temperature_fit(part)),)))
    return {"log_loss": round(nll(made), 6), "brier": round(brier(made), 6), "ece": round(ece(made), 6)}


def confirmed(rows: Sequence[Judged], bound: float) -> dict[str, float]:
    """Of verdicts with at least this probability of P1: how many, how often right, and the share of all P1 that they find."""
    found = [row.truth == "P1" for row in rows if row.stated["P1"] >= bound]
    every = sum(row.truth == "P1" for row in rows)
    return {
        "n": len(found),
        "precision": round(sum(found) / len(found), 3) if found else 0.0,
        "recall": round(sum(found) / every, 3) if every else 0.0,
    }


def most_common(labels: Sequence[Label]) -> str:
    return Counter(str(label.severity) for label in labels).most_common(1)[0][0]


def question_cost(classifier: Classifier | None, labels: Sequence[Label], seconds: float) -> float:
    if classifier is None:
        raise Wrong("nothing was learned")
    asked, ends, began = 0, time.monotonic() + seconds, time.process_time()
    while time.monotonic() < ends or not asked:
        for label in labels:
            classifier.probabilities(label.features)
        asked += len(labels)
    return round((time.process_time() - began) / asked * 1e6, 1)


if __name__ == "__main__":
    main()
