"""The record lane against a real PostgreSQL: exactly once, whatever is killed, stopped or unreadable."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Producer

from pipeline.broker.topics import apply
from pipeline.record.postgres import EmbeddedPostgres
from tests.record.conftest import count, eventually, lane_settings, putter, running
from tests.record.samples import NOW, answer, dead_letter_headers, decision, feedback, incident, label, receipt, usage

ROOT = Path(__file__).parents[2]
Put = Callable[..., None]


def test_each_topic_fills_its_table(embedded_topics: str, prefix: str, database: str, put: Put) -> None:
    put("decisions", *(decision(n).to_json() for n in range(50)))
    put("incidents.triaged", incident().to_json())
    put("receipts", receipt(1).to_json(), answer(2).to_json(), answer(3, advice=None, status="failed").to_json())
    put("usage", *(usage(f"u{n}", kind).to_json() for n, kind in enumerate(("reserve", "settle", "call"))))
    put("labels", label(1).to_json())
    put("feedback", feedback(1).to_json())
    put("dead_letters", b"\xff\x00{", headers=dead_letter_headers(5))
    with running(lane_settings(embedded_topics, prefix, database)) as heard:
        eventually(lambda: sum(heard.rows.values()) == 60)
    few = {"incidents": 1, "deliveries": 1, "advice": 2, "usage": 3, "labels": 1, "feedback": 1, "dead_letters": 1}
    assert heard.rows == {"decisions": 50, **few}
    assert (True, "32 partitions") in heard.readiness
    assert heard.readiness[-1] == (False, "stopped")
    assert count(database, "decisions") == 50


def test_the_newest_revision_of_an_incident_wins(embedded_topics: str, prefix: str, database: str, put: Put) -> None:
    put("incidents.triaged", *(incident(revision=revision, title=f"revision {revision}").to_json() for revision in (1, 3, 2)))
    with running(lane_settings(embedded_topics, prefix, database)) as heard:
        eventually(lambda: heard.rows.get("incidents") == 3)
        put("incidents.triaged", incident(revision=2, title="an old one again").to_json())
        eventually(lambda: heard.rows.get("incidents") == 4)
    with psycopg.connect(database) as session:
        assert session.execute("SELECT revision, title, body ->> 'title' FROM incidents").fetchall() == [(3, "revision 3", "revision 3")]


def test_what_cannot_be_read_or_stored_is_set_aside_and_costs_the_others_nothing(
    embedded_topics: str, prefix: str, database: str, put: Put
) -> None:
    refused = decision(11).to_json().replace(b'"hold_s":30', b'"hold_s":1e200000')
    put("decisions", decision(10, name="zero\0in it").to_json(), refused, b"\xff\xfe", b'{"alert_id": 7}', decision(12).to_json())
    put("feedback", b"{nonsense")
    with running(lane_settings(embedded_topics, prefix, database)) as heard:
        eventually(lambda: sum(heard.rows.values()) == 6)
    assert heard.rows == {"decisions": 2, "unreadable": 4}
    assert heard.lost == 0
    with psycopg.connect(database) as session:
        found = session.execute("SELECT topic, record_offset, value FROM unreadable ORDER BY topic, record_offset").fetchall()
        names = session.execute("SELECT name, body ->> 'name' FROM decisions ORDER BY raw_offset").fetchall()
    assert [row[:2] for row in found] == [("decisions", 1), ("decisions", 2), ("decisions", 3), ("feedback", 0)]
    assert found[0][2] == refused, "the bytes are kept as they came"
    assert names[0] == ("zero\ufffdin it", "zero\ufffdin it")


def test_records_older_than_the_history_are_passed_over(embedded_topics: str, prefix: str, database: str) -> None:
    producer = Producer({"bootstrap.servers": embedded_topics})
    long_ago = int((NOW - timedelta(days=91)).timestamp() * 1000)
    producer.produce(prefix + "decisions", decision(1).to_json(), b"production", partition=0, timestamp=long_ago)
    producer.produce(prefix + "decisions", decision(2).to_json(), b"production", partition=0)
    producer.flush(10)
    with running(lane_settings(embedded_topics, prefix, database)) as heard:
        eventually(lambda: "decisions" in heard.rows)
    with psycopg.connect(database) as session:
        assert session.execute("SELECT raw_offset FROM decisions").fetchall() == [(2,)]


def test_while_postgres_is_away_it_waits_and_then_catches_up(scratch: Path, embedded_topics: str, prefix: str, put: Put) -> None:
    server = EmbeddedPostgres(scratch / "pg")
    url = server.start()
    try:
        with running(lane_settings(embedded_topics, prefix, url)) as heard:
            put("decisions", *(decision(n).to_json() for n in range(10)))
            eventually(lambda: heard.rows.get("decisions") == 10)
            server.stop()
            put("decisions", *(decision(n).to_json() for n in range(10, 30)))
            eventually(lambda: not heard.readiness[-1][0] and heard.readiness[-1][1].startswith("PostgreSQL"))
            eventually(lambda: heard.behind.get(("decisions", 0)) == 20)
            assert server.start() == url
            eventually(lambda: heard.rows.get("decisions") == 30)
            assert heard.readiness[-1][0]
            eventually(lambda: heard.behind[("decisions", 0)] == 0)
        assert count(url, "decisions") == 30
    finally:
        server.stop()


def test_a_postgres_that_hangs_does_not_keep_the_worker_from_leaving(scratch: Path, embedded_topics: str, prefix: str, put: Put) -> None:
    server = EmbeddedPostgres(scratch / "pg")
    url = server.start()
    frozen: list[int] = []
    try:
        with running(lane_settings(embedded_topics, prefix, url)) as heard:
            put("decisions", decision(1).to_json())
            eventually(lambda: "decisions" in heard.rows)
            with psycopg.connect(url) as session:
                found = session.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'fluxai record'").fetchall()
            frozen = [pid for (pid,) in found]
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            put("decisions", decision(2).to_json())
            time.sleep(0.7)
            stopped = time.monotonic()
        assert time.monotonic() - stopped < 8
        assert heard.rows == {"decisions": 1}
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        server.stop()


@pytest.fixture
def brokers(kafka: str, prefix: str) -> str:
    apply(kafka, prefix)
    return kafka


@pytest.fixture
def worker(brokers: str, prefix: str, database: str) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.record.worker", brokers, prefix, database]
        started.append(subprocess.Popen(command, cwd=ROOT))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(5)


@pytest.mark.kafka
def test_killed_in_the_middle_nothing_is_lost_or_stored_twice(
    brokers: str, prefix: str, database: str, worker: Callable[[], subprocess.Popen[bytes]]
) -> None:
    send, enough, sent = putter(brokers, prefix), threading.Event(), 0

    def produce() -> None:
        nonlocal sent
        while not enough.wait(0.02):
            send("decisions", *(decision(n).to_json() for n in range(sent, sent + 50)))
            sent += 50

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        for _ in range(3):
            process = worker()
            stored = count(database, "decisions")
            eventually(lambda before=stored: count(database, "decisions") > before, 30)  # type: ignore[misc]
            time.sleep(random.uniform(0, 0.5))
            process.kill()
            process.wait(5)
    finally:
        enough.set()
        thread.join(20)
    worker()
    eventually(lambda: count(database, "decisions") >= sent, 30)
    with psycopg.connect(database) as session:
        rows = session.execute("SELECT raw_offset, count(*), min(alert_id) FROM decisions GROUP BY raw_offset ORDER BY 1").fetchall()
    assert rows == [(n, 1, f"a0-{n}-0") for n in range(sent)]
