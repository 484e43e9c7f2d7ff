"""Receivers for tests: a real HTTP server on loopback that records what it got and behaves as it is told.

    with FakeReceiver() as fake:
        fake.behave(Answer(500), times=2)            # then well again
        fake.behave(Answer(429, headers={"Retry-After": "1"}), times=1)
        ...
        assert [hit.json["transition"] for hit in fake.hits] == ["fired"]

`hits` has only what was answered 2xx, `attempts` all that arrived. Thread-safe: it may serve several workers, and be looked at meanwhile.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Line(Enum):
    """What happens to the connection."""

    HOLDS = "answers"
    DROPS = "is reset before an answer"
    HANGS = "stays open and silent until the server stops or `release` is called"
    DROPS_AFTER = "is reset after the request was taken to heart: the sender cannot know"


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    line: Line = Line.HOLDS
    drip_s: float = 0.0
    """Seconds between two bytes of the answer."""


@dataclass(frozen=True)
class Hit:
    """One request as it arrived; `at` is seconds since the epoch."""

    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    answered: int | None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FakeReceiver:
    """A receiver on 127.0.0.1. `answer` is how it behaves when nothing else was asked for."""

    def __init__(self, answer: Answer | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer or Answer()
        self.tls = tls
        self.attempts: list[Hit] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._next: deque[Answer] = deque()
        self._released = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    # -- how it behaves -------------------------------------------------------------------------------------------------------------

    def behave(self, answer: Answer, times: int | None = None) -> None:
        """From now on, or only for the next `times` requests."""
        with self._lock:
            if times is None:
                self._next.clear()
                self.answer = answer
            else:
                self._next.extend([answer] * times)

    def release(self) -> None:
        """End every hang; new requests hang no more until `behave` says so again."""
        self._released.set()

    def start(self) -> FakeReceiver:
        """Listen, on the same port as before when it was stopped."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_POST(self) -> None:
                fake._serve(self)

            def do_GET(self) -> None:
                fake._serve(self)

            def log_message(self, format: str, *args: object) -> None:
                """The test looks at `attempts`."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that leaves early is what tests are about."""

        self._released.clear()
        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = int(self._server.server_address[1])
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="fake-receiver", daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse connections from now on."""
        self.release()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> FakeReceiver:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self._port}/hook"

    # -- what it got ----------------------------------------------------------------------------------------------------------------

    @property
    def hits(self) -> list[Hit]:
        with self._lock:
            return [hit for hit in self.attempts if hit.answered is not None and 200 <= hit.answered < 300]

    def wait_for(self, enough: Callable[[list[Hit]], bool], timeout: float) -> list[Hit]:
        """The hits once `enough` of them came; raises TimeoutError with what did come."""
        due = time.monotonic() + timeout
        with self._changed:
            while True:
                hits = [hit for hit in self.attempts if hit.answered is not None and 200 <= hit.answered < 300]
                if enough(hits):
                    return hits
                if not self._changed.wait(max(0.0, due - time.monotonic())):
                    raise TimeoutError(f"{len(hits)} hits of {len(self.attempts)} attempts: {[hit.body[:80] for hit in hits[-3:]]}")

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            answer = self._next.popleft() if self._next else self.answer
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        at = time.time()
        if answer.delay_s:
            self._released.wait(answer.delay_s)
        if answer.line is Line.HANGS:
            self._released.wait()
        taken = len(body) == length and answer.line in (Line.HOLDS, Line.DROPS_AFTER)  # else the sender died while it wrote
        hit = Hit(at, request.command, request.path, dict(request.headers.items()), body, answer.status if taken else None)
        with self._changed:
            self.attempts.append(hit)
            self._changed.notify_all()
        if answer.line is Line.HOLDS:
            self._reply(request, answer)
        else:
            reset(request.connection)
            request.close_connection = True

    def _reply(self, request: BaseHTTPRequestHandler, answer: Answer) -> None:
        request.send_response(answer.status)
        for name, value in answer.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer.body)))
        request.end_headers()
        if not answer.drip_s:
            request.wfile.write(answer.body)
            return
        for byte in answer.body:
            request.wfile.write(bytes([byte]))
            request.wfile.flush()
            if self._released.wait(answer.drip_s):
                return


def reset(connection: socket.socket) -> None:
    """End it as a crash does: with RST, not with FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
