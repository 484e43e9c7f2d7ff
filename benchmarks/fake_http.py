"""As much of HTTP/1.1 as the fakes of model servers need, with the connection in hand: to break it is what they are for."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

MOST_BODY = 4 * 2**20
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}


class Exchange:
    """One request and its answer. Writing raises ConnectionError once the client is gone."""

    def __init__(self, method: str, path: str, body: bytes, line: Line) -> None:
        self.method, self.path, self.body = method, path, body
        self.line = line
        self.chunked = False

    async def answer(self, status: int, content: Any, kind: str = "application/json; charset=utf-8") -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.line.writer.write(_head(status, kind, f"Content-Length: {len(body)}") + body)
        await self.line.writer.drain()

    async def begin(self, kind: str = "application/x-ndjson") -> None:
        self.chunked = True
        self.line.writer.write(_head(200, kind, "Transfer-Encoding: chunked"))
        await self.line.writer.drain()

    async def chunk(self, data: bytes) -> None:
        self.line.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.line.writer.drain()

    async def raw(self, data: bytes) -> None:
        self.line.writer.write(data)
        await self.line.writer.drain()

    async def end(self) -> None:
        self.line.writer.write(b"0\r\n\r\n")
        await self.line.writer.drain()

    @asynccontextmanager
    async def watched(self, gone: Callable[[], None]) -> AsyncIterator[asyncio.Task[None]]:
        """Call `gone` as soon as the client closes the connection; the task ends then."""
        watch = asyncio.create_task(self.line.closed_by_client(gone))
        try:
            yield watch
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch


class Line:
    """A connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._early = b""

    async def request(self) -> Exchange | None:
        """The next one, None when the client closed or sent what is no request."""
        try:
            head = self._early + await self.reader.readuntil(b"\r\n\r\n")
            self._early = b""
            first, *lines = head.decode("latin-1").split("\r\n")
            method, path, _ = first.split(" ", 2)
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
            length = int(headers.get("content-length", "0"))
            if length > MOST_BODY:
                return None
            return Exchange(method, path.partition("?")[0], await self.reader.readexactly(length), self)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            return None

    async def closed_by_client(self, gone: Callable[[], None]) -> None:
        try:
            self._early += await self.reader.read(1)
        except ConnectionError:
            gone()
            return
        if not self._early:
            gone()
        else:
            await asyncio.Event().wait()  # the next request came early; whether this client goes is not seen

    def reset(self) -> None:
        """Break it so that the client's next read fails."""
        sock = self.writer.get_extra_info("socket")
        if sock is not None:
            with suppress(OSError):
                sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def converse(line: Line, serve: Callable[[Exchange], Awaitable[None]]) -> None:
    """Serve the requests of a connection, one after the other, until either side closes it."""
    try:
        while not line.writer.is_closing() and (exchange := await line.request()) is not None:
            await serve(exchange)
    except ConnectionError:
        return
    finally:
        line.writer.close()
        with suppress(ConnectionError):
            await line.writer.wait_closed()


def _head(status: int, kind: str, length: str) -> bytes:
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\nContent-Type: {kind}\r\n{length}\r\n\r\n".encode()
