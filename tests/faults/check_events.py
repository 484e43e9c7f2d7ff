"""What became of each raw record: alert events, decisions and dead letters against the ledger that came with it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Entry = dict[str, Any]
SAID = ("name", "service", "domain", "status")
"""What ledger, alert event and decision must say alike."""


class Place(NamedTuple):
    """Raw coordinates; an element of None is the whole record."""

    partition: int
    offset: int
    element: int | None


@dataclass
class Decided:
    """A decision with what the ledger says of its event."""

    place: Place
    entry: Entry
    partition: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        return f"{self.body['outcome']}/{self.body['reason']['code']}"


@dataclass
class Alert:
    """What an alert's row must say after its events: worked out from the ledger alone."""

    entry: Entry
    severity: str
    firing: bool = False
    count: int = 0
    episodes: int = 0
    fingerprints: set[str] = field(default_factory=set)
    partition: int = -1

    def hears(self, entry: Entry) -> None:
        if entry["status"] == "resolved":
            self.firing = False
            return
        if not self.firing:
            self.firing, self.count, self.severity = True, 0, entry["level"]
            self.episodes += 1
        self.severity = min(self.severity, entry["level"])
        self.count += 1
        if entry.get("over"):
            self.firing = False


class Ledger:
    """The raw topic, and what its ledgers demand. `untold` are records that came without one."""

    def __init__(self, raw: Iterable[Any]) -> None:
        self.events: dict[Place, Entry] = {}
        self.dead: dict[tuple[Place, str], Any] = {}
        self.untold: set[tuple[int, int]] = set()
        self.order: defaultdict[tuple[str, int], list[Place]] = defaultdict(list)
        self.changes = 0
        self.records = 0
        for message in raw:
            self.records += 1
            ledger = dict(message.headers() or ()).get("ledger")
            if ledger is None:
                self.untold.add((message.partition(), message.offset()))
                continue
            for entry in json.loads(ledger):
                place = Place(message.partition(), message.offset(), entry.get("i"))
                if "dead" in entry:
                    self.dead[place, entry["dead"]] = message
                elif "change" in entry:
                    self.changes += 1
                elif "key" in entry:
                    self.events[place] = entry
                    self.order[entry["domain"], message.partition()].append(place)

    @property
    def unreadable(self) -> set[tuple[int, int]]:
        return {(place.partition, place.offset) for place, _ in self.dead}


def place_of(raw: dict[str, Any]) -> Place:
    return Place(raw["partition"], raw["offset"], raw["index"])


def exactly_once(what: str, found: Counter[Place], wanted: Iterable[Place], untold: set[tuple[int, int]], wrong: list[str]) -> None:
    wanted = set(wanted)
    wrong += [f"{what} of {place} is missing" for place in sorted(wanted - found.keys())]
    wrong += [f"{what} of {place} is there {count} times" for place, count in found.items() if count > 1]
    alien = [place for place in found if place not in wanted and place[:2] not in untold]
    wrong += [f"{what} of {place}, which was never sent" for place in alien]


def check_alerts(alerts: list[Any], ledger: Ledger, wrong: list[str]) -> list[list[str]]:
    """Intake: each element once, in the order of its domain. The ids of alert events, by partition, in their order."""
    seen: Counter[Place] = Counter()
    notices: Counter[tuple[int, int]] = Counter()
    order: defaultdict[tuple[str, int], list[Place]] = defaultdict(list)
    by_partition: defaultdict[int, list[str]] = defaultdict(list)
    for message in alerts:
        body = json.loads(message.value())
        place = place_of(body["raw"])
        if body["kind"] == "notice":
            notices[place.partition, place.offset] += 1
            continue
        seen[place] += 1
        by_partition[message.partition()].append(body["alert_id"])
        entry = ledger.events.get(place)
        if entry is None:
            continue
        order[entry["domain"], place.partition].append(place)
        told = {name: body[name] for name in SAID} | {"level": body["severity"]}
        if told != {name: entry[name] for name in told} or message.key().decode() != body["domain"]:
            wrong.append(f"the alert event of {place} says {told}, sent was {entry}")
    exactly_once("an alert event", seen, ledger.events, ledger.untold, wrong)
    wrong += [f"alert events of domain {domain} left the order of raw" for (domain, raw), places in order.items()
              if places != ledger.order[domain, raw]]  # fmt: skip
    unreadable = ledger.unreadable
    if unreadable != {place for place in notices if place not in ledger.untold} or any(count > 1 for count in notices.values()):
        wrong.append(f"notices: {len(unreadable)} records are unreadable, notices are of {len(notices)}, {notices.total()} in all")
    return [by_partition[number] for number in sorted(by_partition)]


def check_decisions(
    decisions: list[Any], alert_ids: list[list[str]], ledger: Ledger, wrong: list[str]
) -> tuple[list[Decided], dict[str, Alert]]:
    """Each event once, in the order of the alerts topic, numbered without a gap, with an outcome that its ledger allows."""
    seen: Counter[Place] = Counter()
    ids: defaultdict[int, list[str]] = defaultdict(list)
    numbers: defaultdict[int, list[int]] = defaultdict(list)
    alerts: dict[str, Alert] = {}
    told: list[Decided] = []
    for message in decisions:
        body, partition = json.loads(message.value()), message.partition()
        place = place_of(body["raw"])
        seen[place] += 1
        ids[partition].append(body["alert_id"])
        numbers[partition].append(body["sequence"])
        entry = ledger.events.get(place)
        if entry is not None and seen[place] == 1:
            decided = Decided(place, entry, partition, body)
            told.append(decided)
            check_decision(decided, alerts.setdefault(entry["key"], Alert(entry, entry["level"])), wrong)
    exactly_once("a decision", seen, ledger.events, ledger.untold, wrong)
    if [ids[number] for number in sorted(ids)] != alert_ids:
        wrong.append("decisions do not follow the order of alerts")
    wrong += [f"sequences of partition {number} are not 1 to {len(found)}: {found[:3]}...{found[-3:]}" for number, found in numbers.items()
              if found != list(range(1, len(found) + 1))]  # fmt: skip
    fingerprints = Counter(name for alert in alerts.values() for name in alert.fingerprints)
    wrong += [f"{key} has the fingerprints {alert.fingerprints}" for key, alert in alerts.items() if len(alert.fingerprints) != 1]
    wrong += [f"fingerprint {name} stands for {count} alerts" for name, count in fingerprints.items() if count > 1]
    return told, alerts


def check_decision(decided: Decided, alert: Alert, wrong: list[str]) -> None:
    """One decision, as the next of its alert."""
    entry, body = decided.entry, decided.body
    alert.hears(entry)
    alert.fingerprints.add(body["fingerprint"])
    alert.partition = decided.partition
    if decided.code not in entry["expect"]:
        wanted = " or ".join(entry["expect"])
        wrong.append(f"{decided.place} ({entry['key']}) became {decided.code}, not {wanted}: {body['reason']['text']}")
    facts = body["reason"]["facts"]
    if facts.get("repeat") and facts.get("count") != alert.count:
        wrong.append(f"{decided.place} ({entry['key']}) is counted {facts.get('count')}, it is firing event {alert.count} of its episode")
    if body["severity"] != alert.severity:
        wrong.append(f"{decided.place} ({entry['key']}) has severity {body['severity']}, it should be {alert.severity}")
    said = {name: body[name] for name in SAID}
    if said != {name: entry[name] for name in said}:
        wrong.append(f"the decision of {decided.place} says {said}, sent was {entry}")


def check_dead_letters(letters: list[Any], raw_topic: str, ledger: Ledger, wrong: list[str]) -> None:
    """Each unreadable record or element once, with its own bytes, its own headers and where it came from."""
    found: Counter[tuple[Place, str]] = Counter()
    for message in letters:
        headers = {name: value.decode() for name, value in message.headers()}
        if headers["stage"] != "intake":
            wrong.append(f"a dead letter of {headers['stage']}: {headers['reason']}: {headers['error']}")
            continue
        index = headers.get("index")
        place = Place(int(headers["partition"]), int(headers["offset"]), None if index is None else int(index))
        if place[:2] in ledger.untold:
            continue
        found[place, headers["reason"]] += 1
        sent = ledger.dead.get((place, headers["reason"]))
        if sent is None:
            continue
        own = {name: value.decode() for name, value in sent.headers()}
        if sent.value() != message.value() or not own.items() <= headers.items():
            wrong.append(f"the dead letter of {place} does not have the bytes or headers of its record")
        if headers["topic"].removesuffix("alerts.raw") not in ("", raw_topic.removesuffix("alerts.raw")):
            wrong.append(f"the dead letter of {place} names the topic {headers['topic']}")
        if int(headers["timestamp"]) != sent.timestamp()[1]:
            wrong.append(f"the dead letter of {place} is stamped {headers['timestamp']}, its record {sent.timestamp()[1]}")
    if found != Counter(ledger.dead.keys()):
        wanted = Counter(ledger.dead.keys())
        wrong.append(f"dead letters: missing {wanted - found}, too many {found - wanted}")
