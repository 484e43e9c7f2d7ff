"""OpsGenie (and Jira Service Management): webhooks about alerts, and alerts as posted to its API."""

from __future__ import annotations

from agents.normalize.alert_words import environment_in, service_in
from agents.normalize.dig import Obj, first, first_value, head, obj, only, pairs, text
from agents.normalize.items import FIRING, RESOLVED, Event, Ignored, Item, Source
from agents.normalize.words import P4, ranked, status_or_firing

NAME = "opsgenie"
_SILENT = (
    "addnote",
    "addtags",
    "removetags",
    "addrecipient",
    "addresponder",
    "addteam",
    "adddetails",
    "removedetails",
    "customaction",
    "updatemessage",
    "updatedescription",
    "seen",
    "snooze",
    "snoozeended",
)


def recognizes(payload: Obj) -> bool:
    alert = payload.get("alert")
    if isinstance(alert, dict) and ("alertId" in alert or "tinyId" in alert or ("alias" in alert and "message" in alert)):
        return True
    return (
        "message" in payload
        and ("alias" in payload or "responders" in payload)
        and ("priority" in payload or "responders" in payload or "entity" in payload)
    ) or "tinyId" in payload


def read(payload: Obj, now_ms: int) -> list[Item]:
    alert = obj(payload.get("alert")) or payload
    action = first(payload, "action").lower()
    if action in _SILENT:
        return [Ignored(f"OpsGenie's {first(payload, 'action')} does not change the alert's state")]
    details = pairs(alert.get("details"))
    tags = pairs(alert.get("tags"))
    word = first(alert, "priority")
    return [
        Event(
            source=NAME,
            name=first(alert, "message") or first(alert, "alias", "alertId"),
            status=RESOLVED if action in ("close", "delete", "closed") else FIRING if action else status_or_firing(first(alert, "status")),
            service=first(alert, "entity")
            or service_in(details)
            or service_in({key: value for key, value in tags.items() if value})
            or first(alert, "source")
            or head(alert.get("teams")),
            environment=environment_in(details) or environment_in(tags),
            severity=word,
            level=P4 if word.upper() == "P5" else ranked(word),
            started_at=first_value(alert, "createdAt", "insertedAt"),
            ended_at=first_value(alert, "closeTime", "report.closeTime", "updatedAt"),
            summary=first(alert, "description", "message"),
            labels={
                **{key: text(value) or "true" for key, value in tags.items()},
                **only({"entity": first(alert, "entity"), "team": head(alert.get("team") or alert.get("teams"))}),
            },
            annotations={
                **details,
                **only({"description": first(alert, "description"), "origin": first(alert, "source"), "note": first(alert, "note")}),
            },
            url=first(alert, "url"),
            key=["alert", first(alert, "alertId", "alias", "id", "tinyId") or first(alert, "message")],
            origin=payload,
        )
    ]


SOURCE = Source(NAME, recognizes, read, aliases=("jira_service_management", "jsm", "opsgenie_webhook"))
