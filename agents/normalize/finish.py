"""From what a reader found to the message: identity, domain, times, limits, clean texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from agents.normalize.clean import EVENT_BYTES, annotations_of, fault, labels_of, line, prose, size
from agents.normalize.dig import text, words
from agents.normalize.items import Bad, Deed, Event, RejectReason
from agents.normalize.times import BadTime, moment
from agents.normalize.words import level_of
from schemas.alert import Alert, RawCoordinates
from schemas.base import AlertStatus, from_ms
from schemas.change import Change

VERDICT_MS = 15_000
SKEW = timedelta(hours=24)

SERVICE_LABELS = words(
    "service service_name service.name serviceName app application app_kubernetes_io_name app.kubernetes.io/name k8s_app ",
    "k8s-app workload deployment statefulset daemonset cronjob component job container pod host hostname host.name node ",
    "instance device resource server target cluster namespace",
)
ENVIRONMENT_LABELS = ("environment", "env", "deployment_environment", "deployment.environment", "deployment.environment.name", "stage")

_FIELDS = frozenset(Alert.model_fields)
_PART_FIELDS = frozenset(RawCoordinates.model_fields)
_set = object.__setattr__


@dataclass(frozen=True, slots=True)
class Place:
    """Where the record lies and what of the rules every alert of it needs."""

    topic: str
    partition: int
    offset: int
    received_ms: int
    domain_labels: tuple[str, ...]
    default_environment: str


def alert_of(event: Event, index: int, place: Place, *, inspect: bool) -> Alert | Bad:
    """The message, or why not. `inspect`: the decoder could not rule out that the element breaks a limit, so look."""
    if inspect and (found := fault(event.origin) or _oversize(event.origin)):
        return found
    labels = labels_of(event.labels)
    if isinstance(labels, Bad):
        return labels
    flags = list(event.flags)
    try:
        started, ended = _times(event, flags)
    except BadTime as error:
        return Bad(RejectReason.BAD_TIME, str(error))
    annotations, cut = annotations_of(event.annotations) if event.annotations else ({}, False)
    if cut:
        flags.append("annotations_cut")
    name = line(event.name) or line(event.summary)
    if not name:
        return Bad(RejectReason.MISSING_NAME, "no name or title could be read")
    received = from_ms(place.received_ms)
    if started is not None and abs(started - received) > SKEW:
        flags.append("source_clock_skew")
    environment = line(event.environment) or _among(labels, ENVIRONMENT_LABELS) or place.default_environment
    summary = event.summary or annotations.get("summary") or annotations.get("description") or annotations.get("message") or ""
    word = line(event.severity, 64)
    return _build(
        {
            "schema_version": 1,
            "kind": "alert",
            "alert_id": alert_id(place, index),
            "fingerprint": fingerprint(event, name, labels),
            "source": event.source,
            "name": name,
            "service": line(event.service, 256) or _among(labels, SERVICE_LABELS),
            "environment": environment,
            "domain": _among(labels, place.domain_labels) or environment or "default",
            "status": event.status,
            "source_severity": word,
            "severity": level_of(word) if event.level == "by_word" else event.level,
            "started_at": started,
            "ended_at": ended,
            "summary": prose(summary) if summary else "",
            "labels": labels,
            "annotations": annotations,
            "url": line(event.url, 2048) if event.url else "",
            "flags": flags,
            "received_at": received,
            "deadline": from_ms(place.received_ms + VERDICT_MS),
            "raw": _coordinates(place, index),
        }
    )


def _times(event: Event, flags: list[str]) -> tuple[datetime | None, datetime | None]:
    """Start and end. An end of a firing alert is when its source would stop believing it, which is no end."""
    found: list[datetime | None] = []
    for value in (event.started_at, event.ended_at if event.status is AlertStatus.RESOLVED else None):
        try:
            found.append(moment(value))
        except BadTime:
            if event.exact_times:
                raise
            flags.append("time_unreadable")
            found.append(None)
    return found[0], found[1]


def _oversize(origin: Any) -> Bad | None:
    if isinstance(origin, dict) and size(origin) > EVENT_BYTES:
        return Bad(RejectReason.TOO_LARGE, f"the event is over {EVENT_BYTES} bytes")
    return None


def _among(labels: Mapping[str, str], names: tuple[str, ...]) -> str:
    for name in names:
        if name in labels:
            return labels[name][:256]
    return ""


def fingerprint(event: Event, name: str, labels: Mapping[str, str]) -> str:
    """24 hex digits: the source and its own key of the alert, or else the name and all labels. The same when it fires and when it ends."""
    if event.key is not None:
        parts = [event.source, "\x01", *(part if isinstance(part, str) else text(part) for part in event.key)]
    else:
        parts = [event.source, "" if "alertname" in labels else name]
        for key in sorted(labels):
            parts.append(key)
            parts.append(labels[key])
    return blake2b("\x00".join(parts).encode(errors="replace"), digest_size=12).hexdigest()


def alert_id(place: Place, index: int) -> str:
    """The same for a redelivery of the record, another for every other element and record."""
    return "a" + _digest(f"{place.topic}|{place.partition}|{place.offset}|{index}|{place.received_ms}")


def _digest(joined: str) -> str:
    return blake2b(joined.encode(errors="replace"), digest_size=8).hexdigest()


def _coordinates(place: Place, index: int) -> RawCoordinates:
    part = RawCoordinates.__new__(RawCoordinates)
    _fill(part, {"topic": place.topic, "partition": place.partition, "offset": place.offset, "index": index}, _PART_FIELDS)
    return part


def _build(values: dict[str, Any]) -> Alert:
    alert = Alert.__new__(Alert)
    _fill(alert, values, _FIELDS)
    return alert


def _fill(model: Any, values: dict[str, Any], fields: frozenset[str]) -> None:
    """What `model_construct` does for complete, already checked values, in a quarter of its time (6 us of a budget of 30)."""
    _set(model, "__dict__", values)
    _set(model, "__pydantic_fields_set__", set(fields))
    _set(model, "__pydantic_extra__", None)
    _set(model, "__pydantic_private__", None)


def change_of(deed: Deed, index: int, place: Place, *, inspect: bool) -> Change | Bad:
    """The message, or why not. A change without a readable time happened when it arrived."""
    if inspect and (found := fault(deed.origin) or _oversize(deed.origin)):
        return found
    try:
        happened = moment(deed.happened_at)
    except BadTime:
        happened = None
    environment = line(deed.environment, 128) or place.default_environment
    key = "\x00".join([deed.source, *map(text, deed.key)]) if deed.key else alert_id(place, index)
    return Change(
        change_id="c" + _digest(key),
        kind=deed.kind,
        service=line(deed.service, 256),
        environment=environment,
        domain=environment or "default",
        title=line(deed.title),
        author=line(deed.author, 128),
        version=line(deed.version, 128),
        source=deed.source,
        url=line(deed.url, 2048),
        happened_at=happened or from_ms(place.received_ms),
    )
