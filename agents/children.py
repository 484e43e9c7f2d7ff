"""P1 children of an incident: they leave it and page by themselves when its root recovers or its page does not arrive."""

from __future__ import annotations

from agents.case import Turn
from agents.incidents import drop_ref, is_open, join, note, open_incident, place, publish_soon, resolve, tell, wait_for_silence
from agents.rows import ALERTS, HELD, OPEN_P1, AlertRow, IncidentRow
from schemas.effect import Transition

Child = tuple[str, AlertRow]
"""Fingerprint and row."""


def p1_cleared(turn: Turn, row: IncidentRow, alert: AlertRow) -> None:
    """Forget the open P1 of a service when no P1 of the incident fires on it; children that no other root explains then leave."""
    if not alert.service:
        return
    remaining: list[Child] = []
    for one in row.p1_members:
        member = ALERTS.get(turn.state, one)
        if member is not None and member.service == alert.service:
            return
        if member is not None:
            remaining.append((one, member))
    drop_ref(turn, OPEN_P1, f"{row.domain}|{alert.service}", row.incident_id)
    children = [child for child in remaining if depends(turn, child[1].service, alert.service)]
    roots = [child for child in remaining if child not in children]
    left = [child for child in children if not any(depends(turn, child[1].service, root.service) for _, root in roots)]
    if left:
        spin_off(turn, row, left, recovered=alert.service)


def depends(turn: Turn, service: str, on: str) -> bool:
    return turn.world.graph.upstream(service, turn.world.rules.join_hops).get(on, 0) > 0


def spin_off(turn: Turn, row: IncidentRow, children: list[Child], *, recovered: str) -> None:
    """The children become an incident that pages by itself, at once or when what silences it ends."""
    children = sorted(children, key=lambda child: child[1].first_at)
    alert_key, first = children[0]
    title = f"{first.name} on {place(first)}"
    summary = f"{first.summary or title} (was explained by {recovered}, {row.incident_id})"
    leaving = {one for one, _ in children}
    for service in sorted({member.service for _, member in children if member.service}):
        drop_ref(turn, OPEN_P1, f"{row.domain}|{service}", row.incident_id)
    row.members = [one for one in row.members if one not in leaving]
    row.p1_members = [one for one in row.p1_members if one not in leaving]
    row.total = max(0, row.total - len(leaving))
    row.firing = max(0, row.firing - len(leaving))
    held = HELD.get(turn.state, alert_key)
    labels = held.labels if held is not None else {}
    new = open_incident(
        turn, first, alert_key, title=title, summary=summary, confidence=row.confidence, deadline=turn.now, labels=labels,
        parent=row.incident_id,
    )  # fmt: skip
    ALERTS.put(turn.state, alert_key, first)
    for other, member in children[1:]:
        join(turn, new, member, other)
        ALERTS.put(turn.state, other, member)
    note(row, turn.now, f"{len(children)} P1 child(ren) of {recovered} page by themselves as {new.incident_id}")
    if not wait_for_silence(turn, new):
        tell(turn, new, Transition.FIRED)
    publish_soon(turn, row)


def child_pages(turn: Turn, row: IncidentRow, alert_key: str, alert: AlertRow) -> None:
    """The page of its parent has not arrived. An incident that nothing else keeps open is over with it."""
    spin_off(turn, row, [(alert_key, alert)], recovered=row.service or row.title)
    if is_open(row) and not row.firing:
        resolve(turn, row, by="flux")
