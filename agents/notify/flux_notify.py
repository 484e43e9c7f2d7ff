"""Flux Notify over REST: one notification a transition, deduplicated there by `idempotency_key`.

The suite publishes no schema for it; this is the contract that we send, and the one place to change it.
"""

from __future__ import annotations

import json

from agents.notify.words import Outgoing, alert_lines, clean, headline, incident_link
from schemas.effect import Delivery

PATH = "/api/v1/notifications"
TITLE, BODY = 255, 4000


def notification(delivery: Delivery, *, token: str = "", public_url: str = "") -> Outgoing:
    incident = delivery.incident
    body = {
        "idempotency_key": delivery.effect_id,
        "source": "flux-ai",
        "type": f"incident.{delivery.transition.value}",
        "severity": incident.severity.value,
        "title": headline(delivery, TITLE),
        "body": clean(incident.summary, BODY),
        "incident_id": incident.incident_id,
        "revision": incident.revision,
        "status": incident.status.value,
        "service": incident.service,
        "environment": incident.environment,
        "occurred_at": incident.updated_at.isoformat(),
        "link": incident_link(public_url, incident.incident_id),
        "alerts": alert_lines(incident, 300),
        "runbooks": [{"id": one.id, "title": clean(one.title, TITLE), "score": one.score} for one in incident.runbooks[:3]],
    }
    headers = {"Content-Type": "application/json", "Idempotency-Key": delivery.effect_id}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return Outgoing(json.dumps(body, ensure_ascii=False).encode(), headers, PATH)
