"""Reads topics as any consumer could: committed records only, with confluent-kafka alone."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition


def read(brokers: str, topic: str) -> list[Any]:
    """All committed records of a topic, each partition in its order."""
    consumer = _consumer(brokers)
    partitions = set(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    records = []
    while partitions:
        for message in consumer.consume(10000, 0.1):
            error = message.error()
            if error is None:
                records.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                partitions.discard(message.partition())
            else:
                raise RuntimeError(error.str())
    consumer.close()
    return sorted(records, key=lambda message: (message.partition(), message.offset()))


def offsets(brokers: str, group: str, topic: str) -> dict[int, int]:
    """Where a group stands in each partition of a topic; only those where it has committed."""
    consumer = _consumer(brokers, group)
    try:
        numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        found = consumer.committed([TopicPartition(topic, number) for number in numbers], timeout=10)
        return {each.partition: each.offset for each in found if each.offset >= 0}
    finally:
        consumer.close()


def _consumer(brokers: str, group: str = "checker") -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )


class Tail:
    """Follows topics from their beginning; `advance` takes in what has come. Survives a broker that is away."""

    def __init__(self, brokers: str, prefix: str, *topics: str) -> None:
        self._consumer = _consumer(brokers)
        self._prefix = prefix
        self.records: dict[str, list[Any]] = {topic: [] for topic in topics}
        known = self._consumer.list_topics(timeout=10).topics
        places = [(prefix + topic, number) for topic in topics for number in known[prefix + topic].partitions]
        self._consumer.assign([TopicPartition(topic, number, 0) for topic, number in places])

    def __enter__(self) -> Tail:
        return self

    def __exit__(self, *unused: object) -> None:
        self._consumer.close()

    def advance(self) -> int:
        """How many records came."""
        came = 0
        while messages := self._consumer.consume(5000, 0.1):
            for message in messages:
                if message.error() is None:
                    self.records[(message.topic() or "").removeprefix(self._prefix)].append(message)
                    came += 1
            if all(message.error() is not None for message in messages):
                break
        return came
