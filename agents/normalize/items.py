"""What a source's reader hands on: events, changes, what it ignores and what it could not read. Plain data, not yet cleaned or checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from agents.normalize.dig import Obj
from schemas.base import AlertStatus, Severity

FIRING = AlertStatus.FIRING
RESOLVED = AlertStatus.RESOLVED


class RejectReason(StrEnum):
    """Why something could not become an alert; the closed set of dead-letter reasons of this stage."""

    EMPTY = "empty"
    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    TOO_MANY_LABELS = "too_many_labels"
    LABEL_KEY_TOO_LONG = "label_key_too_long"
    LABEL_VALUE_TOO_LONG = "label_value_too_long"
    NOT_FINITE = "not_finite"
    INTEGER_TOO_LARGE = "integer_too_large"
    NOT_AN_ALERT = "not_an_alert"
    BAD_TIME = "bad_time"
    BAD_STATUS = "bad_status"
    MISSING_LABELS = "missing_labels"
    MISSING_NAME = "missing_name"
    NULL_ELEMENT = "null_element"
    UNREADABLE = "unreadable"


@dataclass(slots=True)
class Event:
    """One delivered occurrence of an alert as its source tells it. Texts may be any JSON scalar.

    `severity` is the source's own word; `level` the urgency it means where the source's scale says more than the word ("by_word": use
    the common table). `key` is the source's own stable identity of the alert; without one the labels are the identity. `origin` is the
    part of the payload that it was read from: the limits are checked on it. `exact_times`: an unreadable time rejects the event.
    """

    source: str
    name: Any = ""
    status: AlertStatus = FIRING
    service: Any = ""
    environment: Any = ""
    severity: Any = ""
    level: Severity | Literal["by_word"] | None = "by_word"
    started_at: Any = None
    ended_at: Any = None
    summary: Any = ""
    labels: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)
    url: Any = ""
    key: Sequence[Any] | None = None
    origin: Any = None
    exact_times: bool = False
    flags: tuple[str, ...] = ()


@dataclass(slots=True)
class Deed:
    """A deploy or configuration change. `key` identifies it, so that a redelivery is the same change."""

    source: str
    title: Any = ""
    kind: str = "deploy"
    service: Any = ""
    environment: Any = ""
    author: Any = ""
    version: Any = ""
    url: Any = ""
    happened_at: Any = None
    key: Sequence[Any] | None = None
    origin: Any = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """Not an alert, and rightly so: a subscription confirmation, a test ping, an audit record."""

    why: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A part of the payload that should have been an alert and is not."""

    reason: RejectReason
    error: str


Item = Event | Deed | Ignored | Bad


@dataclass(frozen=True, slots=True)
class Source:
    """One source format. `recognizes` is a few key look-ups; `read` gives one item for each element, in order. Neither raises on any JSON
    object, and `read` is given only what `recognizes` accepted; `now_ms` is the broker's time of the record."""

    name: str
    recognizes: Callable[[Obj], bool]
    read: Callable[[Obj, int], list[Item]]
    aliases: tuple[str, ...] = ()
