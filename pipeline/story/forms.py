"""Payloads in the shapes that sources send, with current times. Pure: the clock is an argument."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from string import Template
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

ALONE = re.compile(r"\$(\w+)")
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)")
OLDEST, NEWEST = datetime(2010, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


class Form(BaseModel):
    """One source's shape. With `each` a payload carries several alerts: `alert` for each, in place of `$alerts`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str | None = None
    words: dict[str, dict[str, str]]
    each: str | None = None
    alert: dict[str, Any] = {}
    body: dict[str, Any]


class StoryAlert(BaseModel):
    """An alert of the story, in whatever form it is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: str = Field(alias="as")
    name: str
    service: str
    severity: str
    summary: str
    environment: str = "production"


def payload(
    form: Form, alerts: Sequence[StoryAlert], status: str, started: Sequence[datetime], now: datetime, *, broken: bool = False
) -> bytes:
    """The bytes that the source would send now about these alerts. `broken` puts a null among them, as a faulty exporter does."""
    said = [values(form, alert, status, start, now) for alert, start in zip(alerts, started, strict=True)]
    if form.each is None:
        return json.dumps(filled(form.body, said[0])).encode()
    each: list[Any] = [filled(form.alert, one) for one in said]
    return json.dumps(filled(form.body, said[0] | {"alerts": [*each, None] if broken else each})).encode()


def values(form: Form, alert: StoryAlert, status: str, started: datetime, now: datetime) -> dict[str, Any]:
    identity = blake2b(f"{alert.form}|{alert.name}|{alert.service}|{alert.environment}".encode(), digest_size=8)
    known: dict[str, Any] = {
        **alert.model_dump(exclude={"form"}),
        "status": status,
        "start_iso": iso(started),
        "now_iso": iso(now),
        "now_ms": round(now.timestamp() * 1000),
        "date": now.strftime("%Y.%m.%d"),
        "time": now.strftime("%H:%M:%S"),
        "hex": identity.hexdigest(),
        "number": str(int.from_bytes(identity.digest()[:4])),
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{identity.hexdigest()}|{now.timestamp()}")),
    }
    return known | {word: filled(text, known) for word, text in form.words[status].items()}


def filled(shape: Any, known: Mapping[str, Any]) -> Any:
    """The shape with its placeholders replaced. Raises KeyError for one that nobody knows."""
    if isinstance(shape, str):
        alone = ALONE.fullmatch(shape)
        return known[alone[1]] if alone else Template(shape).substitute(known)
    if isinstance(shape, list):
        return [filled(part, known) for part in shape]
    if isinstance(shape, dict):
        if list(shape) == ["$json"]:
            return json.dumps(filled(shape["$json"], known))
        return {key: filled(part, known) for key, part in shape.items()}
    return shape


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def renewed(sample: Any, now: datetime) -> Any:
    """A golden payload with all its times moved so that the newest is now; distances between them stay."""
    found = sorted(time for time in times_in(sample) if OLDEST < time < NEWEST)
    return moved(sample, now - found[-1]) if found else sample


def times_in(value: Any) -> list[datetime]:
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [time for part in parts for time in times_in(part)]
    if isinstance(value, str):
        return [datetime.fromisoformat(text).astimezone(UTC) for text in ISO.findall(value)]
    seconds = epoch_seconds(value)
    return [] if seconds is None else [datetime.fromtimestamp(seconds, UTC)]


def moved(value: Any, by: timedelta) -> Any:
    if isinstance(value, dict):
        return {key: moved(part, by) for key, part in value.items()}
    if isinstance(value, list):
        return [moved(part, by) for part in value]
    if isinstance(value, str):
        return ISO.sub(lambda found: _moved_text(found[0], by), value)
    seconds = epoch_seconds(value)
    if seconds is None:
        return value
    scale = 1000 if value > 1e11 else 1
    return type(value)((seconds + by.total_seconds()) * scale)


def _moved_text(text: str, by: timedelta) -> str:
    time = datetime.fromisoformat(text)
    return iso(time + by) if OLDEST < time.astimezone(UTC) < NEWEST else text


def epoch_seconds(value: Any) -> float | None:
    """Seconds, where a number is a time in seconds or milliseconds of this century; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    for scale in (1, 1000):
        if OLDEST.timestamp() < value / scale < NEWEST.timestamp():
            return float(value / scale)
    return None
