"""One line for a person at a terminal, or the webhook's JSON on one line."""

from __future__ import annotations

from agents.notify.webhook import document
from agents.notify.words import at, clean, headline, lasted
from schemas.effect import Delivery

LINE = 400


def line(delivery: Delivery) -> str:
    """Without colour and line break; safe to print on a terminal and in a log."""
    incident = delivery.incident
    count = f"{incident.alert_count} alert{'s' if incident.alert_count != 1 else ''}"
    parts = [f"{at(delivery.asked_at)}  {headline(delivery, LINE)}", clean(incident.summary, LINE), count]
    if incident.runbooks:
        parts.append(f"runbook: {clean(incident.runbooks[0].title, 100)}")
    if incident.resolved_at is not None:
        parts.append(f"lasted {lasted(incident)}")
    return " | ".join(part for part in [*parts, clean(incident.incident_id, 80)] if part)


def as_json(delivery: Delivery) -> str:
    return document(delivery).decode()
