"""From rows to messages: the decision record and the incident revision."""

from __future__ import annotations

from typing import Any

import msgspec

from agents.advice.rows import ADVICE
from agents.advice.weigh import shown
from agents.case import Case, End, Turn
from agents.reasons import Why
from agents.rows import ALERTS, INCIDENTS, AlertRow, IncidentRow, fingerprint_of
from agents.triage import runbook_matches
from schemas.base import Reason, Severity, from_ms
from schemas.decision import Outcome
from schemas.incident import AdviceStatus, Incident, IncidentAdvice, IncidentAlert, IncidentStatus, Notified, TimelineEntry
from schemas.runbook import RunbookMatch

ENCODE = msgspec.json.Encoder().encode
LISTED_ALERTS = 50
LISTED_IN_DELIVERY = 10
ADOPTED = (AdviceStatus.ADOPTED, AdviceStatus.AMENDED)


def decision_json(case: Case, end: End, turn: Turn, sequence: int, would_notify: tuple[str, ...]) -> bytes:
    """A `schemas.decision.Decision` as JSON. Written as a plain dict: it is made for every event of a storm."""
    alert, raw = case.alert, case.alert.raw
    record: dict[str, Any] = {
        "schema": 1,
        "alert_id": alert.alert_id,
        "fingerprint": alert.fingerprint,
        "source": alert.source,
        "name": alert.name,
        "service": alert.service,
        "environment": alert.environment,
        "domain": alert.domain,
        "status": alert.status.value,
        "severity": case.severity.value,
        "outcome": end.outcome.value,
        "reason": {"code": end.why.value, "text": end.text, "facts": end.facts},
        "incident_id": incident_of(case, end),
        "summary": alert.summary,
        "stages": [{"name": name, "reason": reason, "facts": facts} for name, reason, facts in case.stages],
        "received_at": alert.received_at,
        "decided_at": from_ms(turn.now),
        "deadline": alert.deadline,
        "raw": {"topic": raw.topic, "partition": raw.partition, "offset": raw.offset, "index": raw.index},
        "sequence": sequence,
    }
    if would_notify:
        record["would_notify"] = would_notify
    if case.would_suppress is not None:
        would = case.would_suppress
        record["would_suppress"] = {"code": would.why.value, "text": would.text, "facts": would.facts}
    return ENCODE(record)


def incident_of(case: Case, end: End) -> str | None:
    """The incident that an event belongs to, or that explains it; none for what something else holds back."""
    if case.incident is not None:
        return case.incident.incident_id
    if end.why in (Why.PARENT_OPEN, Why.FLAP):
        return end.by or None
    if case.row is None or ((end.outcome is Outcome.SUPPRESSED or end.why is Why.RESOLVE_SUPPRESSED) and not case.row.member):
        return None
    return case.row.incident_id or None


def incident_message(row: IncidentRow, turn: Turn, listed: int = LISTED_ALERTS, *, paging: bool = False) -> Incident:
    """The incident as consumers read it. `paging`: as receivers are told of it, by the severity of the rules."""
    known = ADVICE.get(turn.state, row.incident_id)
    severity, said = shown(known, Severity(row.severity), turn.world.advice)
    adopted = known if known is not None and said is not None and said.status in ADOPTED else None
    return Incident(
        incident_id=row.incident_id,
        revision=row.revision,
        domain=row.domain,
        status=IncidentStatus(row.status),
        severity=Severity(row.severity) if paging else severity,
        service=row.service,
        environment=row.environment,
        title=row.title,
        summary=summary_of(row, said),
        confidence=adopted.confidence if adopted is not None else row.confidence,
        provenance=f"{adopted.provider}/{adopted.model} {adopted.prompt}" if adopted is not None else row.provenance,
        degraded=said is not None and said.status is AdviceStatus.MISSING,
        advice=said,
        alerts=[
            member_message(key, member, row)
            for key in reversed(row.members[-listed:])
            if (member := ALERTS.get(turn.state, key)) is not None
        ],
        alert_count=row.total,
        runbooks=in_order(runbook_matches(row), adopted.runbooks if adopted is not None else []),
        parent=row.parent or None,
        silence=Reason(code=row.silence_code, text=row.silence_text) if row.silence_code else None,
        opened_at=from_ms(row.opened_at),
        updated_at=from_ms(row.updated_at),
        resolved_at=from_ms(row.resolved_at) if row.resolved_at else None,
        acknowledged_at=from_ms(row.acknowledged_at) if row.acknowledged_at else None,
        acknowledged_by=row.acknowledged_by or None,
        resolved_by=row.resolved_by or None,
        deadline=from_ms(row.deadline),
        respond_by=from_ms(row.respond_by) if row.respond_by else None,
        notified=[Notified(receiver=one[0], at=from_ms(one[1]), reason=one[2], attempt=one[3]) for one in row.notified],
        timeline=[TimelineEntry(at=from_ms(one[0]), what=one[1], by=one[2]) for one in row.timeline],
    )


def summary_of(row: IncidentRow, said: IncidentAdvice | None) -> str:
    """What the rules say first: no model's words stand in place of the facts."""
    return f"{row.summary} {said.model}: {said.summary}" if said is not None and said.summary else row.summary


def in_order(matches: list[RunbookMatch], first: list[str]) -> list[RunbookMatch]:
    """Those that a model named come first, in its order."""
    return sorted(matches, key=lambda one: first.index(one.id) if one.id in first else len(first))


def member_message(key: str, member: AlertRow, incident: IncidentRow) -> IncidentAlert:
    return IncidentAlert(
        fingerprint=fingerprint_of(key),
        name=member.name,
        service=member.service,
        severity=Severity(member.severity),
        status="firing" if member.firing and incident.status not in ("resolved", "false_positive") else "resolved",
        count=member.count,
        first_at=from_ms(member.first_at or incident.opened_at),
        last_at=from_ms(member.last_at or incident.opened_at),
    )


def revise(row: IncidentRow, turn: Turn) -> None:
    """Count the revision on, once a turn."""
    if row.incident_id not in turn.revised:
        turn.revised.add(row.incident_id)
        row.revision += 1


def publish(row: IncidentRow, turn: Turn) -> Incident:
    """The next revision; the row is kept by the caller."""
    revise(row, turn)
    row.publish_due = 0
    INCIDENTS.put(turn.state, row.incident_id, row)
    return incident_message(row, turn)
