"""Ends the process when a call into the client library does not come back.

Librdkafka's `send_offsets_to_transaction` may ignore its time-out and wait for ever once the broker that coordinates the group has been
away (https://github.com/confluentinc/librdkafka/issues/5456, open; seen here in most restarts of a single broker). Nothing in this
process can take such a call back. To die is safe: a new process finds the transaction unfinished and does the batch again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from types import TracebackType

import structlog

LOG = structlog.get_logger("engine")
FATAL = 3
LOOK_EVERY = 0.5


class Stopwatch:
    """How long the call in hand has lasted. One thread calls, others may ask."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._call = ""

    def begin(self, call: str) -> None:
        self._call, self._began = call, time.monotonic()

    def end(self) -> None:
        self._began = None

    def seconds(self) -> float:
        """0 when no call is in hand."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    @property
    def call(self) -> str:
        return self._call


def leave() -> None:
    """Without cleaning up: what hangs would hang that as well."""
    os._exit(FATAL)


class Watchdog:
    """While entered, calls `on_hang` once a call has lasted `limit` seconds, or `stopping_limit` when the worker is to stop."""

    def __init__(
        self, watch: Stopwatch, limit: float, stopping_limit: float, stop: threading.Event, on_hang: Callable[[], None] = leave
    ) -> None:
        self._watch = watch
        self._limit = limit
        self._stopping_limit = stopping_limit
        self._stop = stop
        self._on_hang = on_hang
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()

    def _look(self) -> None:
        while not self._done.wait(LOOK_EVERY):
            seconds = self._watch.seconds()
            if seconds > (self._stopping_limit if self._stop.is_set() else self._limit):
                LOG.error("a call does not come back: only a new process helps", call=self._watch.call, seconds=round(seconds, 1))
                self._on_hang()
                return
