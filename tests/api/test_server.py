"""The api worker on a socket: slow clients, an orderly end, an address that is taken."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from agents.normalize import NormalizeRules, normalize
from pipeline.api import server as module
from pipeline.api.body import read_body
from pipeline.api.publish import KafkaPublisher
from pipeline.api.server import ApiServer, build_api
from pipeline.cli.kafka import Reader
from pipeline.config import Config
from pipeline.metrics import build
from pipeline.settings import Settings


@contextmanager
def running(brokers: str, prefix: str) -> Iterator[tuple[ApiServer, threading.Event, list[int]]]:
    stop, code = threading.Event(), list[int]()
    api = build_api(Settings(brokers=brokers, topic_prefix=prefix, api_port=0, embedded_broker=True), Config(), stop)
    thread = threading.Thread(target=lambda: code.append(api.run()))
    thread.start()
    try:
        assert api.listening.wait(10)
        yield api, stop, code
    finally:
        stop.set()
        thread.join(15)
        assert not thread.is_alive()


def connect(api: ApiServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", api.port), timeout=10)


def until(client: socket.socket, end: bytes) -> bytes:
    """What comes, to `end` or to the end of the connection: an answer may come in parts."""
    got = b""
    while end not in got and (part := client.recv(4096)):
        got += part
    return got


def request(length: int) -> bytes:
    return b"POST /api/v1/alerts/flux HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % length


def test_a_request_that_runs_when_the_worker_is_stopped_is_answered(embedded_topics: str, prefix: str) -> None:
    body = json.dumps({"name": "x", "status": "firing"}).encode()
    with running(embedded_topics, prefix) as (api, stop, code), connect(api) as client:
        client.sendall(request(len(body)) + body[:5])
        time.sleep(0.3)
        stop.set()
        time.sleep(0.3)
        client.sendall(body[5:])
        assert b"202 Accepted" in until(client, b"}")
    assert code == [0]


def test_a_client_that_says_nothing_is_let_go(embedded_topics: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_S", 0.3)
    monkeypatch.setattr(module, "KEEP_ALIVE_S", 0.0)
    with running(embedded_topics, prefix) as (api, _, _), connect(api) as silent, connect(api) as dripping, connect(api) as again:
        dripping.sendall(b"POST /api/v1/alerts/flux HT")
        again.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in until(again, b"}")
        again.sendall(b"GET /health HT")
        for client in (silent, dripping, again):
            client.settimeout(3)
            assert client.recv(4096) == b""


def test_a_body_that_drips_is_408(embedded_topics: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = read_body.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "read_s", 0.3)
    with running(embedded_topics, prefix) as (api, _, _), connect(api) as client:
        client.sendall(request(1000) + b"{")
        assert b"408 Request Timeout" in until(client, b"}")


def test_an_address_that_is_taken_ends_the_worker_with_a_code(embedded_topics: str, prefix: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(brokers=embedded_topics, topic_prefix=prefix, api_port=taken.getsockname()[1])
        assert build_api(settings, Config(), threading.Event()).run() == module.EXIT_CANNOT_LISTEN


def test_a_kafka_that_is_away_is_named_as_the_reason(prefix: str) -> None:
    publisher = KafkaPublisher({"bootstrap.servers": "127.0.0.1:1"}, prefix, build(process=False), ack_timeout_s=1)
    try:
        assert "Kafka does not answer" in publisher.missing("alerts.raw", 0.5)
    finally:
        publisher.stop(0)


def test_many_senders_at_once_are_all_answered(embedded_topics: str, prefix: str) -> None:
    with running(embedded_topics, prefix) as (api, _, _):
        codes: list[int] = []

        def sender() -> None:
            with httpx.Client(base_url=f"http://127.0.0.1:{api.port}", timeout=20) as client:
                for _ in range(20):
                    codes.append(client.post("/api/v1/alerts/flux", json={"name": "x", "status": "firing"}).status_code)

        threads = [threading.Thread(target=sender) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert codes == [202] * 160


def test_the_answers_ids_are_those_that_intake_gives(embedded_topics: str, prefix: str) -> None:
    body = {"name": "x", "status": "firing"}
    rules = NormalizeRules()
    with running(embedded_topics, prefix) as (api, _, _):
        answer = httpx.post(f"http://127.0.0.1:{api.port}/api/v1/alerts/flux", json=body).json()
    settings = Settings(brokers=embedded_topics, topic_prefix=prefix)
    with Reader(settings) as reader:
        reader.start(["alerts.raw"])
        (record,) = reader.to_the_end()
    found = normalize(
        record.value(), source_hint="flux", topic=record.topic() or "", partition=record.partition() or 0, offset=record.offset() or 0,
        received_ms=record.timestamp()[1], rules=rules,
    )  # fmt: skip
    assert answer["alert_ids"] == [alert.alert_id for alert in found.alerts]
