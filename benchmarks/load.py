"""The generator, a process of its own: sends payloads to a topic, at a rate or as far ahead as it is allowed.

It reads orders from its standard input, a line each: `allow N` lets it have sent N in all, `stop` ends it. When the input ends, so does
it. Its last line on standard output is JSON: how many records it sent, how many were acknowledged, and for how long it sent.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Producer

from benchmarks.payloads import Traffic, stream
from benchmarks.report import Wrong
from benchmarks.rig import Process, Rig

TICK_S = 0.004
MOST_A_TICK = 2000
HEADERS: list[tuple[str, str | bytes | None]] = [("source", b"alertmanager")]


@dataclass
class Orders:
    allowed: float
    stop: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> None:
        for line in sys.stdin:
            word, _, number = line.strip().partition(" ")
            if word == "allow":
                self.allowed = int(number)
            else:
                break
        self.stop.set()


@dataclass
class Failures:
    count: int = 0

    def told(self, error: object, message: object) -> None:
        if error is not None:
            self.count += 1


def producer_settings(brokers: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": brokers,
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 5,
        "batch.size": 262_144,
        "compression.type": "lz4",
        "partitioner": "murmur2_random",
        "queue.buffering.max.messages": 100_000,
        "delivery.report.only.error": True,
    }


def send(options: argparse.Namespace) -> dict[str, float]:
    orders = Orders(0 if options.wait else float("inf"))
    threading.Thread(target=orders.listen, daemon=True).start()
    failures = Failures()
    producer = Producer(producer_settings(options.brokers) | {"on_delivery": failures.told})
    payloads = stream(Traffic(**json.loads(options.traffic)))
    ends = time.monotonic() + options.seconds if options.seconds else float("inf")
    sent, began = 0, time.monotonic()
    while not orders.stop.is_set() and sent < options.count and time.monotonic() < ends:
        limit = min(orders.allowed, options.count)
        if options.rate:
            limit = min(limit, int((time.monotonic() - began) * options.rate))
        due = min(int(limit) if limit < float("inf") else sent + MOST_A_TICK, sent + MOST_A_TICK)
        if due <= sent:
            time.sleep(TICK_S)
            producer.poll(0)
            continue
        while sent < due:
            try:
                producer.produce(options.topic, next(payloads), headers=HEADERS)
                sent += 1
            except BufferError:
                producer.poll(0.01)
        producer.poll(0)
    took = time.monotonic() - began
    left = producer.flush(30)
    return {"sent": sent, "acknowledged": sent - left - failures.count, "seconds": took}


class Load:
    """The generator as its starter sees it. One generator by default sends until it is told to stop."""

    def __init__(
        self,
        rig: Rig,
        topic: str,
        traffic: Traffic,
        *,
        rate: float = 0,
        seconds: float = 0,
        count: int = 0,
        wait: bool = False,
    ) -> None:
        """`wait`: send nothing before `allow` says so."""
        command = ["benchmarks.load", rig.brokers, topic, "--traffic", traffic.to_json()]
        for name, value in (("--rate", rate), ("--seconds", seconds), ("--count", count)):
            if value:
                command += [name, str(value)]
        self._process: Process = rig.helper("load", *command, *(["--wait"] if wait else []))

    @property
    def pid(self) -> int:
        return self._process.pid

    def allow(self, sent: int) -> None:
        self._write(f"allow {sent}\n")

    def stop(self) -> int:
        """End it; how many records it has sent."""
        self._write("stop\n")
        return self.finish()

    def finish(self, timeout: float = 600.0) -> int:
        """Wait until it has sent all; how many that were. Raises Wrong when Kafka did not take each."""
        process = self._process.popen
        assert process.stdout is not None
        process.wait(timeout)
        lines = process.stdout.read().splitlines()
        if process.returncode != 0 or not lines:
            raise Wrong(f"the generator ended with status {process.returncode}: {self._process.tail()}")
        result = json.loads(lines[-1])
        if result["sent"] != result["acknowledged"]:
            raise Wrong(f"of {result['sent']} records Kafka acknowledged {result['acknowledged']}")
        return int(result["sent"])

    def _write(self, line: str) -> None:
        stream = self._process.popen.stdin
        assert stream is not None
        try:
            stream.write(line.encode())
            stream.flush()
        except BrokenPipeError:
            if self._process.popen.wait() != 0:  # else it has sent all that it was to send
                self._process.check()


def main() -> None:
    parser = argparse.ArgumentParser(description="Send alert payloads to a topic.")
    parser.add_argument("brokers")
    parser.add_argument("topic")
    parser.add_argument("--traffic", required=True, help="benchmarks.payloads.Traffic as JSON")
    parser.add_argument("--rate", type=float, default=0, help="records a second; 0: as fast as allowed")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--count", type=float, default=float("inf"))
    parser.add_argument("--wait", action="store_true", help="send only what `allow N` on standard input lets")
    print(json.dumps(send(parser.parse_args())), flush=True)


if __name__ == "__main__":
    main()
