"""From labels, in the order of their offsets, to snapshots: a candidate is promoted only when it is better than what is in use.

Better is measured on labels that neither had learned when it judged them: the candidate judges each label before it learns it, and of the
snapshot in use only labels from its version on count. Where none is in use the opponent is the rules. All this follows from the labels
and the snapshot in use alone, so that a learner that starts anew, or a second one, comes to the same snapshots.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log
from typing import Any, NamedTuple

from agents.calibrate import LEAST
from agents.learned import CLASSES, DOUBT_PRIOR, Classifier, likeliest
from pipeline.learn.measure import Judged, Scores, scores
from pipeline.learn.trainer import RunbookTrainer, SeverityTrainer
from schemas.learning import Label, Snapshot

SEVERITY, RUNBOOK = "severity", "runbook"
KNOWN_IDS = 10_000
"""Newest label ids that are known again; a repeat that comes later is learned a second time."""


@dataclass(frozen=True, slots=True)
class Gate:
    """When a candidate is compared, on how many labels, and on how few it is not."""

    every: int = 10
    window: int = 200
    least: int = 30


SEVERITY_GATE = Gate()
RUNBOOK_GATE = Gate(every=5, window=200, least=10)


@dataclass(frozen=True, slots=True)
class Verdict:
    better: bool
    reason: str
    candidate: Mapping[str, float]
    opponent: Mapping[str, float]
    against: str

    def metrics(self) -> dict[str, float]:
        return {**self.candidate, **{f"opponent_{name}": value for name, value in self.opponent.items()}}


class Taught(NamedTuple):
    """A label with what was said of it before it was learned."""

    offset: int
    label: Label
    stated: Mapping[str, float]
    rules: Mapping[str, float]
    """How often people's word followed on that verdict of the rules, so far."""


class SeverityLearner:
    """Raises ImportError where river is missing, at the first label."""

    name = SEVERITY

    def __init__(self, in_use: Snapshot | None = None, gate: Gate = SEVERITY_GATE) -> None:
        self._gate = gate
        self._trainer: SeverityTrainer | None = None
        self._by_rule = {rule: dict.fromkeys(CLASSES, 1) for rule in CLASSES}
        self.window: deque[Taught] = deque(maxlen=gate.window)
        self.count = 0
        self.use(in_use)

    def use(self, snapshot: Snapshot | None) -> None:
        """What is in use from now on. One that this release cannot read is as good as none: decide does not use it either."""
        self.in_use = snapshot
        try:
            self.classifier = Classifier.from_snapshot(snapshot)
        except ValueError:
            self.classifier = None

    def take(self, offset: int, label: Label) -> bool:
        """Judge a label, then learn it; whether a comparison is due. Raises ValueError for a label that says nothing."""
        if label.severity is None:
            raise ValueError("a label of kind `severity` says no severity")
        if self._trainer is None:
            self._trainer = SeverityTrainer()
        by_rule = self._by_rule[label.rule_severity.value]
        total = sum(by_rule.values())
        rules = {name: count / total for name, count in by_rule.items()}
        self.window.append(Taught(offset, label, self._trainer.probabilities(label.features), rules))
        self._trainer.learn(label.features, label.severity)
        by_rule[label.severity.value] += 1
        self.count += 1
        return self.count % self._gate.every == 0

    def unseen(self) -> list[Taught]:
        """Labels of the window that the snapshot in use has not learned."""
        since = self.in_use.version if self.in_use is not None and self.classifier is not None else 0
        return [row for row in self.window if row.offset >= since]

    def verdict(self) -> Verdict:
        rows = self.unseen()
        against = f"version {self.in_use.version}" if self.in_use is not None and self.classifier is not None else "the rules"
        if len(rows) < self._gate.least:
            return Verdict(False, f"{len(rows)} labels that neither had learned; {self._gate.least} are needed", {}, {}, against)
        ours = scores([judged(row.stated, row) for row in rows])
        if self.classifier is not None:
            theirs = scores([judged(self.classifier.probabilities(row.label.features), row) for row in rows])
        else:
            theirs = scores([Judged(row.label.rule_severity.value, truth(row), row.rules) for row in rows])
        worse = worse_in(ours, theirs)
        reason = f"not better than {against}: {worse}" if worse else f"better than {against} on {len(rows)} labels"
        return Verdict(not worse, reason, figures(ours), figures(theirs), against)

    def candidate(self, verdict: Verdict, by: str = "flux") -> Snapshot:
        """Raises ValueError before the first label."""
        if self._trainer is None or not self.window:
            raise ValueError("nothing was learned yet")
        return snapshot(self.name, self._trainer.content(), self.count, self.window[-1], verdict, self.in_use, by)


class Doubted(NamedTuple):
    offset: int
    label: Label
    stated: float


class RunbookLearner:
    """The same for runbooks. Its measure is simpler: log-loss lower and Brier not higher. Opponent of the first is a constant doubt."""

    name = RUNBOOK

    def __init__(self, in_use: Snapshot | None = None, gate: Gate = RUNBOOK_GATE) -> None:
        self._gate = gate
        self._trainer = RunbookTrainer()
        self.window: deque[Doubted] = deque(maxlen=gate.window)
        self.count = 0
        self.use(in_use)

    def use(self, snapshot: Snapshot | None) -> None:
        self.in_use = snapshot
        try:
            self.classifier = Classifier.from_snapshot(None, snapshot)
        except ValueError:
            self.classifier = None

    def take(self, offset: int, label: Label) -> bool:
        if label.runbook_id is None or label.right is None:
            raise ValueError("a label of kind `runbook` names no runbook, or does not say whether it was right")
        self.window.append(Doubted(offset, label, self._trainer.wrong(label.features, label.runbook_id)))
        self._trainer.learn(label.features, label.runbook_id, label.right)
        self.count += 1
        return self.count % self._gate.every == 0

    def verdict(self) -> Verdict:
        classifier = self.classifier
        since = self.in_use.version if self.in_use is not None and classifier is not None else 0
        rows = [row for row in self.window if row.offset >= since]
        against = f"version {since}" if classifier is not None else "doubting all alike"
        if len(rows) < self._gate.least:
            return Verdict(False, f"{len(rows)} labels that neither had learned; {self._gate.least} are needed", {}, {}, against)
        ours = doubts([(row.stated, not row.label.right) for row in rows])
        theirs = doubts(
            [
                (
                    classifier.runbook_wrong(row.label.features, row.label.runbook_id or "") if classifier else DOUBT_PRIOR,
                    not row.label.right,
                )
                for row in rows
            ]
        )
        better = ours["log_loss"] < theirs["log_loss"] and ours["brier"] <= theirs["brier"]
        reason = (
            f"{'better than' if better else 'not better than'} {against}: log-loss {ours['log_loss']:.3f} against {theirs['log_loss']:.3f}"
        )
        return Verdict(better, reason, ours, theirs, against)

    def candidate(self, verdict: Verdict, by: str = "flux") -> Snapshot:
        if not self.window:
            raise ValueError("nothing was learned yet")
        return snapshot(self.name, self._trainer.content(), self.count, self.window[-1], verdict, self.in_use, by)


class Learners:
    """Both kinds, over one stream of labels."""

    def __init__(self, severity: SeverityLearner | None = None, runbook: RunbookLearner | None = None) -> None:
        self.severity = severity or SeverityLearner()
        self.runbook = runbook or RunbookLearner()
        self._known: OrderedDict[str, None] = OrderedDict()

    def use(self, in_use: Mapping[str, Snapshot]) -> None:
        for learner in (self.severity, self.runbook):
            now = in_use.get(learner.name)
            if now is not None and now is not learner.in_use:
                learner.use(now)

    def take(self, offset: int, label: Label) -> tuple[Snapshot | None, Verdict | None]:
        """Learn one label. A snapshot to publish where a comparison was due and won; from then on it is the one in use.

        The same label again is passed over. Raises ValueError for a label that says nothing; it is not learned.
        """
        if label.label_id in self._known:
            return None, None
        learner = self.severity if label.kind == "severity" else self.runbook
        due = learner.take(offset, label)
        self._known[label.label_id] = None
        if len(self._known) > KNOWN_IDS:
            self._known.popitem(last=False)
        if not due:
            return None, None
        verdict = learner.verdict()
        if not verdict.better:
            return None, verdict
        made = learner.candidate(verdict)
        learner.use(made)
        return made, verdict


def truth(row: Taught) -> str:
    assert row.label.severity is not None  # `take` lets no other in
    return row.label.severity.value


def judged(stated: Mapping[str, float], row: Taught) -> Judged:
    return Judged(likeliest(stated).value, truth(row), stated)


def worse_in(ours: Scores, theirs: Scores) -> str:
    """Why a candidate is not better; empty when it is. Equal is not better."""
    faults = []
    if not (ours.log_loss is not None and theirs.log_loss is not None and ours.log_loss < theirs.log_loss):
        faults.append(f"log-loss {shown(ours.log_loss)} is not below {shown(theirs.log_loss)}")
    if ours.cost > theirs.cost:
        faults.append(f"mean square of levels missed {shown(ours.cost)} is above {shown(theirs.cost)}")
    if (ours.under_triage or 0.0) > (theirs.under_triage or 0.0):
        faults.append(f"under-triage {shown(ours.under_triage)} is above {shown(theirs.under_triage)}")
    return "; ".join(faults)


def shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def figures(found: Scores) -> dict[str, float]:
    return {
        name: round(value, 6)
        for name in ("n", "accuracy", "macro_f1", "kappa", "cost", "under_triage", "false_p1", "log_loss", "brier", "ece")
        if (value := getattr(found, name)) is not None
    }


def doubts(rows: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """Log-loss and Brier of (probability of wrong, whether it was)."""
    held = [(min(max(said, LEAST), 1 - LEAST), wrong) for said, wrong in rows]
    return {
        "n": float(len(held)),
        "log_loss": round(-sum(log(said if wrong else 1 - said) for said, wrong in held) / len(held), 6),
        "brier": round(sum((said - wrong) ** 2 for said, wrong in held) / len(held), 6),
    }


def snapshot(
    name: str, content: dict[str, Any], count: int, last: Taught | Doubted, verdict: Verdict, in_use: Snapshot | None, by: str
) -> Snapshot:
    """Dated by its last label, so that who makes it again makes the same."""
    at: datetime = last.label.at
    return Snapshot(
        name=name,
        version=last.offset + 1,
        labels=count,
        content=content,
        metrics=verdict.metrics(),
        replaced=in_use.version if in_use is not None else None,
        at=at,
        by=by,
    )
