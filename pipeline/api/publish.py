"""Records to Kafka, one at a time, each awaited until the brokers have it: the answer 202 means what it says."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.engine.processor import Headers
from pipeline.metrics import Metrics
from schemas.topics import full_name

log = structlog.get_logger(__name__)

ACK_TIMEOUT_S = 5.0
"""How long a record may wait for its acknowledgement. Above a leader election (2-3 s), below what senders wait for an answer."""
MAX_RECORDS = 10_000
MAX_BYTES = 64 * 1024 * 1024
"""In flight at once: 64 bodies of the largest size, or 10,000 of 6 KiB."""
MESSAGE_BYTES = 2_000_000
"""librdkafka's own limit, before compression; above the topics' 1 MiB, so that the broker's answer is the one that counts."""


class Coordinates(NamedTuple):
    """Where a record lies, and its time by the topic's clock (epoch ms); `topic` is the full name."""

    topic: str
    partition: int
    offset: int
    timestamp: int


class Unavailable(Exception):
    """Kafka has not acknowledged in time, or too much waits for it. A retry helps; the record may nevertheless have been written."""

    def __init__(self, why: str, retry_after_s: int) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class TooLargeForKafka(Exception):
    """The brokers do not take a record of this size. A retry does not help."""


class Publisher(Protocol):
    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = (), *, partition: int | None = None
    ) -> Coordinates:
        """Write one record to the topic of that short name; returns when all in-sync replicas have it.

        Raises Unavailable, TooLargeForKafka.
        """

    async def send_everywhere(self, topic: str, value: bytes) -> Coordinates:
        """The same to every partition of the topic, for a reader that is not known to be on one; returns the first place."""


class KafkaPublisher:
    """A librdkafka producer (idempotent, acks=all) whose delivery reports wake coroutines. A thread of its own polls it.

    `reachable` and `fatal` tell of its state; after `fatal` the process must end.
    """

    def __init__(
        self, client: Mapping[str, str], prefix: str, metrics: Metrics, *, ack_timeout_s: float = ACK_TIMEOUT_S, embedded: bool = False
    ) -> None:
        """`embedded`: the broker is the embedded one, which acknowledges with a made-up time; what it keeps is the record's own."""
        self._prefix = prefix
        self._embedded = embedded
        self._metrics = metrics
        self._records = 0
        self._bytes = 0
        self._stopping = threading.Event()
        self.fatal: str = ""
        self._producer = Producer(
            {
                **client,
                "client.id": "fluxai-api",
                "enable.idempotence": True,
                "acks": "all",
                "delivery.timeout.ms": round(ack_timeout_s * 1000),
                "request.timeout.ms": min(3000, round(ack_timeout_s * 600)),
                "socket.connection.setup.timeout.ms": 2000,
                "reconnect.backoff.max.ms": 1000,
                "retry.backoff.ms": 50,
                "linger.ms": 2,
                "socket.nagle.disable": True,
                "compression.type": "lz4",
                "message.max.bytes": MESSAGE_BYTES,
                "partitioner": "murmur2_random",
                "error_cb": self._heard,
                "log_level": 2,  # a broker that is away is told by /ready and by the answers, not by a line every second
            }
        )
        self._thread = threading.Thread(target=self._poll, name="api-delivery-reports", daemon=True)
        self._thread.start()

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = (), *, partition: int | None = None
    ) -> Coordinates:
        size = len(value or b"")
        if self._records >= MAX_RECORDS or self._bytes + size > MAX_BYTES:
            raise Unavailable("too many records wait for Kafka's acknowledgement", 1)
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[Coordinates] = loop.create_future()

        created = time.time_ns() // 1_000_000

        def delivered(error: KafkaError | None, message: Message) -> None:
            if not self._stopping.is_set():
                kept_at = created if self._embedded or error is not None else message.timestamp()[1]
                loop.call_soon_threadsafe(settle, acknowledged, error, message, kept_at)

        where: dict[str, Any] = {} if partition is None else {"partition": partition}
        self._count(1, size)
        try:
            self._producer.produce(
                full_name(self._prefix, topic), value, key, timestamp=created, headers=list(headers) or None, on_delivery=delivered, **where
            )
            return await acknowledged
        except BufferError:
            raise Unavailable("the producer's buffer is full", 1) from None
        except KafkaException as error:
            raise failure(error.args[0]) from error
        finally:
            self._count(-1, -size)

    async def send_everywhere(self, topic: str, value: bytes) -> Coordinates:
        name = full_name(self._prefix, topic)
        try:
            about = await asyncio.to_thread(self._producer.list_topics, name, timeout=3.0)
        except KafkaException as error:
            raise failure(error.args[0]) from error
        partitions = sorted(about.topics[name].partitions)
        if not partitions:
            raise Unavailable(f"there is no topic {name}: run `fluxai topics apply`", 10)
        return (await asyncio.gather(*(self.send(topic, None, value, partition=number) for number in partitions)))[0]

    def missing(self, topic: str, timeout_s: float = 3.0) -> str:
        """Why records for `topic` (short name) cannot be taken now; empty when they can. Blocks for at most `timeout_s`."""
        if self.fatal:
            return self.fatal
        name = full_name(self._prefix, topic)
        try:
            found = self._producer.list_topics(name, timeout=timeout_s).topics.get(name)
        except KafkaException as error:
            return f"Kafka does not answer ({error.args[0].name()})"
        if found is None or found.error is not None or not found.partitions:
            return f"there is no topic {name}: run `fluxai topics apply`"
        leaderless = [number for number, one in found.partitions.items() if one.leader < 0]
        return f"{name} has partitions without a leader: {leaderless}" if leaderless else ""

    def stop(self, grace_s: float = 2.0) -> None:
        """Let what is in flight arrive for `grace_s`, then leave."""
        left = self._producer.flush(grace_s)
        if left:
            log.warning("records were not acknowledged before the end; their senders were not told 202", records=left)
        self._stopping.set()
        self._thread.join(1)

    def _count(self, records: int, size: int) -> None:
        self._records += records
        self._bytes += size
        self._metrics.http_in_flight_records.set(self._records)

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(0.1)

    def _heard(self, error: KafkaError) -> None:
        if error.fatal():
            self.fatal = f"the producer cannot go on: {error.str()}"
            log.error("kafka producer failed for good", error=error.str())


def settle(acknowledged: asyncio.Future[Coordinates], error: KafkaError | None, message: Message, kept_at: int) -> None:
    """Wake the coroutine that waits; it may have gone away with its client."""
    if acknowledged.done():
        return
    if error is not None:
        acknowledged.set_exception(failure(error))
    else:
        acknowledged.set_result(Coordinates(message.topic() or "", message.partition() or 0, message.offset() or 0, kept_at))


def failure(error: KafkaError) -> Exception:
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return TooLargeForKafka(error.str())
    if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
        return Unavailable("the topic does not exist: run `fluxai topics apply`", 10)
    return Unavailable(f"Kafka did not acknowledge the record ({error.name()})", 5)
