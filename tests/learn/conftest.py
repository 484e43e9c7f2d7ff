"""Labels on the embedded broker, the lane in a thread, and what it published."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from pipeline.broker.embedded import EmbeddedBroker
from pipeline.health import Health
from pipeline.learn.lane import run_learn
from pipeline.metrics import Metrics, build
from pipeline.settings import Settings
from schemas.learning import Label, Snapshot

TOPICS = ("labels", "models", "feedback", "incidents.triaged", "topology", "runbooks", "rules", "silences", "routing", "effects.advice")


@dataclass
class Room:
    """One prefix on a broker."""

    settings: Settings
    metrics: Metrics = field(default_factory=lambda: build(process=False))

    def say(self, values: Iterable[Label | bytes]) -> None:
        producer = Producer({"bootstrap.servers": self.settings.brokers, "acks": "all"})
        for value in values:
            data = value if isinstance(value, bytes) else value.to_json()
            producer.produce(f"{self.settings.topic_prefix}labels", data, value.label_id if isinstance(value, Label) else b"bad")
        assert producer.flush(10) == 0

    def published(self) -> list[Snapshot]:
        """Everything on `models`, also what was replaced."""
        topic = f"{self.settings.topic_prefix}models"
        consumer = Consumer({"bootstrap.servers": self.settings.brokers, "group.id": "looks", "enable.auto.commit": False})
        try:
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5)
            consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
            found: list[Snapshot] = []
            while len(found) < end:
                found += [Snapshot.from_json(one.value() or b"") for one in consumer.consume(100, 0.2)]
            return found
        finally:
            consumer.close()

    @contextmanager
    def learning(self) -> Iterator[Health]:
        """The lane, as the worker runs it."""
        stop, health = threading.Event(), Health(self.metrics, "learn")
        failed: list[BaseException] = []

        def run() -> None:
            try:
                run_learn(self.settings, stop, health, self.metrics)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run, name="learn")
        thread.start()
        try:
            yield health
        finally:
            stop.set()
            thread.join(20)
        assert not thread.is_alive()
        assert failed == []

    def read(self) -> float:
        """Records of `labels` that the lane has taken in."""
        return float(self.metrics.events.of("learn", "labels")._value.get())

    def skipped(self) -> float:
        return float(self.metrics.failures.of("learn")._value.get())


@pytest.fixture
def room(embedded_broker: EmbeddedBroker, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Room:
    embedded_broker.create_topics(prefix, dict.fromkeys(TOPICS, 1))
    monkeypatch.setattr("pipeline.learn.lane.POLL_S", 0.05)  # so that it leaves sooner
    return Room(Settings(brokers=embedded_broker.bootstrap, topic_prefix=prefix, embedded_broker=True))


def until(true: Callable[[], bool], what: str, within_s: float = 20) -> None:
    ends = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.05)


def versions(snapshots: Sequence[Snapshot]) -> list[tuple[str, int]]:
    return [(one.name, one.version) for one in snapshots]
