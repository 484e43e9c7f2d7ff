"""Incidents, deliveries and receipts for tests, with everything that a test does not care about filled in."""

from __future__ import annotations

from typing import Any

from schemas.base import Severity, from_ms
from schemas.effect import Delivery, Receipt, Transition
from schemas.incident import Incident, IncidentAlert, IncidentStatus

NOW = 1_750_000_000_000


def an_incident(**changes: Any) -> Incident:
    at = from_ms(NOW)
    values: dict[str, Any] = {
        "incident_id": "inc-1",
        "revision": 1,
        "domain": "production",
        "status": IncidentStatus.OPEN,
        "severity": Severity.P2,
        "service": "checkout",
        "environment": "production",
        "title": "HighErrorRate on checkout",
        "summary": "12 % of the requests to checkout fail.",
        "confidence": 0.9,
        "provenance": "rules",
        "alerts": [
            IncidentAlert(
                fingerprint="f1", name="HighErrorRate", service="checkout", severity=Severity.P2, status="firing", first_at=at, last_at=at
            )
        ],
        "alert_count": 1,
        "opened_at": at,
        "updated_at": at,
        "deadline": from_ms(NOW + 15_000),
    }
    return Incident.model_validate(values | changes)


def a_delivery(**changes: Any) -> Delivery:
    incident = changes.pop("incident", None) or an_incident()
    values: dict[str, Any] = {
        "effect_id": "e1",
        "attempt": 1,
        "receiver": "hook",
        "transition": Transition.FIRED,
        "asked_at": from_ms(NOW),
        "deadline": from_ms(NOW + 25_000),
    }
    return Delivery(incident=incident, **(values | changes))


def receipt_for(delivery: Delivery, status: str, *, at: int, **changes: Any) -> Receipt:
    values: dict[str, Any] = {
        "effect_id": delivery.effect_id,
        "attempt": delivery.attempt,
        "receiver": delivery.receiver,
        "incident_id": delivery.incident.incident_id,
        "domain": delivery.incident.domain,
        "status": status,
        "at": from_ms(at),
    }
    return Receipt.model_validate(values | changes)
