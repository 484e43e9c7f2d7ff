"""One task: the same partition of every input, its state, its place in the inputs and in time.

Time of a task. For each input the *mark* is the time up to which that input has surely been read: the newest stamp among its processed
records, or the clock at which it was asked for its end and had none left. A timer fires only when it is due by the smallest mark, so
never ahead of input, also after a restart or with a lag, when the cancel that it waits for may still lie unread.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from pipeline.engine.context import Stepper
from pipeline.engine.processor import Record
from pipeline.engine.store import POSITION, TaskStore

CLOCK_EACH = 32
"""The wall clock is looked at once in so many records."""


class Phase(Enum):
    """A task goes through these in order, and back to the first when its state is in doubt."""

    NEW = "its committed offsets are not known yet"
    MEASURING = "the end of its changelog is not known yet"
    LOADING = "its changelog is being read"
    PLACING = "its inputs are to be set to its positions"
    RUNNING = "it runs"


class Budget:
    """What one transaction may still take."""

    __slots__ = ("bytes", "ends", "events")

    def __init__(self, events: int, size: int, seconds: float) -> None:
        self.events = events
        self.bytes = size
        self.ends = time.monotonic() + seconds

    @property
    def spent(self) -> bool:
        return self.events <= 0 or self.bytes <= 0


class Place(NamedTuple):
    """Where a transaction began."""

    positions: dict[str, int]
    marks: dict[str, int]
    unread: dict[str, int]


class Task:
    """`positions` are the next offsets to read, `seen_ends` the offsets at which the consumer reported the end, `pending` what was
    read and not yet processed. `begin`, `work`, `write_positions`, then `committed` or `rollback`.
    """

    def __init__(self, partition: int, inputs: tuple[str, ...], stepper: Stepper) -> None:
        self.partition = partition
        self.inputs = inputs
        self.stepper = stepper
        self.store: TaskStore = stepper.store
        self.phase = Phase.NEW
        self.assigned_at = time.monotonic()
        self.committed_offsets: dict[str, int] = {}
        self.target = 0
        self.positions: dict[str, int] = {}
        self.marks = dict.fromkeys(inputs, 0)
        self.seen_ends = dict.fromkeys(inputs, -1)
        self.pending: list[Record] = []
        self.refused: tuple[str, int, Exception] | None = None
        """Topic and offset of a record whose outputs the broker refuses, and why: it fails instead of being processed."""
        self._next = 0
        self._unread = dict.fromkeys(inputs, 0)
        self._before = Place({}, {}, {})

    @property
    def running(self) -> bool:
        return self.phase is Phase.RUNNING

    @property
    def watermark(self) -> int:
        """The time (epoch ms) up to which all inputs have been read."""
        return min(self.marks.values())

    def stored_positions(self) -> dict[str, int]:
        """The positions that the state itself holds: what is trusted after a restart."""
        rows = self.store.rows
        return {topic: int(rows[POSITION + topic.encode()]) for topic in self.inputs if POSITION + topic.encode() in rows}

    def take(self, arrived: Mapping[str, list[Record]]) -> None:
        """Take what was read, each topic in its order, and line it up by time, so that a receipt need not wait behind a storm of alerts."""
        for topic in self.inputs:
            self._unread[topic] = 0
        for topic, records in arrived.items():
            self._unread[topic] = len(records)
        self._next = 0
        if len(arrived) == 1:
            self.pending = next(iter(arrived.values()))
            return
        stamped: list[tuple[int, Record]] = []
        for topic, records in arrived.items():
            stamp = self.marks[topic]
            for record in records:
                stamp = max(stamp, record.timestamp)  # so that the order within a partition stays
                stamped.append((stamp, record))
        stamped.sort(key=_stamp)
        self.pending = [record for _, record in stamped]

    def begin(self) -> None:
        """Remember where the transaction starts."""
        self._before = Place(dict(self.positions), dict(self.marks), dict(self._unread))

    def work(self, now: int, budget: Budget) -> int:
        """Process what is pending within `budget`, firing before each record the timers due by its stamp. How many fired."""
        pending, store = self.pending, self.store
        process = self.stepper.process if self.refused is None else self._process_or_reject
        positions, marks, unread = self.positions, self.marks, self._unread
        index = self._next
        last = min(len(pending), index + budget.events)
        started, fired = index, 0
        while index < last and budget.bytes > 0:
            record = pending[index]
            topic, stamp = record.topic, record.timestamp
            if store.next_due <= stamp:
                fired += self.stepper.fire(self._read_up_to(stamp), now)
            process(record, now)
            if stamp > marks[topic]:
                marks[topic] = stamp
            positions[topic] = record.offset + 1
            unread[topic] -= 1
            if record.value is not None:
                budget.bytes -= len(record.value)
            index += 1
            if index % CLOCK_EACH == 0 and time.monotonic() > budget.ends:
                budget.bytes = 0
        budget.events -= index - started
        self._next = index
        if index == len(pending):
            self.drop_pending()
        return fired

    def fire_due(self, now: int) -> int:
        """Fire the timers that are due by the clock and by the marks. How many fired."""
        limit = min(now, self.watermark)
        return self.stepper.fire(limit, now) if self.store.next_due <= limit else 0

    def write_positions(self) -> None:
        """Put the positions that moved into the state."""
        self.store.apply({POSITION + topic.encode(): b"%d" % offset for topic, offset in self.moved().items()})

    def moved(self) -> dict[str, int]:
        """The positions that moved in this transaction."""
        before = self._before.positions
        return {topic: offset for topic, offset in self.positions.items() if before[topic] != offset}

    def processed(self) -> Iterable[tuple[str, int]]:
        """How many records of each input this transaction took."""
        return [(topic, before - self._unread[topic]) for topic, before in self._before.unread.items() if before]

    def last_offset(self, topic: str) -> int:
        """The offset of the last record processed."""
        return self.positions[topic] - 1

    def committed(self) -> None:
        self.store.commit()
        if self.refused is not None and self.positions[self.refused[0]] > self.refused[1]:
            self.refused = None

    def rollback(self) -> None:
        """As if the transaction had not begun; the inputs have to be set back to `positions`."""
        self.store.rollback()
        self.stepper.context.clear()
        self.positions, self.marks = dict(self._before.positions), dict(self._before.marks)
        self.set_back()

    def set_back(self) -> None:
        """The inputs are read again from `positions`: forget what was read beyond."""
        self.drop_pending()
        self.seen_ends = dict.fromkeys(self.inputs, -1)

    def drop_pending(self) -> None:
        self.pending = []
        self._next = 0
        for topic in self.inputs:
            self._unread[topic] = 0

    def reached_end(self, topic: str, end: int) -> bool:
        """Whether all below `end` has been processed. Markers of transactions take offsets but are never read, hence the seen end."""
        return not self.pending and end <= max(self.positions[topic], self.seen_ends[topic])

    def _process_or_reject(self, record: Record, now: int) -> None:
        if self.refused is not None and self.refused[:2] == (record.topic, record.offset):
            self.stepper.reject(record, self.refused[2], now)
        else:
            self.stepper.process(record, now)

    def _read_up_to(self, stamp: int) -> int:
        """The time up to which all is read when the next record is stamped `stamp`; inputs with records in hand are in line by time."""
        marks, unread = self.marks, self._unread
        return min(stamp, *(marks[topic] if unread[topic] == 0 else stamp for topic in self.inputs))


def _stamp(pair: tuple[int, Record]) -> int:
    return pair[0]
