"""A body that lists more alerts than one Kafka record holds, cut into records.

Alertmanager sends a whole group at once and drops it all when it is refused, so a storm must not be refused for its size. Each piece is
the same payload with a part of the list; only bodies over the record limit are touched, all others are kept byte for byte.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipeline.api.body import HEAD_BYTES, RECORD_BYTES

LISTS = ("alerts", "Records", "events", "incidents")
"""Where payloads keep their alerts: Alertmanager and Grafana, SNS and EventBridge, PagerDuty."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One record, and which element of the list is its first. When `whole` is false it is the beginning of one that is itself too large."""

    data: bytes
    first: int = 0
    whole: bool = True


def split(body: bytes, limit: int = RECORD_BYTES) -> list[Piece] | None:
    """The pieces, in order, each of at most `limit` bytes; None when the body is no list of alerts. Never raises."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(payload, list):
        return pack(payload, b"[", b"]", limit)
    if not isinstance(payload, dict):
        return None
    name = next((name for name in LISTS if isinstance(payload.get(name), list) and len(payload[name]) > 1), None)
    if name is None:
        return None
    elements = payload.pop(name)
    envelope = written(payload)
    opening = envelope[:-1] + (b"," if payload else b"") + written(name) + b":["
    return None if len(opening) > limit // 2 else pack(elements, opening, b"]}", limit)


def pack(elements: list[Any], opening: bytes, closing: bytes, limit: int) -> list[Piece]:
    """Fill pieces with elements, as many as fit."""
    pieces: list[Piece] = []
    room = limit - len(opening) - len(closing)
    part: list[bytes] = []
    used = first = 0

    def close(next_first: int) -> None:
        nonlocal used, first
        if part:
            pieces.append(Piece(opening + b",".join(part) + closing, first))
            part.clear()
        used, first = 0, next_first

    for index, element in enumerate(elements):
        text = written(element)
        if len(text) > min(room, HEAD_BYTES):
            close(index + 1)
            pieces.append(Piece(text[: min(HEAD_BYTES, limit)], index, whole=False))
            continue
        if used + len(text) > room:
            close(index)
        part.append(text)
        used += len(text) + 1
    close(len(elements))
    return pieces


def written(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
