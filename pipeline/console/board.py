"""The facts on the board, kept from the records of the topics. Knows no terminal and no broker; bounded in memory."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from pipeline.console.advised import Advised
from pipeline.console.line import Line
from pipeline.engine.processor import Record
from pipeline.history.account import Ledger
from pipeline.history.base import ENDED, DeadLetter
from schemas.decision import Decision, Outcome
from schemas.incident import Incident
from schemas.usage import Usage

TOPICS = ("alerts.raw", "decisions", "incidents.triaged", "dead_letters", "changes", "usage")
KEPT_INCIDENTS = 500
KEPT_SILENCES = 100


@dataclass(frozen=True, slots=True)
class Silenced:
    """An alert event that nobody was told of, and why. `times` counts what came again with the same reason."""

    at: datetime
    severity: str
    what: str
    code: str
    reason: str
    would_notify: tuple[str, ...]
    times: int = 1


@dataclass
class Board:
    """`take` each record of the topics in `TOPICS`, in any order of topics; it answers with what is new to tell."""

    prefix: str = "flux."
    incidents: dict[str, Incident] = field(default_factory=dict)
    silenced: deque[Silenced] = field(default_factory=lambda: deque(maxlen=KEPT_SILENCES))
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    advised: Advised = field(default_factory=Advised)
    dead_letters: int = 0
    changes: int = 0
    raw: int = 0
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.prefix)

    def take(self, record: Record) -> list[Line]:
        """Never raises for what it cannot read: it is no record of ours, and others tell of it."""
        try:
            match record.topic:
                case "alerts.raw":
                    self.raw += 1
                    self.ledger.raw(record.partition, record.offset)
                case "decisions":
                    return self._decision(Decision.from_json(record.value or b""))
                case "incidents.triaged":
                    return self._incident(Incident.from_json(record.value or b""))
                case "dead_letters":
                    return self._dead_letter(DeadLetter.from_record(record))
                case "changes":
                    self.changes += 1
                case "usage":
                    self.advised.usage(Usage.from_json(record.value or b""))
        except ValidationError:
            return []
        return []

    def open_incidents(self) -> list[Incident]:
        """The most urgent first, then the youngest; those that ended last."""
        found = sorted(self.incidents.values(), key=lambda one: one.opened_at, reverse=True)
        return sorted(found, key=lambda one: (one.status in ENDED, one.severity.value))

    def _decision(self, decision: Decision) -> list[Line]:
        self.ledger.decision(decision)
        self.outcomes[decision.outcome.value] += 1
        self.reasons[decision.reason.code] += 1
        if decision.outcome is not Outcome.SUPPRESSED:
            return []
        what = f"{decision.name} on {decision.service}" if decision.service else decision.name
        new = Silenced(
            decision.decided_at, decision.severity.value, what, decision.reason.code, decision.reason.text, tuple(decision.would_notify)
        )
        again = next((one for one in self.silenced if (one.what, one.code) == (new.what, new.code)), None)
        if again is not None:
            self.silenced.remove(again)
            self.silenced.append(Silenced(new.at, new.severity, new.what, new.code, new.reason, new.would_notify, again.times + 1))
            return []
        self.silenced.append(new)
        would = f" (would have told {', '.join(new.would_notify)})" if new.would_notify else ""
        return [Line(new.at, "silenced", f"{new.severity} {what}: {new.reason}{would}")]

    def _incident(self, incident: Incident) -> list[Line]:
        self.ledger.incident(incident)
        before = self.incidents.get(incident.incident_id)
        if before is not None and before.revision >= incident.revision:
            return []
        self.incidents[incident.incident_id] = incident
        self._forget()
        advised = self.advised.news(before, incident)
        return news(before, incident, moved_by_model=advised is not None) + ([] if advised is None else [advised])

    def _dead_letter(self, letter: DeadLetter) -> list[Line]:
        self.ledger.dead_letter(letter)
        self.dead_letters += 1
        source = letter.source_headers.get("source", "unknown source")
        text = f"{letter.id} from {source}: {letter.reason}, {len(letter.value or b'')} bytes kept; fluxai explain {letter.id}"
        return [Line(letter.recorded_at, "dead", text)]

    def _forget(self) -> None:
        """Keep the newest; what has ended goes first."""
        if len(self.incidents) > KEPT_INCIDENTS:
            oldest = min(self.incidents.values(), key=lambda one: (one.status not in ENDED, one.updated_at))
            del self.incidents[oldest.incident_id]


def news(before: Incident | None, now: Incident, *, moved_by_model: bool = False) -> list[Line]:
    """What a revision tells that the one before did not. `moved_by_model`: another line says why the severity changed."""
    lines = []
    if before is None:
        runbook = f"; runbook: {now.runbooks[0].title} ({now.runbooks[0].score:.2f})" if now.runbooks else "; no runbook"
        lines.append(Line(now.updated_at, "opened", f"{now.severity.value} {now.incident_id} {now.title}: {now.summary}{runbook}"))
    elif before.severity != now.severity and not moved_by_model:
        lines.append(Line(now.updated_at, "changed", f"{now.severity.value} {now.incident_id} was {before.severity.value}: {now.title}"))
    known = len(before.notified) if before is not None else 0
    for told in now.notified[known:]:
        lines.append(Line(told.at, "told", f"{told.receiver}: {told.reason}, {now.paged_as.value} {now.title}"))
    if now.silence is not None and (before is None or before.silence is None):
        lines.append(Line(now.updated_at, "silenced", f"{now.paged_as.value} {now.title}: {now.silence.text}"))
    if now.status in ENDED and (before is None or before.status not in ENDED):
        lines.append(
            Line(now.resolved_at or now.updated_at, "ended", f"{now.severity.value} {now.incident_id} {now.title}: {now.status.value}")
        )
    return lines
