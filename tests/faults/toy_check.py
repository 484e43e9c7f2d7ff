"""Whether the toy lane's topics say what they should. Reads only the broker and shares no code with the engine.

From the inputs it works out what each output must be: the number of each alert within its key, who released it, the state that must
be left.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

from tests.faults.reading import read


class Truth:
    """What the inputs demand."""

    def __init__(self, brokers: str, prefix: str) -> None:
        self.number: dict[int, int] = {}
        self.key: dict[int, str] = {}
        self.raised: dict[int, int] = {}
        self.counts: Counter[str] = Counter()
        self.receipts: dict[int, int] = {}
        self.ends: dict[tuple[int, str], int] = {}
        for message in read(brokers, prefix + "alerts"):
            body = json.loads(message.value())
            self.ends[message.partition(), "alerts"] = message.offset() + 1
            self.key[body["id"]] = body["key"]
            if body["do"] == "raise":
                self.raised[body["id"]] = message.offset()
            else:
                self.counts[body["key"]] += 1
                self.number[body["id"]] = self.counts[body["key"]]
        for message in read(brokers, prefix + "receipts"):
            self.ends[message.partition(), "receipts"] = message.offset() + 1
            self.receipts[json.loads(message.value())["id"]] = message.timestamp()[1]


def check(brokers: str, prefix: str) -> tuple[list[str], Counter[str]]:
    """Everything that is wrong, as sentences, and some counts."""
    truth = Truth(brokers, prefix)
    wrong: list[str] = []
    released = check_outputs(read(brokers, prefix + "decisions"), truth, wrong)
    check_dead_letters(read(brokers, prefix + "dead_letters"), truth, wrong)
    check_state(read(brokers, prefix + "decide.state"), truth, released, wrong)
    counts: Counter[str] = Counter(released.values())
    counts["alerts"], counts["raised"], counts["receipts"] = len(truth.number), len(truth.raised), len(truth.receipts)
    return wrong, counts


def check_outputs(outputs: list[Any], truth: Truth, wrong: list[str]) -> dict[int, str]:
    """Each alert exactly once, with its number, in order within its key; a timer never before a receipt. Who released which."""
    seen: Counter[int] = Counter()
    released: dict[int, str] = {}
    latest: defaultdict[str, int] = defaultdict(int)
    for message in outputs:
        body = json.loads(message.value())
        what, by = body["id"], dict(message.headers() or ()).get("by", b"at once").decode()
        seen[what] += 1
        released[what] = by
        if truth.number.get(what) != body["number"] or truth.key[what] != body["key"] or message.key().decode() != body["key"]:
            wrong.append(f"alert {what} came out as {body}, it is number {truth.number.get(what)} of {truth.key.get(what)}")
        if by == "at once":
            if body["number"] <= latest[body["key"]]:
                wrong.append(f"alert {what} came out after number {latest[body['key']]} of its key")
            latest[body["key"]] = body["number"]
        elif by == "receipt" and what not in truth.receipts:
            wrong.append(f"alert {what} was released by a receipt that was never sent")
        elif by == "timer" and truth.receipts.get(what, body["due"]) < body["due"]:
            wrong.append(f"timer of {what} due at {body['due']} fired ahead of its receipt of {truth.receipts[what]}")
    wrong += [f"alert {what} never came out" for what in truth.number.keys() - seen.keys()]
    wrong += [f"alert {what} came out {count} times" for what, count in seen.items() if count > 1]
    return released


def check_dead_letters(letters: list[Any], truth: Truth, wrong: list[str]) -> None:
    found = Counter((json.loads(message.value())["id"], int(dict(message.headers())["offset"])) for message in letters)
    wanted = Counter(truth.raised.items())
    if found != wanted:
        wrong.append(f"dead letters: missing {wanted - found}, too many {found - wanted}")


def check_state(changelog: list[Any], truth: Truth, released: dict[int, str], wrong: list[str]) -> None:
    """The last value of each row is what the inputs make it: counts, timers fired once and none left, positions at the ends."""
    rows: dict[tuple[int, bytes], bytes] = {}
    for message in changelog:
        place = (message.partition(), message.key())
        if message.value() is None:
            rows.pop(place, None)
        else:
            rows[place] = message.value()
    kinds: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
    for (partition, key), value in rows.items():
        if key.startswith(b"\x00P"):
            kinds["position"][f"{partition} {key[2:].decode()}"] = value
        elif key.startswith(b"\x00"):
            wrong.append(f"a timer is left: {key!r}")
        else:
            kind, _, name = key.decode().partition("|")
            if name in kinds[kind]:
                wrong.append(f"row {key!r} is in two partitions")
            kinds[kind][name] = value
    wanted = {
        "count": {key: b"%d" % count for key, count in truth.counts.items()},
        "done": {str(what): b"1" for what in truth.receipts},
        "fired": {str(what): b"1" for what, by in released.items() if by != "at once"},
        "position": {f"{partition} {topic}": b"%d" % end for (partition, topic), end in truth.ends.items()},
        "held": {},
    }
    for kind, expected in wanted.items():
        if kinds[kind] != expected:
            differing = {name for name in expected.keys() | kinds[kind].keys() if expected.get(name) != kinds[kind].get(name)}
            some = [(name, expected.get(name), kinds[kind].get(name)) for name in sorted(differing)[:5]]
            wrong.append(f"{len(differing)} rows of kind {kind} differ (name, wanted, found): {some}")
