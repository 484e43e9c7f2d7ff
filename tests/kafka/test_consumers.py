"""The examples for consumers, each run as it is on a real broker, on a topic of which a tenth was aborted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from tests.kafka.transactional import ABORTED, Revision, Written, committed_and_end, create_topic, incident, read_all, write_revisions

pytestmark = pytest.mark.kafka
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "consumers"
IDLE = "2"
"""Seconds after its last message at which an example leaves."""


@pytest.fixture(scope="module")
def written(kafka: str) -> Written:
    return write_revisions(kafka, f"t{uuid4().hex[:8]}.", transactions=100)


def run(command: list[str], kafka: str, prefix: str, folder: Path, **environment: str) -> list[str]:
    """The lines that an example printed; it must end by itself, well."""
    settings = os.environ | environment | {"FLUX_KAFKA_BROKERS": kafka, "FLUX_TOPIC_PREFIX": prefix}
    done = subprocess.run(command, check=False, cwd=folder, env=settings, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()


def revisions(lines: list[str]) -> list[Revision]:
    incidents = [json.loads(line) for line in lines]
    return [(one["incident_id"], one["revision"], one["title"]) for one in incidents]


def assert_complete(seen: list[Revision], written: Written) -> None:
    assert [revision for revision in seen if revision[2] == ABORTED] == []
    assert sorted(seen) == sorted(written.committed)
    in_order: dict[str, int] = {}
    for incident_id, revision, _ in seen:
        assert revision == in_order.get(incident_id, 0) + 1, f"{incident_id}: revision {revision} after {in_order.get(incident_id)}"
        in_order[incident_id] = revision


def test_a_reader_of_uncommitted_records_would_be_misled(kafka: str, written: Written) -> None:
    records = list(read_all(kafka, written.topic, {"isolation.level": "read_uncommitted"}))
    titles = [json.loads(record.value())["title"] for record in records]
    assert titles.count(ABORTED) == written.aborted
    assert len(titles) - written.aborted == len(written.committed)
    assert 0.08 < written.aborted / len(titles) < 0.12


@pytest.mark.parametrize("name", ["confluent_consumer", "aiokafka_consumer"])
def test_the_example_sees_each_committed_revision_and_none_that_was_aborted(
    name: str, kafka: str, written: Written, tmp_path: Path
) -> None:
    group = f"{written.prefix}{name}"
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--group", group, "--stop-when-idle", IDLE]
    assert_complete(revisions(run(command, kafka, written.prefix, tmp_path)), written)
    last = {record.partition(): record.offset() for record in read_all(kafka, written.topic, {"isolation.level": "read_committed"})}
    for partition, (committed, end) in enumerate(committed_and_end(kafka, group, written.topic)):
        assert last[partition] < committed <= end, "a restart would read what was handled"


def test_the_faust_example_sees_each_committed_revision_and_none_that_was_aborted(kafka: str, written: Written, tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "faust_app.py"), "--datadir", str(tmp_path), "worker", "--without-web"]
    group = f"{written.prefix}faust"
    environment = {"FLUX_EXAMPLE_GROUP": group, "FLUX_EXAMPLE_STOP_WHEN_IDLE": IDLE, "PYTHONPATH": str(ROOT)}
    lines = run(command, kafka, written.prefix, tmp_path, **environment)
    assert_complete(revisions([line for line in lines if line.startswith("{")]), written)
    assert [committed - end for committed, end in committed_and_end(kafka, group, written.topic)] == [0, 0]


@pytest.mark.skipif(shutil.which("kcat") is None and "CI" not in os.environ, reason="kcat is not installed (Debian: kcat)")
def test_the_kcat_example_sees_each_committed_revision_and_none_that_was_aborted(kafka: str, written: Written, tmp_path: Path) -> None:
    lines = run([str(EXAMPLES / "kcat.sh"), "-e"], kafka, written.prefix, tmp_path)
    assert_complete(revisions([line.split("\t", 3)[3] for line in lines]), written)
    assert {line.split("\t")[0] for line in lines} == {f"domain-{number}" for number in range(7)}


@pytest.mark.parametrize("name", ["confluent_consumer", "aiokafka_consumer"])
def test_the_example_sets_aside_what_it_cannot_handle_and_skips_older_revisions(name: str, kafka: str, tmp_path: Path) -> None:
    prefix = f"t{uuid4().hex[:8]}."
    create_topic(kafka, f"{prefix}incidents.triaged")
    create_topic(kafka, f"{prefix}dead_letters")
    producer = Producer({"bootstrap.servers": kafka})
    values = [incident(1, 2, "newest").to_json(), b"{not JSON", incident(1, 1, "older").to_json(), incident(2, 1, "another").to_json()]
    for value in values:
        producer.produce(f"{prefix}incidents.triaged", value, b"production", partition=0)
    assert producer.flush(30) == 0
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--group", f"{prefix}group", "--stop-after", "4"]
    assert [title for _, _, title in revisions(run(command, kafka, prefix, tmp_path))] == ["newest", "another"]
    (letter,) = read_all(kafka, f"{prefix}dead_letters")
    headers = {name: value.decode() for name, value in letter.headers()}
    assert letter.value() == b"{not JSON"
    assert (headers["stage"], headers["topic"], headers["offset"]) == (f"consumer.{prefix}group", f"{prefix}incidents.triaged", "1")
    assert headers["error"].startswith("JSONDecodeError: ")
