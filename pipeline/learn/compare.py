"""Side by side on the same labels: a candidate, what is in use, the rules alone, and the language model. For `fluxai advice compare`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agents.learned import CLASSES, likeliest
from pipeline.learn.measure import Interval, Judged, Scores, intervals, scores
from pipeline.learn.promote import SEVERITY_GATE, Gate, Learners, SeverityLearner, Verdict, figures, judged, shown, truth
from schemas.base import Severity
from schemas.learning import Label, Snapshot

NEVER = 10**12


@dataclass(frozen=True)
class Column:
    """One judge. `found` is None where it judged nothing."""

    name: str
    found: Scores | None
    between: Mapping[str, Interval]


@dataclass(frozen=True)
class Comparison:
    columns: Sequence[Column]
    verdict: Verdict
    about: str
    """Which labels these are."""

    def to_json(self) -> dict[str, Any]:
        return {
            "better": self.verdict.better,
            "reason": self.verdict.reason,
            "about": self.about,
            "columns": {
                one.name: None
                if one.found is None
                else asdict(one.found) | {"intervals": {name: list(ends) for name, ends in one.between.items()}}
                for one in self.columns
            },
        }


def column(name: str, rows: Sequence[Judged]) -> Column:
    return Column(name, scores(rows), intervals(rows)) if rows else Column(name, None, {})


def fold(labels: Iterable[tuple[int, Label]], in_use: Mapping[str, Snapshot], last: int) -> tuple[Learners, int]:
    """The learners after all labels, with the last so many that count in hand, and how many said nothing. Promotes nothing."""
    gate = Gate(every=NEVER, window=last, least=min(SEVERITY_GATE.least, last), again=min(SEVERITY_GATE.again, last))
    learners = Learners(SeverityLearner(in_use.get("severity"), gate))
    learners.use(in_use)
    unusable = 0
    for offset, label in labels:
        try:
            learners.take(offset, label)
        except ValueError:
            unusable += 1
    return learners, unusable


def classifiers(learner: SeverityLearner) -> Comparison:
    """Of the labels that neither classifier had learned when it judged, where they are enough for a verdict.

    Otherwise of all in hand; what is in use is then what was in use at the time, as the labels say.
    """
    verdict, unseen = learner.verdict(), learner.unseen()
    enough = bool(verdict.candidate)
    rows = unseen if enough else list(learner.window)
    classifier = learner.classifier
    if enough and classifier is not None:
        in_use = [judged(classifier.probabilities(row.label.features), row) for row in rows]
    else:
        in_use = [
            Judged(likeliest(row.label.learned).value, truth(row), row.label.learned)
            for row in rows
            if row.label.learned and set(row.label.learned) == set(CLASSES)
        ]
    about = f"the last {len(rows)} labels"
    if learner.in_use is not None:
        about += f" (in use: version {learner.in_use.version}; {len(unseen)} labels since)"
    columns = [
        column("candidate", [judged(row.stated, row) for row in rows]),
        column("in use", in_use),
        column("rules", [Judged(row.label.rule_severity.value, truth(row), row.rules) for row in rows]),
        column(
            "model",
            [Judged(row.label.advised.value, truth(row), row.label.advised_probabilities) for row in rows if row.label.advised is not None],
        ),
    ]
    return Comparison(columns, verdict, about)


# -- prompts ----------------------------------------------------------------------------------------------------------------------------


def newest_of_each(labels: Iterable[tuple[int, Label]], last: int) -> list[tuple[int, Label]]:
    """People's newest word on the severity of each of the last so many incidents, in the order of the labels."""
    newest: dict[str, tuple[int, Label]] = {}
    for offset, label in labels:
        if label.kind == "severity" and label.severity is not None:
            newest.pop(label.incident_id, None)
            newest[label.incident_id] = (offset, label)
    return list(newest.values())[-last:]


def prompt_of(label: Label) -> str:
    """`triage@1` of `ollama/llama3.1:8b triage@1`; empty where no model answered."""
    return label.model.rpartition(" ")[2]


def prompts(
    labels: Sequence[tuple[int, Label]], candidate: str, in_use: str, answers: Mapping[str, tuple[Severity, Mapping[str, float]]] | None
) -> Comparison:
    """Two versions of a prompt by the answers that labels recorded; with `answers` (of an incident, asked again) on the same incidents."""
    recorded = [label for _, label in labels if label.advised is not None]
    theirs = [said(label) for label in recorded if prompt_of(label) == in_use]
    if answers is None:
        ours = [said(label) for label in recorded if prompt_of(label) == candidate]
        about = f"recorded answers: {len(ours)} of {candidate}, {len(theirs)} of {in_use}, of different incidents"
    else:
        both = [label for label in recorded if prompt_of(label) == in_use and label.incident_id in answers]
        theirs = [said(label) for label in both]
        ours = [Judged(answers[one.incident_id][0].value, str(one.severity), answers[one.incident_id][1]) for one in both]
        about = f"{len(both)} incidents, asked again with {candidate}; {in_use} as it was recorded"
    return Comparison([column(candidate, ours), column(in_use, theirs)], better_prompt(ours, theirs, in_use), about)


def said(label: Label) -> Judged:
    return Judged(str(label.advised), str(label.severity), label.advised_probabilities)


def better_prompt(ours: Sequence[Judged], theirs: Sequence[Judged], against: str, least: int = SEVERITY_GATE.least) -> Verdict:
    """A version misses by less, and neither under-triages nor calls P1 falsely more often. Its wording cannot make up for either."""
    if len(ours) < least or len(theirs) < least:
        few = f"{len(ours)} and {len(theirs)} labelled answers; {least} of each are needed"
        return Verdict(False, few, {}, {}, against)
    mine, other = scores(ours), scores(theirs)
    faults = []
    if mine.cost >= other.cost:
        faults.append(f"mean square of levels missed {shown(mine.cost)} is not below {shown(other.cost)}")
    if (mine.under_triage or 0.0) > (other.under_triage or 0.0):
        faults.append(f"under-triage {shown(mine.under_triage)} is above {shown(other.under_triage)}")
    if mine.false_p1_per_1000 > other.false_p1_per_1000:
        faults.append(f"false P1 of 1,000 {mine.false_p1_per_1000:.0f} is above {other.false_p1_per_1000:.0f}")
    reason = f"not better than {against}: {'; '.join(faults)}" if faults else f"better than {against} on {len(ours)} labelled answers"
    return Verdict(not faults, reason, figures(mine), figures(other), against)
