"""One embedded PostgreSQL for the session, a database of its own for each test, and messages put on topics."""

from __future__ import annotations

import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Producer
from psycopg import sql

from pipeline.record.lane import run_record
from pipeline.record.migrate import migrate
from pipeline.record.postgres import EmbeddedPostgres
from pipeline.record.settings import RecordSettings
from tests.conftest import EMBEDDED


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with open_directory() as directory, EmbeddedPostgres(directory / "postgres") as url:
        yield url


@pytest.fixture
def scratch() -> Iterator[Path]:
    with open_directory() as directory:
        yield directory


@contextmanager
def open_directory() -> Iterator[Path]:
    """A temporary directory that root's server user can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="fluxai-record-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@pytest.fixture
def empty_database(postgres: str) -> Iterator[str]:
    with new_database(postgres) as url:
        yield url


@pytest.fixture(scope="module")
def module_database(postgres: str) -> Iterator[str]:
    with new_database(postgres) as url:
        migrate(url)
        yield url


@contextmanager
def new_database(postgres: str) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:10]}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield postgres.replace("/postgres?", f"/{name}?")
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(empty_database: str) -> str:
    migrate(empty_database)
    return empty_database


def open_topics(embedded: str) -> str:
    """The catalogue's topics on the embedded broker under a new prefix, for what several tests share."""
    prefix = f"t{uuid.uuid4().hex[:8]}."
    EMBEDDED[embedded].create_topics(prefix)
    return prefix


@pytest.fixture
def put(embedded_topics: str, prefix: str) -> Callable[..., None]:
    """Puts values on a topic of the embedded broker, in partition 0, and waits until they are there."""
    return putter(embedded_topics, prefix)


def putter(brokers: str, prefix: str) -> Callable[..., None]:
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 5})

    def send(topic: str, *values: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        for value in values:
            producer.produce(prefix + topic, value, b"production", partition=0, headers=list(headers))
            producer.poll(0)
        assert producer.flush(10) == 0

    return send


@dataclass
class Heard:
    """What a lane told about itself."""

    readiness: list[tuple[bool, str]] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    behind: dict[tuple[str, int], int] = field(default_factory=dict)

    def turned(self) -> None: ...

    def ready(self, ready: bool, reason: str) -> None:
        self.readiness.append((ready, reason))

    def stored(self, table: str, rows: int) -> None:
        self.rows[table] = self.rows.get(table, 0) + rows

    def dropped(self, rows: int) -> None:
        self.lost += rows

    def transaction(self, seconds: float, records: int) -> None: ...

    def lag(self, topic: str, partition: int, records: int) -> None:
        self.behind[topic, partition] = records


@contextmanager
def running(settings: RecordSettings) -> Iterator[Heard]:
    """The lane on a thread; what it raises fails the test."""
    stop, heard, raised = threading.Event(), Heard(), list[BaseException]()

    def work() -> None:
        try:
            run_record(settings, stop, heard)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield heard
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive(), "the lane did not stop within 10 s"
    assert not raised, raised


def lane_settings(brokers: str, prefix: str, url: str) -> RecordSettings:
    return RecordSettings(kafka={"bootstrap.servers": brokers}, postgres_url=url, topic_prefix=prefix, longest_wait_s=0.5)


def count(url: str, table: str) -> int:
    with psycopg.connect(url) as session:
        row = session.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else 0


def eventually(condition: Callable[[], bool], within_s: float = 15.0) -> None:
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, f"not within {within_s:g} s"
        time.sleep(0.05)
