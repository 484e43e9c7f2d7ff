"""The embedded broker and what starts a local one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from pipeline.broker import embedded as embedded_module
from pipeline.broker import topics
from pipeline.broker.embedded import EmbeddedBroker, EmbeddedBrokerError
from pipeline.broker.jars import LocalKafkaError, missing_tools
from pipeline.broker.local import LocalKafka, down
from schemas.topics import CATALOGUE


def partition_counts(bootstrap: str) -> dict[str, int]:
    found = Producer({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics
    return {name: len(topic.partitions) for name, topic in found.items()}


def test_it_holds_the_catalogues_topics_with_their_partitions_and_passes_the_check() -> None:
    broker = EmbeddedBroker()
    broker.start()
    broker.create_topics("x.")
    broker.create_topics("x.")
    assert partition_counts(broker.bootstrap) == {"x." + topic.name: topic.partitions for topic in CATALOGUE}
    assert topics.check(broker.bootstrap, "x.") == []
    broker.stop()
    broker.stop()


def test_hundreds_of_topics_are_made_without_a_second_of_sleep_now_and_then() -> None:
    """The mock cluster misses a call in some twelve and finds it a second later, which made each test's topics take two seconds."""
    broker = EmbeddedBroker()
    broker.start()
    began = time.monotonic()
    for number in range(10):
        broker.create_topics(f"y{number}.")
    assert time.monotonic() - began < 3
    broker.stop()


def test_it_starts_without_librdkafkas_own_library_with_equal_partition_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_module, "librdkafka", lambda: None)
    broker = EmbeddedBroker()
    broker.start()
    broker.create_topics("x.", {"alerts": 6, "decide.state": 6})
    assert len(set(partition_counts(broker.bootstrap).values())) == 1
    broker.stop()


def test_several_brokers_answer_and_records_go_through() -> None:
    broker = EmbeddedBroker(brokers=3)
    assert len(broker.start().split(",")) == 3
    broker.create_topics("x.", {"alerts": 6})
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    producer.produce("x.alerts", b"1", b"k")
    assert producer.flush(10) == 0
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["x.alerts"])
    assert [message.value() for message in consumer.consume(1, 10)] == [b"1"]
    consumer.close()
    broker.stop()


def test_topics_cannot_be_made_before_it_is_started() -> None:
    with pytest.raises(EmbeddedBrokerError):
        EmbeddedBroker().create_topic("x", 1)


def test_a_machine_without_java_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Java 17" in (missing_tools() or "")
    with pytest.raises(LocalKafkaError, match="install a JRE"):
        LocalKafka(tmp_path / "cluster").start()


def test_a_machine_without_maven_and_jars_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("FLUX_KAFKA_HOME", str(tmp_path / "kafka"))
    assert "install maven" in (missing_tools() or "")
    (tmp_path / "kafka" / "libs").mkdir(parents=True)
    for jar in ("kafka_2.13-4.1.1.jar", "slf4j-api-1.7.36.jar"):
        (tmp_path / "kafka" / "libs" / jar).touch()
    assert missing_tools() is None


def test_two_nodes_are_refused_and_nothing_is_stopped_where_nothing_runs(tmp_path: Path) -> None:
    with pytest.raises(LocalKafkaError, match="1 or 3"):
        LocalKafka(tmp_path, 2)
    assert down(tmp_path) is False
