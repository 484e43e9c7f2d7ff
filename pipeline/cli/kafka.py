"""Kafka for commands: write with acks=all, read committed records without a group. Clients of seconds, not of days."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from pipeline.cli.common import Exit, Refusal
from pipeline.settings import Settings
from schemas.topics import BY_NAME, full_name

ANSWER_S = 10.0
REACH_S = 4.5
"""For the first answer of a broker: who waits at a terminal wants to know soon that there is none."""
UNREACHABLE = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._MSG_TIMED_OUT, KafkaError._RESOLVE}


class Outgoing(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def short_name(settings: Settings, name: str) -> str:
    """The catalogue's name of a topic that a person may have written with or without the prefix. Refuses unknown ones."""
    short = name.removeprefix(settings.topic_prefix)
    if short not in BY_NAME:
        raise Refusal(Exit.USAGE, f"There is no topic {name!r}.", f"Known: {', '.join(BY_NAME)}.")
    return short


def send_all(settings: Settings, topic: str, records: Iterable[Outgoing]) -> int:
    """Write records to the topic of that short name; returns how many once the broker has acknowledged all of them.

    Refuses with CONNECTION when it has not: some may have been written, sending again is safe where the consumer drops repeats.
    """
    producer = Producer(
        settings.kafka_client()
        | {
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "message.timeout.ms": int(ANSWER_S * 1000),
            "log_level": 0,
        }
    )
    failures: list[str] = []
    name, sent = full_name(settings.topic_prefix, topic), 0

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failures.append(error.str())

    for record in records:
        while True:
            try:
                producer.produce(name, record.value, record.key, headers=list(record.headers), on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
            except KafkaException as error:
                raise Refusal(Exit.USAGE, f"{name} does not take this record: {error.args[0].str()}.") from None
        producer.poll(0)
        sent += 1
    left = producer.flush(ANSWER_S + 2)
    if left or failures:
        what = failures[0] if failures else "no answer"
        missing = left + len(failures)
        raise Refusal(
            Exit.CONNECTION, f"{missing} of {sent} records were not acknowledged by {settings.brokers}: {what}.", "Run: fluxai doctor"
        )
    return sent


class Reader:
    """Reads whole topics, or follows them; read_committed, no group, nothing committed. Use as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer = Consumer(
            settings.kafka_client()
            | {
                "group.id": f"{settings.topic_prefix}admin",  # never joined; a name that the printed access rights cover
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )
        self.caught_up = False
        """Whether every partition has been read to its end at least once."""

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def partitions(self, topic: str) -> list[int]:
        """Partition numbers of a topic. Refuses when Kafka is away or the topic is missing."""
        name = full_name(self._settings.topic_prefix, topic)
        try:
            metadata = self._consumer.list_topics(name, timeout=REACH_S)
        except KafkaException as error:
            raise unreachable(self._settings, error) from None
        found = metadata.topics.get(name)
        if found is None or found.error is not None or not found.partitions:
            raise Refusal(Exit.NO, f"The topic {name} does not exist on {self._settings.brokers}.", "Run: fluxai topics apply")
        return sorted(found.partitions)

    def start(self, topics: Iterable[str], *, from_start: bool = True, newest: int | None = None) -> None:
        """Begin at the start, at the end, or so that about the `newest` records of each partition are read."""
        where = []
        for topic in topics:
            name = full_name(self._settings.topic_prefix, topic)
            for number in self.partitions(topic):
                place = OFFSET_BEGINNING if from_start else OFFSET_END
                if newest is not None:
                    low, high = self._consumer.get_watermark_offsets(TopicPartition(name, number), timeout=ANSWER_S)
                    place = max(low, high - newest)
                where.append(TopicPartition(name, number, place))
        self._open = {(each.topic, each.partition) for each in where}
        self.caught_up = not where
        self._consumer.assign(where)

    def poll(self, wait_s: float = 0.5, at_most: int = 500) -> list[Message]:
        """The next records; an empty list when none came in time. Refuses when Kafka is gone for good."""
        records = []
        for message in self._consumer.consume(at_most, wait_s):
            error = message.error()
            if error is None:
                records.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._open.discard((message.topic(), message.partition()))
                self.caught_up = not self._open
            elif error.fatal() or error.code() not in UNREACHABLE:
                raise Refusal(Exit.CONNECTION, f"Reading failed: {error.str()}.", "Run: fluxai doctor")
        return records

    def to_the_end(self, limit_s: float = 60.0) -> Iterator[Message]:
        """Everything there is now. Refuses when the end is not reached in time."""
        end = time.monotonic() + limit_s
        while not self.caught_up:
            yield from self.poll(0.2)
            if time.monotonic() > end:
                raise Refusal(Exit.CONNECTION, f"The end was not reached within {limit_s:.0f} s.", "Run: fluxai doctor")


def latest(settings: Settings, topic: str) -> dict[bytes, bytes]:
    """What a compacted topic says now: the last value of each key, without those that were deleted."""
    rows: dict[bytes, bytes] = {}
    with Reader(settings) as reader:
        reader.start([topic])
        for message in reader.to_the_end():
            key, value = message.key() or b"", message.value()
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
    return rows


def unreachable(settings: Settings, error: KafkaException) -> Refusal:
    return Refusal(
        Exit.CONNECTION,
        f"No Kafka broker answered at {settings.brokers}: {error.args[0].str()}.",
        "Set FLUX_KAFKA_BROKERS or --broker, or start one: fluxai kafka up. To check everything: fluxai doctor",
    )
