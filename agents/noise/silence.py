"""Silences and maintenance windows: owned, expiring, and explained. They also hold for a P1, because a person said so."""

from __future__ import annotations

from collections.abc import Iterator

from agents.case import Case, End, Turn
from agents.matching import matches
from agents.reasons import Why
from agents.rows import ALERTS, IncidentRow
from agents.score import fields
from schemas.base import to_ms
from schemas.decision import Outcome
from schemas.silence import Silence


def silence(case: Case, turn: Turn) -> End | None:
    alert = case.alert
    for one in turn.world.silences:
        if active(one, turn.now) and matches(one.matchers, labels=alert.labels, fields=fields(alert)):
            facts = {"id": one.silence_id, "owner": one.owner, "ends_at": one.ends_at.isoformat()}
            return End(Outcome.SUPPRESSED, why(one), said(one), facts, until=to_ms(one.ends_at) + 1, by=one.silence_id)
    return None


def over_incident(row: IncidentRow, turn: Turn) -> Silence | None:
    """A silence that covers all that fires in an incident; it may have been made after the alerts came.

    Of members other than the opener no labels are kept: where a matcher names one, they count as having the opener's.
    """
    if not turn.world.rules.suppression_enabled:
        return None
    there = [one for one in turn.world.silences if active(one, turn.now)]
    if not there:
        return None
    known = list(firing(row, turn)) or [about(row.name, row.service, row)]
    labels = {name: value for name, value in row.labels.items() if name not in known[0]}
    return next((one for one in there if all(matches(one.matchers, labels=labels, fields=each) for each in known)), None)


def firing(row: IncidentRow, turn: Turn) -> Iterator[dict[str, str]]:
    """What silences may name of the listed members that fire."""
    for key in row.members:
        member = ALERTS.get(turn.state, key)
        if member is not None and member.firing and member.incident_id == row.incident_id:
            yield about(member.name, member.service, row)


def about(name: str, service: str, row: IncidentRow) -> dict[str, str]:
    return {"name": name, "alertname": name, "service": service, "environment": row.environment, "domain": row.domain}


def why(one: Silence) -> Why:
    return Why.MAINTENANCE if one.kind == "maintenance" else Why.SILENCE


def said(one: Silence) -> str:
    return f"{one.kind} by {one.owner} until {one.ends_at:%Y-%m-%d %H:%M:%S} UTC: {one.reason}"


def active(one: Silence, now: int) -> bool:
    return to_ms(one.starts_at) <= now < to_ms(one.ends_at)
