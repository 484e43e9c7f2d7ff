"""The whole pipeline with a model server that fails, on a real Kafka: verdicts in time, what they say, and whether pages are any later.

Every incident's first revision, the first one that says what became of the question, and the first attempt at each P1's page are timed
from the broker's time of the raw record, by a reader that shares no code with the workers.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Producer

from benchmarks.advice_alone import FAULTS, MODEL, Server
from benchmarks.fake_ollama import Remote, process
from benchmarks.fake_reply import Fault
from benchmarks.load import HEADERS, producer_settings
from benchmarks.reader import Follower
from benchmarks.receiver import VERDICT, attempts, config
from benchmarks.report import Result, Wrong, say, spread
from benchmarks.rig import Rig
from pipeline.broker.jars import LocalKafkaError
from pipeline.broker.local import LocalKafka
from tests.fakes.receivers import FakeReceiver

RATE = 60.0
WARM_UP = 200
"""Incidents a second, until there are as many as asked for."""
WORDS = ("critical", "high", "high", "warning", "warning", "warning", "warning", "warning", "info", "info")
"""Every tenth is a P1."""
AFTER_S = 1.5
WITHOUT, AGAIN = "without", "without_again"


class Advised(msgspec.Struct):
    status: str


class Revision(msgspec.Struct):
    incident_id: str
    revision: int
    service: str
    deadline: datetime
    degraded: bool = False
    advice: Advised | None = None


REVISION = msgspec.json.Decoder(Revision).decode
PENDING = "pending"


@dataclass
class Seen:
    """Of one incident: seconds after its alert came in, at which the reader had it."""

    first_s: float
    settled_s: float | None = None
    says: str = ""


@dataclass
class Reader:
    """`cases`: by name, its incidents. A service's name begins with the case's."""

    cases: dict[str, dict[str, Seen]] = field(default_factory=dict)

    def note(self, message: Any, now: float) -> None:
        one = REVISION(message.value())
        took = now - (one.deadline - VERDICT).timestamp()
        seen = self.cases.setdefault(one.service.rpartition("-")[0], {}).setdefault(one.incident_id, Seen(took))
        if seen.settled_s is None and one.advice is not None and one.advice.status != PENDING:
            seen.settled_s, seen.says = took, "degraded" if one.degraded else one.advice.status

    def settled(self, case: str) -> int:
        return sum(one.settled_s is not None for one in self.cases.get(case, {}).values())


def measure(options: argparse.Namespace) -> Result:
    """Without any provider, with one that is well, and with one that fails, each on the same Kafka in the same run."""
    with tempfile.TemporaryDirectory(prefix="fluxai-bench-", ignore_cleanup_errors=True) as directory:
        kafka = None if options.broker else LocalKafka(Path(directory, "kafka"))
        shared = copy.copy(options)
        try:
            if kafka is not None:
                say("starting Kafka")
                shared.broker = kafka.start()
            return figures(options, without_provider(WITHOUT, shared) | with_provider(shared) | without_provider(AGAIN, shared))
        except LocalKafkaError as error:
            raise Wrong(str(error)) from error
        finally:
            if kafka is not None:
                kafka.wipe()


def without_provider(name: str, options: argparse.Namespace) -> dict[str, Result]:
    with FakeReceiver() as receiver, Rig(options, config(receiver)) as rig:
        rig.lanes("intake", "decide", "act")
        return {name: case(name, options, rig, receiver)}


def with_provider(options: argparse.Namespace) -> dict[str, Result]:
    server = Server(options.slots, options.step_ms, options.tokens)
    found = {}
    for fault in (Fault.NONE, *FAULTS):
        name = "well" if fault is Fault.NONE else fault.value
        with process(*server.options) as fake, FakeReceiver() as receiver:
            settings = {"OLLAMA_URL": fake.url, "OLLAMA_MODEL": MODEL, "OLLAMA_NUM_PARALLEL": str(options.slots)}
            with Rig(options, config(receiver), **settings) as rig:
                rig.lanes("intake", "decide", "act", "advise")
                before = fake.stats()
                found[name] = case(name, options, rig, receiver, fault, fake)
                if fault is not Fault.DEAD:
                    stats = fake.stats()
                    found[name] |= {"in_flight_max": stats["in_flight_max"], "reloads": stats["reloads"] - before["reloads"]}
    return found


def case(
    name: str, options: argparse.Namespace, rig: Rig, receiver: FakeReceiver, fault: Fault = Fault.NONE, fake: Remote | None = None
) -> Result:
    """A storm of incidents; then wait until each has said what became of its question, or should have. The server fails before it."""
    reader = Reader()
    follower = Follower(rig.brokers, [rig.topic("incidents.triaged")], reader.note)
    try:
        send(f"{name}w", WARM_UP, rig)  # the workers have just started
        time.sleep(2)
        if fake is not None and fault is not Fault.NONE:
            fake.set_fault(fault)
        send(name, options.incidents, rig)
        ends = time.monotonic() + VERDICT.total_seconds() + AFTER_S
        while time.monotonic() < ends and not done(reader, name, options.incidents):
            follower.check()
            time.sleep(0.05)
    finally:
        follower.close()
    return told(name, options.incidents, reader, receiver)


def done(reader: Reader, name: str, count: int) -> bool:
    if name in (WITHOUT, AGAIN):
        return len(reader.cases.get(name, {})) >= count
    return reader.settled(name) >= count


def send(name: str, count: int, rig: Rig) -> None:
    """At RATE, each record of a service of its own. Raises Wrong when Kafka does not take them."""
    producer = Producer(producer_settings(rig.brokers) | {"log_level": 0})
    began = time.monotonic()
    for number in range(count):
        producer.produce(rig.topic("alerts.raw"), alert(f"{name}-{number}", WORDS[number % len(WORDS)], number), headers=HEADERS)
        producer.poll(0)
        time.sleep(max(0.0, began + (number + 1) / RATE - time.monotonic()))
    if producer.flush(30):
        raise Wrong("Kafka did not take all alerts")


def alert(service: str, severity: str, number: int) -> bytes:
    labels = {"alertname": "HighErrorRate", "severity": severity, "cluster": f"cluster-{number % 24}", "environment": "production"}
    annotations = {"summary": f"Errors of {service}", "description": f"More than 5 % of the requests to {service} failed in 10 minutes."}
    starts = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"labels": labels | {"service": service}, "annotations": annotations, "startsAt": starts}).encode()


def told(name: str, count: int, reader: Reader, receiver: FakeReceiver) -> Result:
    incidents = list(reader.cases.get(name, {}).values())
    if len(incidents) != count:
        raise Wrong(f"{name}: {count} alerts of as many services made {len(incidents)} incidents")
    pages = [
        (one.at - one.raw_at) * 1000
        for one in attempts(receiver)
        if one.call.transition == "fired" and one.call.attempt == 1 and one.call.incident.severity == "P1"
        if one.call.incident.service.startswith(f"{name}-")
    ]
    p50, p99, most = spread(pages)
    limit = VERDICT.total_seconds()
    result: Result = {
        "verdicts_in_time": round(sum(one.first_s <= limit for one in incidents) / count, 6),
        "first_revision_max_s": round(max(one.first_s for one in incidents), 2),
        "page_p50_ms": p50,
        "page_p99_ms": p99,
        "page_max_ms": most,
        "p1_pages": len(pages),
    }
    if name not in (WITHOUT, AGAIN):
        settled = [one.settled_s for one in incidents if one.settled_s is not None]
        says: dict[str, int] = {}
        for one in incidents:
            says[one.says or PENDING] = says.get(one.says or PENDING, 0) + 1
        result |= {
            "settled_in_time": round(sum(at <= limit for at in settled) / count, 6),
            "settled_max_s": round(max(settled, default=0.0), 2),
            "says": says,
        }
    shown = f"; {result['settled_in_time']:.1%} say in time what became of the question: {result['says']}" if "says" in result else ""
    say(f"  {name}: {result['verdicts_in_time']:.1%} verdicts in time{shown}; pages p50 {p50} ms, p99 {p99} ms, of {len(pages)}")
    return result


def figures(options: argparse.Namespace, cases: dict[str, Result]) -> Result:
    provided = {name: one for name, one in cases.items() if name not in (WITHOUT, AGAIN)}
    return {
        "pipeline_verdicts_in_time": min(one["verdicts_in_time"] for one in cases.values()),
        "pipeline_settled_in_time": min(one["settled_in_time"] for one in provided.values()),
        "page_ms_without": [[cases[name]["page_p50_ms"], cases[name]["page_p99_ms"]] for name in (WITHOUT, AGAIN)],
        "page_ms_worst": [max(one[key] for one in provided.values()) for key in ("page_p50_ms", "page_p99_ms")],
        "pipeline_incidents": options.incidents,
        "pipeline": cases,
    }


if __name__ == "__main__":
    raise SystemExit("python -m benchmarks.advice --only-pipeline")
