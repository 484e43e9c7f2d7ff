"""Two workers, killed again and again under load: nothing lost, nothing twice, state and timers as if nothing had happened."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from pipeline.broker import topics
from pipeline.engine.faults import POINTS
from tests.engine.toy import Toy
from tests.faults.fleet import Fleet, copies
from tests.faults.toy_check import check
from tests.faults.toy_load import ToyLoad

KILLS = 20
DEATHS_AT_EACH_POINT = 2
RATE = 1500
COMMAND = [sys.executable, "-m", "tests.faults.toy_worker", "{slot}"]


def unread(brokers: str, prefix: str) -> int:
    """Records of the inputs that are not committed as processed."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": prefix + Toy.name,
            "enable.auto.commit": False,
            "log_level": 0,
            "isolation.level": "read_uncommitted",
        }
    )
    try:
        partitions = [TopicPartition(prefix + topic, number) for topic in Toy.inputs for number in range(6)]
        ends = [consumer.get_watermark_offsets(each, timeout=10)[1] for each in partitions]
        done = consumer.committed(partitions, timeout=10)
        return sum(end - max(0, each.offset) for end, each in zip(ends, done, strict=True))
    finally:
        consumer.close()


@pytest.mark.kafka
@pytest.mark.slow
def test_twenty_kills_under_load_lose_nothing_and_repeat_nothing(kafka: str, prefix: str, tmp_path: Path) -> None:
    topics.apply(kafka, prefix, names=["alerts", "receipts", "decisions", "dead_letters", "decide.state"])
    environment = {"FLUX_KAFKA_BROKERS": kafka, "FLUX_TOPIC_PREFIX": prefix}
    load = ToyLoad(kafka, prefix, RATE)
    with Fleet(copies(COMMAND, 2), environment, tmp_path, fault_probability=0.05) as fleet:
        load.start()
        began = time.monotonic()
        fleet.watch(2.0)
        while fleet.deaths["kill"] < KILLS or any(fleet.deaths[point] < DEATHS_AT_EACH_POINT for point in POINTS):
            fleet.kill(fleet.random.randrange(2))
            fleet.watch(fleet.random.uniform(0.4, 2.0))
            assert time.monotonic() - began < 80, f"only {fleet.deaths} in 80 s"
        fleet.calm()
        for slot in (0, 1):
            fleet.kill(slot)
        load.finish()
        ends = time.monotonic() + 30
        fleet.watch(1.0)
        while unread(kafka, prefix) and time.monotonic() < ends:
            fleet.watch(0.3)
        fleet.watch(1.0)  # the last timers
        statuses = fleet.stop()
    wrong, counts = check(kafka, prefix)
    print(f"{counts}, deaths {fleet.deaths}, other exits {fleet.exits}")
    assert load.lost == []
    print(fleet.log()[-4000:] if wrong else "")
    assert wrong[:10] == []
    assert statuses == [0, 0]
    assert fleet.deaths["unexplained"] == 0
    assert min(counts["timer"], counts["receipt"], counts["raised"]) > 0
    assert counts["alerts"] + counts["raised"] == load.sent
