"""Graylog: event notifications (version 3.1 and later), and the older stream alarm callback. Priorities are 1 low, 2 normal, 3 high,
4 critical."""

from __future__ import annotations

from agents.normalize.alert_words import service_in, severity_in
from agents.normalize.dig import Obj, dicts, first, first_value, obj, only, text
from agents.normalize.items import Event, Item, Source
from agents.normalize.words import P1, P2, P3, P4, level_of, status_or_firing

NAME = "graylog"


def recognizes(payload: Obj) -> bool:
    return (
        "event_definition_id" in payload
        or "event_definition_title" in payload
        or ("check_result" in payload and ("stream" in payload or "triggered_condition" in obj(payload["check_result"])))
    )


def read(payload: Obj, now_ms: int) -> list[Item]:
    return [_legacy(payload) if "check_result" in payload else _event(payload)]


def _event(payload: Obj) -> Item:
    event = obj(payload.get("event"))
    fields = obj(event.get("fields"))
    backlog = next(iter(dicts(payload.get("backlog"))), {})
    priority = first(event, "priority")
    word = severity_in(fields) or priority
    group = (
        first(event, "key") or ",".join(map(text, event["key_tuple"])) if isinstance(event.get("key_tuple"), list) else first(event, "key")
    )
    return Event(
        source=NAME,
        name=first(payload, "event_definition_title") or first(event, "message"),
        status=status_or_firing(first(fields, "status", "state")),
        service=service_in(fields)
        or first(backlog, "fields.service", "fields.application_name", "fields.app", "source")
        or group
        or first(event, "source"),
        severity=word,
        level={"4": P1, "3": P2, "2": P3, "1": P4}.get(word) or level_of(word),
        started_at=first_value(event, "timestamp", "timestamp_processing"),
        summary=first(event, "message") or first(payload, "event_definition_description"),
        labels=only({**fields, "key": group, "graylog_source": first(event, "source")}),
        annotations=only({"description": first(payload, "event_definition_description"), "backlog": first(backlog, "message")}),
        key=["definition", first(payload, "event_definition_id") or first(payload, "event_definition_title"), group],
        origin=payload,
    )


def _legacy(payload: Obj) -> Item:
    result, stream = obj(payload["check_result"]), obj(payload.get("stream"))
    condition = obj(result.get("triggered_condition"))
    message = next(iter(dicts(result.get("matching_messages"))), {})
    return Event(
        source=NAME,
        name=first(condition, "title") or first(stream, "title") or first(result, "result_description"),
        status=status_or_firing("firing" if result.get("triggered", True) else "resolved"),
        service=first(message, "fields.service", "source") or first(stream, "title"),
        severity=severity_in(obj(message.get("fields"))),
        started_at=first_value(result, "triggered_at"),
        summary=first(result, "result_description") or first(stream, "description"),
        labels=only({"stream": first(stream, "title"), "condition_type": first(condition, "type")}),
        annotations=only({"message": first(message, "message")}),
        key=["condition", first(stream, "id") or first(stream, "title"), first(condition, "id") or first(condition, "title")],
        origin=payload,
    )


SOURCE = Source(NAME, recognizes, read)
