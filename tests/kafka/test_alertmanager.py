"""A real Prometheus and a real Alertmanager fire into the front door, on a real Kafka that also goes away and comes back."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.api.server import ApiServer, build_api
from pipeline.broker import topics
from pipeline.broker.jars import missing_tools
from pipeline.broker.local import LocalKafka
from pipeline.config import Config
from pipeline.engine.processor import Record
from pipeline.history.base import HistoryUnavailable
from pipeline.history.reading import TopicReader
from pipeline.settings import Settings
from tests.kafka.programs import eventually, free_port, program, running

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(180)]

ALERTMANAGER = """
route:
  receiver: flux
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: flux
    webhook_configs:
      - url: {api}/api/v1/alerts/alertmanager
"""
PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]
scrape_configs:
  - job_name: disks
    static_configs: [{{targets: ["127.0.0.1:{disks}"]}}]
  - job_name: flux
    static_configs: [{{targets: ["127.0.0.1:{api}"]}}]
"""
RULES = """
groups:
  - name: disks
    rules:
      - alert: DiskFull
        expr: disk_free_ratio < 0.1
        labels: {severity: critical, service: db}
        annotations: {summary: "disk of {{ $labels.instance }} is full"}
"""


class Disk(ThreadingHTTPServer):
    """An exporter with one metric."""

    free = 0.05

    def __init__(self) -> None:
        disk = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"disk_free_ratio {disk.free}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@dataclass
class House:
    """All that runs."""

    kafka: LocalKafka
    api: ApiServer
    alertmanager: str
    prometheus: str
    disk: Disk
    prefix: str

    def raw(self) -> list[Record]:
        """All raw records, oldest first."""
        windows = list(TopicReader({"bootstrap.servers": self.kafka.bootstrap}, self.prefix).newest_first("alerts.raw"))
        return sorted((record for window in windows for record in window), key=lambda record: record.timestamp)

    def arrived(self, name: str, status: str) -> tuple[Record, dict[str, Any]] | None:
        """The first raw record with that alert in that state, and its payload."""
        try:
            records = self.raw()
        except HistoryUnavailable:
            return None
        for record in records:
            payload = json.loads(record.value or b"null")
            if dict(record.headers)["source"] == b"alertmanager" and any(
                one["labels"]["alertname"] == name and one["status"] == status for one in payload["alerts"]
            ):
                return record, payload
        return None

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.api.port}{path}"

    def fire(self, name: str) -> None:
        httpx.post(f"{self.alertmanager}/api/v2/alerts", json=[{"labels": {"alertname": name}}]).raise_for_status()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    prometheus, alertmanager = program("prometheus", "prometheus"), program("prometheus-alertmanager", "prometheus-alertmanager")
    missing = missing_tools()
    if missing is not None and "CI" not in os.environ:
        pytest.skip(f"no real Kafka: {missing}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fluxai-alertmanager-", ignore_cleanup_errors=True)))
        kafka = LocalKafka(folder / "kafka")  # its own: it is stopped on the way
        stack.callback(kafka.wipe)
        bootstrap = kafka.start()
        topics.apply(bootstrap, "am.")
        api = serve(stack, Settings(brokers=bootstrap, topic_prefix="am.", api_port=0))
        disk = Disk()
        stack.callback(disk.server_close)
        stack.callback(disk.shutdown)
        ports = {"alertmanager": free_port(), "prometheus": free_port()}
        (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(api=f"http://127.0.0.1:{api.port}"))
        (folder / "rules.yml").write_text(RULES)
        text = PROMETHEUS.format(alertmanager=ports["alertmanager"], disks=disk.server_address[1], api=api.port)
        (folder / "prometheus.yml").write_text(text)
        for name, command in (
            ("alertmanager", [alertmanager, "--config.file=alertmanager.yml", "--storage.path=am", "--cluster.listen-address="]),
            ("prometheus", [prometheus, "--config.file=prometheus.yml", "--storage.tsdb.path=prom"]),
        ):
            command.append(f"--web.listen-address=127.0.0.1:{ports[name]}")
            stack.enter_context(running(command, folder / f"{name}.log"))
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        for name, url in urls.items():
            eventually(lambda url=url: answers(f"{url}/-/ready"), 20, f"{name} is ready")  # type: ignore[misc]
        yield House(kafka, api, urls["alertmanager"], urls["prometheus"], disk, "am.")


def serve(stack: ExitStack, settings: Settings) -> ApiServer:
    stop = threading.Event()
    api = build_api(settings, Config(), stop)
    thread = threading.Thread(target=api.run)
    thread.start()
    stack.callback(thread.join, 15)
    stack.callback(stop.set)
    assert api.listening.wait(10)
    eventually(lambda: answers(f"http://127.0.0.1:{api.port}/ready"), 10, "the front door is ready")
    return api


def answers(url: str) -> bool | None:
    try:
        return httpx.get(url).status_code == 200 or None
    except httpx.TransportError:
        return None


def test_an_alert_of_prometheus_arrives_and_so_does_its_end(house: House) -> None:
    record, payload = eventually(lambda: house.arrived("DiskFull", "firing"), 30, "DiskFull fires")
    assert dict(record.headers)["source"] == b"alertmanager"
    assert payload["version"] == "4"
    assert payload["alerts"][0]["labels"]["service"] == "db"
    house.disk.free = 0.5
    _, payload = eventually(lambda: house.arrived("DiskFull", "resolved"), 30, "DiskFull resolves")
    assert [one["status"] for one in payload["alerts"]] == ["resolved"]


def test_prometheus_scrapes_the_front_door(house: House) -> None:
    def counted() -> float | None:
        query = 'sum(flux_http_requests_total{route="/api/v1/alerts/{source}",code="202"})'
        found = httpx.get(f"{house.prometheus}/api/v1/query", params={"query": query}).json()["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    assert eventually(counted, 20, "a count of requests in Prometheus") >= 1


def test_while_kafka_is_stopped_it_is_503_and_alertmanager_delivers_when_it_is_back(house: House) -> None:
    house.kafka.stop_node(1)
    began = time.monotonic()
    answer = httpx.post(house.url("/api/v1/alerts/flux"), json={"name": "x", "status": "firing"}, timeout=20)
    assert time.monotonic() - began < 8
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    eventually(lambda: answers(house.url("/ready")) is None or None, 10, "/ready says no")
    assert answers(house.url("/health"))
    house.fire("WhileKafkaIsAway")
    time.sleep(1)
    house.kafka.start_node(1)
    record, _ = eventually(lambda: house.arrived("WhileKafkaIsAway", "firing"), 45, "the alert of the outage")
    assert dict(record.headers)["source"] == b"alertmanager"
    answer = httpx.post(house.url("/api/v1/alerts/flux"), json={"name": "x", "status": "firing"}, timeout=20)
    assert answer.status_code == 202
    eventually(lambda: answers(house.url("/ready")), 10, "/ready says yes again")
