"""Whether the topics of the alert lane say what they should, of any broker.

    python -m tests.faults.check_pipeline --broker 127.0.0.1:9092 --prefix flux.

Reads only the broker and shares no code with engine, stages or messages. What each raw record must become stands in its own header
`ledger` (see `stories.py`); of records without one only that nothing came of them twice. To be run when all has come to rest: what is
still on its way counts as missing. Prints JSON, and exits 1 when something is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.check_events import Ledger, Place, check_alerts, check_dead_letters, check_decisions
from tests.faults.check_incidents import Story, check_acknowledged, check_incidents, gather, seconds
from tests.faults.check_rows import Rows, check_positions, check_rows, check_timers
from tests.faults.reading import offsets, read

INPUTS = ("alerts", "receipts", "feedback", "changes")
TOPICS = ("alerts.raw", "decisions", "incidents.triaged", "effects.delivery", "dead_letters", "decide.state", *INPUTS)


@dataclass
class Report:
    wrong: list[str]
    counts: Counter[str]
    verdict_ms: list[int]
    """From the broker's stamp of the raw record to its decision."""
    outcomes: dict[Place, str]
    """Of the events whose outcome no time decides."""
    stories: dict[str, Story] = field(repr=False, default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        ordered = sorted(self.verdict_ms) or [0]
        found: dict[str, Any] = dict(self.counts)
        found |= {f"verdict_p{part}_ms": ordered[min(len(ordered) - 1, len(ordered) * part // 100)] for part in (50, 99, 100)}
        return found | {"problems": len(self.wrong), "first_problems": self.wrong[:20]}


def check(brokers: str, prefix: str, hold_s: float | None = None, *, stopped: bool = False) -> Report:
    """Read everything, compare everything. `hold_s`: the transient hold of the workers, when known. `stopped`: they run no more, and
    timers are judged as of the newest record instead of now.
    """
    topics = {name: read(brokers, prefix + name) for name in TOPICS}
    wrong: list[str] = []
    ledger = Ledger(topics["alerts.raw"])
    alert_ids = check_alerts(topics["alerts"], ledger, wrong)
    decided, alerts = check_decisions(topics["decisions"], alert_ids, ledger, wrong)
    check_dead_letters(topics["dead_letters"], prefix + "alerts.raw", ledger, wrong)
    changes = Counter(json.loads(message.value())["change_id"] for message in topics["changes"])
    if not ledger.untold and (changes.total() != ledger.changes or len(changes) != ledger.changes):
        wrong.append(f"{ledger.changes} changes were sent, {changes.total()} came, {len(changes)} different ones")
    stories = gather(decided, topics["incidents.triaged"], topics["effects.delivery"], topics["receipts"])
    counts = check_incidents(stories, alerts, hold_s, wrong)
    check_acknowledged(topics["feedback"], stories, wrong)
    rows = Rows(topics["decide.state"], wrong)
    check_rows(rows, alerts, stories, wrong)
    newest = max((message.timestamp()[1] for records in topics.values() for message in records), default=0)
    check_timers(rows, newest if stopped else round(time.time() * 1000), wrong)
    ends = {(name, message.partition()): message.offset() + 1 for name in INPUTS for message in topics[name]}
    committed = {(name, number): at for name in INPUTS for number, at in offsets(brokers, prefix + "decide", prefix + name).items() if at}
    check_positions(rows, ends, {place: at for place, at in committed.items() if place in ends}, wrong)
    last = Counter(message.partition() for message in topics["decisions"])
    if dict(last) != rows.sequences:
        wrong.append(f"partitions have {dict(last)} decisions, their states count {rows.sequences}")
    counts |= Counter(
        raw=ledger.records, without_ledger=len(ledger.untold), events=len(ledger.events), decisions=last.total(),
        dead_letters=len(topics["dead_letters"]), changes=changes.total(), acknowledged=len(topics["feedback"]),
        timers_left=len(rows.timers),
    )  # fmt: skip
    return Report(wrong, counts, [verdict_ms(one.body) for one in decided], settled(decided), stories)


def verdict_ms(decision: dict[str, Any]) -> int:
    return round((seconds(decision["decided_at"]) - seconds(decision["received_at"])) * 1000)


def settled(decided: Sequence[Any]) -> dict[Place, str]:
    return {one.place: one.code for one in decided if len(one.entry["expect"]) == 1}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--broker", default="127.0.0.1:9092", help="HOST:PORT")
    parser.add_argument("--prefix", default="flux.", help="put before each topic's name")
    parser.add_argument("--hold-s", type=float, default=None, help="the transient hold, to check that it was kept")
    parser.add_argument("--stopped", action="store_true", help="the workers run no more: judge timers as of the newest record")
    given = parser.parse_args(arguments)
    report = check(given.broker, given.prefix, given.hold_s, stopped=given.stopped)
    print(json.dumps(report.as_json()))
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
