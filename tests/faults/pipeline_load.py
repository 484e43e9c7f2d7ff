"""Stories told to the raw topic at a steady rate, each record acknowledged by the broker, with its ledger as a header."""

from __future__ import annotations

import heapq
import json
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count

from confluent_kafka import Producer

from tests.faults.stories import MUTED, Payload, stories

LEDGER = "ledger"


class Sender:
    """Writes payloads and what people say. `failed` has what the broker did not take."""

    def __init__(self, brokers: str, prefix: str) -> None:
        self.failed: list[str] = []
        self.sent: list[Payload] = []
        self._prefix = prefix
        settings = {"bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 5, "partitioner": "murmur2_random"}
        self._producer = Producer(settings | {"log_level": 0, "delivery.timeout.ms": 120_000})

    def silence(self) -> None:
        """The silence that some stories count on. Send it before the workers start."""
        self._producer.produce(self._prefix + "silences", json.dumps(MUTED), str(MUTED["silence_id"]))
        self.flush()

    def send(self, payload: Payload) -> None:
        self.sent.append(payload)
        headers: list[tuple[str, str | bytes | None]] = [("source", payload.source.encode()), (LEDGER, json.dumps(payload.ledger).encode())]
        self._producer.produce(self._prefix + "alerts.raw", payload.body, payload.key, headers=headers, on_delivery=self._delivered)
        self._producer.poll(0)

    def acknowledge(self, incident_id: str, domain: str, by: str) -> None:
        body = {"feedback_id": f"{by}-{incident_id}", "kind": "acknowledge", "incident_id": incident_id, "domain": domain, "by": by}
        value = json.dumps(body | {"at": datetime.now(UTC).isoformat()})
        self._producer.produce(self._prefix + "feedback", value, domain, on_delivery=self._delivered)

    def flush(self) -> None:
        left = self._producer.flush(60)
        if left:
            self.failed.append(f"{left} records were not acknowledged")

    def _delivered(self, error: object, message: object) -> None:
        if error is not None:
            self.failed.append(str(error))


class PipelineLoad(threading.Thread):
    """Begins `rate` stories a second until `finish`, which sends what the begun ones still lack, in order. Endings are not sent."""

    def __init__(self, sender: Sender, rate: float, seed: int) -> None:
        super().__init__(daemon=True)
        self.endings: list[Payload] = []
        self.stories = 0
        self._sender = sender
        self._rate = rate
        self._source = stories(seed)
        self._due: list[tuple[float, int, Payload]] = []
        self._number = count()
        self._done = threading.Event()

    def finish(self) -> None:
        self._done.set()
        self.join(60)
        if self.is_alive():
            raise TimeoutError("the load does not end")

    def run(self) -> None:
        began = time.monotonic()
        while not self._done.wait(0.02):
            now = time.monotonic() - began
            while self.stories < now * self._rate:
                self._begin(now)
            while self._due and self._due[0][0] <= now:
                self._sender.send(heapq.heappop(self._due)[2])
        while self._due:
            self._sender.send(heapq.heappop(self._due)[2])
        self._sender.flush()

    def _begin(self, now: float) -> None:
        story = next(self._source)
        self.stories += 1
        for after, payload in story.steps:
            heapq.heappush(self._due, (now + after, next(self._number), payload))
        self.endings += story.endings


def send_all(sender: Sender, payloads: Iterable[Payload], rate: float = 1000) -> None:
    """In this order, at most `rate` a second."""
    began = time.monotonic()
    for number, payload in enumerate(payloads):
        if (ahead := number / rate - (time.monotonic() - began)) > 0.05:
            time.sleep(ahead)
        sender.send(payload)
    sender.flush()
