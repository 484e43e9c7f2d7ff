"""What arrived at a receiver against what the decide lane asked for."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable

from tests.faults.check_incidents import Story

PARTS = ("effect_id", "transition", "receiver", "incident")
Arrival = tuple[str, bytes]
"""Idempotency key and body, in the order in which they were answered."""


def check_receiver(name: str, arrivals: Iterable[Arrival], stories: dict[str, Story], wrong: list[str]) -> Counter[str]:
    """Everything asked for arrived at least once, in order by first arrival, or was replaced by something newer; and nothing else did."""
    times: Counter[str] = Counter()
    order: defaultdict[str, list[int]] = defaultdict(list)
    asked = {effect: one for story in stories.values() for effect, one in story.asked.items() if one["receiver"] == name}
    for key, body in arrivals:
        times[key] += 1
        if times[key] > 1:
            continue
        told, effect = json.loads(body), asked.get(key)
        incident = told["incident"]
        order[incident["incident_id"]].append(incident["revision"])
        if effect is None:
            wrong.append(f"{name} got {key}, which was never asked for")
        elif [told[part] for part in PARTS] != [effect[part] for part in PARTS]:
            wrong.append(f"{name} got {key} with other content than was asked for")
    for incident_id, revisions in order.items():
        if revisions != sorted(revisions):
            wrong.append(f"{name} heard the revisions {revisions} of {incident_id}")
    replaced = 0
    for key in asked.keys() - times.keys():
        incident_id = asked[key]["incident"]["incident_id"]
        if max(order[incident_id], default=0) > asked[key]["incident"]["revision"] and key not in stories[incident_id].done:
            replaced += 1
        else:
            wrong.append(f"{name} never got {asked[key]['transition']} of {incident_id} ({key})")
    return Counter(messages=times.total(), messages_repeated=times.total() - len(times), messages_replaced=replaced)
