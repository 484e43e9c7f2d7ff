"""A database that hangs must not hang the worker: a call that takes too long loses its connection."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


class Patience:
    """Cuts the connection of a call that outlasts `limit_s`, or `after_stop_s` once `stop` is set.

    The server's own statement time-out does not fire in a server that is stopped or unreachable. The call that was cut raises
    psycopg.OperationalError.
    """

    def __init__(self, stop: threading.Event, limit_s: float = 25.0, after_stop_s: float = 4.0) -> None:
        self._stop = stop
        self._limit_s = limit_s
        self._after_stop_s = after_stop_s
        self._lock = threading.Lock()
        self._call: tuple[psycopg.Connection, float] | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="record-patience", daemon=True)

    def __enter__(self) -> Patience:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._done.set()
        self._thread.join()

    @contextmanager
    def watching(self, connection: psycopg.Connection) -> Iterator[None]:
        with self._lock:
            self._call = (connection, time.monotonic())
        try:
            yield
        finally:
            with self._lock:
                self._call = None

    def _watch(self) -> None:
        stopped_at: float | None = None
        while not self._done.wait(0.2):
            now = time.monotonic()
            if stopped_at is None and self._stop.is_set():
                stopped_at = now
            with self._lock:  # so that the call cannot end, and its connection be closed, meanwhile
                if self._call is None:
                    continue
                connection, began = self._call
                if now - began > self._limit_s or (stopped_at is not None and now - stopped_at > self._after_stop_s):
                    cut(connection)
                    self._call = None


def cut(connection: psycopg.Connection) -> None:
    """Ends the conversation on the socket below the connection; the thread that waits for an answer wakes with an error."""
    with socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
