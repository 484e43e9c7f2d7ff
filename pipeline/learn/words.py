"""Which of people's words count: the newest of each person on each incident, and of one person a bounded number a day.

All of it follows from the labels in the order of their offsets, so that whoever reads them again comes to the same.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from schemas.learning import Label

PER_DAY = 20
"""Labels of one person and day that count; who says more on a day is a script, or in a storm where one word is like the other."""
KEPT = 5_000
"""Newest words that can still be taken back; an older one stays learned when its author says something else."""
DAYS = 10_000
"""Newest days of persons that are counted."""
REPEATED, TOO_MANY = "repeated", "too_many"
WHY_NOT = {
    REPEATED: "that person had said the same of that incident",
    TOO_MANY: f"{PER_DAY} a person and day do",
}
Key = tuple[str, str, str]


class Heard(NamedTuple):
    """What becomes of a label: passed over for a reason, or counted, perhaps in place of an earlier one (its offset)."""

    passed_over: str = ""
    replaces: int | None = None


class Words:
    """The labels that count, of one kind. Memory: some 2 kB each of the newest 5,000."""

    def __init__(self, per_day: int = PER_DAY, kept: int = KEPT) -> None:
        self._per_day, self._most = per_day, kept
        self._kept: OrderedDict[Key, tuple[int, Label]] = OrderedDict()
        self._days: OrderedDict[tuple[str, date], int] = OrderedDict()
        self.passed_over: Counter[str] = Counter()
        """Reason to labels."""

    def __iter__(self) -> Iterator[Label]:
        """Those that count, by offset."""
        return (label for _, label in self._kept.values())

    def hear(self, label: Label) -> Heard:
        """Whether a label counts. One that it replaces does no longer; the label itself does once it is `keep`t."""
        before = self._kept.get(key(label))
        if before is not None and word(before[1]) == word(label):
            return self._pass_over(REPEATED)
        if self._days.get(day(label), 0) >= self._per_day:
            return self._pass_over(TOO_MANY)
        if before is None:
            return Heard()
        del self._kept[key(label)]
        return Heard(replaces=before[0])

    def keep(self, offset: int, label: Label) -> None:
        self._kept[key(label)] = (offset, label)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        self._days[day(label)] = self._days.get(day(label), 0) + 1
        if len(self._days) > DAYS:
            self._days.popitem(last=False)

    def _pass_over(self, reason: str) -> Heard:
        self.passed_over[reason] += 1
        return Heard(passed_over=reason)


def key(label: Label) -> Key:
    return label.by, label.incident_id, label.runbook_id or ""


def word(label: Label) -> tuple[object, object]:
    return label.severity, label.right


def day(label: Label) -> tuple[str, date]:
    return label.by, label.at.date()
