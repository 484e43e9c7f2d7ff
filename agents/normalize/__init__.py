"""Normalize: from the bytes of any source to alert events. A total function: it never raises, and accounts for every element.

found = normalize(value, source_hint="alertmanager", topic="raw", partition=0, offset=7, received_ms=now, rules=NormalizeRules())
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec
import pydantic_core

from agents.normalize.clean import EVENT_BYTES, PAYLOAD_BYTES, fault
from agents.normalize.dig import plain_key
from agents.normalize.finish import Place, alert_of, change_of
from agents.normalize.items import Bad, Deed, Event, Ignored, Item, RejectReason
from agents.normalize.mapping import FieldMapping, read_mapped
from agents.normalize.sniff import read, slug
from schemas.alert import Alert
from schemas.change import Change

__all__ = ["FieldMapping", "NormalizeRules", "Normalized", "Reject", "RejectReason", "normalize"]

_decode = msgspec.json.Decoder().decode
_LONG_NUMBER = re.compile(rb"\d{19}")
_NESTING = 32


@dataclass(frozen=True)
class NormalizeRules:
    """What a user may set. `domain_labels`: the first of them that an alert has is its correlation domain, else its environment, else
    "default". `default_environment` is for alerts that name none. `mappings`: source name (the `source` header) to where its fields lie."""

    domain_labels: tuple[str, ...] = ("cluster", "tenant")
    default_environment: str = ""
    mappings: Mapping[str, FieldMapping] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Reject:
    """What could not become an alert: the record's `index`-th element, or with None the record as a whole. No retry helps."""

    index: int | None
    reason: RejectReason
    error: str


@dataclass
class Normalized:
    """All of a record: every element is in exactly one of these."""

    alerts: list[Alert] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def normalize(
    value: bytes | None, *, source_hint: str | None, topic: str, partition: int, offset: int, received_ms: int, rules: NormalizeRules
) -> Normalized:
    """Alerts and changes of one raw record, in its order; `raw.index` is the position within the payload.

    `received_ms` is the broker's time of the record, epoch. `source_hint` is its `source` header, if it has one.
    """
    result = Normalized()
    decoded = decode(value)
    if isinstance(decoded, Bad):
        result.rejects.append(Reject(None, decoded.reason, decoded.error))
        return result
    payload, inspect = decoded
    place = Place(topic, partition, offset, received_ms, rules.domain_labels, rules.default_environment)
    try:
        items = _items(payload, source_hint, received_ms, rules)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        found = fault(payload)
        result.rejects.append(
            Reject(None, found.reason if found else RejectReason.UNREADABLE, found.error if found else f"{type(error).__name__}: {error}")
        )
        return result
    for index, item in enumerate(items):
        try:
            finished = _finish(item, index, place, inspect)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
            finished = Bad(RejectReason.UNREADABLE, f"{type(error).__name__}: {error}")
        if isinstance(finished, Alert):
            result.alerts.append(finished)
        elif isinstance(finished, Bad):
            result.rejects.append(Reject(index if len(items) > 1 else None, finished.reason, finished.error))
        elif isinstance(finished, Change):
            result.changes.append(finished)
        else:
            result.ignored.append(finished.why)
    return result


def decode(value: bytes | None) -> tuple[Any, bool] | Bad:
    """The JSON value, and whether it may break a limit of SPEC 1.3 (then its elements are inspected one by one); or why there is none."""
    if not value or value.isspace():
        return Bad(RejectReason.EMPTY, "no bytes")
    if len(value) > PAYLOAD_BYTES:
        return Bad(RejectReason.TOO_LARGE, f"{len(value)} bytes, the limit is {PAYLOAD_BYTES}")
    inspect = len(value) > EVENT_BYTES or value.count(b"{") + value.count(b"[") > _NESTING or _LONG_NUMBER.search(value) is not None
    try:
        return _decode(value), inspect
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_leniently(value)


def _decode_leniently(value: bytes) -> tuple[Any, bool] | Bad:
    """NaN and Infinity, a byte order mark and lone surrogates are let in here, so that only the element that has one is refused for it."""
    try:
        written = value.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Bad(RejectReason.NOT_UTF8, f"not UTF-8 at byte {error.start}")
    for loads in (pydantic_core.from_json, json.loads):
        try:
            return loads(written), True
        except RecursionError:
            return Bad(RejectReason.TOO_DEEP, f"nested deeper than {_NESTING}")
        except ValueError as error:
            if "recursion limit" in str(error):
                return Bad(RejectReason.TOO_DEEP, f"nested deeper than {_NESTING}")
            problem = str(error)
    return Bad(RejectReason.NOT_JSON, problem[:200])


def _items(payload: Any, hint: str | None, received_ms: int, rules: NormalizeRules) -> list[Item]:
    if hint is not None and rules.mappings:
        mapping = rules.mappings.get(hint) or next(
            (found for name, found in rules.mappings.items() if plain_key(name) == plain_key(hint)), None
        )
        if mapping is not None:
            return read_mapped(payload, slug(hint), mapping)
    return read(payload, hint or None, received_ms)


def _finish(item: Item, index: int, place: Place, inspect: bool) -> Alert | Change | Bad | Ignored:
    if isinstance(item, Event):
        return alert_of(item, index, place, inspect=inspect)
    if isinstance(item, Deed):
        return change_of(item, index, place, inspect=inspect)
    return item
