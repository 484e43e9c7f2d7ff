"""PagerDuty: Events API v1 and v2 (alerts sent to it), change events, webhooks v1, v2 and v3, and incidents of its REST API."""

from __future__ import annotations

from agents.normalize.alert_words import environment_in, service_in
from agents.normalize.dig import Obj, dicts, first, first_value, head, obj, only, text
from agents.normalize.items import FIRING, RESOLVED, Bad, Deed, Event, Ignored, Item, RejectReason, Source
from agents.normalize.words import P2, P4, level_of, status_or_firing
from schemas.base import AlertStatus, Severity

NAME = "pagerduty"
_LIFE = {
    "triggered": FIRING,
    "trigger": FIRING,
    "acknowledged": FIRING,
    "acknowledge": FIRING,
    "unacknowledged": FIRING,
    "unacknowledge": FIRING,
    "escalated": FIRING,
    "escalate": FIRING,
    "reassigned": FIRING,
    "assign": FIRING,
    "delegated": FIRING,
    "delegate": FIRING,
    "reopened": FIRING,
    "priority_updated": FIRING,
    "resolved": RESOLVED,
    "resolve": RESOLVED,
}


def recognizes(payload: Obj) -> bool:
    if "event_action" in payload or ("routing_key" in payload and "payload" in payload):
        return True
    if "service_key" in payload and "event_type" in payload:
        return True
    event = payload.get("event")
    if isinstance(event, dict) and isinstance(event.get("data"), dict) and "event_type" in event:
        return True
    messages = payload.get("messages")
    if isinstance(messages, list):
        return any("incident" in message or "incident" in obj(message.get("data")) for message in dicts(messages))
    return _is_incident(payload) or (isinstance(payload.get("incident"), dict) and _is_incident(payload["incident"]))


def _is_incident(payload: Obj) -> bool:
    return (
        ("incident_number" in payload or payload.get("type") in ("incident", "incident_reference"))
        and "status" in payload
        and isinstance(payload.get("service"), dict)
    )


def read(payload: Obj, now_ms: int) -> list[Item]:
    if "event_action" in payload or "routing_key" in payload:
        return [_events_v2(payload)]
    if "service_key" in payload:
        return [_events_v1(payload)]
    if isinstance(payload.get("event"), dict):
        return [_webhook_v3(payload["event"])]
    if isinstance(payload.get("messages"), list):
        return [_message(message) for message in payload["messages"]]
    return [_incident(obj(payload.get("incident")) or payload, None)]


def _events_v2(payload: Obj) -> Item:
    body = obj(payload.get("payload"))
    details = obj(body.get("custom_details"))
    action = first(payload, "event_action")
    if not action:
        return Deed(
            source=NAME,
            title=body.get("summary"),
            service=first(body, "source"),
            happened_at=body.get("timestamp"),
            version=first(details, "version", "build_number"),
            url=first(payload, "links.0.href"),
            environment=environment_in(details),
            origin=payload,
        )
    dedup = first(payload, "dedup_key")
    service = service_in(only({key: details.get(key) for key in ("service", "service_name", "app")})) or first(
        body, "component", "source", "group"
    )
    return Event(
        source=NAME,
        name=first(body, "summary") or first(payload, "description") or dedup,
        status=RESOLVED if action == "resolve" else FIRING,
        service=service,
        environment=environment_in(details),
        severity=first(body, "severity"),
        started_at=body.get("timestamp"),
        summary=first(body, "summary"),
        labels=only({key: body.get(key) for key in ("component", "group", "class")} | {"host": body.get("source")}),
        annotations={**details, "client": payload.get("client")},
        url=first(payload, "links.0.href", "client_url"),
        key=["dedup", dedup] if dedup else ["summary", first(body, "summary"), first(body, "source")],
        origin=payload,
    )


def _events_v1(payload: Obj) -> Item:
    details = obj(payload.get("details"))
    key = first(payload, "incident_key")
    return Event(
        source=NAME,
        name=first(payload, "description") or key,
        status=_LIFE.get(first(payload, "event_type"), FIRING),
        service=service_in(details) or first(payload, "client"),
        severity=first(details, "severity", "priority"),
        summary=first(payload, "description"),
        annotations={**details, "client": payload.get("client")},
        url=first(payload, "client_url"),
        key=["dedup", key] if key else ["summary", first(payload, "description")],
        origin=payload,
    )


def _webhook_v3(event: Obj) -> Item:
    kind = first(event, "event_type")
    data = obj(event["data"])
    if kind in ("pagey.ping", "ping") or data.get("type") == "ping":
        return Ignored("a test ping of PagerDuty")
    action = kind.rpartition(".")[2]
    if not kind.startswith("incident.") or action not in _LIFE or data.get("type", "incident") not in ("incident", "incident_reference"):
        return Ignored(f"PagerDuty's {kind} says nothing about an alert's state")
    return _incident(data, _LIFE[action] if action in ("triggered", "reopened", "resolved") else None, changed_at=event.get("occurred_at"))


def _message(message: object) -> Item:
    """A message of webhooks v1 (`type`, `data.incident`) or v2 (`event`, `incident`)."""
    if not isinstance(message, dict):
        return Bad(RejectReason.NULL_ELEMENT if message is None else RejectReason.NOT_AN_ALERT, "a message is not an object")
    incident = obj(message.get("incident")) or obj(obj(message.get("data")).get("incident"))
    kind = first(message, "event", "type")
    action = kind.rpartition(".")[2]
    if not incident or (kind and action not in _LIFE):
        return Ignored(f"PagerDuty's {kind or 'message'} says nothing about an alert's state")
    found = _incident(incident, _LIFE[action] if action in ("trigger", "resolve") else None, changed_at=message.get("created_on"))
    if isinstance(found, Event):
        entry = next(iter(dicts(message.get("log_entries"))), {})
        details = obj(obj(entry.get("channel")).get("details")) or obj(
            obj(obj(incident.get("first_trigger_log_entry")).get("channel")).get("details")
        )
        found.annotations = {**details, **found.annotations}
        found.origin = message
    return found


def _incident(incident: Obj, status: AlertStatus | None, changed_at: object = None) -> Item:
    priority = incident.get("priority")
    word = first(priority, "summary", "name") if isinstance(priority, dict) else text(priority)
    urgency = first(incident, "urgency")
    trigger = obj(incident.get("trigger_summary_data"))
    status = status or status_or_firing(first(incident, "status"))
    name = (
        first(incident, "title")
        or first(trigger, "subject", "description", "SERVICEDESC", "HOSTNAME")
        or first(incident, "summary", "description", "incident_key", "id")
    )
    return Event(
        source=NAME,
        name=name,
        status=status,
        service=head(incident.get("service")) or head(incident.get("impacted_services")),
        severity=word or urgency,
        level=level_of(word) if word else _urgency(urgency),
        started_at=first_value(incident, "created_at", "created_on"),
        ended_at=first_value(incident, "resolved_at", "last_status_change_at", "last_status_change_on") or changed_at,
        summary=first(incident, "summary", "description") or name,
        labels=only(
            {
                "service": first(incident, "service.summary", "service.name"),
                "team": first(incident, "teams.0.summary", "teams.0.name"),
                "escalation_policy": first(incident, "escalation_policy.summary", "escalation_policy.name"),
            }
        ),
        annotations=only(
            {
                "number": first(incident, "number", "incident_number"),
                "description": first(trigger, "description"),
                "urgency": urgency,
                "priority": word,
            }
        ),
        url=first(incident, "html_url"),
        key=["incident", first(incident, "id", "incident_key", "incident_number")],
        origin=incident,
    )


def _urgency(urgency: str) -> Severity | None:
    return {"high": P2, "low": P4}.get(urgency.lower())


SOURCE = Source(NAME, recognizes, read, aliases=("pager_duty", "pagerduty_v2", "pagerduty_v3"))
