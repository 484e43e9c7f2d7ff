"""Prometheus Alertmanager: webhook v3 and v4, alerts as posted to its API v2 (and read from APIs v1, v2 and Prometheus), and the event
recorder's JSON. All labels are the identity, the severity label too, as in Alertmanager itself."""

from __future__ import annotations

from typing import Any

from agents.normalize.dig import Obj, dicts, first, obj, pairs, text
from agents.normalize.items import FIRING, RESOLVED, Bad, Event, Ignored, Item, RejectReason, Source
from agents.normalize.times import BadTime, moment
from schemas.base import AlertStatus, to_ms

NAME = "alertmanager"
_SEVERITY = ("severity", "priority", "level", "sev")
_RECORDED = {
    "alertCreated": FIRING,
    "alert_created": FIRING,
    "alertResolved": RESOLVED,
    "alert_resolved": RESOLVED,
}
_AUDIT = frozenset(
    [
        "alertGrouped",
        "alert_grouped",
        "notification",
        "silenceCreated",
        "silence_created",
        "silenceUpdated",
        "silence_updated",
        "silenceMutedAlert",
        "silence_muted_alert",
        "inhibitionMutedAlert",
        "inhibition_muted_alert",
        "alertmanagerStartupEvent",
        "alertmanager_startup_event",
        "alertmanagerShutdownEvent",
        "alertmanager_shutdown_event",
    ]
)


def recognizes(payload: Obj) -> bool:
    alerts = payload.get("alerts")
    if isinstance(alerts, list):
        if "groupLabels" in payload or "groupKey" in payload or "commonLabels" in payload:
            return True
        return any(isinstance(alert, dict) and "labels" in alert for alert in alerts)
    return is_element(payload) or _recorded(payload) is not None or _answer(payload) is not None


def is_element(payload: Obj) -> bool:
    """An alert as posted to the API: a label set, and nothing that another format would call its title."""
    return isinstance(payload.get("labels"), dict) and (
        "startsAt" in payload or "generatorURL" in payload or "activeAt" in payload or payload.keys() <= {"labels", "annotations", "endsAt"}
    )


def _recorded(payload: Obj) -> str | None:
    data = payload.get("data")
    if isinstance(data, dict) and ("@timestamp" in payload or "timestamp" in payload):
        return next((kind for kind in data if kind in _RECORDED or kind in _AUDIT), None)
    return None


def _answer(payload: Obj) -> list[Any] | None:
    """The alerts of an answer of Prometheus' or Alertmanager's v1 API."""
    if payload.get("status") == "success" and "data" in payload:
        data = payload["data"]
        found = data.get("alerts") if isinstance(data, dict) else data
        if isinstance(found, list) and all(isinstance(alert, dict) and "labels" in alert for alert in found):
            return found
    return None


def read(payload: Obj, now_ms: int) -> list[Item]:
    kind = _recorded(payload)
    if kind is not None:
        return [_event_recorder(payload, kind)]
    alerts = payload.get("alerts")
    if isinstance(alerts, list):
        if not alerts:
            return [Ignored("an Alertmanager notification without alerts")]
        url = text(payload.get("externalURL"))
        common = payload.get("status")
        return [element(alert, now_ms, common, url) for alert in alerts]
    answer = _answer(payload)
    if answer is not None:
        return [element(alert, now_ms) for alert in answer] or [Ignored("an answer without alerts")]
    return [element(payload, now_ms)]


def element(alert: Any, now_ms: int, common_status: Any = None, url: str = "") -> Item:
    """One alert. `common_status` is the notification's, for old senders that give no status to each alert."""
    if alert is None:
        return Bad(RejectReason.NULL_ELEMENT, "the element is null")
    if not isinstance(alert, dict):
        return Bad(RejectReason.NOT_AN_ALERT, "the element is not an object")
    labels = alert.get("labels")
    if not labels or not isinstance(labels, dict):
        return Bad(RejectReason.MISSING_LABELS, "the alert has no label set")
    annotations = alert.get("annotations")
    if not isinstance(annotations, dict):
        annotations = {}
    try:
        status = _status(alert, now_ms, common_status)
    except BadTime as error:
        return Bad(RejectReason.BAD_TIME, str(error))
    if status is None:
        return Ignored("a pending alert has not fired yet")
    name = labels.get("alertname") or annotations.get("summary") or annotations.get("title") or alert.get("summary") or labels.get("name")
    return Event(
        source=NAME,
        name=name or annotations.get("description") or "alert without a name",
        status=status,
        severity=next((labels[key] for key in _SEVERITY if key in labels), ""),
        started_at=alert.get("startsAt") or alert.get("activeAt"),
        ended_at=alert.get("endsAt"),
        summary=annotations.get("summary") or annotations.get("description") or annotations.get("message") or alert.get("summary") or "",
        labels=labels,
        annotations=annotations,
        url=alert.get("generatorURL") or url,
        origin=alert,
        exact_times=True,
    )


def _status(alert: Obj, now_ms: int, common: Any) -> AlertStatus | None:
    """None for a pending alert. Posted alerts have no status: they ended when `endsAt` says so."""
    word = alert.get("status", alert.get("state", common))
    if isinstance(word, str):
        folded = word.lower()
        return RESOLVED if folded in ("resolved", "inactive", "ok", "normal") else None if folded == "pending" else FIRING
    if isinstance(word, dict):
        return FIRING
    ended = moment(alert.get("endsAt"))
    return RESOLVED if ended is not None and to_ms(ended) <= now_ms else FIRING


def _event_recorder(payload: Obj, kind: str) -> Item:
    if kind in _AUDIT:
        return Ignored(f"an audit record of Alertmanager's event recorder ({kind})")
    body = obj(obj(payload["data"][kind]).get("alert"))
    alert = obj(body.get("details")) or body
    labels = pairs(obj(alert.get("labels")).get("labels"))
    if not labels:
        return Bad(RejectReason.MISSING_LABELS, "the recorded alert has no label set")
    annotations = pairs(obj(alert.get("annotations")).get("labels"))
    return Event(
        source=NAME,
        name=labels.get("alertname") or alert.get("name") or annotations.get("summary") or "alert without a name",
        status=RESOLVED if alert.get("resolved") is True else _RECORDED[kind],
        severity=next((labels[key] for key in _SEVERITY if key in labels), ""),
        started_at=alert.get("startsAt") or alert.get("starts_at"),
        ended_at=alert.get("endsAt") or alert.get("ends_at"),
        summary=first(annotations, "summary", "description", "message"),
        labels=labels,
        annotations=annotations,
        origin=payload,
    )


def many(elements: list[Any]) -> bool:
    """Whether a bare list is a POST to API v2: its first object looks like one."""
    objects = dicts(elements)
    return bool(objects) and any(is_element(element) for element in objects[:4])


SOURCE = Source(NAME, recognizes, read, aliases=("prometheus", "prometheus_alertmanager", "vmalert", "mimir", "loki", "thanos", "cortex"))
