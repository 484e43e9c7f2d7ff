"""Enrich: what is known about the service and the alert before anything is judged.

Reads the topology, the newest changes and the alert's own past; writes facts only.
"""

from __future__ import annotations

from typing import Any

from agents.case import Case, End, Turn
from agents.noise.rules import HOUR
from agents.rows import CHANGES, ChangesRow

RECENT = HOUR
"""Changes older than this seldom explain a new alert."""
KEPT_CHANGES = 5


def enrich(case: Case, turn: Turn) -> End | None:
    alert, facts = case.alert, {}
    service = turn.world.graph.get(alert.service)
    if service is not None:
        case.owner, case.tier, case.customer_facing = service.owner, service.tier, service.customer_facing
        facts = {"tier": service.tier, "customer_facing": service.customer_facing, "owner": service.owner}
        if service.depends_on:
            facts["depends_on"] = service.depends_on[:10]
    case.owner = case.owner or alert.labels.get("owner") or alert.labels.get("team", "")
    changes = recent_changes(case, turn)
    if changes:
        facts["changes"] = changes
    row = case.row
    if row is not None and row.fires:
        facts["history"] = {"fires": row.fires, "last_at": row.last_at, "last_resolved_at": row.resolved_at}
    case.add("enrich", "known_service" if service is not None else "unknown_service", **facts)
    return None


def recent_changes(case: Case, turn: Turn) -> list[dict[str, Any]]:
    return changes_of(turn, case.alert.domain, case.alert.service)


def changes_of(turn: Turn, domain: str, service: str) -> list[dict[str, Any]]:
    """Changes of a service and of what it directly depends on, newest first."""
    found = []
    for name in turn.world.graph.upstream(service, 1):
        row = CHANGES.get(turn.state, f"{domain}|{name}")
        if row is not None:
            found += [(at, name, kind, title, version) for at, kind, title, version in row.items if turn.now - at <= RECENT]
    found.sort(reverse=True)
    return [
        {"service": name, "kind": kind, "title": title, "version": version, "seconds_before": round((turn.now - at) / 1000)}
        for at, name, kind, title, version in found[:KEPT_CHANGES]
    ]


def remember_change(turn: Turn, *, domain: str, service: str, at: int, kind: str, title: str, version: str) -> None:
    """Keep the newest changes of a service."""
    key = f"{domain}|{service}"
    row = CHANGES.get(turn.state, key) or ChangesRow()
    items = sorted([*row.items, (at, kind, title[:200], version[:80])])[-KEPT_CHANGES:]
    CHANGES.put(turn.state, key, ChangesRow(items))
