"""A real kcat produces alerts and reads what comes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.normalize import NormalizeRules
from pipeline.api.publish import Coordinates
from pipeline.api.server import as_intake_does, build_api
from pipeline.broker import topics
from pipeline.config import Config
from pipeline.history.reading import TopicReader
from pipeline.settings import Settings
from pipeline.supervisor import project_path
from tests.kafka.programs import eventually, program, running

pytestmark = pytest.mark.kafka

ALERT: dict[str, Any] = {"name": "DiskFull", "status": "firing", "service": "db", "source_severity": "critical", "labels": {"host": "db-1"}}


def kcat(kafka: str, *arguments: str, given: bytes = b"") -> str:
    command = [program("kcat", "kcat"), "-b", kafka, *arguments]
    done = subprocess.run(command, input=given, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def read_topic(kafka: str, topic: str) -> list[dict[str, Any]]:
    """Committed records of a topic up to its end, as kcat prints them in JSON."""
    lines = kcat(kafka, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J", "-X", "isolation.level=read_committed").splitlines()
    return [json.loads(line) for line in lines]


def test_an_alert_that_kcat_produces_is_a_raw_record_that_intake_reads(kafka: str, prefix: str) -> None:
    topics.apply(kafka, prefix, names=["alerts.raw"])
    kcat(kafka, "-P", "-t", f"{prefix}alerts.raw", "-H", "source=flux", given=json.dumps(ALERT).encode() + b"\n")
    ((record,),) = TopicReader({"bootstrap.servers": kafka}, prefix).newest_first("alerts.raw")
    assert dict(record.headers) == {"source": b"flux"}
    where = Coordinates(f"{prefix}alerts.raw", record.partition, record.offset, record.timestamp)
    (alert,) = as_intake_does(NormalizeRules())(record.value or b"", "flux", where).alerts
    assert (alert.name, alert.service, alert.labels) == ("DiskFull", "db", {"host": "db-1"})


def test_what_the_front_door_took_is_what_kcat_reads(kafka: str, prefix: str) -> None:
    topics.apply(kafka, prefix, names=["alerts.raw"])
    stop = threading.Event()
    api = build_api(Settings(brokers=kafka, topic_prefix=prefix, api_port=0), Config(), stop)
    thread = threading.Thread(target=api.run)
    thread.start()
    try:
        assert api.listening.wait(10)
        answer = httpx.post(f"http://127.0.0.1:{api.port}/api/v1/alerts/flux", json=ALERT, timeout=20)
        assert answer.status_code == 202
    finally:
        stop.set()
        thread.join(15)
    (record,) = read_topic(kafka, f"{prefix}alerts.raw")
    assert json.loads(record["payload"]) == ALERT
    assert {key: record[key] for key in ("partition", "offset")} == {
        key: answer.json()["coordinates"][key] for key in ("partition", "offset")
    }
    assert record["headers"][:2] == ["source", "flux"]


WORKERS = ("intake", "decide")


def test_kcat_produces_an_alert_and_reads_the_incident(kafka: str, prefix: str, tmp_path: Path) -> None:
    program("kcat", "kcat")
    topics.apply(kafka, prefix)
    alert = {**ALERT, "environment": "production", "labels": {**ALERT["labels"], "severity": "P1"}}
    with ExitStack() as stack:
        for lane in WORKERS:
            stack.enter_context(
                running([sys.executable, "-P", "-m", "pipeline.cli.main", "worker", lane], tmp_path / f"{lane}.log", worker(kafka, prefix))
            )
        kcat(kafka, "-P", "-t", f"{prefix}alerts.raw", "-H", "source=flux", given=json.dumps(alert).encode() + b"\n")
        found = eventually(lambda: read_topic(kafka, f"{prefix}incidents.triaged") or None, 30, "an incident that kcat can read", 0.5)
    incident = json.loads(found[0]["payload"])
    assert (incident["schema"], incident["status"], incident["service"], incident["severity"]) == (1, "open", "db", "P1")
    assert incident["alert_count"] == 1
    assert found[0]["key"] == incident["domain"]


def worker(kafka: str, prefix: str) -> dict[str, str]:
    """The environment of a worker of this test's own."""
    return {**project_path(os.environ), "FLUX_KAFKA_BROKERS": kafka, "FLUX_TOPIC_PREFIX": prefix}
