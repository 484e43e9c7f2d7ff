"""Where every alert event went: the account that must add up.

Each accepted alert event has one decision; each record that could not be read has a dead letter. What an open decision or a
resolve became is read from its incident, so the account is final only when the incidents are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import ValidationError

from agents.reasons import Why
from pipeline.history.base import ENDED, DeadLetter, Place
from schemas.alert import Alert
from schemas.decision import Decision, Outcome
from schemas.incident import Incident

FINAL = {Outcome.NOTIFIED: "notified", Outcome.GROUPED: "grouped", Outcome.SUPPRESSED: "suppressed"}
RESOLVES = {Why.RESOLVE_TOLD.value: "notified", Why.RESOLVE_MEMBER.value: "grouped", Why.RESOLVE_REPEAT.value: "grouped"}
SLOWEST_MS = 60_000
"""Latencies from here on are counted together."""


@dataclass(frozen=True)
class Account:
    """`accepted` = notified + grouped + suppressed + dead_lettered + open, each an alert event or a record set aside."""

    notified: int = 0
    grouped: int = 0
    suppressed: int = 0
    dead_lettered: int = 0
    open: int = 0
    incidents: int = 0
    verdict_p99_ms: int = 0
    """From the broker's time of the raw record to the decision; 60,000 stands for all that took longer."""
    deadline_misses: int = 0
    raw_records: int = 0
    unaccounted: tuple[Place, ...] = ()
    """Raw records that have neither a decision nor a dead letter: still on their way, changes or no alerts, or lost."""

    @property
    def accepted(self) -> int:
        return self.notified + self.grouped + self.suppressed + self.dead_lettered + self.open

    def to_json(self) -> dict[str, int]:
        """The closing line of a run."""
        return {
            "accepted": self.accepted,
            "notified": self.notified,
            "grouped": self.grouped,
            "suppressed": self.suppressed,
            "dead_lettered": self.dead_lettered,
            "open": self.open,
            "incidents": self.incidents,
            "verdict_p99_ms": self.verdict_p99_ms,
            "deadline_misses": self.deadline_misses,
        }


@dataclass
class IncidentEnd:
    """As much of an incident as the account needs."""

    revision: int
    told: bool
    over: bool
    """It ended, or was withdrawn."""


@dataclass
class RawLedger:
    """Raw records of one partition and whether something was decided about each. Bounded by what is on its way."""

    next_offset: int = 0
    waiting: set[int] = field(default_factory=set)
    early: set[int] = field(default_factory=set)
    """Explained before the raw record itself was read."""

    def raw(self, offset: int) -> None:
        self.next_offset = max(self.next_offset, offset + 1)
        if offset in self.early:
            self.early.discard(offset)
        else:
            self.waiting.add(offset)

    def explained(self, offset: int) -> None:
        if offset < self.next_offset:
            self.waiting.discard(offset)
        else:
            self.early.add(offset)


class Ledger:
    """Adds up what it is shown, in any order of topics. Memory: an incident's id and three values, and what is on its way."""

    def __init__(self, prefix: str = "flux.") -> None:
        self._prefix = prefix
        self._final: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._resolves: Counter[str] = Counter()
        self._incidents: dict[str, IncidentEnd] = {}
        self._latencies = [0] * (SLOWEST_MS + 1)
        self._decisions = 0
        self._misses = 0
        self._raw_records = 0
        self._raw: dict[int, RawLedger] = defaultdict(RawLedger)

    def raw(self, partition: int, offset: int) -> None:
        """A record of alerts.raw. Its content is not looked at: that is what makes the count independent."""
        self._raw_records += 1
        self._raw[partition].raw(offset)

    def decision(self, decision: Decision) -> None:
        self._decisions += 1
        took_ms = round((decision.decided_at - decision.received_at).total_seconds() * 1000)
        self._latencies[min(max(took_ms, 0), SLOWEST_MS)] += 1
        self._misses += decision.decided_at > decision.deadline
        self._raw[decision.raw.partition].explained(decision.raw.offset)
        incident_id = decision.incident_id or ""
        if decision.outcome is Outcome.OPEN:
            self._open[incident_id] += 1
        elif decision.outcome is Outcome.RESOLVED:
            where = RESOLVES.get(decision.reason.code)
            if where is None:
                self._resolves[incident_id] += 1
            else:
                self._final[where] += 1
        else:
            self._final[FINAL[decision.outcome]] += 1

    def incident(self, incident: Incident) -> None:
        known = self._incidents.get(incident.incident_id)
        if known is None or incident.revision > known.revision:
            told = bool(incident.notified)
            over = incident.status in ENDED or (incident.silence is not None and not told)
            self._incidents[incident.incident_id] = IncidentEnd(incident.revision, told, over)

    def dead_letter(self, letter: DeadLetter) -> None:
        topic = letter.source.topic.removeprefix(self._prefix)
        if topic == "alerts.raw":
            self._final["dead_lettered"] += 1
            self._raw[letter.source.partition].explained(letter.source.offset)
        elif topic == "alerts" and not readable(letter.value):
            self._final["dead_lettered"] += 1  # an event that was lost between our lanes; others failed open and have a decision

    def set_aside(self, partition: int, offset: int) -> None:
        """A raw record that is known to hold no alert: a change, or something to be ignored."""
        self._raw[partition].explained(offset)

    def account(self) -> Account:
        totals = Counter(self._final)
        for incident_id, events in self._open.items():
            totals[self._end_of_open(incident_id)] += events
        for incident_id, events in self._resolves.items():
            known = self._incidents.get(incident_id)
            totals["grouped" if known is not None and known.told else "suppressed"] += events
        return Account(
            notified=totals["notified"],
            grouped=totals["grouped"],
            suppressed=totals["suppressed"],
            dead_lettered=totals["dead_lettered"],
            open=totals["open"],
            incidents=len(self._incidents),
            verdict_p99_ms=self._percentile(0.99),
            deadline_misses=self._misses,
            raw_records=self._raw_records,
            unaccounted=tuple(Place("alerts.raw", partition, offset) for partition, offset in sorted(self._unexplained())),
        )

    def _end_of_open(self, incident_id: str) -> str:
        known = self._incidents.get(incident_id)
        if known is None:
            return "open"
        if known.told:
            return "notified"
        return "suppressed" if known.over else "open"

    def _unexplained(self) -> Iterable[tuple[int, int]]:
        return ((partition, offset) for partition, ledger in self._raw.items() for offset in ledger.waiting)

    def _percentile(self, share: float) -> int:
        """The smallest latency in ms that at least this share of the decisions did not exceed; 0 without decisions."""
        needed = self._decisions * share
        seen = 0
        for took_ms, events in enumerate(self._latencies):
            seen += events
            if events and seen >= needed:
                return took_ms
        return 0


def readable(value: bytes | None) -> bool:
    """Whether the decide lane can read this as an alert event, so that it has decided about it."""
    try:
        Alert.from_json(value or b"")
    except ValidationError:
        return False
    return True


def account(
    decisions: Iterable[Decision],
    incidents: Iterable[Incident],
    dead_letters: Iterable[DeadLetter],
    raw_records: Iterable[tuple[int, int]] = (),
    set_aside: Iterable[tuple[int, int]] = (),
    prefix: str = "flux.",
) -> Account:
    """The account of a closed set of records; raw records and those set aside by partition and offset."""
    ledger = Ledger(prefix)
    for partition, offset in raw_records:
        ledger.raw(partition, offset)
    for partition, offset in set_aside:
        ledger.set_aside(partition, offset)
    for decision in decisions:
        ledger.decision(decision)
    for letter in dead_letters:
        ledger.dead_letter(letter)
    for incident in incidents:
        ledger.incident(incident)
    return ledger.account()
