"""Topics on a real broker, and the local cluster itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from pipeline.broker import topics
from pipeline.broker.jars import LocalKafkaError, missing_tools
from pipeline.broker.local import LocalKafka, down, up
from schemas.topics import CATALOGUE
from tests.engine.toy import alert
from tests.faults.fleet import Fleet, copies
from tests.kafka.engine_rig import Tap, produce

pytestmark = pytest.mark.kafka
WORKER = [sys.executable, "-m", "tests.faults.toy_worker", "{slot}"]


@pytest.fixture
def admin(kafka: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka})


def create(admin: AdminClient, *new: NewTopic) -> None:
    for future in admin.create_topics(list(new)).values():
        future.result()


def test_all_topics_are_made_once_and_then_pass_the_check(kafka: str, prefix: str) -> None:
    assert sorted(topics.apply(kafka, prefix)) == sorted(prefix + topic.name for topic in CATALOGUE)
    assert topics.apply(kafka, prefix) == []
    assert topics.check(kafka, prefix) == []


def test_each_thing_wrong_with_a_topic_is_named_with_its_fix(kafka: str, prefix: str, admin: AdminClient) -> None:
    topics.apply(
        kafka, prefix, names=[topic.name for topic in CATALOGUE if topic.name not in ("alerts", "decide.state", "rules", "receipts")]
    )
    late = {"message.timestamp.type": "LogAppendTime"}
    create(
        admin,
        NewTopic(prefix + "alerts", 3, 1, config=late),
        NewTopic(prefix + "decide.state", 6, 1),
        NewTopic(prefix + "receipts", 6, 1, config={"max.message.bytes": "1000"}),
    )
    for _ in range(50):  # the broker acknowledges a topic before it lists it
        found = {(problem.topic.removeprefix(prefix), problem.what.split(" (")[0], problem.fix) for problem in topics.check(kafka, prefix)}
        if len(found) == 5:
            break
    whats = {(topic, what) for topic, what, _ in found}
    assert whats == {
        ("alerts", "has 3 partitions, not 6"),
        ("decide.state", "is not compacted"),
        ("rules", "does not exist"),
        ("receipts", "takes messages of 1000 bytes, not 1048576"),
        ("receipts", "carries the producers' times, not the broker's"),
    }
    assert all(fix for _, _, fix in found)


def test_a_count_of_ones_own_is_right_when_it_is_the_same_everywhere(kafka: str, prefix: str) -> None:
    topics.apply(kafka, prefix, partitions=2, names=["alerts", "receipts", "rules"])
    assert topics.check(kafka, prefix, partitions=2, names=["alerts", "receipts", "rules"]) == []
    assert {problem.topic for problem in topics.check(kafka, prefix, names=["alerts", "receipts", "rules"])} == {
        prefix + "alerts",
        prefix + "receipts",
    }


def test_no_broker_is_said_so() -> None:
    with pytest.raises(topics.BrokersUnavailable, match="no Kafka broker answered"):
        topics.check("127.0.0.1:1", "x.", timeout=0.5)


@pytest.fixture
def three(tmp_path: Path, kafka: str) -> Iterator[LocalKafka]:
    if missing := missing_tools():
        pytest.skip(f"no local Kafka: {missing}")
    cluster = LocalKafka(tmp_path / "three", 3, quick=True)
    try:
        yield cluster
    finally:
        cluster.wipe()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_worker_survives_the_loss_of_a_broker_of_three(three: LocalKafka, tmp_path: Path) -> None:
    brokers = three.start()
    topics.apply(brokers, "x.", names=["alerts", "receipts", "decisions", "dead_letters", "decide.state"])
    environment = {"FLUX_KAFKA_BROKERS": brokers, "FLUX_TOPIC_PREFIX": "x."}
    # A process of its own under a supervisor: when a coordinator goes, a call of librdkafka may hang, and the worker leaves with 3.
    with Fleet(copies(WORKER, 1), environment, tmp_path) as fleet, Tap(brokers, "x.decisions") as out:
        produce(brokers, "x.alerts", alert(0))
        supervise(fleet, out.has(1), seconds=40)
        three.kill_node(1)
        produce(brokers, "x.alerts", *(alert(what) for what in range(1, 50)))
        supervise(fleet, out.has(50), seconds=60)
        three.start_node(1)
        assert three.running() == [1, 2, 3]
        produce(brokers, "x.alerts", *(alert(what) for what in range(50, 60)))
        supervise(fleet, out.has(60), seconds=60)
        assert [(body["id"], body["number"]) for body in out.seen()] == [(what, what + 1) for what in range(60)]


def supervise(fleet: Fleet, until: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < ends, f"not within {seconds} s: {fleet.log()[-2000:]}"
        fleet.watch(0.2)


@pytest.mark.slow
def test_a_cluster_brought_up_can_be_found_and_taken_down_by_another_process(tmp_path: Path, kafka: str) -> None:
    if missing := missing_tools():
        pytest.skip(f"no local Kafka: {missing}")
    cluster = again = up(1, tmp_path / "local")
    try:
        produced = topics.apply(cluster.bootstrap, "kept.", names=["alerts"])
        found = LocalKafka.load(tmp_path / "local")
        assert found is not None and found.running() == [1] and found.bootstrap == cluster.bootstrap
        assert up(1, tmp_path / "local").nodes[0].pid == cluster.nodes[0].pid
        with pytest.raises(LocalKafkaError, match="holds a cluster of 1"):
            up(3, tmp_path / "local")
        assert down(tmp_path / "local") is True
        assert found.running() == [] and down(tmp_path / "local") is False
        again = up(1, tmp_path / "local")
        assert topics.apply(again.bootstrap, "kept.", names=["alerts"]) == [] and produced == ["kept.alerts"]
    finally:
        cluster.wipe()
        again.wipe()
