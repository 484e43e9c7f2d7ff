"""The state of one task: bytes to bytes in memory, with undo for the transaction in hand and timers as rows.

Keys that begin with a zero byte belong to the engine: `\\x00T<due, 13 digits>|<name>|<key>` is a timer, `\\x00P<topic>` the next
offset to read of an input. Both are rows like any other, so the changelog brings timers and positions back together with what they
stand beside.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

RESERVED = b"\x00"
TIMER = b"\x00T"
POSITION = b"\x00P"
TIMER_ROW = b"1"
DUE_DIGITS = 13
LATEST_DUE = 10**DUE_DIGITS - 1
FIRST_OF_NAME = len(TIMER) + DUE_DIGITS + 1


def timer_key(due: int, name: str, key: str) -> bytes:
    """The row of a timer. Raises ValueError for a name with `|` in it or a due time that is no epoch milliseconds of this age."""
    if "|" in name:
        raise ValueError(f"timer name {name!r}: no '|' in it")
    if not 0 <= due <= LATEST_DUE:
        raise ValueError(f"timer due at {due}: not epoch milliseconds")
    return b"%s%0*d|%s|%s" % (TIMER, DUE_DIGITS, due, name.encode(), key.encode())


def parse_timer(row_key: bytes) -> tuple[int, str, str]:
    """Due time, name and key of a timer's row."""
    name, _, key = row_key[FIRST_OF_NAME:].decode().partition("|")
    return due_of(row_key), name, key


def due_of(row_key: bytes) -> int:
    return int(row_key[len(TIMER) : len(TIMER) + DUE_DIGITS])


class TaskStore:
    """Rows, timers, and what they were when the transaction began.

    `rows` may be read directly (it is on the hot path); all writing goes through `apply`, so that `rollback` can undo it.
    A row costs its bytes and about 150 bytes more.
    """

    __slots__ = ("_heap", "_undo", "next_due", "rows")

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self._undo: dict[bytes, bytes | None] = {}
        self._heap: list[bytes] = []
        self.next_due: int = LATEST_DUE + 1
        """Due time of the earliest timer, or later than any when there is none. May name one that is gone: asking for it is harmless."""

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take over a record of the changelog. Call `loaded` after the last."""
        if value is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = value

    def loaded(self) -> None:
        self._heap = [key for key in self.rows if key.startswith(TIMER)]
        heapq.heapify(self._heap)
        self._look_ahead()

    def apply(self, writes: dict[bytes, bytes | None]) -> None:
        """Merge the writes of one step; None deletes."""
        rows, undo = self.rows, self._undo
        for key, value in writes.items():
            old = rows.get(key)
            if value == old:
                continue
            if key not in undo:
                undo[key] = old
            if value is None:
                del rows[key]
            else:
                rows[key] = value
                if old is None and key.startswith(TIMER):
                    self._push(key)

    def pop_due(self, limit: int) -> bytes | None:
        """Take out the earliest timer that is due at `limit` or before and delete its row (undone by `rollback`)."""
        while self.next_due <= limit:
            key = heapq.heappop(self._heap)
            self._look_ahead()
            old = self.rows.pop(key, None)
            if old is not None:
                self._undo.setdefault(key, old)
                return key
        return None

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Each row that this transaction changed, with its last value (None: deleted); what ended as it began is left out."""
        for key, old in self._undo.items():
            value = self.rows.get(key)
            if value != old:
                yield key, value

    def commit(self) -> None:
        self._undo.clear()

    def rollback(self) -> None:
        """Put back what was there when the transaction began."""
        for key, old in self._undo.items():
            if old is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = old
                if key.startswith(TIMER):
                    self._push(key)
        self._undo.clear()

    def timers(self) -> int:
        """How many timers wait (counts the rows; for tests and metrics, not for the hot path)."""
        return sum(1 for key in self.rows if key.startswith(TIMER))

    def _push(self, key: bytes) -> None:
        heapq.heappush(self._heap, key)
        self._look_ahead()

    def _look_ahead(self) -> None:
        self.next_due = due_of(self._heap[0]) if self._heap else LATEST_DUE + 1
