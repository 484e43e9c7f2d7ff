"""`POST /api/v1/alerts/{source}`: a payload to Kafka, and an answer that says what will become of each alert in it.

The bytes go to `alerts.raw` as they came, readable or not, before anything is answered: intake dead-letters what it cannot read and tells
people, so a source whose client drops a refused batch (Alertmanager, on 4xx) is not silenced by it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from pipeline.api.answers import Accepted, Refused, Rejected, Where
from pipeline.api.body import BODY_BYTES, HEAD_BYTES, RECORD_BYTES, Body, read_body
from pipeline.api.parts import Parts
from pipeline.api.publish import Coordinates
from pipeline.api.split import Piece, split
from pipeline.engine.processor import Headers

log = structlog.get_logger(__name__)

LISTED = 1000
"""Rejects and ids in one answer; the counts are always whole."""
IN_THREAD_BYTES = 65_536
"""From this size on a body is read in a thread: it would hold up the others for milliseconds."""
TOO_LARGE = "too_large"
NOT_TEXT = ("multipart/", "image/", "audio/", "video/", "application/zip", "application/pdf", "application/x-protobuf")
Source = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="Who sends; a format's name (alertmanager, flux) or any other")]


def routes(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["alerts"])
    refusals: dict[int | str, dict[str, Any]] = {code: {"model": Refused} for code in (400, 408, 413, 415, 422, 503)}

    @router.post("/alerts/{source}", status_code=202, response_model=Accepted, responses=refusals)
    async def post_alerts(source: Source, request: Request) -> Response:
        """Take a payload in any known format. 202: Kafka has it, and each alert under `accepted` ends in one decision."""
        refused = encoding_fault(request)
        if refused:
            return JSONResponse(Refused(error=refused).model_dump(mode="json"), 415)
        gzip = "gzip" in request.headers.get("content-encoding", "").lower()
        body = await read_body(request.stream().__aiter__(), parts.budget, gzip=gzip)
        try:
            return await take(parts, source.lower(), body, headers_of(request, source.lower()))
        finally:
            parts.budget.give(len(body.data))

    return router


def encoding_fault(request: Request) -> str:
    """Why this kind of body is not taken; empty when it is. Anything that may be text is: many senders name the wrong type."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        return f"Content-Encoding {encoding[:40]!r} is not taken: send gzip, or none"
    kind = request.headers.get("content-type", "").strip().lower()
    if kind.startswith(NOT_TEXT):
        return f"Content-Type {kind[:60]!r} is not taken: send application/json"
    return ""


def headers_of(request: Request, source: str) -> list[tuple[str, bytes]]:
    headers = [("source", source.encode()), ("via", b"http")]
    kind = request.headers.get("content-type", "")
    if kind:
        headers.append(("content-type", kind[:200].encode("utf-8", "replace")))
    return headers


async def take(parts: Parts, source: str, body: Body, headers: Headers) -> Response:
    """Write the body, then say what it holds."""
    pieces = await pieces_of(body)
    places = await asyncio.gather(*(parts.publisher.send("alerts.raw", source.encode(), one.data, marked(one, headers)) for one in pieces))
    found = Found()
    for piece, place in zip(pieces, places, strict=True):
        found.add(await outcome(parts, piece, source, place))
    count(parts, found)
    response = answer(found, places)
    if not body.whole:
        response.headers["Connection"] = "close"  # the rest of the body may still be on its way
    return response


async def pieces_of(body: Body) -> list[Piece]:
    """The records that a body becomes: itself, unless it is larger than one record may be."""
    if not body.whole:
        return [Piece(body.data, -1, whole=False)]
    if len(body.data) <= RECORD_BYTES:
        return [Piece(body.data)]
    return await asyncio.to_thread(split, body.data) or [Piece(body.data[:HEAD_BYTES], -1, whole=False)]


def marked(piece: Piece, headers: Headers) -> Headers:
    return headers if piece.whole else [*headers, ("truncated", str(len(piece.data)).encode())]


@dataclass(slots=True)
class Found:
    """What a body, or a piece of it, holds."""

    ids: list[str] = field(default_factory=list)
    changes: int = 0
    ignored: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def add(self, other: Found) -> None:
        self.ids += other.ids
        self.changes += other.changes
        self.ignored += other.ignored
        self.rejected += other.rejected


async def outcome(parts: Parts, piece: Piece, source: str, place: Coordinates) -> Found:
    """What intake will make of a piece, with rejects numbered as in the whole body."""
    if not piece.whole:
        what = f"an alert larger than {HEAD_BYTES} bytes" if piece.first >= 0 else f"larger than {RECORD_BYTES} bytes and no list of alerts"
        error = f"{what}: only its first {len(piece.data)} bytes are kept"
        return Found(rejected=[Rejected(index=piece.first, reason=TOO_LARGE, error=error)])
    try:
        if len(piece.data) < IN_THREAD_BYTES:
            read = parts.normalize(piece.data, source, place)
        else:
            read = await asyncio.to_thread(parts.normalize, piece.data, source, place)
    except Exception as error:  # intake meets the same fault and dead-letters the record: the sender is told so
        log.exception("normalize failed", topic=place.topic, partition=place.partition, offset=place.offset)
        return Found(rejected=[Rejected(index=-1, reason="normalize_failed", error=type(error).__name__)])
    return Found(
        ids=[alert.alert_id for alert in read.alerts],
        changes=len(read.changes),
        ignored=list(read.ignored),
        rejected=[Rejected(index=numbered(one.index, piece), reason=one.reason.value, error=one.error) for one in read.rejects],
    )


def numbered(index: int | None, piece: Piece) -> int:
    return -1 if index is None or index < 0 else index + max(0, piece.first)


def answer(found: Found, places: list[Coordinates]) -> Response:
    where = [Where(topic=place.topic, partition=place.partition, offset=place.offset) for place in places]
    if found.rejected and not (found.ids or found.changes or found.ignored):
        too_large = all(one.reason == TOO_LARGE for one in found.rejected)
        limits = f"at most {HEAD_BYTES} bytes an alert, {RECORD_BYTES} a record, {BODY_BYTES} a body that lists alerts"
        words = f"too large ({limits})" if too_large else "nothing in the body could be read as an alert"
        refused = Refused(error=words, rejected=found.rejected[:LISTED], coordinates=where[0])
        return JSONResponse(refused.model_dump(mode="json"), 413 if too_large else 422)
    taken = Accepted(
        accepted=len(found.ids),
        changes=found.changes,
        ignored=found.ignored[:LISTED],
        rejected=found.rejected[:LISTED],
        alert_ids=found.ids[:LISTED],
        coordinates=where[0],
        pieces=where if len(where) > 1 else [],
    )
    return JSONResponse(taken.model_dump(mode="json"), 202)


def count(parts: Parts, found: Found) -> None:
    numbers = {"accepted": len(found.ids), "change": found.changes, "rejected": len(found.rejected), "ignored": len(found.ignored)}
    for result, n in numbers.items():
        if n:
            parts.metrics.http_alerts.of(result).inc(n)
