"""Our own raw format (SPEC 2.9): name, status, service, environment, source_severity, labels, annotations, started_at, ended_at,
summary."""

from __future__ import annotations

from typing import Any

from agents.normalize.dig import Obj
from agents.normalize.items import FIRING, RESOLVED, Bad, Event, Item, RejectReason, Source

KEYS = frozenset(
    [
        "name",
        "status",
        "service",
        "environment",
        "source_severity",
        "labels",
        "annotations",
        "started_at",
        "ended_at",
        "summary",
        "url",
        "key",
    ]
)


def recognizes(payload: Obj) -> bool:
    return "name" in payload and (
        "source_severity" in payload
        or (
            "labels" in payload and ("started_at" in payload or "annotations" in payload) and payload.keys() <= KEYS and "status" in payload
        )
    )


def read(payload: Obj, now_ms: int) -> list[Item]:
    return [element(payload)]


def element(payload: Obj) -> Item:
    name = payload.get("name")
    if not isinstance(name, str) or not name.strip():
        return Bad(RejectReason.MISSING_NAME, "`name` must be a text that is not empty")
    word: Any = payload.get("status", "firing")
    status = FIRING if word == "firing" else RESOLVED if word == "resolved" else None
    if status is None:
        return Bad(RejectReason.BAD_STATUS, "`status` must be `firing` or `resolved`")
    labels, annotations = payload.get("labels") or {}, payload.get("annotations") or {}
    if not isinstance(labels, dict) or not isinstance(annotations, dict):
        return Bad(RejectReason.NOT_AN_ALERT, "`labels` and `annotations` must be objects")
    service, environment = payload.get("service") or "", payload.get("environment") or ""
    key = payload.get("key")
    return Event(
        source="flux",
        name=name,
        status=status,
        service=service,
        environment=environment,
        severity=payload.get("source_severity") or "",
        started_at=payload.get("started_at"),
        ended_at=payload.get("ended_at"),
        summary=payload.get("summary") or "",
        labels=labels,
        annotations=annotations,
        url=payload.get("url") or "",
        key=[key] if key else [name, service, environment, *(part for label in sorted(labels) for part in (label, labels[label]))],
        origin=payload,
        exact_times=True,
    )


SOURCE = Source("flux", recognizes, read, aliases=("fluxai", "own"))
