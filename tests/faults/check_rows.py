"""The changelog of the decide lane against what the topics say: rows, timers and positions are what the outputs make them.

Rows are MessagePack, read here without our classes. Fields of an alert's row by position: 0 name, 1 service, 3 domain, 6 firing, 9 incident
id, 12 firing events in this episode, 21 episodes. Of an incident's: 0 id, 4 status, 5 severity, 11 revision, 19 members that fire. A
delivery row is a map; `current` and `pending` are what its receiver has yet to be told. `sequence|` is an array of one number. Keys that
begin with a zero byte are the engine's: `\\x00T<due ms>|<name>|<key>` a timer, `\\x00P<topic>` the next offset of an input.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from msgspec import msgpack

from tests.faults.check_events import Alert
from tests.faults.check_incidents import OVER, Story

NAME, SERVICE, DOMAIN, FIRING, INCIDENT, COUNT, EPISODES = 0, 1, 3, 6, 9, 12, 21
STATUS, SEVERITY, REVISION, MEMBERS_FIRING = 4, 5, 11, 19
TIMER_LATE_MS = 5000


class Rows:
    """The last value of each row, by kind and name; a row in two partitions is wrong, but for those that each partition has."""

    def __init__(self, changelog: list[Any], wrong: list[str]) -> None:
        last: dict[tuple[int, bytes], bytes] = {}
        for message in changelog:
            if message.value() is None:
                last.pop((message.partition(), message.key()), None)
            else:
                last[message.partition(), message.key()] = message.value()
        self.timers: list[tuple[int, str]] = []
        self.positions: dict[tuple[str, int], int] = {}
        self.sequences: dict[int, int] = {}
        self.of: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        self.partition: dict[tuple[str, str], int] = {}
        for (partition, key), value in last.items():
            if key.startswith(b"\x00T"):
                self.timers.append((int(key[2:15]), key[16:].decode()))
            elif key.startswith(b"\x00P"):
                self.positions[key[2:].decode(), partition] = int(value)
            elif key == b"sequence|":
                self.sequences[partition] = msgpack.decode(value)[0]
            else:
                self._row(partition, key, value, wrong)

    def _row(self, partition: int, key: bytes, value: bytes, wrong: list[str]) -> None:
        kind, _, name = key.decode().partition("|")
        if name in self.of[kind]:
            wrong.append(f"row {key!r} is in two partitions")
        if kind in ("alert", "incident", "delivery"):
            self.of[kind][name] = msgpack.decode(value)
            self.partition[kind, name] = partition


def check_rows(rows: Rows, alerts: dict[str, Alert], stories: dict[str, Story], wrong: list[str]) -> None:
    """Alerts, incidents and deliveries."""
    known = rows.of["alert"]
    for key, alert in alerts.items():
        (fingerprint,) = list(alert.fingerprints)[:1]
        name = f"{fingerprint}@{alert.entry['domain']}"
        row = known.get(name)
        if row is None:
            wrong.append(f"{key} has no row")
            continue
        found = {"service": row[SERVICE], "domain": row[DOMAIN], "firing": row[FIRING], "count": row[COUNT], "episodes": row[EPISODES]}
        entry = alert.entry
        wanted = {"service": entry["service"], "domain": entry["domain"], "firing": alert.firing, "count": alert.count}
        if found != wanted | {"episodes": alert.episodes}:
            wrong.append(f"the row of {key} says {found}, should be {wanted} in episode {alert.episodes}")
        if rows.partition["alert", name] != alert.partition:
            wrong.append(f"the row of {key} is not in the partition of its decisions")
    for name, story in stories.items():
        row, last = rows.of["incident"].get(name), story.revisions[-1] if story.revisions else None
        if row is None or last is None:
            wrong.append(f"incident {name} has no row or no revision")
        elif [row[STATUS], row[SEVERITY], row[REVISION]] != [last["status"], last["severity"], last["revision"]]:
            wrong.append(f"the row of incident {name} says {row[STATUS]} {row[SEVERITY]} {row[REVISION]}, its last revision is {last}")
        elif (row[MEMBERS_FIRING] == 0) != (row[STATUS] in OVER):
            wrong.append(f"the row of incident {name} is {row[STATUS]} with {row[MEMBERS_FIRING]} alerts that fire")
    wrong += [f"incident {name} has a row and was never published" for name in rows.of["incident"].keys() - stories.keys()]
    busy = [name for name, row in rows.of["delivery"].items() if "current" in row or "pending" in row]
    wrong += [f"delivery {name} is not at rest" for name in busy]


def check_timers(rows: Rows, now_ms: int, wrong: list[str]) -> None:
    late = sorted((due, name) for due, name in rows.timers if due < now_ms - TIMER_LATE_MS)
    wrong += [f"timer {name} was due {(now_ms - due) / 1000:.1f} s ago and has not fired" for due, name in late]


def check_positions(rows: Rows, ends: dict[tuple[str, int], int], committed: dict[tuple[str, int], int], wrong: list[str]) -> None:
    """What the state has read is all there is, and what the group has committed."""
    wrong += [f"the state has read {place} to {rows.positions.get(place)} of {end}" for place, end in ends.items()
              if rows.positions.get(place) != end]  # fmt: skip
    wrong += [f"committed in {place} is {offset}, the state says {rows.positions.get(place)}" for place, offset in committed.items()
              if rows.positions.get(place) != offset]  # fmt: skip
