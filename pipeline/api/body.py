"""Request bodies within bounds: in bytes while they come, in bytes after unpacking, and in time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

RECORD_BYTES = 1_048_576 - 4096
"""The largest raw record: Kafka's 1 MiB less room for key, headers and the batch's own bytes."""
BODY_BYTES = 8 * 1024 * 1024
"""The largest body that is read: one that lists alerts is cut into records, see `split`."""
HEAD_BYTES = 262_144
"""What is kept of a body that is too large: as much as one event may have (SPEC 1.3)."""
READ_S = 10.0
"""A body must have come by then, from its first byte."""
DRAIN_BYTES = 8 * 1024 * 1024
"""What is read and dropped of a body that is too large, so that its sender sees the answer and not a reset connection."""
DRAIN_S = 2.0
HELD_BYTES = 96 * 1024 * 1024
"""Bodies being read or handled at once: a dozen of the largest."""


class TooSlow(Exception):
    """The body did not come in time. A retry may help."""


class BadEncoding(Exception):
    """The body is not what its Content-Encoding says. A retry does not help."""


class Overloaded(Exception):
    """Too many bytes are held by other requests. A retry helps."""


@dataclass(frozen=True, slots=True)
class Body:
    """What came. When `whole` is false the body was larger than `BODY_BYTES` and `data` is its beginning, `HEAD_BYTES` long."""

    data: bytes
    whole: bool = True


class Budget:
    """Bytes that all requests together may hold. Not thread-safe: one event loop."""

    def __init__(self, limit: int = HELD_BYTES) -> None:
        self.limit = limit
        self.held = 0

    def take(self, size: int) -> None:
        if self.held + size > self.limit:
            raise Overloaded(f"more than {self.limit} bytes of request bodies are held")
        self.held += size

    def give(self, size: int) -> None:
        self.held -= size


class Gunzip:
    """Unpacks gzip a chunk at a time and stops at a limit: a bomb costs `limit` bytes, not what it would grow to."""

    def __init__(self, limit: int) -> None:
        self._machine = zlib.decompressobj(wbits=31)
        self._limit = limit
        self._made = 0

    def feed(self, chunk: bytes) -> bytes:
        """Raises BadEncoding. Returns at most what is left to one byte over the limit."""
        try:
            out = self._machine.decompress(chunk, self._limit + 1 - self._made) if self._made <= self._limit else b""
        except zlib.error as error:
            raise BadEncoding(f"the body is not gzip: {error}") from error
        if self._machine.unused_data:
            raise BadEncoding("bytes follow the end of the gzip body")
        self._made += len(out)
        return out

    def end(self) -> None:
        if not self._machine.eof:
            raise BadEncoding("the gzip body ends too early")


async def read_body(chunks: AsyncIterator[bytes], budget: Budget, *, gzip: bool, limit: int = BODY_BYTES, read_s: float = READ_S) -> Body:
    """Read a body as it comes. The caller gives back `len(body.data)` to the budget when it is done with it.

    Raises TooSlow, BadEncoding, Overloaded.
    """
    parts: list[bytes] = []
    size = 0
    machine = Gunzip(limit) if gzip else None
    try:
        async with asyncio.timeout(read_s):
            async for chunk in chunks:
                part = machine.feed(chunk) if machine else chunk
                budget.take(len(part))
                size += len(part)
                parts.append(part)
                if size > limit:
                    break
    except TimeoutError:
        budget.give(size)
        raise TooSlow(f"the body did not come within {read_s:g} s") from None
    except BaseException:
        budget.give(size)
        raise
    if size > limit:
        head = b"".join(parts)[:HEAD_BYTES]
        budget.give(size - len(head))
        await drain(chunks)
        return Body(head, whole=False)
    if machine and size:
        try:
            machine.end()
        except BadEncoding:
            budget.give(size)
            raise
    return Body(b"".join(parts))


async def drain(chunks: AsyncIterator[bytes]) -> None:
    """Read on and drop, within bounds."""
    dropped = 0
    try:
        async with asyncio.timeout(DRAIN_S):
            async for chunk in chunks:
                dropped += len(chunk)
                if dropped > DRAIN_BYTES:
                    return
    except TimeoutError:
        return
