"""Processors without a broker, on virtual time: for scenarios, replay and tests.

What one processor emits is the input of those that read that topic, all in partition 0 and in the order it was emitted. Nothing
happens by itself: `send` runs until all is quiet, `advance` moves the clock and fires the timers on the way.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping

from pipeline.engine.context import Output, Stepper
from pipeline.engine.processor import Headers, Processor, Record
from pipeline.engine.store import LATEST_DUE, TaskStore
from schemas.topics import BY_NAME

PARTITION = 0


class MemoryRunner:
    """Drives `processors` on a clock that starts at `start_ms` (epoch ms) and moves only in `advance`.

    `before_batch`, as in a worker, is called before each record or timer that is carried out. `failures` holds each record whose
    step raised, with the error, after the processor's `failed` has dealt with it; what `failed` itself raises comes out of `send`
    or `advance`.
    """

    def __init__(self, *processors: Processor, start_ms: int = 1_700_000_000_000, before_batch: Callable[[], None] | None = None) -> None:
        self.now = start_ms
        self.failures: list[tuple[Record, Exception]] = []
        self.timers_fired = 0
        self._before_batch = before_batch
        self._topics: defaultdict[str, list[Record]] = defaultdict(list)
        self._waiting: deque[Record] = deque()
        limits = {topic.name: topic.max_message_bytes for topic in BY_NAME.values()}
        self._steppers = {
            processor.name: Stepper(processor, TaskStore(), PARTITION, limits, self._take, self._failed) for processor in processors
        }
        self._readers: defaultdict[str, list[Stepper]] = defaultdict(list)
        for processor in processors:
            for topic in processor.inputs:
                self._readers[topic].append(self._steppers[processor.name])

    def clock(self) -> int:
        """The virtual time, as a callable for whoever wants a clock."""
        return self.now

    def send(self, topic: str, key: bytes | str | None, value: bytes | None, headers: Headers = ()) -> Record:
        """Append a record stamped now and carry out all that follows from it at this moment. The record as its readers saw it."""
        record = self._append(topic, key.encode() if isinstance(key, str) else key, value, headers)
        self._run()
        return record

    def deliver(self, record: Record) -> None:
        """Advance to a record's timestamp and hand it to its readers with the coordinates it already has (for replay).

        A record stamped before the clock is delivered at the clock.
        """
        self.advance(max(self.now, record.timestamp))
        self._topics[record.topic].append(record)
        self._waiting.append(record)
        self._run()

    def advance(self, to_ms: int) -> int:
        """Move the clock to `to_ms`, firing each timer at its due time and in order, with all that follows from it. How many fired.

        Raises ValueError when that is in the past.
        """
        if to_ms < self.now:
            raise ValueError(f"the clock is at {self.now}, it does not go back to {to_ms}")
        before = self.timers_fired
        self._run()
        while True:
            stepper = min(self._steppers.values(), key=lambda each: each.store.next_due)
            due = stepper.store.next_due
            if due > to_ms:
                break
            self.now = max(self.now, due)
            self._fire(stepper, due)
            self._run()
        self.now = to_ms
        return self.timers_fired - before

    def next_due(self) -> int | None:
        """When the earliest timer is due (epoch ms), None when there is none."""
        due = min(stepper.store.next_due for stepper in self._steppers.values())
        return None if due > LATEST_DUE else due

    def records(self, topic: str) -> list[Record]:
        """All records of a topic so far, sent and emitted."""
        return list(self._topics[topic])

    def rows(self, processor: str) -> Mapping[bytes, bytes]:
        """The state of the processor of that name, timers included."""
        return self._steppers[processor].store.rows

    def _append(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Record:
        log = self._topics[BY_NAME[topic].name]
        record = Record(topic, PARTITION, len(log), self.now, key, value, headers)
        log.append(record)
        self._waiting.append(record)
        return record

    def _take(self, output: Output) -> None:
        topic, key, value, headers, _ = output
        self._append(topic, key, value, headers)

    def _failed(self, record: Record, error: Exception) -> None:
        self.failures.append((record, error))

    def _run(self) -> None:
        quiet = False
        while not quiet:
            while self._waiting:
                record = self._waiting.popleft()
                for stepper in self._readers[record.topic]:
                    self._fire(stepper, self.now)
                    self._hook()
                    stepper.process(record, self.now)
                    stepper.store.commit()
            for stepper in self._steppers.values():
                self._fire(stepper, self.now)
            quiet = not self._waiting

    def _fire(self, stepper: Stepper, limit: int) -> None:
        if stepper.store.next_due <= limit:
            self._hook()
            self.timers_fired += stepper.fire(limit, self.now)
            stepper.store.commit()

    def _hook(self) -> None:
        if self._before_batch is not None:
            self._before_batch()
