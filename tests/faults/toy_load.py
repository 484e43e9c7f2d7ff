"""Alerts and receipts for the toy lane, at a steady rate, each acknowledged by the broker."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque

from confluent_kafka import Producer

RECEIPT_AFTER = 0.15
"""Seconds from an alert that is held to its receipt: near its 0.2 s timer, so that both win at times."""


class ToyLoad(threading.Thread):
    """Runs until `finish`. `sent` counts alerts; one in 20 is held, half of those get a receipt; one in 500 raises."""

    def __init__(self, brokers: str, prefix: str, rate: int, keys: int = 200, seed: int = 1) -> None:
        super().__init__(daemon=True)
        self.sent = 0
        self.lost: list[str] = []
        self._prefix = prefix
        self._rate = rate
        self._keys = keys
        self._random = random.Random(seed)
        self._done = threading.Event()
        self._receipts: deque[tuple[float, int, str]] = deque()
        settings = {
            "bootstrap.servers": brokers,
            "enable.idempotence": True,
            "linger.ms": 5,
            "partitioner": "murmur2_random",
            "log_level": 0,
        }
        self._producer = Producer(settings)

    def finish(self) -> None:
        self._done.set()
        self.join(60)
        assert not self.is_alive()

    def run(self) -> None:
        began = time.monotonic()
        while not self._done.is_set():
            due = int((time.monotonic() - began) * self._rate)
            while self.sent < due:
                self._alert()
            self._answer(time.monotonic())
            self._producer.poll(0)
            time.sleep(0.01)
        self._answer(float("inf"))
        self._producer.flush(60)

    def _alert(self) -> None:
        self.sent += 1
        what, key = self.sent, f"k{self._random.randrange(self._keys)}"
        do = "raise" if what % 500 == 0 else "hold" if what % 20 == 0 else "pass"
        self._produce("alerts", what, key, do)
        if do == "hold" and self._random.random() < 0.5:
            self._receipts.append((time.monotonic() + RECEIPT_AFTER, what, key))

    def _answer(self, now: float) -> None:
        while self._receipts and self._receipts[0][0] <= now:
            _, what, key = self._receipts.popleft()
            self._produce("receipts", what, key, "pass")

    def _produce(self, topic: str, what: int, key: str, do: str) -> None:
        value = json.dumps({"id": what, "key": key, "do": do})
        self._producer.produce(self._prefix + topic, value, key, on_delivery=self._delivered)

    def _delivered(self, error: object, message: object) -> None:
        if error is not None:
            self.lost.append(str(error))
