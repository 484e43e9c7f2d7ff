"""Readers that share no code with the engine: a follower that notes when it saw what, and a reader of a topic from end to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from benchmarks.report import Wrong

Note = Callable[[Any, float], None]
"""Called with a record and the time (epoch seconds) at which the reader had it."""


class Raw(msgspec.Struct):
    partition: int
    offset: int
    index: int


class Seen(msgspec.Struct):
    """What the benchmarks look at of a decision."""

    fingerprint: str
    outcome: str
    received_at: datetime
    decided_at: datetime
    raw: Raw
    sequence: int
    severity: str


DECISION: Callable[[bytes], Seen] = msgspec.json.Decoder(Seen).decode


def consumer(brokers: str, **more: Any) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "bench-reader",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 50,
            **more,
        }
    )


def partitions(reader: Consumer, topic: str, offset: int) -> list[TopicPartition]:
    return [TopicPartition(topic, number, offset) for number in reader.list_topics(topic, timeout=10).topics[topic].partitions]


class Follower:
    """A thread that reads topics as they grow. `count` is how many records it has had. `batch` of 1 hands each over as it comes in."""

    def __init__(self, brokers: str, topics: list[str], note: Note | None = None, *, batch: int = 1) -> None:
        self.count = 0
        self.error: BaseException | None = None
        self._note = note
        self._batch = batch
        self._stop = threading.Event()
        self._reader = consumer(brokers)
        self._reader.assign([each for topic in topics for each in partitions(self._reader, topic, 0)])
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def wait_for(self, count: int, timeout: float) -> bool:
        """Whether so many records came in time."""
        ends = time.monotonic() + timeout
        while self.count < count and time.monotonic() < ends:
            self.check()
            time.sleep(0.02)
        return self.count >= count

    def check(self) -> None:
        if self.error is not None:
            raise Wrong(f"the reader failed: {self.error!r}") from self.error

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self._reader.close()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if self._batch == 1:
                    message = self._reader.poll(0.1)
                    messages = [] if message is None else [message]
                else:
                    messages = self._reader.consume(self._batch, 0.05)
                self._take(messages)
        except Exception as error:
            self.error = error

    def _take(self, messages: list[Any]) -> None:
        now = time.time()
        for message in messages:
            if message.error() is not None:
                continue
            self.count += 1
            if self._note is not None:
                self._note(message, now)


def whole(brokers: str, topic: str) -> Iterator[Any]:
    """Every committed record of a topic, from its beginning to the end that it has now."""
    reader = consumer(brokers, **{"enable.partition.eof": True, "group.id": "bench-whole"})
    try:
        waiting = {(each.topic, each.partition) for each in partitions(reader, topic, 0)}
        reader.assign([TopicPartition(name, number, 0) for name, number in waiting])
        while waiting:
            messages: list[Any] = reader.consume(5000, 0.2)
            for message in messages:
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    waiting.discard((message.topic(), message.partition()))
                else:
                    raise Wrong(f"{topic} could not be read: {error.str()}")
    finally:
        reader.close()


def fill(brokers: str, topic: str, records: list[tuple[str, bytes]]) -> None:
    """Write reference data. Raises Wrong when Kafka does not take it."""
    producer = Producer({"bootstrap.servers": brokers, "acks": "all"})
    for key, value in records:
        producer.produce(topic, value, key.encode())
    if producer.flush(30):
        raise Wrong(f"{topic} could not be filled")


def account(brokers: str, topic: str, sent: int) -> list[int]:
    """Check that each raw record has exactly one decision and that no sequence has a gap; the sizes of the decisions.

    Raises Wrong with what is missing or doubled.
    """
    found: set[tuple[int, int, int]] = set()
    doubled, sizes = 0, []
    last: dict[int, int] = {}
    for message in whole(brokers, topic):
        value = message.value()
        seen = DECISION(value)
        place = (seen.raw.partition, seen.raw.offset, seen.raw.index)
        doubled += place in found
        found.add(place)
        sizes.append(len(value))
        number = message.partition()
        if seen.sequence != last.get(number, 0) + 1:
            raise Wrong(f"partition {number}: decision {seen.sequence} follows {last.get(number, 0)}")
        last[number] = seen.sequence
    if doubled or len(found) != sent:
        raise Wrong(f"{sent} alerts were sent, {len(found)} have a decision, {doubled} decisions are doubled")
    return sizes
