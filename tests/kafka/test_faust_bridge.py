"""The Faust bridge on a real broker, against what a transactional producer wrote. Faust runs as a process of its own, as it would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.kafka.transactional import (
    ABORTED,
    Revision,
    Written,
    committed_and_end,
    create_topic,
    incident,
    read_all,
    write_revisions,
)

pytestmark = pytest.mark.kafka
APP = Path(__file__).with_name("bridge_app.py")
ROOT = Path(__file__).parents[2]


class Workers:
    """Processes of the application under test; each slot is one member of the group."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path) -> None:
        self.group = f"{prefix}bridge"
        self.handled_file = folder / "handled.tsv"
        self.handled_file.touch()
        self.log = folder / "faust.log"
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self._environment = os.environ | {
            "FLUX_KAFKA_BROKERS": bootstrap,
            "FLUX_TOPIC_PREFIX": prefix,
            "PYTHONPATH": str(ROOT),
            "TEST_GROUP": self.group,
            "TEST_HANDLED": str(self.handled_file),
        }

    def start(self, slot: int = 0, **environment: str) -> None:
        command = [sys.executable, str(APP), "--datadir", str(self.log.parent / f"faust-{slot}"), "worker", "--without-web", "-l", "info"]
        with self.log.open("ab") as log:
            self.running[slot] = subprocess.Popen(
                command, env=self._environment | environment | {"FLUX_SLOT": str(slot)}, stdout=log, stderr=log, cwd=self.log.parent
            )

    def kill(self, slot: int) -> None:
        self.running[slot].kill()
        self.running.pop(slot).wait()

    def stop(self) -> list[int]:
        """SIGTERM to all; their exit statuses."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        statuses = [process.wait(20) for process in self.running.values()]
        self.running.clear()
        return statuses

    def handled(self) -> list[Revision]:
        lines = (line.split("\t") for line in self.handled_file.read_text(encoding="utf-8").splitlines())
        return [(incident_id, int(revision), title) for _, _, incident_id, revision, title in lines]

    def wait(self, what: str, condition: Callable[[], bool], seconds: float = 40) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"not within {seconds} s: {what}\n{self.log.read_text(errors='replace')[-4000:]}"
            time.sleep(0.05)


@pytest.fixture
def workers(kafka: str, prefix: str, tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(kafka, prefix, tmp_path)
    yield workers
    for slot in list(workers.running):
        workers.kill(slot)


def write_plain(bootstrap: str, topic: str, values: list[bytes]) -> None:
    """To partition 0, with a header of the writer's own."""
    producer = Producer({"bootstrap.servers": bootstrap})
    for value in values:
        producer.produce(topic, value, b"production", partition=0, headers=[("trace", b"abc")])
    assert producer.flush(30) == 0


def committed_reach_the_end(bootstrap: str, workers: Workers, written: Written) -> bool:
    return all(committed == end for committed, end in committed_and_end(bootstrap, workers.group, written.topic))


def test_kills_and_rebalances_lose_nothing_and_no_aborted_record_is_handled(kafka: str, prefix: str, workers: Workers) -> None:
    written = write_revisions(kafka, prefix, transactions=300)
    expected = Counter(written.committed)

    def at_least(count: int) -> Callable[[], bool]:
        return lambda: len(set(workers.handled())) >= count

    workers.start(0)
    workers.wait("400 handled by one worker", at_least(400))
    workers.kill(0)
    workers.start(0)
    workers.wait("800 handled after a kill", at_least(800))
    workers.start(1)  # joins: the partitions are shared anew
    workers.wait("1,400 handled by two workers", at_least(1400))
    workers.kill(1)
    workers.start(1)
    workers.wait("1,900 handled after the second kill", at_least(1900))
    workers.kill(0)
    workers.start(0)
    workers.wait("2,400 handled after the third kill", at_least(2400))
    workers.kill(0)
    workers.kill(1)
    workers.start(0)
    workers.start(1)
    workers.wait("all committed revisions handled", at_least(len(expected)))
    workers.wait("commits at the very end of both partitions", lambda: committed_reach_the_end(kafka, workers, written))
    assert set(workers.stop()) <= {0, -signal.SIGTERM}, "one that is still starting has no handler for the signal yet"

    handled = Counter(workers.handled())
    repeated = handled.total() - len(handled)
    print(f"committed {len(expected)}, aborted {written.aborted}, handled {handled.total()}, repeated {repeated}")
    assert [revision for revision in handled if revision[2] == ABORTED] == []
    assert set(handled) == set(expected)
    # Each of 5 kills and the rebalances may repeat what was handled since the last commit, 0.2 s before: about 150 each.
    assert repeated < 900
    assert committed_reach_the_end(kafka, workers, written)


def test_what_cannot_be_decoded_or_handled_is_dead_lettered_and_the_rest_goes_on(kafka: str, prefix: str, workers: Workers) -> None:
    topic, dead_letters = f"{prefix}incidents.triaged", f"{prefix}dead_letters"
    create_topic(kafka, topic)
    create_topic(kafka, dead_letters)
    bad = incident(2, 1, "the handler cannot bear this").to_json()
    write_plain(kafka, topic, [incident(1, 1, "fine").to_json(), b"\xff not JSON", bad, incident(3, 1, "fine too").to_json()])
    workers.start()
    workers.wait("both good ones handled", lambda: len(workers.handled()) == 2)
    workers.wait("commit behind the last", lambda: committed_and_end(kafka, workers.group, topic)[0] == (4, 4))
    assert workers.stop() == [0]

    assert [revision[0] for revision in workers.handled()] == ["inc-001", "inc-003"]
    letters = sorted(read_all(kafka, dead_letters), key=lambda letter: dict(letter.headers())["offset"])
    undecodable, failed = letters
    assert [letter.value() for letter in letters] == [b"\xff not JSON", bad]
    assert {letter.key() for letter in letters} == {workers.group.encode()}
    headers = {name: value.decode() for name, value in undecodable.headers()}
    assert headers.pop("error").startswith("ValidationError: ")
    assert "model_validate_json" in headers.pop("traceback")
    assert abs(int(headers.pop("timestamp")) / 1000 - time.time()) < 120
    assert headers == {
        "trace": "abc",
        "stage": f"consumer.{workers.group}",
        "reason": "undecodable",
        "topic": topic,
        "partition": "0",
        "offset": "1",
    }
    headers = {name: value.decode() for name, value in failed.headers()}
    assert (headers["reason"], headers["offset"]) == ("handler_failed", "2")
    assert headers["error"] == "ValueError: no such service: service-2"


def test_the_process_ends_when_a_dead_letter_cannot_be_written_and_nothing_is_lost(kafka: str, prefix: str, workers: Workers) -> None:
    topic, refusing = f"{prefix}incidents.triaged", f"{prefix}refusing"
    create_topic(kafka, topic)
    create_topic(kafka, f"{prefix}dead_letters")
    create_topic(kafka, refusing, {"max.message.bytes": "200"})
    bad = incident(2, 1, "the handler cannot bear this").to_json()
    write_plain(kafka, topic, [incident(1, 1, "fine").to_json(), bad, incident(3, 1, "fine too").to_json()])
    workers.start(TEST_DEAD_LETTERS=refusing, TEST_PAUSE="0.6")  # commits run meanwhile, and must not pass it
    assert workers.running.pop(0).wait(30) == 3
    assert committed_and_end(kafka, workers.group, topic)[0][0] <= 1
    assert [revision[0] for revision in workers.handled()] == ["inc-001"]

    workers.start()
    workers.wait("commit behind the last", lambda: committed_and_end(kafka, workers.group, topic)[0] == (3, 3))
    assert workers.stop() == [0]
    assert {revision[0] for revision in workers.handled()} == {"inc-001", "inc-003"}
    assert [letter.value() for letter in read_all(kafka, f"{prefix}dead_letters")] == [bad]
