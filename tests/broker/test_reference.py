"""Reference tables, read on the embedded broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer

from pipeline.broker.reference import BadRecord, Reference
from pipeline.broker.topics import BrokersUnavailable
from schemas.topology import Service


@pytest.fixture
def send(embedded_topics: str, prefix: str) -> Callable[[str, bytes | None], None]:
    producer = Producer({"bootstrap.servers": embedded_topics})

    def to_topology(key: str, value: bytes | None) -> None:
        producer.produce(prefix + "topology", value, key)
        producer.flush(10)

    return to_topology


@pytest.fixture
def reference(embedded_topics: str, prefix: str) -> Iterator[Reference]:
    reference = Reference(embedded_topics, prefix, ["topology", "rules"])
    yield reference
    reference.close()


def service(name: str, owner: str) -> bytes:
    return Service(name=name, owner=owner).to_json()


def poll_until(reference: Reference, condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends
        reference.poll()
        time.sleep(0.01)


def test_the_last_value_of_each_key_is_there_after_load(reference: Reference, send: Callable[[str, bytes | None], None]) -> None:
    for owner in ("one", "two"):
        send("checkout", service("checkout", owner))
    send("gone", service("gone", "x"))
    send("gone", None)
    reference.load(10)
    assert {key: value.owner for key, value in reference.table("topology").items()} == {"checkout": "two"}
    assert reference.version("topology") == 4
    assert (dict(reference.table("rules")), reference.version("rules")) == ({}, 0)


def test_poll_takes_in_news_without_waiting(reference: Reference, send: Callable[[str, bytes | None], None]) -> None:
    reference.load(10)
    began = time.monotonic()
    assert reference.poll() is False
    assert time.monotonic() - began < 0.1
    send("checkout", service("checkout", "one"))
    poll_until(reference, lambda: "checkout" in reference.table("topology"))
    send("checkout", None)
    poll_until(reference, lambda: "checkout" not in reference.table("topology"))


def test_a_bad_record_is_reported_and_the_last_good_one_kept(
    embedded_topics: str, prefix: str, send: Callable[[str, bytes | None], None]
) -> None:
    heard: list[BadRecord] = []
    reference = Reference(embedded_topics, prefix, ["topology"], on_problem=heard.append)
    send("checkout", service("checkout", "one"))
    send("checkout", b'{"name": 7')
    reference.load(10)
    assert reference.table("topology")["checkout"].owner == "one"
    assert reference.problem_count == 1
    assert [(bad.topic, bad.key, bad.offset) for bad in reference.problems] == [("topology", "checkout", 1)]
    assert heard == reference.problems
    reference.close()


def test_a_table_cannot_be_written_by_its_readers(reference: Reference) -> None:
    with pytest.raises(TypeError):
        reference.table("topology")["x"] = 1  # type: ignore[index]


def test_only_compacted_topics_with_a_model_are_reference_data(embedded: str, prefix: str) -> None:
    with pytest.raises(ValueError, match=r"alerts is not a compacted topic"):
        Reference(embedded, prefix, ["alerts"])


def test_missing_brokers_and_topics_are_told_apart(embedded: str, prefix: str) -> None:
    with pytest.raises(BrokersUnavailable, match="no Kafka broker answered"):
        Reference("127.0.0.1:1", prefix, ["rules"]).load(0.5)
    with pytest.raises(BrokersUnavailable, match=r"fluxai topics apply"):
        Reference(embedded, prefix, ["rules"]).load(5)
