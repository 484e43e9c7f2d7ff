"""PagerDuty Events API v2. `dedup_key` is the incident, so every transition meets the same PagerDuty alert.

An incident that fired and resolved while PagerDuty was away is sent as a resolve: nobody is woken for what is over, and PagerDuty,
which never knew of it, keeps no record.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

from agents.notify.merge import CLOSING, is_over
from agents.notify.words import RUNBOOKS, Outgoing, alert_lines, clean, headline, incident_link, safe_url
from schemas.base import Severity
from schemas.effect import Delivery, Transition
from schemas.incident import Incident

SEVERITY = {Severity.P1: "critical", Severity.P2: "error", Severity.P3: "warning", Severity.P4: "info"}
SUMMARY, DETAIL, KEY = 1024, 2000, 255
STEPS = 10


def event(delivery: Delivery, *, routing_key: str, public_url: str = "") -> Outgoing:
    incident = delivery.incident
    action = action_of(delivery)
    body: dict[str, Any] = {"routing_key": routing_key, "event_action": action, "dedup_key": dedup_key(incident)}
    if action == "trigger":
        body |= {"client": "Flux AI", "payload": payload(delivery), "links": links(incident, public_url)}
        if public_url:
            body["client_url"] = incident_link(public_url, incident.incident_id)
    return Outgoing(json.dumps(body, ensure_ascii=False).encode(), {"Content-Type": "application/json"})


def action_of(delivery: Delivery) -> str:
    """`trigger`, `acknowledge` or `resolve`."""
    if delivery.transition in CLOSING or is_over(delivery.incident):
        return "resolve"
    return "acknowledge" if delivery.transition is Transition.ACKNOWLEDGED else "trigger"


def dedup_key(incident: Incident) -> str:
    key = incident.incident_id
    return key if len(key) <= KEY else blake2b(key.encode(), digest_size=32).hexdigest()


def payload(delivery: Delivery) -> dict[str, Any]:
    incident = delivery.incident
    return {
        "summary": headline(delivery, SUMMARY),
        "source": clean(incident.service, 255) or "unknown",
        "severity": SEVERITY[incident.severity],
        "timestamp": incident.opened_at.isoformat(),
        "component": clean(incident.service, 255),
        "group": clean(incident.environment or incident.domain, 255),
        "class": clean(incident.alerts[0].name if incident.alerts else incident.title, 255),
        "custom_details": {
            "incident_id": incident.incident_id,
            "revision": incident.revision,
            "severity": incident.severity.value,
            "summary": clean(incident.summary, DETAIL),
            "confidence": incident.confidence,
            "provenance": incident.provenance,
            "alert_count": incident.alert_count,
            "alerts": alert_lines(incident, 300),
            "runbooks": [
                {"title": clean(one.title, 300), "score": one.score, "steps": [clean(step, 500) for step in one.steps[:STEPS]]}
                for one in incident.runbooks[:RUNBOOKS]
            ],
        },
    }


def links(incident: Incident, public_url: str) -> list[dict[str, str]]:
    found = [{"href": url, "text": clean(one.title, 255)} for one in incident.runbooks[:RUNBOOKS] if (url := safe_url(one.url))]
    if public_url:
        found.insert(0, {"href": incident_link(public_url, incident.incident_id), "text": "View in Flux AI"})
    return found
