"""What only carries a payload: CloudEvents, AWS SNS and SQS, Pub/Sub, Event Grid, gateways, Kafka Connect, and wrappers of one key."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from agents.normalize.dig import Obj, first
from agents.normalize.items import Ignored

_decode = msgspec.json.Decoder().decode
_WRAPPERS = (
    "payload",
    "body",
    "Message",
    "message",
    "data",
    "detail",
    "event",
    "alert",
    "content",
    "webhook",
    "value",
    "record",
    "json",
    "raw",
    "notification",
)


class Inner:
    """The payload inside, and the source's name where the envelope tells it."""

    __slots__ = ("payload", "source")

    def __init__(self, payload: Any, source: str | None = None) -> None:
        self.payload = payload
        self.source = source


def opened(payload: Obj) -> Inner | Ignored | None:
    """The inside of an envelope of a known kind; None where the object is none."""
    if "specversion" in payload and ("data" in payload or "data_base64" in payload):
        return Inner(_data(payload))
    if "Type" in payload and ("TopicArn" in payload or "MessageId" in payload):
        kind = first(payload, "Type")
        if kind != "Notification":
            return Ignored(f"SNS {kind}: not an alert")
        inner = parsed(payload.get("Message"))
        return Inner(
            inner if isinstance(inner, dict | list) else {"title": first(payload, "Subject") or str(inner)[:200], "message": inner},
            "aws_sns",
        )
    records = payload.get("Records")
    if isinstance(records, list) and records and all(isinstance(record, dict) for record in records):
        if all("Sns" in record for record in records):
            return Inner(
                [
                    record["Sns"]
                    if isinstance(record["Sns"], dict) and "Type" in record["Sns"]
                    else {"Type": "Notification", "TopicArn": "", **_dict(record["Sns"])}
                    for record in records
                ]
            )
        if all("body" in record for record in records):
            return Inner([parsed(record["body"]) for record in records])
    message = payload.get("message")
    if "subscription" in payload and isinstance(message, dict) and "data" in message:
        return Inner(_base64(message["data"]))
    if "eventType" in payload and "topic" in payload and "subject" in payload and "data" in payload and "eventTime" in payload:
        if first(payload, "eventType").endswith("SubscriptionValidationEvent"):
            return Ignored("an Event Grid subscription validation")
        return Inner(payload["data"]) if isinstance(payload["data"], dict | list) else None
    if "schema" in payload and "payload" in payload and len(payload) == 2:
        return Inner(parsed(payload["payload"]))
    if "body" in payload and ("headers" in payload or "requestContext" in payload):
        return Inner(_base64(payload["body"]) if payload.get("isBase64Encoded") is True else parsed(payload["body"]))
    return None


def wrapped(payload: Obj) -> list[Any]:
    """Objects (also as JSON texts) under the keys that usually wrap a payload, for a source that nobody recognizes."""
    found = []
    for key in _WRAPPERS:
        value = payload.get(key)
        if (isinstance(value, str) and value[:1] in ("{", "[")) or isinstance(value, dict | list):
            inner = parsed(value)
            if isinstance(inner, dict | list) and inner:
                found.append(inner)
    return found


def parsed(value: Any) -> Any:
    """JSON in a text is decoded; all else is returned as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return _decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return value
    return value


def _data(event: Obj) -> Any:
    inner = parsed(event["data"]) if "data" in event else _base64(event["data_base64"])
    return (
        inner
        if isinstance(inner, dict | list)
        else {"title": first(event, "type"), "message": inner, "source": event.get("source"), "time": event.get("time")}
    )


def _base64(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parsed(base64.b64decode(value, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return parsed(value)


def _dict(value: Any) -> Obj:
    return value if isinstance(value, dict) else {}
