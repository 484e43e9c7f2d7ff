"""Labels of an imagined team: what people say depends on name and environment, and the rules go by the source's word alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from schemas.base import Severity
from schemas.learning import Features, Label

START = datetime(2026, 3, 1, tzinfo=UTC)
TRUTH = {"DiskFilling": "P3", "CheckoutErrors": "P1", "QueueGrowing": "P2", "BackupLate": "P4", "ReplicaLags": "P2"}
PEOPLE = ("ada", "bob", "eve")
SAID = ("critical", "warning", "info")
RULE = {"critical": "P1", "warning": "P3", "info": "P4"}


def label(number: int, name: str, severity: str, said: str = "warning", environment: str = "prod") -> Label:
    return Label(
        label_id=f"f{number}",
        kind="severity",
        incident_id=f"i{number}",
        domain="eu-1",
        features=Features(name=name, service=name.lower()[:5], environment=environment, source="prometheus", source_severity=said),
        rule_severity=Severity(RULE[said]),
        severity=Severity(severity),
        by=PEOPLE[number % len(PEOPLE)],
        at=START + timedelta(hours=number),
    )


def labels(count: int, *, seed: int = 1, truth: dict[str, str] | None = None, first: int = 0) -> Iterator[Label]:
    """What the source says is chance; people go by the name, and outside production call all things P4."""
    chance = random.Random(seed)
    for number in range(first, first + count):
        name = chance.choice(sorted(TRUTH))
        environment = chance.choice(("prod", "prod", "prod", "dev"))
        severity = "P4" if environment == "dev" else (truth or TRUTH)[name]
        yield label(number, name, severity, chance.choice(SAID), environment)


def nonsense(count: int, *, first: int = 0) -> Sequence[Label]:
    """Nothing can be learned of these: what people say is chance."""
    chance = random.Random(7)
    return [
        label(number, chance.choice(sorted(TRUTH)), chance.choice(list(RULE.values())), chance.choice(SAID))
        for number in range(first, first + count)
    ]


def runbook_label(number: int, runbook_id: str, right: bool, name: str = "DiskFilling") -> Label:
    made = label(number, name, "P3")
    return made.model_copy(update={"kind": "runbook", "severity": None, "runbook_id": runbook_id, "right": right})
