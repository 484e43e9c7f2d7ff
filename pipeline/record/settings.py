"""What the record lane is told, and what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol


@dataclass(frozen=True)
class RecordSettings:
    kafka: Mapping[str, str] = field(repr=False)
    """Client settings that reach the brokers: `Settings.kafka_client()`. May hold secrets."""
    postgres_url: str = field(repr=False)
    topic_prefix: str = "flux."
    slot: int = 0
    history_days: int = 90
    cluster_id: str | None = None
    """Names the run of an embedded broker, whose offsets begin again at 0; by default what the broker says."""
    longest_wait_s: float = 30.0
    """Between two attempts to reach a database that is away."""

    @property
    def group(self) -> str:
        return f"{self.topic_prefix}record"

    @property
    def history(self) -> timedelta:
        return timedelta(days=self.history_days)

    def consumer(self) -> dict[str, Any]:
        """Settings of the consumer. Eager assignment, so that `assign` may be called at any time to go where the database says."""
        return {
            **self.kafka,
            "group.id": self.group,
            "group.instance.id": f"{self.group}-{self.slot}",
            "client.id": f"record-{self.slot}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "roundrobin",
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 1000,
            "max.poll.interval.ms": 120_000,
            "topic.metadata.refresh.interval.ms": 10_000,  # a topic that is made after the start is seen this soon
            "log_level": 2,  # Kafka that is away is told by /ready and in our own log, not by a line a second
            "fetch.wait.max.ms": 100,
            "fetch.queue.backoff.ms": 20,
            "fetch.max.bytes": 2_097_152,
            "max.partition.fetch.bytes": 262_144,
            "queued.min.messages": 4_000,
            "queued.max.messages.kbytes": 8_192,
        }


def cluster_name(cluster_id: str, topic_prefix: str) -> str:
    """What the column `cluster` holds: offsets mean something only within one Kafka cluster and one topic prefix."""
    return f"{cluster_id}/{topic_prefix}"


class RecordObserver(Protocol):
    """What the lane tells about itself. Calls come from the lane's thread and must return at once."""

    def turned(self) -> None:
        """The loop turned, also while it waits for a database: at least every 25 s."""

    def ready(self, ready: bool, reason: str) -> None: ...

    def stored(self, table: str, rows: int) -> None:
        """Table `unreadable` counts what could not be read or was refused."""

    def dropped(self, rows: int) -> None:
        """The database took neither the rows nor a note of them; the log names them."""

    def transaction(self, seconds: float, records: int) -> None: ...

    def lag(self, topic: str, partition: int, records: int) -> None:
        """Records between what is stored and the end, about once a second."""


class LaneFailed(Exception):
    """The consumer cannot go on (fenced, or a fatal error). The process should end and be started again."""
