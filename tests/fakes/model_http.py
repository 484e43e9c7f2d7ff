"""What the fakes of model servers share: a small HTTP server on loopback that records what it got and fails as it is told.

async with FakeClaude() as fake:
    fake.fail(Fault(status=429, headers={"retry-after": "0.2"}))          # the next request; then well again
    fake.fail(Fault(line=Line.HANGS), times=3)
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any, Self


class Line(Enum):
    """What happens to the connection."""

    HOLDS = "answers"
    HANGS = "stays open and silent"
    DROPS = "is closed before an answer"
    DRIPS = "gives a byte in each 50 ms"
    TRUNCATES = "is closed in the middle of the answer"
    STALLS = "stays open and silent after the first half of the answer"


@dataclass(frozen=True)
class Fault:
    """`status` 0 leaves the answer as it would have been; then only the line is at fault."""

    status: int = 0
    error: str = "api_error"
    message: str = "as it was told"
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """In place of the answer's body, with its status and type."""
    kind: str = "application/json"
    line: Line = Line.HOLDS
    delay_s: float = 0.0


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        return Reply(status, json.dumps(value).encode(), headers=headers or {})


class ModelServer:
    """`url` is where it listens while it is open. `requests` has what arrived, faults included."""

    path = ""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.arrived = asyncio.Event()
        """Set by the first request."""
        self.dropped = 0
        """Connections that the other side closed before its answer was whole."""
        self._faults: deque[Fault] = deque()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[Any]] = set()
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{self.path}"

    @property
    def bodies(self) -> list[Any]:
        """Of the questions, without look-ups of models."""
        return [request.body for request in self.requests if request.method == "POST"]

    @property
    def connections(self) -> int:
        """That are open now."""
        return len(self._open)

    def fail(self, fault: Fault, times: int = 1) -> None:
        self._faults.extend([fault] * times)

    async def reply(self, request: Request) -> Reply:
        raise NotImplementedError

    def error(self, status: int, error: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
        """In the words of the server that this is a fake of."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                self.arrived.set()
                if not await self._answer(request, reader, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            self.dropped += 1
        except asyncio.CancelledError:
            pass  # the server closes
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        fault = self._faults.popleft() if self._faults and request.method == "POST" else Fault()
        if fault.line is Line.DROPS:
            return False
        if fault.line is Line.HANGS:
            await reader.read(1)  # ends when the other side goes
            self.dropped += 1
            return False
        await asyncio.sleep(fault.delay_s)
        if fault.status:
            answer = self.error(fault.status, fault.error, fault.message, fault.headers)
        else:
            answer = await self.reply(request)
        if fault.raw is not None:
            answer = Reply(answer.status, fault.raw, fault.kind, fault.headers)
        head = [f"HTTP/1.1 {answer.status} Status", f"content-type: {answer.kind}", f"content-length: {len(answer.body)}"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        writer.write("\r\n".join([*head, "", ""]).encode())
        async for part in _parts(answer.body, fault.line):
            writer.write(part)
            await writer.drain()
        if fault.line is Line.STALLS:
            await reader.read(1)
            self.dropped += 1
            return False
        return fault.line is not Line.TRUNCATES


async def _parts(body: bytes, line: Line) -> AsyncIterator[bytes]:
    if line is Line.DRIPS:
        for at in range(len(body)):
            yield body[at : at + 1]
            await asyncio.sleep(0.05)
    else:
        yield body[: len(body) // 2] if line in (Line.TRUNCATES, Line.STALLS) else body


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """None when the connection ended between two requests."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, json.loads(raw) if raw else None)


def generate(schema: Mapping[str, Any], about: str = "") -> Any:
    """A value that a JSON schema allows: of several the first that `about` names, else the last."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return next((value for value in schema["enum"] if str(value) in about), schema["enum"][-1])
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return generate(schema[name][0], about)
    match schema.get("type"):
        case "object":
            return {name: generate(part, about) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [generate(schema["items"], about)] * max(1, int(schema.get("minItems", 0)))
        case "integer" | "number":
            return max(70, int(schema.get("minimum", 0)))
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return "Says the fake."[: int(schema.get("maxLength", 100))]
