"""What runs on the engine: a processor decides, a context takes what it decided.

Both are plain objects: the same processor runs in a worker, in replay and in tests on an in-memory context.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes]]


class Record(NamedTuple):
    """One record as read. `topic` is the catalogue's short name; `timestamp` is the broker's, epoch milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Context(Protocol):
    """The world as one event or timer sees it: a clock, the state of its task, and what it asks for.

    Nothing asked for happens before the transaction commits; if `process` raises, all of it is undone.
    """

    @property
    def now(self) -> int:
        """The clock of this step, epoch milliseconds; never before the record's own timestamp's step."""

    def get(self, key: bytes) -> bytes | None: ...
    def put(self, key: bytes, value: bytes) -> None: ...
    def delete(self, key: bytes) -> None: ...

    def emit(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Write a record to the topic of that short name; the key places it (murmur2, as Java clients do)."""

    def at(self, due: int, name: str, key: str) -> None:
        """Ask for `fire(name, key, due)` once at `due` (epoch ms), never ahead of input stamped earlier.

        Timers are not cancelled: the one that fires looks at its row and does nothing when the row says so.
        The same (due, name, key) asked for twice is one timer.
        """


class Processor(Protocol):
    """Pure code that the engine drives. Inputs are co-partitioned: a task reads the same partition of each."""

    @property
    def name(self) -> str:
        """Consumer group and prefix of transactional ids."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Short names of the topics read."""

    @property
    def changelog(self) -> str:
        """Short name of the compacted topic that keeps the state."""

    def process(self, record: Record, context: Context) -> None:
        """Decide about one record. May raise: then all it asked for is undone and `failed` is called."""

    def fire(self, name: str, key: str, due: int, context: Context) -> None:
        """A timer is due."""

    def failed(self, record: Record, error: BaseException, context: Context) -> None:
        """`process` raised for this record: dead-letter it and fail open. Must not raise; if it does, the worker stops."""
