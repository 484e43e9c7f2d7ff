"""A decide worker with much state is killed and started again: how long until it decides, and how much memory does it need?"""

from __future__ import annotations

import argparse
import time
from typing import Any

from benchmarks import machine
from benchmarks.load import Load
from benchmarks.payloads import Traffic
from benchmarks.reader import DECISION, Follower, account, whole
from benchmarks.report import Aim, Result, Wrong, arguments, conduct, parse, say
from benchmarks.rig import Lane, Rig

AHEAD = 20_000
TRICKLE = 200.0
"""Alerts a second while the worker is killed, so that each partition always has something to decide."""
LONGEST_S = 120.0
AIMS = (Aim("seconds", 10), Aim("rss_mb", 300))


class Watch:
    """When each partition had a decision that was taken after `since` (epoch seconds)."""

    def __init__(self) -> None:
        self.since = 0.0
        self.first: dict[int, float] = {}
        self.known: set[int] = set()

    def note(self, message: Any, now: float) -> None:
        number = message.partition()
        self.known.add(number)
        if self.since and number not in self.first and DECISION(message.value()).decided_at.timestamp() > self.since:
            self.first[number] = now - self.since

    def killed(self, at: float) -> None:
        self.first.clear()
        self.since = at


def main() -> None:
    parser = arguments(__doc__ or "", seconds=5, rate=None, quick_seconds=1)
    parser.add_argument("--keys", type=int, default=0, help="alerts that fire when the worker is killed; default 200,000")
    parser.add_argument("--kills", type=int, default=0, help="kills in a run; default 3")
    conduct("recovery", parse(parser), measure, AIMS)


def measure(options: argparse.Namespace) -> Result:
    keys = options.keys or (5_000 if options.quick else 200_000)
    kills = options.kills or (1 if options.quick else 3)
    watch = Watch()
    with Rig(options) as rig:
        _, decide = rig.lanes("intake", "decide")
        follower = Follower(rig.brokers, [rig.topic("decisions")], watch.note, batch=1000)
        try:
            sent = fill_state(rig, follower, keys)
            before = machine.rss_mb(decide.pid)
            say(f"  {keys:,} alerts fire; decide holds {before:.0f} MB")
            trickle = Load(rig, rig.topic("alerts.raw"), Traffic(seed=3), rate=TRICKLE)
            time.sleep(1 + options.seconds)
            rounds = []
            for _ in range(kills):
                decide, figures = kill_and_wait(rig, decide, watch)
                rounds.append(figures)
                time.sleep(options.seconds)
                figures["rss_mb"] = machine.rss_mb(decide.pid)
                figures["peak_mb"] = machine.peak_rss_mb(decide.pid) or 0.0
            sent += trickle.stop()
            if not follower.wait_for(sent, 60):
                raise Wrong(f"of {sent} alerts {follower.count} were decided")
        finally:
            follower.close()
        for process in rig.processes:
            process.ask_to_leave()
        account(rig.brokers, rig.topic("decisions"), sent)
        rows, live = state_of(rig)
    return result_of(rounds, rows, live, before, sent)


def fill_state(rig: Rig, follower: Follower, keys: int) -> int:
    """Let so many different alerts fire, and wait until each is decided."""
    traffic = Traffic(services=240, new=1.0, critical=0.001, seed=2)
    load = Load(rig, rig.topic("alerts.raw"), traffic, count=keys, wait=True)
    last, moved = -1, time.monotonic()
    while follower.count < keys:
        follower.check()
        load.allow(follower.count + AHEAD)
        if follower.count != last:
            last, moved = follower.count, time.monotonic()
        elif time.monotonic() - moved > 60:
            raise Wrong(f"{follower.count} of {keys} alerts were decided, then none for a minute")
        time.sleep(0.05)
    return load.finish()


def kill_and_wait(rig: Rig, decide: Lane, watch: Watch) -> tuple[Lane, dict[str, float]]:
    partitions = set(watch.known)
    at = time.time()
    watch.killed(at)
    decide.kill()
    again = rig.lane("decide")
    while set(watch.first) < partitions:
        again.check()
        if time.time() - at > LONGEST_S:
            raise Wrong(
                f"{LONGEST_S:.0f} s after the kill partitions {sorted(partitions - set(watch.first))} decide nothing: {again.tail()}"
            )
        time.sleep(0.02)
    first, last = min(watch.first.values()), max(watch.first.values())
    say(f"  killed; first new decision after {first:.2f} s, on all {len(partitions)} partitions after {last:.2f} s")
    return again, {"first_s": first, "seconds": last}


def state_of(rig: Rig) -> tuple[int, int]:
    """(rows, alerts among them) that the decide lane keeps, from its changelog."""
    rows: dict[bytes, bool] = {}
    for message in whole(rig.brokers, rig.topic("decide.state")):
        rows[message.key()] = message.value() is not None
    return sum(rows.values()), sum(1 for key, lives in rows.items() if lives and key.startswith(b"alert|"))


def result_of(rounds: list[dict[str, float]], rows: int, live: int, before: float, sent: int) -> Result:
    """The worst of the kills."""
    worst = {name: round(max(one[name] for one in rounds), 2) for name in rounds[0]}
    say(f"  {live:,} alerts, {rows:,} rows; {worst['rss_mb']:.0f} MB after the restore, {worst['peak_mb']:.0f} MB at most")
    return {
        "keys": live,
        "rows": rows,
        "seconds": worst["seconds"],
        "first_decision_s": worst["first_s"],
        "rss_mb": worst["rss_mb"],
        "rss_peak_mb": worst["peak_mb"],
        "rss_before_mb": round(before, 1),
        "kills": len(rounds),
        "alerts": sent,
        "lost": 0,
        "doubled": 0,
    }


if __name__ == "__main__":
    main()
