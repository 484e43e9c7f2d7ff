"""How many alerts a second go from the raw topic to a committed decision, and what CPU one costs."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from benchmarks import machine
from benchmarks.load import Load
from benchmarks.payloads import Traffic
from benchmarks.reader import Follower, account
from benchmarks.report import Aim, Result, Wrong, arguments, conduct, parse, say
from benchmarks.rig import Lane, Rig

AHEAD = 20_000
"""The generator is never more alerts than this ahead of the decisions: the workers always have enough to do, and never a growing heap."""
WARM_S = 8.0
AIMS = (Aim("alerts_per_s", 8000, at_least=True), Aim("cpu_us_per_alert", 150))


def main() -> None:
    parser = arguments(__doc__ or "", seconds=60, rate=None, quick_seconds=2)
    parser.add_argument("--workers", type=int, default=1, help="processes of each lane; default 1")
    parser.add_argument("--domains", type=int, default=24, help="correlation domains; default 24, by which all partitions are used")
    conduct("throughput", parse(parser), measure, AIMS)


def measure(options: argparse.Namespace) -> Result:
    traffic = Traffic(domains=options.domains)
    result = many(options, traffic, options.seconds, bare=True)
    if not options.quick:
        say("the same with all alerts in one domain, that is one partition")
        single = many(options, replace(traffic, domains=1), options.seconds / 3, bare=False)
        result["single_domain_alerts_per_s"] = single["alerts_per_s"]
        result["single_domain_cpu_us_per_alert"] = single["cpu_us_per_alert"]
    return result


def many(options: argparse.Namespace, traffic: Traffic, seconds: float, *, bare: bool) -> Result:
    with Rig(options) as rig:
        workers = rig.lanes("intake", "decide", each=options.workers)
        follower = Follower(rig.brokers, [rig.topic("decisions")], batch=2000)
        load = Load(rig, rig.topic("alerts.raw"), traffic, wait=True)
        try:
            figures = sustained(rig, workers, follower, load, seconds, 1.0 if options.quick else WARM_S)
            sent = load.stop()
            if not follower.wait_for(sent, 60):
                raise Wrong(f"of {sent} alerts {follower.count} were decided a minute after the last")
        finally:
            follower.close()
        for worker in workers:
            worker.stop()
        sizes = account(rig.brokers, rig.topic("decisions"), sent)
        say(f"  {figures['alerts_per_s']:,.0f} alerts/s for {seconds:g} s; {sent:,} alerts, each with exactly one decision")
        size = round(statistics.mean(sizes))
        result: Result = {**figures, "alerts": sent, "lost": 0, "doubled": 0, "decision_bytes": size}
        if bare:
            rate, cpu = bare_loop(rig, traffic, size, 60_000 if options.quick else 600_000)
            say(f"  the bare loop takes {rate:,.0f} records/s and {cpu:.1f} us of CPU a record")
            result |= {
                "ratio_to_bare_loop": round(figures["alerts_per_s"] / rate, 4),
                "bare_loop_per_s": round(rate),
                "bare_loop_cpu_us": round(cpu, 1),
            }
        return result


def sustained(rig: Rig, workers: list[Lane], follower: Follower, load: Load, seconds: float, warm: float) -> dict[str, float]:
    """Keep the workers busy, and count between two moments: decisions that a read_committed consumer has, and CPU."""
    feed(follower, load, workers, until=lambda: follower.count > 0, patience=30)
    hold(follower, load, workers, warm)
    groups = {
        "intake": [worker.pid for worker in workers if worker.name.startswith("intake")],
        "decide": [worker.pid for worker in workers if worker.name.startswith("decide")],
        **({} if rig.broker_pid is None else {"kafka": [rig.broker_pid]}),
        "generator": [load.pid],
    }
    count, at, used = follower.count, time.monotonic(), used_by(groups)
    hold(follower, load, workers, seconds)
    alerts, took, now = follower.count - count, time.monotonic() - at, used_by(groups)
    each = {name: (now[name] - used[name]) / max(1, alerts) * 1e6 for name in groups}
    say("  CPU an alert: " + ", ".join(f"{name} {value:.1f} us" for name, value in each.items()))
    return {
        "alerts_per_s": round(alerts / took, 1),
        "cpu_us_per_alert": round(each["intake"] + each["decide"], 1),
        **{f"{name}_cpu_us_per_alert": round(value, 1) for name, value in each.items()},
        "decide_rss_mb": round(max(machine.rss_mb(pid) for pid in groups["decide"]), 1),
        "intake_rss_mb": round(max(machine.rss_mb(pid) for pid in groups["intake"]), 1),
    }


def used_by(groups: dict[str, list[int]]) -> dict[str, float]:
    return {name: sum(map(machine.cpu_seconds, pids)) for name, pids in groups.items()}


def hold(follower: Follower, load: Load, workers: list[Lane], seconds: float) -> None:
    ends = time.monotonic() + seconds
    feed(follower, load, workers, until=lambda: time.monotonic() >= ends, patience=seconds + 1)


def feed(follower: Follower, load: Load, workers: list[Lane], *, until: Callable[[], bool], patience: float) -> None:
    """Allow the generator its lead over the decisions until `until()`."""
    ends = time.monotonic() + patience
    while not until():
        if time.monotonic() > ends:
            raise Wrong(f"nothing was decided within {patience:.0f} s: {[worker.tail(500) for worker in workers]}")
        follower.check()
        for worker in workers:
            worker.check()
        load.allow(follower.count + AHEAD)
        time.sleep(0.05)


def bare_loop(rig: Rig, traffic: Traffic, size: int, count: int) -> tuple[float, float]:
    """(records a second, microseconds of CPU a record) of the bare loop on the same broker, over a backlog of the same payloads."""
    source, sink = rig.topic("bare.in"), rig.topic("bare.out")
    config = {"message.timestamp.type": "LogAppendTime"}
    admin = AdminClient({"bootstrap.servers": rig.brokers})  # must live until the futures are done
    for future in admin.create_topics([NewTopic(name, 6, 1, config=config) for name in (source, sink)]).values():
        future.result(30)
    Load(rig, source, traffic, count=count).finish()
    process = rig.helper("bare", "benchmarks.bare", rig.brokers, source, sink, str(size), str(count)).popen
    output, _ = process.communicate(timeout=300)
    result = json.loads(output.splitlines()[-1])
    return result["records"] / result["seconds"], result["cpu_seconds"] / result["records"] * 1e6


if __name__ == "__main__":
    main()
