"""What a worker shows of itself over HTTP: `/metrics`, `/health` (its loop turns) and `/ready` (restored and connected).

A thread with its own small server, so that a worker whose loop hangs still answers, and says that it hangs.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from pipeline.metrics import CONTENT_TYPE, Metrics

LANES: Final = ("intake", "decide", "act", "record", "api", "advise", "learn")
"""New ones go at the end: ports that are set in somebody's Prometheus stay as they are."""
SLOTS: Final = 10
"""Ports between two lanes; a lane with more slots on one machine gives each its own FLUX_METRICS_PORT."""
STALE_S: Final = 180.0
"""A loop that has not turned for this long hangs: the longest blocking call of a lane (abort, init) has 120 s."""
CLIENT_S: Final = 5.0


def metrics_port(base: int, lane: str, slot: int) -> int:
    """Port of one worker: 0 (any free port) when `base` is 0, else `base` + 10 * (place of the lane) + slot.

    With base 9100: intake 9100-9109, decide 9110, act 9120, record 9130, api 9140 (which also serves it on its own port),
    advise 9150, learn 9160.
    Raises ValueError for a slot that would run into the next lane's ports.
    """
    if base == 0:
        return 0
    if not 0 <= slot < SLOTS:
        raise ValueError(f"slot {slot} has no metrics port beside {base}: give this worker its own FLUX_METRICS_PORT, or 0")
    return base + SLOTS * LANES.index(lane) + slot


class Health:
    """Whether this worker lives and is ready. Any thread may call; the loop calls `turn` at each turn."""

    def __init__(
        self, metrics: Metrics, lane: str, slot: int = 0, *, stale_s: float = STALE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.metrics, self.lane, self.slot = metrics, lane, slot
        self._stale_s, self._clock = stale_s, clock
        self._turned = clock()
        self._waiting: dict[str, str] = {"start": "starting"}
        self._lock = threading.Lock()
        metrics.up.of(lane, str(slot)).set(1)
        metrics.ready.of(lane, str(slot)).set(0)

    def turn(self) -> None:
        """The loop turned. A plain store: cheap enough for each turn."""
        self._turned = self._clock()

    def waits(self, what: str, why: str) -> None:
        """Not ready because of `what` (a short name, "kafka", "restore"), until `has(what)`."""
        with self._lock:
            self._waiting[what] = why

    def has(self, what: str) -> None:
        """`what` is there."""
        with self._lock:
            self._waiting.pop(what, None)

    def started(self) -> None:
        """The worker has started; what it still waits for it has said by `waits`."""
        self.has("start")

    @property
    def alive(self) -> bool:
        return self._clock() - self._turned < self._stale_s

    @property
    def missing(self) -> dict[str, str]:
        """What is waited for, and why; empty when ready."""
        with self._lock:
            return dict(self._waiting)

    def _show_ready(self) -> None:
        self.metrics.ready.of(self.lane, str(self.slot)).set(0 if self.missing else 1)

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body of a GET."""
        if path == "/metrics":
            self._show_ready()
            return 200, CONTENT_TYPE, self.metrics.text()
        if path == "/health":
            alive = self.alive
            status = "ok" if alive else "the loop does not turn: restart this worker"
            return _json(200 if alive else 503, {"status": status, "lane": self.lane, "slot": self.slot})
        if path == "/ready":
            missing = self.missing
            return _json(503 if missing else 200, {"ready": not missing, "waits_for": missing, "lane": self.lane, "slot": self.slot})
        return _json(404, {"error": "try /metrics, /health or /ready"})


def _json(status: int, body: object) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps(body).encode()


class HealthServer:
    """Serves a `Health` from a daemon thread. `with HealthServer(health, port=0) as server: server.port`."""

    def __init__(self, health: Health, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Binds at once. Raises OSError when the port is taken; a retry helps only when its owner leaves."""

        class Handler(BaseHTTPRequestHandler):
            timeout = CLIENT_S
            server_version = "fluxai"
            sys_version = ""

            def do_GET(self) -> None:
                status, kind, body = health.answer(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Scrapes are not news."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> int:
        """Starts answering; returns the port."""
        self._thread.start()
        return self.port

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(2)
        self._server.server_close()

    def __enter__(self) -> HealthServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
