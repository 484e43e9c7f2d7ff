"""Two processes that never talk to each other share a budget over Kafka, also across kill -9."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from agents.advice.budget import Budget, micro
from pipeline.broker.topics import apply
from schemas.usage import Usage
from tests.kafka.ledger_worker import BUDGET_USD, WORST_USD

KILLED_AFTER = 12


def start(brokers: str, prefix: str, slot: int, say: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.kafka.ledger_worker", brokers, prefix, str(slot), str(say)]
    with say.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def said(path: Path) -> list[list[Any]]:
    """Whole lines only: the last one may have been cut by the kill."""
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def records(brokers: str, topic: str) -> list[Any]:
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "t", "enable.partition.eof": True, "enable.auto.commit": False})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, one, 0) for one in partitions])
    found, ended = list[Any](), 0
    while ended < len(partitions):
        record = consumer.poll(10)
        assert record is not None, f"{topic} could not be read to its end"
        if record.error() is None:
            found.append(record)
        else:
            ended += 1
    consumer.close()
    return found


@pytest.mark.kafka
def test_two_workers_never_overspend_also_when_one_is_killed_again_and_again(kafka: str, prefix: str, tmp_path: Path) -> None:
    apply(kafka, prefix, names=("usage", "alerts.raw"))
    files = [tmp_path / "0", tmp_path / "1"]
    workers = [start(kafka, prefix, slot, file) for slot, file in enumerate(files)]
    try:
        for kill in (1, 2):
            due = time.monotonic() + 20
            while sum(line[0] == "granted" for line in said(files[0])) < KILLED_AFTER * kill and workers[0].poll() is None:
                assert time.monotonic() < due, files[0].with_suffix(".log").read_text()[-2000:]
                time.sleep(0.01)
            workers[0].send_signal(signal.SIGKILL)
            workers[0].wait(5)
            workers[0] = start(kafka, prefix, 0, files[0])
        assert [worker.wait(40) for worker in workers] == [0, 0], [file.with_suffix(".log").read_text()[-1500:] for file in files]
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait(5)
    check(kafka, prefix, [line for file in files for line in said(file)])


def check(brokers: str, prefix: str, lines: list[list[Any]]) -> None:
    granted = {line[1]: line[3] for line in lines if line[0] == "granted"}
    true = {line[1]: line[2] for line in lines if line[0] == "settled"}
    spent = sum(micro(true.get(name, WORST_USD)) for name in granted)
    assert spent <= micro(BUDGET_USD), "more was spent than the budget allows"
    assert spent > micro(BUDGET_USD) * 0.6, "the budget could not be used"
    log = records(brokers, f"{prefix}usage")
    budget, allowed, kinds = Budget(BUDGET_USD, 100_000), set[str](), Counter[str]()
    for record in log:
        usage = Usage.from_json(record.value())
        kinds[usage.kind] += 1
        if budget.apply(usage, record.timestamp()[1]):
            allowed.add(usage.usage_id)
    assert set(granted) <= allowed, "a call was made that the log does not allow"
    alerts = [json.loads(record.value()) for record in records(brokers, f"{prefix}alerts.raw")]
    assert len({(alert["name"], alert["labels"]["period"]) for alert in alerts}) == 1
    assert {alert["status"] for alert in alerts} == {"firing"} and len(alerts) == 1
    took = sorted(granted.values())
    middle, worst = took[len(took) // 2], took[round(len(took) * 0.99) - 1]
    print(
        f"{len(granted)} calls, {spent / 1e6:.4f} of {BUDGET_USD} USD; reserve p50 {middle * 1e3:.1f} ms, p99 {worst * 1e3:.1f} ms; {kinds}"
    )
