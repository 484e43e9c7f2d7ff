"""From a record on a topic to the row that keeps it. Pure; the column orders are those of the copy and insert statements."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from pipeline.engine.processor import Record
from pipeline.history.base import DeadLetter
from schemas.base import from_ms
from schemas.decision import Decision
from schemas.effect import Receipt
from schemas.feedback import Feedback
from schemas.incident import Incident
from schemas.learning import Label
from schemas.usage import Usage

Values = tuple[Any, ...]
INT4_MAX = 2**31 - 1


class Row(NamedTuple):
    """A row on its way: the table, its values, and the record it came from in case the database refuses it."""

    table: str
    values: Values
    record: Record


class Unreadable(Exception):
    """The record is no message of its topic. A retry does not help."""


def to_row(cluster: str, record: Record, recorded_at: datetime) -> Row | None:
    """The row of a record, in table `unreadable` when it cannot be read, or None for one that history does not keep."""
    try:
        made = TOPICS[record.topic](cluster, record, recorded_at)
    except (ValidationError, Unreadable) as error:
        return unreadable_row(cluster, record, recorded_at, str(error))
    return None if made is None else Row(*made, record)


def decision_row(cluster: str, record: Record, recorded_at: datetime) -> Values:
    body = text_of(record)
    decision = Decision.from_json(body)
    raw = decision.raw
    return (
        cluster,
        raw.topic,
        raw.partition,
        raw.offset,
        raw.index,
        recorded_at,
        decision.alert_id,
        decision.fingerprint,
        decision.incident_id,
        decision.source,
        plain(decision.name),
        plain(decision.service),
        plain(decision.environment),
        plain(decision.domain),
        decision.status.value,
        decision.severity.value,
        decision.outcome.value,
        decision.reason.code,
        decision.received_at,
        decision.decided_at,
        storable(body),
    )


def incident_row(cluster: str, record: Record, _: datetime) -> Values:
    body = text_of(record)
    incident = Incident.from_json(body)
    return (
        cluster,
        incident.incident_id,
        incident.revision,
        plain(incident.domain),
        incident.status.value,
        incident.severity.value,
        plain(incident.service),
        plain(incident.environment),
        plain(incident.title),
        incident.parent,
        bool(incident.notified),
        incident.opened_at,
        incident.updated_at,
        incident.acknowledged_at,
        incident.resolved_at,
        storable(body),
    )


def receipt_row(cluster: str, record: Record, recorded_at: datetime) -> tuple[str, Values]:
    body = text_of(record)
    receipt = Receipt.from_json(body)
    place = (cluster, record.partition, record.offset, recorded_at)
    if receipt.effect == "advice":
        return "advice", (*place, *advice_values(receipt), storable(body))
    return "deliveries", (*place, *delivery_values(receipt), storable(body))


def delivery_values(receipt: Receipt) -> Values:
    return (
        receipt.effect_id,
        receipt.attempt,
        plain(receipt.receiver),
        receipt.incident_id,
        receipt.status,
        receipt.at,
        min(receipt.took_ms, INT4_MAX),
    )


def advice_values(receipt: Receipt) -> Values:
    said = receipt.advice
    return (
        receipt.effect_id,
        receipt.attempt,
        receipt.incident_id,
        receipt.status,
        plain(said.provider if said else ""),
        plain(said.model if said else ""),
        plain(said.prompt if said else ""),
        said.severity.value if said and said.severity else None,
        said.confidence if said else 0.0,
        said.cost_usd if said else 0.0,
        receipt.at,
        min(receipt.took_ms, INT4_MAX),
    )


def usage_row(cluster: str, record: Record, recorded_at: datetime) -> Values:
    body = text_of(record)
    usage = Usage.from_json(body)
    return (
        cluster,
        record.partition,
        record.offset,
        recorded_at,
        usage.usage_id,
        usage.kind,
        plain(usage.provider),
        plain(usage.model),
        plain(usage.task),
        plain(usage.prompt),
        usage.incident_id,
        plain(usage.outcome),
        usage.cost_usd,
        min(usage.tokens_in, INT4_MAX),
        min(usage.tokens_out, INT4_MAX),
        min(usage.tokens_cached, INT4_MAX),
        min(usage.took_ms, INT4_MAX),
        usage.asked,
        usage.cached,
        usage.at,
        storable(body),
    )


def label_row(cluster: str, record: Record, recorded_at: datetime) -> Values | None:
    if record.value is None:
        return None  # it was taken back; what was said stays
    body = text_of(record)
    label = Label.from_json(body)
    return (
        cluster,
        record.partition,
        record.offset,
        recorded_at,
        plain(label.label_id),
        label.kind,
        plain(label.incident_id),
        label.rule_severity.value,
        label.advised.value if label.advised else None,
        label.severity.value if label.severity else None,
        plain(label.model),
        plain(label.by),
        label.at,
        storable(body),
    )


def feedback_row(cluster: str, record: Record, recorded_at: datetime) -> Values:
    body = text_of(record)
    feedback = Feedback.from_json(body)
    return (
        cluster,
        record.partition,
        record.offset,
        recorded_at,
        plain(feedback.feedback_id),
        feedback.kind,
        plain(feedback.incident_id),
        plain(feedback.by),
        feedback.at,
        storable(body),
    )


def dead_letter_row(cluster: str, record: Record, recorded_at: datetime) -> Values:
    letter = DeadLetter.from_record(record)
    return (
        cluster,
        letter.partition,
        letter.offset,
        recorded_at,
        plain(letter.stage),
        plain(letter.reason),
        plain(letter.error),
        plain(letter.source.topic),
        min(letter.source.partition, INT4_MAX),
        letter.source.offset,
        letter.key,
        letter.value,
        json.dumps({plain(name): plain(text) for name, text in letter.headers.items()}),
    )


def unreadable_row(cluster: str, record: Record, recorded_at: datetime, error: str) -> Row:
    values = (cluster, record.topic, record.partition, record.offset, recorded_at, plain(error)[:4000], record.key, record.value)
    return Row("unreadable", values, record)


def text_of(record: Record) -> str:
    if record.value is None:
        raise Unreadable("the value is null")
    try:
        return record.value.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"the value is not UTF-8: {error.reason} at byte {error.start}") from error


def plain(text: str) -> str:
    """PostgreSQL's text cannot hold the character zero; it becomes the replacement character."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def storable(body: str) -> str:
    """The JSON text without the character zero, which jsonb refuses even when it is escaped."""
    if "\\u0000" not in body:
        return body
    return json.dumps(without_zero(json.loads(body)))


def without_zero(value: Any) -> Any:
    match value:
        case str():
            return plain(value)
        case list():
            return [without_zero(item) for item in value]
        case dict():
            return {plain(name): without_zero(item) for name, item in value.items()}
        case _:
            return value


def when_recorded(record: Record, now: datetime) -> datetime:
    """The broker's time of the record, never in the future: a wrong clock there must not make tables for years ahead."""
    return min(from_ms(max(record.timestamp, 0)), now)


Maker = Callable[[str, Record, datetime], Values | None]
Choice = Callable[[str, Record, datetime], tuple[str, Values] | None]


def into(table: str, make: Maker) -> Choice:
    def row(cluster: str, record: Record, recorded_at: datetime) -> tuple[str, Values] | None:
        values = make(cluster, record, recorded_at)
        return None if values is None else (table, values)

    return row


TOPICS: dict[str, Choice] = {
    "decisions": into("decisions", decision_row),
    "incidents.triaged": into("incidents", incident_row),
    "receipts": receipt_row,
    "dead_letters": into("dead_letters", dead_letter_row),
    "feedback": into("feedback", feedback_row),
    "usage": into("usage", usage_row),
    "labels": into("labels", label_row),
}
"""Topics that the lane reads, and what chooses the table of a record and makes its row."""
