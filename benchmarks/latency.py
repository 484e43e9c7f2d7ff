"""How long an alert takes at a steady rate: from the raw record to its decision, to its incident, and to the first attempt at a page."""

from __future__ import annotations

import argparse
import time
from typing import Any

import msgspec

from benchmarks.load import Load
from benchmarks.payloads import Traffic
from benchmarks.reader import DECISION, Follower, account
from benchmarks.receiver import VERDICT, Incident, attempts, config
from benchmarks.report import Aim, Result, Wrong, arguments, conduct, parse, say, spread
from benchmarks.rig import Rig
from tests.fakes.receivers import FakeReceiver

WARM_S = 5.0
AIMS = (Aim("triaged_p50_ms", 100), Aim("triaged_p99_ms", 500), Aim("p1_attempt_p99_ms", 1000))


class Revision(Incident):
    revision: int


REVISION = msgspec.json.Decoder(Revision).decode


class Latencies:
    """Milliseconds from the broker's time of a raw record to when a reader had what became of it."""

    def __init__(self) -> None:
        self.decisions: list[tuple[float, float]] = []
        """(when the raw record came in, milliseconds)"""
        self.incidents: list[tuple[float, float]] = []
        """The same for the first revision of an incident."""
        self._known: set[str] = set()

    def note(self, message: Any, now: float) -> None:
        if message.topic().endswith("decisions"):
            came = DECISION(message.value()).received_at.timestamp()
            self.decisions.append((came, (now - came) * 1000))
            return
        revision = REVISION(message.value())
        if revision.incident_id not in self._known:
            self._known.add(revision.incident_id)
            came = (revision.deadline - VERDICT).timestamp()
            self.incidents.append((came, (now - came) * 1000))


def main() -> None:
    conduct("latency", parse(arguments(__doc__ or "", seconds=60, rate=500, quick_seconds=2)), measure, AIMS)


def measure(options: argparse.Namespace) -> Result:
    traffic = Traffic(services=120, critical=0.03, lonely_critical=True)
    warm = 1.0 if options.quick else WARM_S
    latencies = Latencies()
    with FakeReceiver() as receiver, Rig(options, config(receiver)) as rig:
        rig.lanes("intake", "decide", "act")
        follower = Follower(rig.brokers, [rig.topic("decisions"), rig.topic("incidents.triaged")], latencies.note)
        try:
            warm_up = 300
            Load(rig, rig.topic("alerts.raw"), Traffic(services=120, seed=2), rate=options.rate, count=warm_up).finish()
            load = Load(rig, rig.topic("alerts.raw"), traffic, rate=options.rate, seconds=warm + options.seconds)
            sent = load.finish(options.seconds + 60)
            ends = time.monotonic() + 30
            while len(latencies.decisions) < sent + warm_up and time.monotonic() < ends:
                follower.check()
                time.sleep(0.05)
            time.sleep(1)  # for the last pages
        finally:
            follower.close()
        account(rig.brokers, rig.topic("decisions"), sent + warm_up)
        return figures(latencies, receiver, options.seconds)


def figures(latencies: Latencies, receiver: FakeReceiver, seconds: float) -> Result:
    """Of what came in during the last `seconds`; before that the workers were warming up."""
    since = max(came for came, _ in latencies.decisions) - seconds
    decisions = [took for came, took in latencies.decisions if came >= since]
    incidents = [took for came, took in latencies.incidents if came >= since]
    pages = [
        (one.at - one.raw_at) * 1000
        for one in attempts(receiver)
        if one.call.transition == "fired" and one.call.attempt == 1 and one.call.incident.severity == "P1" and one.raw_at >= since
    ]
    if not pages:
        raise Wrong("no P1 was paged")
    p50, p99, most = spread(decisions)
    incident_p50, incident_p99, _ = spread(incidents)
    page_p50, page_p99, page_most = spread(pages)
    say(f"  decided: p50 {p50} ms, p99 {p99} ms, most {most} ms, of {len(decisions):,} alerts")
    say(f"  first revision of its incident: p50 {incident_p50} ms, p99 {incident_p99} ms, of {len(incidents):,} incidents")
    say(f"  first attempt at a P1's page: p50 {page_p50} ms, p99 {page_p99} ms, most {page_most} ms, of {len(pages):,} pages")
    return {
        "triaged_p50_ms": p50,
        "triaged_p99_ms": p99,
        "triaged_max_ms": most,
        "incident_p50_ms": incident_p50,
        "incident_p99_ms": incident_p99,
        "p1_attempt_p50_ms": page_p50,
        "p1_attempt_p99_ms": page_p99,
        "p1_attempt_max_ms": page_most,
        "alerts": len(decisions),
        "incidents": len(incidents),
        "p1_pages": len(pages),
        "rate": round(len(decisions) / seconds, 1),
    }


if __name__ == "__main__":
    main()
