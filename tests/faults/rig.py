"""The real workers as processes, on any broker, with recording receivers; and waiting until all that they owe is done."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from tests.fakes.receivers import FakeReceiver
from tests.faults.fleet import Fleet, Member
from tests.faults.reading import Tail
from tests.faults.stories import Payload

HOLD_S = 2.0
OWED = (b"hold", b"publish", b"count", b"update", b"calm")
"""Timers that change what people see soon. Those of deliveries stay behind when their receipt comes: the receipts are counted instead."""
SOON_MS = 20_000
LANES = (("intake", 0), ("intake", 1), ("decide", 0), ("decide", 1), ("act", 0))
RESTARTED = {0, 3}
"""Statuses after which a supervisor starts a worker again."""
WORKS = ("task runs", "partitions assigned")
"""Log events that say that a worker works."""
NOISE = {"transient_hold_s": HOLD_S, "flap_quiet_s": 3, "count_gap_s": 2, "update_gap_s": 2}
"""Short, so that a test sees every kind of timer."""


def worker(lane: str, slot: int = 0) -> Member:
    command = [sys.executable, "-m", "pipeline.cli.main", "worker", lane, "--slot", str(slot)]
    return Member(f"{lane}-{slot}", command, engine=lane in ("intake", "decide"))


def write_config(path: Path, receivers: dict[str, FakeReceiver], routes: object = (), timeout_s: float = 2.0) -> Path:
    """JSON is YAML. The first receiver is the default."""
    described = [
        {"name": name, "type": "webhook", "url": one.url, "allow_private": True, "timeout_s": timeout_s, "max_in_flight": 128}
        for name, one in receivers.items()
    ]
    path.write_text(json.dumps({"noise": NOISE, "notify": {"receivers": described, "routes": routes}}, indent=1))
    return path


def environment(brokers: str, prefix: str, config: Path) -> dict[str, str]:
    return {"FLUX_KAFKA_BROKERS": brokers, "FLUX_TOPIC_PREFIX": prefix, "FLUX_CONFIG": str(config), "FLUX_STATE_DIR": str(config.parent)}


class Rest:
    """Whether the lane is at rest: everything decided, everybody told, and no timer due soon."""

    def __init__(self, brokers: str, prefix: str) -> None:
        self._tail = Tail(brokers, prefix, "decisions", "dead_letters", "effects.delivery", "receipts", "decide.state")

    def __enter__(self) -> Rest:
        return self

    def __exit__(self, *unused: object) -> None:
        self._tail.__exit__()

    def missing(self, sent: Iterable[Payload]) -> str:
        """What is still to come after `sent`, in words; empty at rest."""
        self._tail.advance()
        records, ledger = self._tail.records, [entry for payload in sent for entry in payload.ledger]
        decisions = sum("key" in entry for entry in ledger) - len(records["decisions"])
        dead = sum("dead" in entry for entry in ledger) - len(records["dead_letters"])
        effects = (json.loads(message.value()) for message in records["effects.delivery"])
        latest = {(one["incident"]["incident_id"], one["receiver"]): one["effect_id"] for one in effects}
        answers = (json.loads(message.value()) for message in records["receipts"])
        done = {one["effect_id"] for one in answers if one["status"] == "done"}
        effects_left = len(set(latest.values()) - done)
        timers = self._timers_soon()
        found = {"decisions": decisions, "dead letters": dead, "effects": effects_left, "timers": timers}
        return ", ".join(f"{count} {what}" for what, count in found.items() if count)

    def _timers_soon(self) -> int:
        waiting: dict[bytes, bytes | None] = {}
        for message in self._tail.records["decide.state"]:
            if message.key().startswith(b"\x00T"):
                waiting[message.key()] = message.value()
        soon = time.time() * 1000 + SOON_MS
        return sum(value is not None and int(key[2:15]) < soon and key[16:].partition(b"|")[0] in OWED for key, value in waiting.items())


def settle(fleet: Fleet, rest: Rest, sent: Iterable[Payload], seconds: float) -> float:
    """Wait for rest; how long it took. Raises TimeoutError with what is missing."""
    began = time.monotonic()
    while missing := rest.missing(sent):
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not at rest after {seconds:g} s: {missing} missing")
        fleet.watch(0.3)
    return time.monotonic() - began


def until(fleet: Fleet, condition: Callable[[], bool], seconds: float) -> float:
    """Keep the fleet going until the condition holds; how long it took. Raises TimeoutError."""
    began = time.monotonic()
    while not condition():
        if set(fleet.exits) - RESTARTED:
            raise RuntimeError(f"a worker ends by itself: {dict(fleet.exits)}: {fleet.log()[-2000:]}")
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not within {seconds:g} s")
        fleet.watch(0.1)
    return time.monotonic() - began


def all_work(fleet: Fleet, names: Iterable[str]) -> Callable[[], bool]:
    """Whether each of these workers has begun its work at least once."""
    return lambda: all(any(what in WORKS for _, what in said(fleet.log_of(name))) for name in names)


def recoveries(fleet: Fleet) -> dict[str, list[float]]:
    """For each death that the worker had time to get over: seconds until it worked again, by lane. Read from the workers' own logs."""
    found: dict[str, list[float]] = {}
    for name in {death.name for death in fleet.history}:
        deaths = sorted((death for death in fleet.history if death.name == name), key=lambda death: death.at)
        ready = [at for at, what in said(fleet.log_of(name)) if what in WORKS]
        for death, following in zip(deaths, [*deaths[1:], None], strict=True):
            back = next((at for at in ready if at > death.at and (following is None or at < following.at)), None)
            if back is not None:
                found.setdefault(name.partition("-")[0], []).append(round(back - death.at, 2))
    return found


def said(log: str) -> list[tuple[float, str]]:
    """(seconds since the epoch, event) of a worker's log lines."""
    found = []
    for line in log.splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            found.append((datetime.fromisoformat(entry["timestamp"]).timestamp(), entry["event"]))
    return found
