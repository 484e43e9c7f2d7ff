"""Kill -9 of the act worker, again and again, while effects come in transactions of which a tenth is aborted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.broker.topics import apply
from schemas.base import from_ms
from schemas.effect import Receipt
from tests.fakes.receivers import Answer, FakeReceiver
from tests.notify.build import a_delivery, an_incident

SIZE = 5
PAUSE_S = 0.12
KILLS = 4
ALIVE_S = 2.5
TOPICS = ("effects.delivery", "receipts", "dead_letters")


class ActWorker:
    """`fluxai worker act` as a process."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        self.environ, self.log = {**os.environ, **environ}, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "pipeline.cli.main", "worker", "act"]
            self.process = subprocess.Popen(command, env=self.environ, stdout=log, stderr=log)

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(12)


@pytest.fixture
def hook() -> Iterator[FakeReceiver]:
    with FakeReceiver(Answer(delay_s=0.3)) as server:
        yield server


def produce(bootstrap: str, prefix: str, committed: list[str], aborted: list[str], enough: threading.Event) -> None:
    """Effects in transactions until there are enough; every tenth is aborted after its records have reached the broker."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": f"{prefix}effects", "partitioner": "murmur2_random"})
    producer.init_transactions(20)
    for number in count():
        if enough.wait(PAUSE_S):
            return
        producer.begin_transaction()
        abort = number % 10 == 7
        for index in range(SIZE):
            name = f"{'aborted' if abort else 'effect'}-{number}-{index}"
            due = from_ms(round(time.time() * 1000) + 30_000)
            delivery = a_delivery(incident=an_incident(incident_id=name), receiver="hook", effect_id=name, deadline=due)
            producer.produce(f"{prefix}effects.delivery", delivery.to_json(), key=name.encode())
            (aborted if abort else committed).append(name)
        producer.flush(10)
        if abort:
            producer.abort_transaction(20)
        else:
            producer.commit_transaction(20)


def read_receipts(bootstrap: str, prefix: str) -> list[Receipt]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "t", "enable.partition.eof": True, "enable.auto.commit": False})
    name, found, ended = f"{prefix}receipts", list[Receipt](), 0
    partitions = consumer.list_topics(name, timeout=10).topics[name].partitions
    consumer.assign([TopicPartition(name, one, 0) for one in partitions])
    while ended < len(partitions):
        record = consumer.poll(10)
        assert record is not None, "the receipts could not be read to their end"
        if record.error() is not None:
            ended += 1
        else:
            found.append(Receipt.from_json(record.value() or b""))
    consumer.close()
    return found


def uncommitted(bootstrap: str, prefix: str) -> int:
    """Offsets between what the worker's group committed and the ends of its topic, markers included."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"{prefix}act"})
    name = f"{prefix}effects.delivery"
    places = [TopicPartition(name, one) for one in consumer.list_topics(name, timeout=10).topics[name].partitions]
    left = 0
    for place in consumer.committed(places, timeout=10):
        low, high = consumer.get_watermark_offsets(place, timeout=10)
        left += high - (place.offset if place.offset >= 0 else low)
    consumer.close()
    return left


@pytest.mark.kafka
def test_kills_lose_no_effect_and_an_aborted_one_is_never_sent(kafka: str, prefix: str, hook: FakeReceiver, tmp_path: Path) -> None:
    apply(kafka, prefix, names=TOPICS)
    config = tmp_path / "flux.yaml"
    config.write_text(
        "notify:\n  receivers:\n    - {name: hook, type: webhook, url: "
        f"'{hook.url}', allow_private: true, max_in_flight: 256, timeout_s: 5}}\n"
    )
    environ = {"FLUX_KAFKA_BROKERS": kafka, "FLUX_TOPIC_PREFIX": prefix, "FLUX_CONFIG": str(config)}
    worker = ActWorker(environ, tmp_path / "worker.log")
    committed, aborted = list[str](), list[str]()
    enough = threading.Event()
    producing = threading.Thread(target=produce, args=(kafka, prefix, committed, aborted, enough))
    worker.start()
    try:
        producing.start()
        hook.wait_for(lambda hits: len(hits) >= 10, 20)
        for _ in range(KILLS):
            time.sleep(ALIVE_S)
            assert worker.end(signal.SIGKILL) == -signal.SIGKILL
            time.sleep(0.5)  # what was on its way arrives
            before = len(hook.attempts)
            worker.start()
            hook.wait_for(lambda _, before=before: len(hook.attempts) > before, 15)  # type: ignore[misc]
        time.sleep(1)
        enough.set()
        producing.join(30)
        hook.wait_for(lambda hits: {hit.json["effect_id"] for hit in hits} >= set(committed), 20)
        due = time.monotonic() + 10
        while uncommitted(kafka, prefix) and time.monotonic() < due:
            time.sleep(0.2)
        began = time.monotonic()
        assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()[-2000:]
        assert time.monotonic() - began < 10
    finally:
        enough.set()
        producing.join(30)
        if worker.process is not None and worker.process.poll() is None:
            worker.end(signal.SIGKILL)
    check(hook, committed, aborted, read_receipts(kafka, prefix))
    assert uncommitted(kafka, prefix) == 0


def check(hook: FakeReceiver, committed: list[str], aborted: list[str], receipts: list[Receipt]) -> None:
    assert {receipt.status for receipt in receipts} == {"done"}
    sent = Counter(hit.json["effect_id"] for hit in hook.attempts)
    assert len(committed) > 200 and len(aborted) > 20
    assert not set(sent) & set(aborted), "an aborted effect was sent"
    assert set(sent) == set(committed)
    done = {receipt.effect_id for receipt in receipts if receipt.status == "done"}
    assert done == set(committed), "a delivery has no receipt"
    repeated = sum(sent.values()) - len(sent)
    assert repeated <= len(sent) / 4, "more was repeated than can have been in flight at the kills"
    print(f"{len(sent)} effects, {KILLS} kills, {repeated} repeated")
