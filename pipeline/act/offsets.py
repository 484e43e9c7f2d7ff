"""How far each partition may be committed: below the oldest record still in hand, or else behind the last one read.

Offsets need not be consecutive (transaction markers and aborted records lie between), so nothing here looks for gaps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Place(NamedTuple):
    partition: int
    offset: int


class Offsets:
    """Of one topic. Only the loop's own thread calls it."""

    def __init__(self) -> None:
        self._in_hand: dict[int, dict[int, int]] = {}
        self._positions: dict[int, int] = {}
        self._committed: dict[int, int] = {}

    def taken(self, place: Place, timestamp: int) -> None:
        """`timestamp`: the broker's, epoch ms."""
        self._in_hand.setdefault(place.partition, {})[place.offset] = timestamp

    def read_to(self, partition: int, position: int) -> None:
        """Reading goes on at `position`; all records before it were given to `taken`."""
        self._positions[partition] = position

    def settled(self, places: Iterable[Place]) -> None:
        """What was to be done about these is done, and Kafka has said so. A place that is not known any more is passed over."""
        for place in places:
            self._in_hand.get(place.partition, {}).pop(place.offset, None)

    def to_commit(self) -> dict[int, int]:
        """Partition to offset, where it moved since `committed`."""
        found = {}
        for partition, position in self._positions.items():
            # The position bounds it: after a partition went and came back, records of the first time may still be in hand.
            offset = min(position, *self._in_hand.get(partition, ())) if self._in_hand.get(partition) else position
            if offset > self._committed.get(partition, -1):
                found[partition] = offset
        return found

    def committed(self, offsets: dict[int, int]) -> None:
        self._committed.update(offsets)

    def forget(self, partitions: Iterable[int]) -> None:
        """These were taken away, and will be read again from what was committed."""
        for partition in partitions:
            self._in_hand.pop(partition, None)
            self._positions.pop(partition, None)
            self._committed.pop(partition, None)

    def position(self, partition: int) -> int | None:
        return self._positions.get(partition)

    def oldest(self, partition: int) -> int | None:
        """Timestamp of the oldest record in hand, epoch ms."""
        return min(self._in_hand.get(partition, {}).values(), default=None)

    @property
    def in_hand(self) -> int:
        return sum(len(some) for some in self._in_hand.values())
