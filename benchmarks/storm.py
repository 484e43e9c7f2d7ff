"""A storm: a hundred times the base rate, from services that hang on few roots. Who is told how often, is every alert decided in time, and
does memory stay flat?"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import replace
from typing import Any

from benchmarks import machine
from benchmarks.load import Load
from benchmarks.payloads import Traffic, topology
from benchmarks.reader import DECISION, Follower, account, fill, whole
from benchmarks.receiver import attempts, by_transition, config
from benchmarks.report import Aim, Result, Wrong, arguments, conduct, parse, say, spread
from benchmarks.rig import Lane, Rig
from tests.fakes.receivers import FakeReceiver

BASE_RATE, TIMES = 40, 100
IN_TIME_S = 15.0
AFTER_S = 75.0
"""Pages are counted so long after the last alert: holds (30 s) and updates (once a minute) that the storm led to are over by then."""
AIMS = (Aim("decided_within_15_s", 1.0, at_least=True), Aim("pages", 49))


class Verdicts:
    """How long each decision took, and what it was."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.outcomes: Counter[str] = Counter()
        self.fingerprints: set[str] = set()

    def note(self, message: Any, now: float) -> None:
        seen = DECISION(message.value())
        self.seconds.append(now - seen.received_at.timestamp())
        self.outcomes[seen.outcome] += 1
        self.fingerprints.add(seen.fingerprint)


def main() -> None:
    parser = arguments(__doc__ or "", seconds=60, rate=BASE_RATE * TIMES, quick_seconds=2)
    parser.add_argument("--domains", type=int, default=4, help="clusters that the roots are spread over; default 4")
    conduct("storm", parse(parser), measure, AIMS)


def measure(options: argparse.Namespace) -> Result:
    traffic = Traffic(domains=options.domains, services=320, roots=20, new=0.3, critical=0.01)
    verdicts = Verdicts()
    with FakeReceiver() as receiver, Rig(options, config(receiver)) as rig:
        fill(rig.brokers, rig.topic("topology"), [(one.name, one.to_json()) for one in topology(traffic)])
        _, decide, _ = rig.lanes("intake", "decide", "act")
        follower = Follower(rig.brokers, [rig.topic("decisions")], verdicts.note, batch=1000)
        try:
            load = Load(rig, rig.topic("alerts.raw"), traffic, rate=options.rate, seconds=options.seconds)
            memory = watch_memory(decide, verdicts, options.seconds)
            sent = load.finish(options.seconds + 60)
            follower.wait_for(sent, 60)
            paged_in_storm = len(receiver.attempts)
            memory["after"] = machine.rss_mb(decide.pid)
            time.sleep(1 if options.quick else AFTER_S)
            pages = attempts(receiver)
            result = figures(verdicts, sent, live_keys(rig), memory)
            repeats = again(rig, decide, follower, traffic, options, result)
        finally:
            follower.close()
        account(rig.brokers, rig.topic("decisions"), sent + repeats)
    return result | {
        "pages": len(pages),
        "pages_by_transition": by_transition(pages),
        "pages_while_it_lasted": paged_in_storm,
        "incidents_told": len({one.call.incident.incident_id for one in pages}),
        "transmitted_twice": len(pages) - len({one.call.effect_id for one in pages}),
    }


def watch_memory(decide: Lane, verdicts: Verdicts, seconds: float) -> dict[str, float]:
    """Memory of the decide worker a sixth into the storm, with the number of alerts known then, and at its end."""
    warm = seconds / 6
    began = time.monotonic()
    while time.monotonic() - began < warm:
        decide.check()
        time.sleep(0.1)
    memory = {"warm": machine.rss_mb(decide.pid), "alerts_warm": float(len(verdicts.fingerprints))}
    while time.monotonic() - began < seconds:
        decide.check()
        time.sleep(0.1)
    return memory


def again(rig: Rig, decide: Lane, follower: Follower, traffic: Traffic, options: argparse.Namespace, result: Result) -> int:
    """A third as long at the same rate, but only of alerts that the storm has brought already: now memory must not grow. How many."""
    known = min(8000, int(options.rate * options.seconds * traffic.new / 2))
    count = int(options.rate * options.seconds / 3)
    before, had = machine.rss_mb(decide.pid), follower.count
    Load(rig, rig.topic("alerts.raw"), replace(traffic, most_new=known), rate=options.rate, count=count).finish()
    if not follower.wait_for(had + count, 60):
        raise Wrong(f"of {count} repeats {follower.count - had} were decided")
    result["rss_growth_repeats_mb"] = round(machine.rss_mb(decide.pid) - before, 1)
    say(f"  {count:,} more alerts, all known: decide grew by {result['rss_growth_repeats_mb']} MB")
    return count


def live_keys(rig: Rig) -> int:
    """Rows that the decide lane keeps, from its changelog."""
    rows: dict[bytes, bool] = {}
    for message in whole(rig.brokers, rig.topic("decide.state")):
        rows[message.key()] = message.value() is not None
    return sum(rows.values())


def figures(verdicts: Verdicts, sent: int, keys: int, memory: dict[str, float]) -> Result:
    if not verdicts.seconds:
        raise Wrong("nothing was decided")
    within = sum(1 for took in verdicts.seconds if took <= IN_TIME_S)
    p50, p99, most = spread([took * 1000 for took in verdicts.seconds])
    alerts = len(verdicts.fingerprints)
    growth = memory["after"] - memory["warm"]
    each = growth * 2**20 / max(1.0, alerts - memory["alerts_warm"])
    say(f"  {sent:,} alerts ({alerts:,} different ones), decided p50 {p50} ms, p99 {p99} ms, most {most} ms")
    say(f"  decide holds {keys:,} keys in {memory['after']:.0f} MB; it grew by {growth:.0f} MB, {each:.0f} bytes for each new alert")
    return {
        "decided_within_15_s": round(within / sent, 6),
        "rss_growth_mb": round(growth, 1),
        "rss_mb": round(memory["after"], 1),
        "bytes_per_new_alert": round(each),
        "alerts": sent,
        "different_alerts": alerts,
        "keys": keys,
        "decided_p50_ms": p50,
        "decided_p99_ms": p99,
        "decided_max_ms": most,
        "outcomes": dict(verdicts.outcomes),
    }


if __name__ == "__main__":
    main()
