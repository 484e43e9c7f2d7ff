"""Silences and maintenance windows over HTTP. The compacted topic is the truth; one that ends early is written again with its end now."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import ValidationError

from agents.matching import InvalidExpression, check
from pipeline.api.answers import NewSilence, Silences
from pipeline.api.parts import Parts
from pipeline.history.base import HistoryUnavailable
from pipeline.history.reading import TopicReader
from schemas.base import from_ms
from schemas.silence import Silence

log = structlog.get_logger(__name__)

LONGEST = timedelta(days=366)


def routes(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/api/v1/silences", tags=["silences"])

    @router.post("", status_code=201, response_model=Silence)
    async def add(asked: NewSilence) -> Silence:
        """Hold back what matches. 201 when Kafka has it; the decide workers follow within a second or two."""
        silence = made(asked, parts.now())
        await parts.publisher.send("silences", silence.silence_id.encode(), silence.to_json())
        return silence

    @router.get("", response_model=Silences)
    async def listed(ended: Annotated[bool, Query(description="Those that have ended too")] = False) -> Silences:
        now = from_ms(parts.now())
        found = await asyncio.to_thread(parts.silences.silences)
        return Silences(silences=sorted((one for one in found if ended or one.ends_at > now), key=lambda one: one.ends_at))

    @router.get("/{silence_id}", response_model=Silence)
    async def one(silence_id: str) -> Silence:
        return await find(parts, silence_id)

    @router.delete("/{silence_id}", status_code=204)
    async def expire(silence_id: str) -> Response:
        """End it now. It stays readable: decisions name it."""
        silence = await find(parts, silence_id)
        now = from_ms(parts.now())
        if silence.ends_at > now:
            ended = silence.model_copy(update={"ends_at": now, "starts_at": min(silence.starts_at, now - timedelta(milliseconds=1))})
            await parts.publisher.send("silences", silence_id.encode(), ended.to_json())
        return Response(status_code=204)

    return router


async def find(parts: Parts, silence_id: str) -> Silence:
    for silence in await asyncio.to_thread(parts.silences.silences):
        if silence.silence_id == silence_id:
            return silence
    raise HTTPException(404, f"no silence {silence_id!r}")


def made(asked: NewSilence, now_ms: int) -> Silence:
    """Raises HTTPException 422, with the fix."""
    now = from_ms(now_ms)
    starts = asked.starts_at or now
    if (asked.ends_at is None) == (asked.duration_s is None):
        raise HTTPException(422, "give ends_at or duration_s, one of them")
    ends = asked.ends_at if asked.ends_at is not None else starts + timedelta(seconds=asked.duration_s or 0)
    if ends <= now:
        raise HTTPException(422, "ends_at is past: give a later time")
    if ends - now > LONGEST:
        raise HTTPException(422, "a silence lasts at most 366 days: give an earlier ends_at")
    try:
        check(asked.matchers)
        return Silence(
            silence_id="s" + secrets.token_hex(6),
            kind="maintenance" if asked.maintenance else "silence",
            matchers=asked.matchers,
            owner=asked.owner,
            reason=asked.reason,
            starts_at=starts,
            ends_at=ends,
            created_at=now,
        )
    except InvalidExpression as error:
        raise HTTPException(422, str(error)) from error
    except ValidationError as error:
        raise HTTPException(422, "; ".join(one["msg"] for one in error.errors())) from error


class SilencesOnTopic:
    """Reads the compacted topic whole, each time: it is small, and asked for by people."""

    def __init__(self, kafka: Mapping[str, str], prefix: str, within_s: float = 10.0) -> None:
        self._kafka, self._prefix, self._within_s = kafka, prefix, within_s

    def silences(self) -> Sequence[Silence]:
        """Raises HistoryUnavailable when Kafka does not answer in time. What is no silence is logged and left out."""
        reader = TopicReader(self._kafka, self._prefix, self._within_s)
        latest: dict[bytes | None, bytes | None] = {}
        for window in reader.newest_first("silences"):
            for record in reversed(window):
                latest.setdefault(record.key, record.value)
        if not reader.complete:
            raise HistoryUnavailable("Kafka: the silences could not be read in time")
        found = []
        for key, value in latest.items():
            if value is None:
                continue
            try:
                found.append(Silence.from_json(value))
            except ValidationError as error:
                log.warning("a record on silences is no silence", key=repr(key), error=str(error.errors()[0]["msg"]))
        return found
