"""What a classifier may look at: names and plain facts, nothing that the author of an alert's free text controls."""

from __future__ import annotations

from agents.case import Case, Turn
from agents.rows import IncidentRow
from schemas.learning import Features


def alert_features(case: Case) -> Features:
    alert = case.alert
    return Features(
        name=alert.name, service=alert.service, environment=alert.environment, source=alert.source,
        source_severity=alert.source_severity, tier=case.tier, customer_facing=case.customer_facing,
    )  # fmt: skip


def incident_features(turn: Turn, row: IncidentRow) -> Features:
    """Of the alert that opened it."""
    service = turn.world.graph.get(row.opened_on)
    return Features(
        name=row.name, service=row.opened_on, environment=row.environment, source=row.source, source_severity=row.source_severity,
        tier=service.tier if service is not None else 3, customer_facing=service is not None and service.customer_facing,
    )  # fmt: skip
