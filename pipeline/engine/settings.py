"""What an engine worker is told, and the librdkafka settings that follow from it (measured, see the engine's notes)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from schemas.topics import BY_NAME


def epoch_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class EngineSettings:
    """One worker process. A batch ends at the first of its bounds; what is left over goes into the next transaction."""

    brokers: str
    prefix: str
    slot: int
    """Stable number of this process among those of its lane: its group membership and its transactional id hang on it."""
    batch_events: int = 2000
    batch_bytes: int = 8_000_000
    batch_ms: int = 20
    """How long to wait for events to come together: the price in latency of each hop."""
    batch_work_ms: int = 500
    """How long one transaction may be worked on before it is committed with what it has."""
    end_check_ms: int = 50
    """At most this often the ends of the inputs are asked for, when a timer hangs on them."""
    call_seconds: float = 5.0
    """Time-out of one call to a broker; retriable ones are made again, for `budget_seconds` in all."""
    budget_seconds: float = 60.0
    hung_seconds: float = 15.0
    """A call that lasts this long, three times its time-out, will not come back. (The library's own time-outs have added up to 10 s.)"""
    client: Mapping[str, str] = field(default_factory=dict)
    """More librdkafka settings for every client: SASL, TLS."""

    def identity(self, processor: str) -> str:
        """The static member of the group and the transactional id: exclusive to this slot."""
        return f"{self.prefix}{processor}-{self.slot}"

    def group(self, processor: str) -> str:
        return f"{self.prefix}{processor}"

    def base(self, name: str, on_error: Callable[[object], None]) -> dict[str, object]:
        # librdkafka would write lines of its own to stderr; errors come through the callback instead.
        return {
            "log_level": 0,
            "socket.nagle.disable": True,
            **self.client,
            "bootstrap.servers": self.brokers,
            "client.id": name,
            "error_cb": on_error,
        }

    def input_consumer(self, processor: str, on_error: Callable[[object], None], *, embedded: bool = False) -> dict[str, object]:
        """On the embedded broker membership is not static and sessions are short: it takes a static member that comes back for another
        one, and lets whoever joins a group that has had members wait for a session less a second.
        """
        member = (
            {"session.timeout.ms": 2000, "heartbeat.interval.ms": 500}
            if embedded
            else {"group.instance.id": self.identity(processor), "session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}
        )
        return self.base(self.identity(processor), on_error) | {
            **member,
            "group.id": self.group(processor),
            # Range gives a member the same partition numbers of every input, which is what makes a task.
            "partition.assignment.strategy": "range",
            "max.poll.interval.ms": 60000,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 50,
            # Shallow queues: what is queued for a partition in a storm stands in line before a receipt that has just come in.
            "queued.min.messages": 2 * self.batch_events,
            "queued.max.messages.kbytes": 32768,
        }

    def restore_consumer(self, processor: str, on_error: Callable[[object], None]) -> dict[str, object]:
        return self.base(f"{self.identity(processor)}-restore", on_error) | {
            "group.id": f"{self.group(processor)}-restore",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 20,
            "queued.max.messages.kbytes": 16384,
        }

    def ends_consumer(self, processor: str, on_error: Callable[[object], None]) -> dict[str, object]:
        """Reads nothing; asks where partitions end, open transactions included."""
        return self.base(f"{self.identity(processor)}-ends", on_error) | {
            "group.id": f"{self.group(processor)}-ends",
            "isolation.level": "read_uncommitted",
            "enable.auto.commit": False,
        }

    def producer(self, processor: str, on_error: Callable[[object], None]) -> dict[str, object]:
        return self.base(self.identity(processor), on_error) | {
            "transactional.id": self.identity(processor),
            "transaction.timeout.ms": 10000,
            "linger.ms": 5,
            # A transaction begun right after a commit is told to wait this long.
            "retry.backoff.ms": 5,
            "batch.num.messages": 10000,
            "batch.size": 1_000_000,
            "message.max.bytes": max(topic.max_message_bytes for topic in BY_NAME.values()),
            "queue.buffering.max.messages": 200_000,
            "queue.buffering.max.kbytes": 131_072,
            "compression.type": "lz4",
            "delivery.report.only.error": True,
            "partitioner": "murmur2_random",
        }
