"""Silences and maintenance windows: owned, expiring, and explained. They also hold for a P1, because a person said so."""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.matching import matches
from agents.reasons import Why
from agents.rows import IncidentRow
from agents.score import fields
from schemas.base import to_ms
from schemas.decision import Outcome
from schemas.silence import Silence


def silence(case: Case, turn: Turn) -> End | None:
    alert = case.alert
    for one in turn.world.silences:
        if active(one, turn.now) and matches(one.matchers, labels=alert.labels, fields=fields(alert)):
            why = Why.MAINTENANCE if one.kind == "maintenance" else Why.SILENCE
            text = f"{one.kind} by {one.owner} until {one.ends_at:%Y-%m-%d %H:%M:%S} UTC: {one.reason}"
            facts = {"id": one.silence_id, "owner": one.owner, "ends_at": one.ends_at.isoformat()}
            return End(Outcome.SUPPRESSED, why, text, facts, until=to_ms(one.ends_at) + 1, by=one.silence_id)
    return None


def over_incident(row: IncidentRow, turn: Turn) -> Silence | None:
    """A silence that covers what opened the incident; it may have been made after the alert came."""
    about = {"service": row.service, "environment": row.environment, "name": row.name, "alertname": row.name, "severity": row.severity}
    about["domain"] = row.domain
    return next(
        (one for one in turn.world.silences if active(one, turn.now) and matches(one.matchers, labels=row.labels, fields=about)), None
    )


def active(one: Silence, now: int) -> bool:
    return to_ms(one.starts_at) <= now < to_ms(one.ends_at)
