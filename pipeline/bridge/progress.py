"""How far each partition may be committed: below the oldest message in flight, or else behind the last one delivered.

Offsets need not be consecutive (transaction markers and aborted records lie between them), so nothing here looks for gaps.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Partition = TypeVar("Partition", bound=Hashable)


class Progress(Generic[Partition]):
    """Safe to call from Faust's two threads: the consumer's own fetches and seeks, the main one acknowledges and commits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight: dict[Partition, set[int]] = {}
        self._positions: dict[Partition, int] = {}

    def fetched(self, offsets: dict[Partition, list[int]], positions: dict[Partition, int]) -> None:
        """These offsets are on their way to handlers, and reading goes on at these positions. One step, or a commit could fall between."""
        with self._lock:
            for partition, some in offsets.items():
                self._in_flight.setdefault(partition, set()).update(some)
            self._positions.update(positions)

    def handled(self, partition: Partition, offset: int) -> None:
        """The handler is done with it, or its dead letter is written. Unknown offsets are ignored: they were given to somebody else."""
        with self._lock:
            self._in_flight.get(partition, set()).discard(offset)

    def committable(self, partition: Partition) -> int | None:
        """The offset to commit: all before it is handled. None when nothing was read yet."""
        with self._lock:
            oldest = min(self._in_flight.get(partition, ()), default=None)
            return self._positions.get(partition) if oldest is None else oldest

    def oldest(self, partition: Partition) -> int | None:
        """The oldest offset in flight, None when there is none."""
        with self._lock:
            return min(self._in_flight.get(partition, ()), default=None)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """These were taken away, or will be read again from their committed offset."""
        with self._lock:
            for partition in partitions:
                self._in_flight.pop(partition, None)
                self._positions.pop(partition, None)

    def partitions(self) -> list[Partition]:
        with self._lock:
            return list(self._positions)
