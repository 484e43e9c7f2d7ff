"""Driving engine workers step by step inside a test, on any broker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from pipeline.engine.worker import Worker


def produce(brokers: str, topic: str, *values: bytes, key: bytes = b"a", timestamp: int = 0) -> None:
    """Acknowledged records of one key."""
    producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", "log_level": 0})
    for value in values:
        producer.produce(topic, value, key, timestamp=timestamp)
    assert producer.flush(20) == 0


def turn(workers: Sequence[Worker], until: Callable[[], bool], seconds: float = 20.0) -> None:
    """Give each worker turns until the condition holds."""
    ends = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < ends, f"not within {seconds} s: {[worker.state() for worker in workers]}"
        for worker in workers:
            worker.step()


def turn_for(worker: Worker, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        worker.step()


class Tap:
    """What a reader of a topic has seen so far, as parsed JSON with the headers under `headers`."""

    def __init__(self, brokers: str, topic: str) -> None:
        settings = {"bootstrap.servers": brokers, "group.id": "tap", "isolation.level": "read_committed", "enable.auto.commit": False}
        self._consumer = Consumer(settings | {"auto.offset.reset": "earliest", "log_level": 0, "fetch.wait.max.ms": 10})
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        self._seen: list[dict[str, Any]] = []

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *unused: object) -> None:
        self._consumer.close()

    def seen(self) -> list[dict[str, Any]]:
        for message in self._consumer.consume(1000, 0.02):
            error = message.error()
            if error is None:
                headers = dict(message.headers() or ())
                self._seen.append({**json.loads(message.value() or b"{}"), "headers": headers})
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error.str()
        return self._seen

    def has(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.seen()) >= count
