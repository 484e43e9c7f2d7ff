"""Raw payloads that tell stories of alerts, each with what must become of it.

A `Payload` carries its own ledger: one entry for each element, by index within the payload. The load sends the ledger along as a header,
so that whoever reads the raw topic knows what was meant, and the checker needs nothing but the broker.

Entries: `{"i", "key", "name", "service", "domain", "status", "level", "expect", "over"}` for an alert (`expect`: the outcomes and reason
codes that may come of it, several only where time decides; `over`: it does not fire after this event although it says so),
`{"i", "dead": reason}` for what cannot be read (`i` is null for a payload of one), `{"change"}` and `{"ignored"}`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

LEVELS = {"critical": "P1", "high": "P2", "warning": "P3", "info": "P4"}
MILD = ("high", "warning", "info")
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Payload:
    """One raw record. `key` decides its partition: the domain, so that the order of a domain is the order of its raw partition."""

    key: str
    body: bytes
    source: str
    ledger: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Who:
    """An alert's identity. `source` is the format in which it is told."""

    name: str
    service: str
    cluster: str
    source: str = "flux"
    environment: str = "production"
    team: str = "shop"

    @property
    def key(self) -> str:
        return "|".join((self.source, self.cluster, self.environment, self.service, self.name))

    def entry(self, index: int, status: str, word: str, expect: tuple[str, ...], over: bool = False) -> Entry:
        found = {"i": index, "key": self.key, "name": self.name, "service": self.service, "domain": self.cluster}
        return found | {"status": status, "level": LEVELS[word], "expect": list(expect)} | ({"over": True} if over else {})


@dataclass
class Story:
    """`steps`: seconds after its beginning, and what is sent. `endings` are sent when all is told and quiet."""

    steps: list[tuple[float, Payload]] = field(default_factory=list)
    endings: list[Payload] = field(default_factory=list)

    def then(self, after: float, payload: Payload) -> Story:
        self.steps.append((after, payload))
        return self


def flux(who: Who, status: str, word: str, *expect: str) -> Payload:
    """One alert in our own format."""
    body = {
        "name": who.name,
        "status": status,
        "service": who.service,
        "environment": who.environment,
        "source_severity": word,
        "labels": {"cluster": who.cluster, "team": who.team},
        "annotations": {"runbook": "none"},
        "summary": f"{who.name} of {who.service} is above its bound",
    }
    return Payload(who.cluster, json.dumps(body).encode(), "flux", (who.entry(0, status, word, expect),))


@dataclass(frozen=True, slots=True)
class Element:
    """One alert of an Alertmanager notification; with `dead` it is no alert, and `raw` is sent instead."""

    who: Who | None = None
    status: str = "firing"
    word: str = "warning"
    expect: tuple[str, ...] = ()
    started: float = 0.0
    """Seconds from the notification's time."""
    over: bool = False
    dead: str = ""
    raw: Any = None

    def body(self, at: datetime) -> Any:
        if self.who is None:
            return self.raw
        labels = {"alertname": self.who.name, "service": self.who.service, "cluster": self.who.cluster, "severity": self.word}
        started = at + timedelta(seconds=self.started)
        times = {"startsAt": started.isoformat()}
        if self.status == "resolved":
            times["endsAt"] = (started + timedelta(seconds=0.5)).isoformat()
        labels |= {"environment": self.who.environment, "team": self.who.team}
        return {"status": self.status, "labels": labels, "annotations": {"summary": "A bound was crossed"}, **times}


def notification(cluster: str, *elements: Element) -> Payload:
    """A webhook notification of Alertmanager."""
    at = datetime.now(UTC) - timedelta(seconds=60)
    body = {"version": "4", "groupKey": "{}", "receiver": "flux", "status": "firing", "groupLabels": {}, "commonLabels": {}}
    body |= {"externalURL": "http://alertmanager.example", "alerts": [one.body(at) for one in elements]}
    alone = len(elements) == 1
    ledger = tuple(
        {"i": None if alone else index, "dead": one.dead}
        if one.who is None
        else one.who.entry(index, one.status, one.word, one.expect, one.over)
        for index, one in enumerate(elements)
    )
    return Payload(cluster, json.dumps(body).encode(), "alertmanager", ledger)


# -- the stories ------------------------------------------------------------------------------------------------------------------------

PAGED, HOLD, REPEAT, JOINED = "notified/paged", "open/hold", "grouped/repeat", "grouped/joined"
TOLD, WITHDRAWN, MEMBER, AGAIN = "resolved/resolve_told", "resolved/resolve_withdrawn", "resolved/resolve_member", "resolved/resolve_repeat"
FLAPS = "resolved/resolve_flapping"


def burns(who: Who, chance: random.Random) -> Story:
    """A P1 pages at once and is repeated; some end and come back."""
    story = Story().then(0, flux(who, "firing", "critical", PAGED))
    at = 0.0
    for _ in range(chance.randrange(4)):
        at += chance.uniform(0.1, 2)
        story.then(at, flux(who, "firing", "critical", REPEAT))
    if chance.random() < 0.5:
        story.then(at + 1, flux(who, "resolved", "critical", TOLD)).then(at + 1.5, flux(who, "resolved", "critical", AGAIN))
        if chance.random() < 0.5:
            story.then(at + 2, flux(who, "firing", "critical", PAGED)).then(at + 2.5, flux(who, "firing", "critical", REPEAT))
            story.endings.append(flux(who, "resolved", "critical", TOLD))
    elif chance.random() < 0.5:
        story.endings.append(flux(who, "resolved", "critical", TOLD))
    return story


def simmers(who: Who, chance: random.Random) -> Story:
    """A P2-P4 is held, then paged by its timer; it ends much later or not at all."""
    word = chance.choice(MILD)
    story = Story().then(0, flux(who, "firing", word, HOLD))
    for number in range(chance.randrange(3)):
        story.then(chance.uniform(0.1, 1) + number, flux(who, "firing", word, REPEAT))
    if chance.random() < 0.6:
        story.endings.append(flux(who, "resolved", word, TOLD))
    return story


def passes(who: Who, chance: random.Random) -> Story:
    """A transient, whole within one notification: withdrawn, whatever happens between."""
    first = Element(who, "firing", "warning", (HOLD,))
    last = Element(who, "resolved", "warning", (WITHDRAWN,))
    late = Element(who, "resolved", "warning", (AGAIN,))
    return Story().then(0, notification(who.cluster, first, last)).then(1, notification(who.cluster, late))


def may_pass(who: Who, chance: random.Random) -> Story:
    """It clears about when its hold ends: time decides."""
    story = Story().then(0, flux(who, "firing", "warning", HOLD))
    return story.then(chance.uniform(0.5, 4), flux(who, "resolved", "warning", TOLD, WITHDRAWN))


def rises(who: Who, chance: random.Random) -> Story:
    """It becomes a P1 while held or after its page; saying less later lowers nothing."""
    story = Story().then(0, flux(who, "firing", "warning", HOLD)).then(0.2, flux(who, "firing", "warning", REPEAT))
    if chance.random() < 0.3:
        story.then(0.4, flux(who, "firing", "high", HOLD, "notified/escalation"))
    story.then(chance.uniform(0.5, 4), flux(who, "firing", "critical", "notified/escalation"))
    story.then(4.5, flux(who, "firing", "warning", REPEAT))
    story.endings.append(flux(who, "resolved", "critical", TOLD))
    return story


def gathers(who: Who, chance: random.Random) -> Story:
    """Other alerts of a service that burns join its incident; it ends with the last."""
    others = [Who(f"{who.name}{number}", who.service, who.cluster) for number in range(chance.randrange(1, 5))]
    story = Story().then(0, flux(who, "firing", "critical", PAGED))
    for number, other in enumerate(others):
        word = chance.choice(("critical", *MILD))
        story.then(0.1 + number * 0.3, flux(other, "firing", word, JOINED)).then(2 + number, flux(other, "firing", word, REPEAT))
        story.endings.append(flux(other, "resolved", word, MEMBER))
    story.endings.append(flux(who, "resolved", "critical", TOLD))
    return story


def returns(who: Who, chance: random.Random) -> Story:
    """Two alerts of an incident end and come back: first the milder, which reopens it, then the P1, which joins it again and pages."""
    other = Who(f"{who.name}2", who.service, who.cluster)
    story = Story().then(0, flux(who, "firing", "critical", PAGED)).then(0.2, flux(other, "firing", "warning", JOINED))
    story.then(1, flux(other, "resolved", "warning", MEMBER)).then(1.5, flux(who, "resolved", "critical", TOLD))
    story.then(2, flux(other, "firing", "warning", HOLD)).then(
        chance.uniform(2.2, 5), flux(who, "firing", "critical", "notified/escalation")
    )
    story.endings += [flux(other, "resolved", "warning", MEMBER), flux(who, "resolved", "critical", TOLD)]
    return story


def is_no_production(who: Who, chance: random.Random) -> Story:
    who = Who(who.name, who.service, who.cluster, environment="staging")
    code = "suppressed/non_production"
    story = Story().then(0, flux(who, "firing", "warning", code)).then(chance.uniform(0, 4), flux(who, "firing", "warning", code))
    return story.then(5, flux(who, "resolved", "warning", "resolved/resolve_suppressed"))


def is_silenced(who: Who, chance: random.Random) -> Story:
    """`MUTED` says so, also of a P1."""
    who = Who(who.name, who.service, who.cluster, team="muted")
    word = chance.choice(("critical", "warning"))
    story = Story()
    for number in range(3):
        story.then(number * 0.7, flux(who, "firing", word, "suppressed/silence"))
    story.endings.append(flux(who, "resolved", word, "resolved/resolve_suppressed"))
    return story


def flaps(who: Who, chance: random.Random) -> Story:
    """Four cycles at once: told that it flaps, then nothing, and told once when it is calm."""
    elements = []
    for cycle in range(5):
        fire = HOLD if cycle < 4 else "suppressed/flap"
        elements.append(Element(who, "firing", "warning", (fire,), cycle * 2))
        elements.append(Element(who, "resolved", "warning", (WITHDRAWN if cycle < 3 else FLAPS,), cycle * 2))
    return Story().then(0, notification(who.cluster, *elements))


def is_swapped(who: Who, chance: random.Random) -> Story:
    """The resolve comes first. A P1 is told all the same, once, as both; what is milder is only written down."""
    word, code = chance.choice((("critical", PAGED), ("warning", "suppressed/already_resolved")))
    resolve = Element(who, "resolved", word, ("resolved/resolve_unknown",))
    return Story().then(0, notification(who.cluster, resolve, Element(who, "firing", word, (code,), over=True)))


def batch(who: Who, chance: random.Random) -> Story:
    """A notification of many alerts with bad ones among them: the others are kept."""
    elements, endings = [], []
    for number in range(chance.randrange(4, 12)):
        other = Who(who.name, f"{who.service}-{number}", who.cluster, "alertmanager")
        word = chance.choice(("critical", *MILD))
        elements.append(Element(other, "firing", word, (PAGED if word == "critical" else HOLD,)))
        endings.append(Element(other, "resolved", word, (TOLD,)))
    for reason, raw in chance.sample(BAD_ELEMENTS, chance.randrange(1, 3)):
        elements.insert(chance.randrange(1, len(elements)), Element(dead=reason, raw=raw))
    again = [Element(one.who, "firing", one.word, (REPEAT,)) for one in elements if one.who is not None]
    story = Story().then(0, notification(who.cluster, *elements)).then(1.5, notification(who.cluster, *again))
    story.endings.append(notification(who.cluster, *endings))
    return story


def is_unreadable(who: Who, chance: random.Random) -> Story:
    source, body, reason = chance.choice(UNREADABLE)
    return Story().then(0, Payload(who.cluster, body, source, ({"i": None, "dead": reason},)))


def is_no_alert(who: Who, chance: random.Random) -> Story:
    if chance.random() < 0.5:
        return Story().then(0, Payload(who.cluster, EMPTY_NOTIFICATION, "alertmanager", ({"ignored": True},)))
    at = datetime.now(UTC).isoformat()
    deploy = {"kind": "deploy", "title": "a release", "service": who.service, "version": "1.2", "happened_at": at, "cluster": who.cluster}
    return Story().then(0, Payload(who.cluster, json.dumps(deploy).encode(), "deploy", ({"change": True},)))


BAD_ELEMENTS: list[tuple[str, Any]] = [
    ("null_element", None),
    ("missing_labels", {"status": "firing", "annotations": {"summary": "nobody"}}),
    ("bad_time", {"status": "firing", "labels": {"alertname": "Late", "cluster": "c0"}, "startsAt": "the day before yesterday"}),
    ("not_an_alert", 7),
]
UNREADABLE = [
    ("flux", b'{"name": "", "status": "firing", "source_severity": "high"}', "missing_name"),
    ("flux", b'{"name": "x", "status": "perhaps", "source_severity": "high"}', "bad_status"),
    ("flux", b'{"name": "x", "status": ', "not_json"),
    ("flux", b"\xff\xfe{}", "not_utf8"),
    ("alertmanager", b"   ", "empty"),
]
EMPTY_NOTIFICATION = b'{"version": "4", "groupKey": "{}", "receiver": "flux", "status": "firing", "alerts": []}'
STORIES: dict[Callable[[Who, random.Random], Story], int] = {
    burns: 6, simmers: 6, passes: 2, may_pass: 2, rises: 3, gathers: 2, returns: 1, is_no_production: 1, is_silenced: 1,
    flaps: 1, is_swapped: 1, batch: 2, is_unreadable: 2, is_no_alert: 1,
}  # fmt: skip
"""Each kind of story and how often it is told."""
SPEAK_ALERTMANAGER = (passes, flaps, is_swapped)
MUTED = {
    "schema": 1, "silence_id": "muted", "kind": "silence", "owner": "the fault campaign", "reason": "to be seen in the decisions",
    "matchers": [{"name": "team", "op": "=", "value": "muted"}],
    "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2099-01-01T00:00:00Z",
}  # fmt: skip


def stories(seed: int, clusters: int = 18) -> Iterator[Story]:
    """Without end; the same for the same seed, but for the times in them. Every alert is of a service of its own story."""
    chance, number = random.Random(seed), 0
    kinds, weights = list(STORIES), list(STORIES.values())
    while True:
        number += 1
        (tell,) = chance.choices(kinds, weights)
        source = "alertmanager" if tell in SPEAK_ALERTMANAGER else "flux"
        yield tell(Who("BoundCrossed", f"s{number}", f"c{chance.randrange(clusters)}", source), chance)
