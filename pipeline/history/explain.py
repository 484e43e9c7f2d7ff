"""Why somebody was told about an alert, or was not: the facts put together, as data and as sentences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from pipeline.history.base import ENDED, DeadLetter, History, Place, dead_letter_id, named_place
from schemas.base import Moment, Reason
from schemas.decision import Decision, Outcome, StageRecord
from schemas.effect import Receipt
from schemas.incident import Incident, IncidentAdvice, Notified, TimelineEntry

PREVIEW_BYTES = 400
NEWEST = 5
"""Alert events that an incident's explanation names."""


class Arrived(BaseModel):
    """What came in, as the source sent it."""

    source: str
    name: str
    service: str
    environment: str
    status: str
    summary: str
    fingerprint: str
    received_at: Moment
    raw: str = Field(description="topic/partition/offset/index of the raw record.")


class Verdict(BaseModel):
    severity: str
    decided_at: Moment
    took_ms: int = Field(description="From the broker's time of the raw record.")
    in_time: bool


class IncidentFacts(BaseModel):
    incident_id: str
    revision: int
    status: str
    severity: str
    title: str
    opened_at: Moment
    acknowledged_by: str | None
    resolved_at: Moment | None
    resolved_by: str | None
    parent: str | None
    silence: Reason | None
    told: list[Notified] = Field(description="Who has received what about it, and when.")
    attempts: list[Receipt] = Field(description="Every attempt to tell somebody, the failed ones too.")
    advice: IncidentAdvice | None = Field(default=None, description="What became of the newest question to a language model.")
    asked: list[Receipt] = Field(default=[], description="Every answer of a language model about it, and every failure, oldest first.")


class DecisionExplanation(BaseModel):
    kind: Literal["decision"] = "decision"
    id: str
    answer: str = Field(description="One sentence: was anybody told, and why or why not.")
    arrived: Arrived
    verdict: Verdict
    outcome: Outcome
    reason: Reason
    ending: str = Field(default="", description="How the wait of an `open` decision ended.")
    would_notify: list[str]
    would_suppress: Reason | None
    stages: list[StageRecord]
    incident: IncidentFacts | None
    read_from: str


class DeadLetterExplanation(BaseModel):
    kind: Literal["dead_letter"] = "dead_letter"
    id: str
    answer: str
    stage: str
    reason: str
    error: str
    read_at: str = Field(description="topic/partition/offset that the bytes were read at.")
    kept_at: str = Field(description="topic/partition/offset that the bytes are kept at, as they came.")
    set_aside_at: Moment
    size: int = Field(description="Bytes.")
    preview: str = Field(description="The first bytes as text; what cannot be printed is replaced.")
    headers: dict[str, str] = Field(description="The source's own.")
    redrive: str = Field(description="The command that puts the bytes back on their topic; empty where that must not be.")
    read_from: str


class IncidentExplanation(BaseModel):
    kind: Literal["incident"] = "incident"
    id: str
    answer: str
    summary: str
    incident: IncidentFacts
    timeline: list[TimelineEntry] = Field(description="What happened to it, oldest first.")
    alerts: list[str] = Field(description="Ids of the newest few alert events decided as part of it, oldest first.")
    read_from: str


Explanation = DecisionExplanation | DeadLetterExplanation | IncidentExplanation


def explain(history: History, subject: str, prefix: str = "flux.") -> list[Explanation]:
    """Explains an alert's or an incident's id, a dead letter's id (`d0-17`) or a place (`alerts.raw/0/17`: all alerts in that record, or
    a place on dead_letters). Empty when nothing of that name is known. Raises HistoryUnavailable.
    """
    if (letter_id := dead_letter_id(subject)) is not None:
        letter = history.dead_letter(*letter_id)
        return [] if letter is None else [explain_dead_letter(letter, history.source)]
    if (place := named_place(subject, prefix)) is not None:
        return explain_place(history, place)
    decision = history.decision(subject)
    if decision is not None:
        return [explain_known(history, decision)]
    incident = history.incident(subject)
    return [] if incident is None else [explain_incident(history, incident)]


def explain_place(history: History, place: Place) -> list[Explanation]:
    if place.topic == "dead_letters":
        letter = history.dead_letter(place.partition, place.offset)
        return [] if letter is None else [explain_dead_letter(letter, history.source)]
    decided: list[Explanation] = [explain_known(history, decision) for decision in history.decisions_at(place)]
    return decided + [explain_dead_letter(letter, history.source) for letter in history.dead_letters_at(place)]


def explain_known(history: History, decision: Decision) -> DecisionExplanation:
    incident = history.incident(decision.incident_id) if decision.incident_id else None
    attempts = history.deliveries(incident.incident_id) if incident else []
    return explain_decision(decision, incident, attempts, history.source, answers(history, incident))


def answers(history: History, incident: Incident | None) -> list[Receipt]:
    """In shadow mode the incident says nothing of a model, and there are answers all the same."""
    return [] if incident is None else history.advice_of(incident.incident_id)


def explain_decision(
    decision: Decision, incident: Incident | None, attempts: list[Receipt], read_from: str, asked: Sequence[Receipt] = ()
) -> DecisionExplanation:
    raw = decision.raw
    return DecisionExplanation(
        id=decision.alert_id,
        answer=answer(decision, incident, attempts),
        arrived=Arrived(
            source=decision.source,
            name=decision.name,
            service=decision.service,
            environment=decision.environment,
            status=decision.status.value,
            summary=decision.summary,
            fingerprint=decision.fingerprint,
            received_at=decision.received_at,
            raw=f"{raw.topic}/{raw.partition}/{raw.offset}/{raw.index}",
        ),
        verdict=Verdict(
            severity=decision.severity.value,
            decided_at=decision.decided_at,
            took_ms=round((decision.decided_at - decision.received_at).total_seconds() * 1000),
            in_time=decision.decided_at <= decision.deadline,
        ),
        outcome=decision.outcome,
        reason=decision.reason,
        ending=ending(incident) if decision.outcome is Outcome.OPEN else "",
        would_notify=decision.would_notify,
        would_suppress=decision.would_suppress,
        stages=decision.stages,
        incident=None if incident is None else incident_facts(incident, attempts, asked),
        read_from=read_from,
    )


def explain_incident(history: History, incident: Incident) -> IncidentExplanation:
    attempts = history.deliveries(incident.incident_id)
    return IncidentExplanation(
        id=incident.incident_id,
        answer=f"It is {incident.status.value.replace('_', ' ')}. {sentence(telling(incident, attempts))}",
        summary=incident.summary,
        incident=incident_facts(incident, attempts, answers(history, incident)),
        timeline=incident.timeline,
        alerts=[one.alert_id for one in history.decisions_of(incident.incident_id, NEWEST)],
        read_from=history.source,
    )


def incident_facts(incident: Incident, attempts: list[Receipt], asked: Sequence[Receipt] = ()) -> IncidentFacts:
    return IncidentFacts(
        incident_id=incident.incident_id,
        revision=incident.revision,
        status=incident.status.value,
        severity=incident.severity.value,
        title=incident.title,
        opened_at=incident.opened_at,
        acknowledged_by=incident.acknowledged_by,
        resolved_at=incident.resolved_at,
        resolved_by=incident.resolved_by,
        parent=incident.parent,
        silence=incident.silence,
        told=incident.notified,
        attempts=attempts,
        advice=incident.advice,
        asked=list(asked),
    )


def answer(decision: Decision, incident: Incident | None, attempts: list[Receipt]) -> str:
    """Was anybody told, and why or why not, in one sentence."""
    why = decision.reason.text or decision.reason.code
    match decision.outcome:
        case Outcome.NOTIFIED:
            return f"{sentence(telling(incident, attempts))} Reason: {why}."
        case Outcome.GROUPED:
            return f"It belongs to incident {decision.incident_id}: {why}. {sentence(telling(incident, attempts))}"
        case Outcome.SUPPRESSED:
            whom = (
                f" It would have gone to {', '.join(decision.would_notify)} as {decision.severity.value}." if decision.would_notify else ""
            )
            return f"Nobody was told: {why}.{whom}"
        case Outcome.RESOLVED:
            return f"It ended the alert: {why}."
        case Outcome.OPEN:
            return f"Its page had to wait: {why}. {sentence(ending(incident))}"


def telling(incident: Incident | None, attempts: list[Receipt]) -> str:
    """Who has been told about an incident, or why that is not known yet."""
    if incident is None:
        return "no revision of its incident has been read yet"
    if incident.notified:
        return "told to " + ", ".join(f"{one.receiver} at {clock(one.at)} ({one.reason})" for one in incident.notified)
    failed = [one for one in attempts if one.status in ("failed", "rejected")]
    if failed:
        last = failed[-1]
        return f"nobody has received it yet: attempt {last.attempt} to {last.receiver} {last.status} at {clock(last.at)}, {last.detail}"
    if incident.silence is not None:
        return f"nobody was told: {incident.silence.text}"
    return "it is on its way; nobody has received it yet"


def ending(incident: Incident | None) -> str:
    """How an incident that had to wait ended."""
    if incident is None:
        return "no revision of its incident has been read yet"
    if incident.notified:
        first = incident.notified[0]
        return f"it was told to {first.receiver} at {clock(first.at)} ({first.reason})"
    if incident.silence is not None:
        return f"it was withdrawn, nobody was told: {incident.silence.text}"
    if incident.status in ENDED:
        return f"it ended at {clock(incident.resolved_at or incident.updated_at)} and nobody was told"
    return "it still waits"


def explain_dead_letter(letter: DeadLetter, read_from: str) -> DeadLetterExplanation:
    value = letter.value or b""
    return DeadLetterExplanation(
        id=letter.id,
        answer=f"It was set aside by {letter.stage or 'an unknown stage'}: {letter.reason or 'no reason given'} ({letter.error})."
        f" Its bytes are kept as they came; {letter.stays or 'people see one grouped incident for its source'}.",
        stage=letter.stage,
        reason=letter.reason,
        error=letter.error,
        read_at=str(letter.source),
        kept_at=str(Place("dead_letters", letter.partition, letter.offset)),
        set_aside_at=letter.recorded_at,
        size=len(value),
        preview=printable(value[:PREVIEW_BYTES].decode("utf-8", "replace")),
        headers=letter.source_headers,
        redrive="" if letter.stays else f"fluxai dead-letters redrive {letter.id}",
        read_from=read_from,
    )


def printable(text: str) -> str:
    """Text that a terminal shows and does not obey."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


def clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
