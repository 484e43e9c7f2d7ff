"""From labels, in the order of their offsets, to snapshots: a candidate is promoted only when it is better than what is in use.

Better is measured on labels that neither had learned when it judged them: the candidate judges each label before it learns it, and of the
snapshot in use only labels from its version on count. Where none is in use the opponent is the rules. All this follows from the labels
and the snapshot in use alone, so that a learner that starts anew, or a second one, comes to the same snapshots.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf, log, sqrt
from typing import Any, NamedTuple

from agents.calibrate import LEAST, Outcome, nll
from agents.learned import CLASSES, DOUBT_PRIOR, Classifier, likeliest
from pipeline.learn.measure import URGENT, Judged, Scores, scores
from pipeline.learn.trainer import RunbookTrainer, SeverityTrainer
from pipeline.learn.words import Words
from schemas.learning import Label, Snapshot

SEVERITY, RUNBOOK = "severity", "runbook"
KNOWN_IDS = 10_000
"""Newest label ids that are known again; a repeat that comes later is learned a second time."""


@dataclass(frozen=True, slots=True)
class Gate:
    """When a candidate is compared, on how many labels, and on how few, of how few incidents and names of alerts, it is not."""

    every: int = 10
    window: int = 200
    least: int = 30
    again: int = 60
    """So many since the one in use: a second is not as much better as the first was, and 30 labels would often call chance a gain."""
    incidents: int = 20
    names: int = 5


SEVERITY_GATE = Gate()
RUNBOOK_GATE = Gate(every=5, window=200, least=10, again=10, incidents=10, names=1)
"""A runbook may be wrong for one alert only, and what is learned of it is about its place among the proposed."""


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
        self._turns = 0
        self.words = Words()
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
        """Judge a label that counts, then learn it; whether a comparison is due. Raises ValueError for a label that says nothing."""
        if label.severity is None:
            raise ValueError("a label of kind `severity` says no severity")
        heard = self.words.hear(label)
        if heard.passed_over:
            return False
        if self._trainer is None or heard.replaces is not None:
            self._learn_anew(heard.replaces)
        assert self._trainer is not None
        by_rule = self._by_rule[label.rule_severity.value]
        total = sum(by_rule.values())
        rules = {name: count / total for name, count in by_rule.items()}
        self.window.append(Taught(offset, label, self._trainer.probabilities(label.features), rules))
        self._learn(self._trainer, label)
        self.words.keep(offset, label)
        self.count += heard.replaces is None
        self._turns += 1
        return self._turns % self._gate.every == 0

    def _learn(self, trainer: SeverityTrainer, label: Label) -> None:
        assert label.severity is not None  # `take` lets no other in
        trainer.learn(label.features, label.severity)
        self._by_rule[label.rule_severity.value][label.severity.value] += 1

    def _learn_anew(self, without: int | None) -> None:
        """A word that was taken back must have left nothing behind, and a step of regression cannot be undone."""
        self._trainer = SeverityTrainer()
        self._by_rule = {rule: dict.fromkeys(CLASSES, 1) for rule in CLASSES}
        self.window = deque((row for row in self.window if row.offset != without), self._gate.window)
        for label in self.words:
            self._learn(self._trainer, label)

    def unseen(self) -> list[Taught]:
        """Labels of the window that the snapshot in use has not learned."""
        since = self.in_use.version if self.in_use is not None and self.classifier is not None else 0
        return [row for row in self.window if row.offset >= since]

    def verdict(self) -> Verdict:
        rows = self.unseen()
        against = f"version {self.in_use.version}" if self.in_use is not None and self.classifier is not None else "the rules"
        needed = self._gate.least if self.classifier is None else self._gate.again
        if len(rows) < needed:
            return Verdict(False, f"{len(rows)} labels that neither had learned; {needed} are needed", {}, {}, against)
        ours = [judged(row.stated, row) for row in rows]
        if self.classifier is not None:
            theirs = [judged(self.classifier.probabilities(row.label.features), row) for row in rows]
        else:
            theirs = [Judged(row.label.rule_severity.value, truth(row), row.rules) for row in rows]
        worse, narrow = worse_in(ours, theirs), too_narrow([row.label for row in rows], self._gate)
        reason = f"not better than {against}: {worse}" if worse else f"better than {against} on {len(rows)} labels"
        if narrow:
            reason = f"too narrow to tell: {narrow}"
        return Verdict(not worse and not narrow, reason, figures(scores(ours)), figures(scores(theirs)), against)

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
    """The same for runbooks. Its measure is simpler: log-loss lower by more than chance, Brier not higher. The first one's opponent is a
    constant doubt."""

    name = RUNBOOK

    def __init__(self, in_use: Snapshot | None = None, gate: Gate = RUNBOOK_GATE) -> None:
        self._gate = gate
        self._trainer = RunbookTrainer()
        self._turns = 0
        self.words = Words()
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
        heard = self.words.hear(label)
        if heard.passed_over:
            return False
        if heard.replaces is not None:
            self._learn_anew(heard.replaces)
        self.window.append(Doubted(offset, label, self._trainer.wrong(label.features, label.runbook_id)))
        self._trainer.learn(label.features, label.runbook_id, label.right)
        self.words.keep(offset, label)
        self.count += heard.replaces is None
        self._turns += 1
        return self._turns % self._gate.every == 0

    def _learn_anew(self, without: int) -> None:
        self._trainer = RunbookTrainer()
        self.window = deque((row for row in self.window if row.offset != without), self._gate.window)
        for label in self.words:
            self._trainer.learn(label.features, label.runbook_id or "", bool(label.right))

    def verdict(self) -> Verdict:
        classifier = self.classifier
        since = self.in_use.version if self.in_use is not None and classifier is not None else 0
        rows = [row for row in self.window if row.offset >= since]
        against = f"version {since}" if classifier is not None else "doubting all alike"
        needed = self._gate.least if classifier is None else self._gate.again
        if len(rows) < needed:
            return Verdict(False, f"{len(rows)} labels that neither had learned; {needed} are needed", {}, {}, against)
        ours = [(row.stated, not row.label.right) for row in rows]
        theirs = [
            (classifier.runbook_wrong(row.label.features, row.label.runbook_id or "") if classifier else DOUBT_PRIOR, not row.label.right)
            for row in rows
        ]
        mine, other = doubts(ours), doubts(theirs)
        gain, error = mean_and_error([surprise(one) - surprise(two) for one, two in zip(theirs, ours, strict=True)])
        better = gain > error and mine["brier"] <= other["brier"]
        reason = (
            f"{'better than' if better else 'not better than'} {against}: log-loss {mine['log_loss']:.3f} against {other['log_loss']:.3f}"
        )
        if narrow := too_narrow([row.label for row in rows], self._gate):
            better, reason = False, f"too narrow to tell: {narrow}"
        return Verdict(better, reason, mine, other, against)

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

    @property
    def passed_over(self) -> Counter[str]:
        """Labels that do not count, by reason."""
        return self.severity.words.passed_over + self.runbook.words.passed_over

    def take(self, offset: int, label: Label) -> tuple[Snapshot | None, Verdict | None]:
        """Learn one label. A snapshot to publish where a comparison was due and won; from then on it is the one in use.

        The same label again is passed over, as is a word that does not count. Raises ValueError for a label that says nothing, which is
        not learned.
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


def worse_in(ours: Sequence[Judged], theirs: Sequence[Judged]) -> str:
    """Why a candidate is not better than its opponent on the same labels; empty when it is.

    Its log-loss must be lower by more than the standard error of the difference: candidates are compared often, and chance would
    promote one of them sooner or later. Its cost may not be higher at all, its under-triage not by more than chance.
    """
    mine, other = scores(ours), scores(theirs)
    gain, error = mean_and_error([log_loss(one) - log_loss(two) for one, two in zip(theirs, ours, strict=True)])
    faults = []
    if gain <= error:
        faults.append(f"log-loss {shown(mine.log_loss)} is not below {shown(other.log_loss)} by more than chance ({error:.3f})")
    if mine.cost > other.cost:
        faults.append(f"mean square of levels missed {shown(mine.cost)} is above {shown(other.cost)}")
    if more_missed(ours, theirs):
        faults.append(f"under-triage {shown(mine.under_triage)} is above {shown(other.under_triage)} by more than chance")
    return "; ".join(faults)


def more_missed(ours: Sequence[Judged], theirs: Sequence[Judged]) -> bool:
    """Whether urgent alerts newly called less urgent outnumber those newly caught by more than chance: by more than the standard
    deviation of their difference, were both as likely (McNemar's test). One alone is chance; two and none are not."""
    pairs = [(missed(one), missed(two)) for one, two in zip(ours, theirs, strict=True)]
    lost, won = sum(one > two for one, two in pairs), sum(one < two for one, two in pairs)
    return lost - won > sqrt(lost + won)


def missed(row: Judged) -> bool:
    return row.truth in URGENT and row.said > row.truth


def too_narrow(labels: Sequence[Label], gate: Gate) -> str:
    """Why labels are too much alike for a verdict on all alerts; empty when they are not."""
    counted: dict[str, tuple[Iterable[str], int]] = {
        "incident": ((label.incident_id for label in labels), gate.incidents),
        "person": ((label.by for label in labels), 1),
        "name of alerts": ((label.features.name for label in labels), gate.names),
    }
    faults = []
    for what, (values, needed) in counted.items():
        found = Counter(values)
        most = max(found.values(), default=0)
        if len(found) < needed:
            faults.append(f"{len(found)} different of {what}, {needed} are needed")
        if 2 * most > len(labels) and (needed > 1 or what == "person"):
            faults.append(f"one {what} has {most} of {len(labels)} labels, half is the most")
    return "; ".join(faults)


def log_loss(row: Judged) -> float:
    return nll([Outcome(row.stated, row.truth)])


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error; of one value that is unknown, so it is without bound."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, inf
    return mean, sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))


def shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def figures(found: Scores) -> dict[str, float]:
    return {
        name: round(value, 6)
        for name in ("n", "accuracy", "macro_f1", "kappa", "cost", "under_triage", "false_p1", "log_loss", "brier", "ece")
        if (value := getattr(found, name)) is not None
    }


def surprise(row: tuple[float, bool]) -> float:
    """Log-loss of (probability of wrong, whether it was)."""
    said, wrong = min(max(row[0], LEAST), 1 - LEAST), row[1]
    return -log(said if wrong else 1 - said)


def doubts(rows: Sequence[tuple[float, bool]]) -> dict[str, float]:
    return {
        "n": float(len(rows)),
        "log_loss": round(sum(map(surprise, rows)) / len(rows), 6),
        "brier": round(sum((said - wrong) ** 2 for said, wrong in rows) / len(rows), 6),
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
