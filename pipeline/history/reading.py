"""Reading topics up to their end, newest records first, within a time."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipeline.engine.processor import Record
from pipeline.history.base import HistoryUnavailable
from schemas.topics import full_name

WINDOW = 20_000
"""Records of a partition that are read together: about 30 MB of decisions at 1.5 kB."""
CALL_S = 5.0


def read_record(message: Message, short: Mapping[str, str]) -> Record:
    """A message as a record. `short` gives the catalogue's name for the broker's."""
    kind, timestamp = message.timestamp()
    headers = message.headers() or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Record(
        short[str(message.topic())],
        message.partition() or 0,
        message.offset() or 0,
        0 if kind == TIMESTAMP_NOT_AVAILABLE else timestamp,
        as_bytes(message.key()),
        as_bytes(message.value()),
        tuple((name, as_bytes(value) or b"") for name, value in pairs),
    )


def as_bytes(data: str | bytes | None) -> bytes | None:
    return data.encode() if isinstance(data, str) else data


class TopicReader:
    """Reads committed records of our topics without a group, so it changes nothing for anybody."""

    def __init__(self, kafka: Mapping[str, str], prefix: str, within_s: float = 15.0) -> None:
        self._kafka = kafka
        self._prefix = prefix
        self._within_s = within_s
        self._call_s = min(CALL_S, within_s)
        self.complete = True
        """False once a reading ended at its time limit, with older records unread."""

    def newest_first(self, topic: str, window: int = WINDOW) -> Iterator[list[Record]]:
        """Windows of a topic's records, the newest first, in each the records by partition and offset.

        Ends at the beginning of the topic or when the time is over (`complete` is then False). Raises HistoryUnavailable when
        the brokers do not answer; a retry may help.
        """
        give_up = time.monotonic() + self._within_s
        name = full_name(self._prefix, topic)
        with self._consumer() as consumer:
            ranges = self._ranges(consumer, name)
            while ranges:
                if time.monotonic() >= give_up:
                    self.complete = False
                    return
                asked = {partition: (max(low, high - window), high) for partition, (low, high) in ranges.items()}
                records = self._window(consumer, name, asked, give_up)
                if records is None:
                    self.complete = False
                    return
                yield [read_record(message, {name: topic}) for message in records]
                ranges = {partition: (low, asked[partition][0]) for partition, (low, _) in ranges.items() if asked[partition][0] > low}

    def at(self, topic: str, partition: int, offset: int) -> Record | None:
        """The record at a place, or None when it is not there any more, or not yet."""
        name = full_name(self._prefix, topic)
        with self._consumer() as consumer:
            low, high = self._ranges(consumer, name).get(partition, (0, 0))
            if not low <= offset < high:
                return None
            messages = self._window(consumer, name, {partition: (offset, offset + 1)}, time.monotonic() + self._within_s) or []
            found = [message for message in messages if message.offset() == offset]
        return read_record(found[0], {name: topic}) if found else None

    def cluster_id(self) -> str | None:
        with self._consumer() as consumer:
            cluster_id: str | None = consumer.list_topics(timeout=self._call_s).cluster_id
            return cluster_id

    @contextmanager
    def _consumer(self) -> Iterator[Consumer]:
        consumer = Consumer(
            {
                **self._kafka,
                "group.id": f"{self._prefix}history-{uuid.uuid4().hex[:8]}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.queue.backoff.ms": 5,
                "queued.max.messages.kbytes": 32_768,
            }
        )
        try:
            yield consumer
        except KafkaException as error:
            raise HistoryUnavailable(f"Kafka: {error.args[0].str()}") from error
        finally:
            consumer.close()

    def _ranges(self, consumer: Consumer, name: str) -> dict[int, tuple[int, int]]:
        """First offset and end of each partition that holds records."""
        about = consumer.list_topics(name, timeout=self._call_s).topics[name]
        if about.error is not None:
            raise HistoryUnavailable(f"Kafka: topic {name}: {about.error.str()}")
        ranges = {}
        for partition in about.partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=self._call_s)
            if low < 0 or high < 0:
                raise HistoryUnavailable(f"Kafka: the end of {name}/{partition} is not known")
            if high > low:
                ranges[partition] = (low, high)
        return ranges

    def _window(self, consumer: Consumer, name: str, asked: Mapping[int, tuple[int, int]], give_up: float) -> list[Message] | None:
        """The committed records of the ranges, or None when the time is over."""
        consumer.assign([TopicPartition(name, partition, start) for partition, (start, _) in asked.items()])
        waiting = set(asked)
        found: list[Message] = []
        while waiting:
            if time.monotonic() >= give_up:
                return None
            for message in consumer.consume(2000, timeout=0.05):
                partition = message.partition() or 0
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        waiting.discard(partition)
                    elif not error.retriable() and error.code() != KafkaError._ALL_BROKERS_DOWN:
                        raise KafkaException(error)
                elif (message.offset() or 0) < asked[partition][1]:
                    found.append(message)
                else:
                    waiting.discard(partition)
            for at in consumer.position([TopicPartition(name, partition) for partition in waiting]):
                if at.offset >= asked[at.partition][1]:
                    waiting.discard(at.partition)
        return sorted(found, key=lambda message: (message.partition(), message.offset()))
