"""Kill the workers of the alert lane again and again under load, then compare contents.

    python -m tests.faults.campaign --kills 20 --seconds 120 --seed 1 [--broker HOST:PORT]

Without a broker it starts an Apache Kafka of its own. Prints one JSON line last, and exits 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.broker import topics
from pipeline.broker.local import LocalKafka
from pipeline.engine.faults import POINTS
from tests.fakes.receivers import FakeReceiver
from tests.faults.check_pipeline import Report, check
from tests.faults.check_receiver import check_receiver
from tests.faults.fleet import Fleet
from tests.faults.pipeline_load import PipelineLoad, Sender, send_all
from tests.faults.rig import HOLD_S, LANES, Rest, all_work, environment, recoveries, settle, until, worker, write_config
from tests.faults.stories import Payload

FAULT_PROBABILITY = 0.04
ACKNOWLEDGE_ONE_IN = 7
REST_S = 60.0


@dataclass
class Played:
    """A run and what was found."""

    report: Report
    payloads: list[Payload]
    endings: list[Payload]
    kills: dict[str, int] = field(default_factory=dict)
    exits: dict[int, int] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    recovered_s: dict[str, list[float]] = field(default_factory=dict)
    rest_s: float = 0.0
    log: str = ""

    def as_json(self) -> dict[str, Any]:
        worst = {f"{lane}_back_max_s": max(found) for lane, found in self.recovered_s.items()}
        middle = {f"{lane}_back_p50_s": sorted(found)[len(found) // 2] for lane, found in self.recovered_s.items()}
        return {"kills": sum(self.kills.values()), "by": self.kills, "exits": self.exits} | middle | worst | self.report.as_json()


class People:
    """Acknowledge some of the pages that arrive."""

    def __init__(self, hook: FakeReceiver, sender: Sender) -> None:
        self._hook = hook
        self._sender = sender
        self._seen = 0
        self._known: set[str] = set()

    def look(self) -> None:
        hits = self._hook.hits
        for hit in hits[self._seen :]:
            incident = hit.json["incident"]
            if incident["incident_id"] not in self._known:
                self._known.add(incident["incident_id"])
                if len(self._known) % ACKNOWLEDGE_ONE_IN == 0:
                    self._sender.acknowledge(incident["incident_id"], incident["domain"], f"person-{len(self._known)}")
        self._seen = len(hits)


def play(brokers: str, prefix: str, logs: Path, *, seed: int, kills: int, seconds: float, rate: float) -> Played:
    """A steady load for `seconds`, or longer when the kills take longer; then rest, the endings, rest again, and the check."""
    with scene(brokers, prefix, logs, LANES, FAULT_PROBABILITY if kills else 0.0, seed) as (fleet, hook, sender):
        load, people = PipelineLoad(sender, rate, seed), People(hook, sender)
        until(fleet, all_work(fleet, [f"{lane}-{slot}" for lane, slot in LANES]), 40)
        load.start()
        began = time.monotonic()
        while (
            fleet.deaths["kill"] < kills or time.monotonic() - began < seconds or (kills and not any(fleet.deaths[one] for one in POINTS))
        ):
            if fleet.deaths["kill"] < kills:
                fleet.kill(fleet.random.randrange(len(LANES)))
            fleet.watch(fleet.random.uniform(0.3, 1.5) * max(1.0, seconds / max(1, kills) / 1.1))
            people.look()
            if time.monotonic() - began > seconds + 60:
                raise TimeoutError(f"only {fleet.deaths} in {seconds + 60:g} s")
        load.finish()
        return end(brokers, prefix, fleet, hook, sender, load.endings)


def replay(brokers: str, prefix: str, logs: Path, played: Played) -> Played:
    """The same payloads in the same order, as fast as they go, and nobody is killed."""
    with scene(brokers, prefix, logs, (("intake", 0), ("decide", 0), ("act", 0)), 0.0, 1) as (fleet, hook, sender):
        send_all(sender, played.payloads)
        return end(brokers, prefix, fleet, hook, sender, played.endings)


@contextmanager
def scene(
    brokers: str, prefix: str, logs: Path, lanes: Sequence[tuple[str, int]], faults: float, seed: int
) -> Iterator[tuple[Fleet, FakeReceiver, Sender]]:
    topics.apply(brokers, prefix)
    logs.mkdir(parents=True, exist_ok=True)
    sender = Sender(brokers, prefix)
    sender.silence()
    with FakeReceiver() as hook:
        said = environment(brokers, prefix, write_config(logs / "flux.yaml", {"hook": hook}))
        with Fleet([worker(*lane) for lane in lanes], said, logs, fault_probability=faults, seed=seed) as fleet:
            yield fleet, hook, sender


def end(brokers: str, prefix: str, fleet: Fleet, hook: FakeReceiver, sender: Sender, endings: list[Payload]) -> Played:
    payloads = list(sender.sent)
    with Rest(brokers, prefix) as rest:
        took = settle(fleet, rest, payloads, REST_S)
        fleet.calm()
        send_all(sender, endings)
        settle(fleet, rest, sender.sent, REST_S)
    statuses = fleet.stop()
    report = check(brokers, prefix, HOLD_S, stopped=True)
    arrivals = [(hit.headers["Idempotency-Key"], hit.body) for hit in hook.hits]
    report.counts |= check_receiver("hook", arrivals, report.stories, report.wrong)
    report.wrong += sender.failed
    if report.counts["raw"] != len(sender.sent):
        report.wrong.append(f"{len(sender.sent)} records were sent, the raw topic has {report.counts['raw']}")
    if fleet.deaths["unexplained"]:
        report.wrong.append(f"{fleet.deaths['unexplained']} workers were killed by somebody else")
    return Played(report, payloads, endings, dict(fleet.deaths), dict(fleet.exits), statuses, recoveries(fleet), took, fleet.log())


def differences(one: Played, other: Played) -> list[str]:
    """Events that time does not decide and that ended otherwise in the other run."""
    first, second = one.report.outcomes, other.report.outcomes
    return [f"{place}: {first.get(place)} and {second.get(place)}" for place in sorted(first.keys() | second.keys())
            if first.get(place) != second.get(place)]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120, help="of load")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=25, help="stories a second; one is about 4 alert events")
    parser.add_argument("--broker", help="HOST:PORT; unset: a Kafka of its own")
    parser.add_argument("--keep", type=Path, help="folder for logs and configuration; unset: they are deleted")
    given = parser.parse_args(arguments)
    prefix = f"campaign{uuid.uuid4().hex[:6]}."
    with tempfile.TemporaryDirectory(prefix="fluxai-campaign-") as scratch:
        folder = given.keep or Path(scratch)
        cluster = None if given.broker else LocalKafka(Path(scratch, "kafka"))
        try:
            brokers = given.broker or (cluster.start() if cluster else "")
            wanted = {"seed": given.seed, "kills": given.kills, "seconds": given.seconds, "rate": given.rate}
            played = play(brokers, prefix, folder / "killed", **wanted)
            reference = replay(brokers, prefix + "again.", folder / "replayed", played)
        finally:
            if cluster is not None:
                cluster.wipe()
    differing = differences(played, reference)
    found = {"seed": given.seed, "prefix": prefix} | played.as_json()
    found |= {"differing": len(differing), "compared": len(played.report.outcomes), "replay_problems": reference.report.wrong[:5]}
    found["fault_points"] = {point: played.kills.get(point, 0) for point in POINTS}
    print(json.dumps(found))
    return 1 if played.report.wrong or differing or reference.report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
