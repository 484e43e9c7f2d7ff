"""What a processor sees of the world during one step, and the step itself: merged when it succeeds, dropped when it raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.engine.processor import Headers, Processor, Record
from pipeline.engine.store import RESERVED, TaskStore, parse_timer, timer_key

FRAMING = 1024
"""Bytes that we leave free below a topic's limit for what the protocol and a batch put around a record."""
ROW_OVERHEAD = 64

Output = tuple[str, bytes | None, bytes | None, Headers, int]
"""Topic, key, value, headers, timestamp (epoch ms)."""


class OutputTooLarge(ValueError):
    """A record or row would not fit the topic's limit. A retry does not help: the step fails, and only it."""


class StepContext:
    """An overlay on the rows of one task: reads see its own writes first.

    One object serves all steps of a task, so a processor must not keep it beyond the step it was given for.
    """

    __slots__ = ("_limits", "_row_limit", "_rows", "emits", "now", "writes")

    def __init__(self, rows: dict[bytes, bytes], limits: Mapping[str, int], row_limit: int) -> None:
        self.now = 0
        self.writes: dict[bytes, bytes | None] = {}
        self.emits: list[Output] = []
        self._rows = rows
        self._limits = limits
        self._row_limit = row_limit - FRAMING

    def get(self, key: bytes) -> bytes | None:
        writes = self.writes
        if key in writes:
            return writes[key]
        return self._rows.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Raises ValueError for a key that begins with a zero byte (the engine's own), OutputTooLarge for a row over the limit."""
        if key.startswith(RESERVED):
            raise ValueError(f"row key {key!r} begins with a zero byte: those are the engine's")
        if len(value) + len(key) > self._row_limit:
            raise OutputTooLarge(f"row {key!r} of {len(value)} bytes does not fit a changelog record of {self._row_limit}")
        self.writes[key] = value

    def delete(self, key: bytes) -> None:
        if key.startswith(RESERVED):
            raise ValueError(f"row key {key!r} begins with a zero byte: those are the engine's")
        self.writes[key] = None

    def emit(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Raises KeyError for a topic that is not in the catalogue, OutputTooLarge for a record over that topic's limit."""
        size = (len(value) if value else 0) + (len(key) if key else 0)
        for name, content in headers:
            size += len(name) + len(content) + 10
        if size + FRAMING > self._limits[topic]:
            raise OutputTooLarge(f"record of {size} bytes for {topic} is over its limit of {self._limits[topic]} less {FRAMING}")
        self.emits.append((topic, key, value, headers, self.now))

    def at(self, due: int, name: str, key: str) -> None:
        self.writes[timer_key(due, name, key)] = b"1"

    def clear(self) -> None:
        self.writes.clear()
        self.emits.clear()


class Stepper:
    """Runs the steps of a processor on one store.

    `send` takes each output of a step that succeeded, in order. `on_failure` hears of each record or timer that raised.
    """

    __slots__ = ("_on_failure", "_partition", "_processor", "_send", "context", "store")

    def __init__(
        self,
        processor: Processor,
        store: TaskStore,
        partition: int,
        limits: Mapping[str, int],
        send: Callable[[Output], None],
        on_failure: Callable[[Record, Exception], None],
    ) -> None:
        self.store = store
        self.context = StepContext(store.rows, limits, limits[processor.changelog])
        self._processor = processor
        self._partition = partition
        self._send = send
        self._on_failure = on_failure

    def process(self, record: Record, now: int) -> None:
        """One record, with the clock at `now`. What `failed` raises comes through: the worker must stop."""
        context = self.context
        context.now = now
        try:
            self._processor.process(record, context)
        except Exception as error:
            self._failed(record, error)
        self._merge()

    def reject(self, record: Record, error: Exception, now: int) -> None:
        """As if this record had raised `error`: what it led to was refused by the broker."""
        self.context.now = now
        self._failed(record, error)
        self._merge()

    def fire(self, limit: int, now: int) -> int:
        """Fire all timers that are due at `limit` or before, in order of due time, also those that a firing one asks for. How many fired.

        The clock they see is `now`, but never before their own due time. A timer that raises is gone like one that was fired, and
        `failed` is called for it with a record of the changelog's topic at offset -1, key `name|key`, no value, stamped with the due time.
        """
        fired = 0
        context, store = self.context, self.store
        while (row_key := store.pop_due(limit)) is not None:
            due, name, key = parse_timer(row_key)
            context.now = max(now, due)
            try:
                self._processor.fire(name, key, due, context)
            except Exception as error:
                self._failed(Record(self._processor.changelog, self._partition, -1, due, f"{name}|{key}".encode(), None), error)
            self._merge()
            fired += 1
        return fired

    def _merge(self) -> None:
        context = self.context
        if context.writes:
            self.store.apply(context.writes)
            context.writes.clear()
        if context.emits:
            for output in context.emits:
                self._send(output)
            context.emits.clear()

    def _failed(self, record: Record, error: Exception) -> None:
        self.context.clear()
        self._on_failure(record, error)
        try:
            self._processor.failed(record, error, self.context)
        except Exception:
            self.context.clear()
            raise
