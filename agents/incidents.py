"""The life of an incident: opened, joined, told, acknowledged, resolved, reopened.

Pure changes of rows; what to tell is asked for on the turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from agents.advice.rows import ADVICE
from agents.case import Tell, Turn
from agents.noise.rules import DAY
from agents.noise.silence import over_incident, said, why
from agents.rows import ALERTS, CAUSES, CLOSED_MARK, INCIDENTS, OPEN_P1, UNCOUNTED, AlertRow, IncidentRow, Refs
from agents.state import Store
from schemas.base import Severity, to_ms
from schemas.effect import Transition

P1 = Severity.P1
PAGES = (Transition.FIRED, Transition.ESCALATED, Transition.FIRED_AND_RESOLVED, Transition.FLAPPING)
LISTED = 50
LISTED_P1 = 200
LISTED_CAUSES = 64
LISTED_REFS = 16
LISTED_LABELS = 30
CLOSED = ("resolved", "false_positive")
PURGE_AFTER = DAY
"""An incident that ended is forgotten by the lane after this (ms); the topics and the history keep it."""


# -- reading and keeping -------------------------------------------------------------------------------------------------------------


def load(turn: Turn, incident_id: str) -> IncidentRow | None:
    """The incident as of this turn; changes to it are kept when the turn ends."""
    row = turn.touched.get(incident_id)
    if row is None:
        row = INCIDENTS.get(turn.state, incident_id)
        if row is not None:
            turn.touched[incident_id] = row
    return row


def look(turn: Turn, incident_id: str) -> IncidentRow | None:
    """The incident to read only: what is not changed need not be written back."""
    return turn.touched.get(incident_id) or INCIDENTS.get(turn.state, incident_id)


def keep(turn: Turn) -> None:
    """Store every incident of the turn."""
    for incident_id, row in turn.touched.items():
        INCIDENTS.put(turn.state, incident_id, row)


def may_purge(turn: Turn, incident_id: str) -> bool:
    row = look(turn, incident_id)
    return row is not None and not is_open(row) and turn.now - row.resolved_at >= PURGE_AFTER


def purge(turn: Turn, incident_id: str) -> None:
    """Forget an incident that ended long enough ago."""
    if not may_purge(turn, incident_id):
        return
    turn.touched.pop(incident_id, None)
    INCIDENTS.delete(turn.state, incident_id)
    ADVICE.delete(turn.state, incident_id)
    for mark in (CLOSED_MARK, UNCOUNTED):
        turn.state.delete(mark + incident_id.encode())


def knows(turn: Turn, incident_id: str) -> bool:
    """Whether the incident of a firing alert still stands for it: it is kept, and no person closed it meanwhile. Decodes nothing."""
    key = incident_id.encode()
    return turn.state.get(INCIDENTS.prefix + key) is not None and turn.state.get(CLOSED_MARK + key) is None


def note(row: IncidentRow, now: int, what: str, by: str = "flux") -> None:
    row.timeline = [*row.timeline, (now, what, by)][-LISTED:]


def is_open(row: IncidentRow) -> bool:
    return row.status not in CLOSED


# -- opening and joining -------------------------------------------------------------------------------------------------------------


def place(alert: AlertRow) -> str:
    """Where an alert happens, for correlation: its service, or its own name where it has none."""
    return alert.service or f"~{alert.name}"


def open_incident(
    turn: Turn,
    alert: AlertRow,
    alert_key: str,
    *,
    title: str,
    summary: str,
    confidence: float,
    deadline: int,
    labels: Mapping[str, str],
    parent: str = "",
) -> IncidentRow:
    seed = f"{turn.caused_by}|{alert_key}|{turn.now}|{parent}"
    row = IncidentRow(
        incident_id="i" + blake2b(seed.encode(), digest_size=6).hexdigest(),
        domain=alert.domain,
        service=alert.service,
        environment=alert.environment,
        status="open",
        severity=alert.severity,
        title=title,
        summary=summary,
        confidence=confidence,
        opened_at=turn.now,
        deadline=deadline,
        updated_at=turn.now,
        parent=parent,
        owner=alert.owner,
        labels=dict(list(labels.items())[:LISTED_LABELS]),
        name=alert.name,
        opener=alert_key,
        opened_on=alert.service,
    )
    turn.touched[row.incident_id] = row
    nearest = sorted(turn.world.graph.upstream(place(alert), turn.world.rules.join_hops).items(), key=lambda item: item[1])
    row.causes = dict(nearest[:LISTED_CAUSES])
    for service in row.causes:
        add_ref(turn, CAUSES, f"{row.domain}|{service}", row.incident_id)
    note(row, turn.now, f"opened by {alert.name} ({alert.severity})")
    take_in(turn, row, alert, alert_key)
    turn.publish.add(row.incident_id)
    return row


def join(turn: Turn, row: IncidentRow, alert: AlertRow, alert_key: str) -> None:
    """An alert becomes a member: the incident's causes are narrowed to what explains this one too. One that comes back counts once."""
    hops = turn.world.graph.upstream(place(alert), turn.world.rules.join_hops)
    common = {service: total + hops[service] for service, total in row.causes.items() if service in hops}
    if common and alert_key not in row.members:
        for service in row.causes:
            if service not in common:
                drop_ref(turn, CAUSES, f"{row.domain}|{service}", row.incident_id)
        row.causes = common
    take_in(turn, row, alert, alert_key)
    if Severity(alert.severity).outranks(Severity(row.severity)):
        raise_to(turn, row, alert)
    publish_soon(turn, row)


def take_in(turn: Turn, row: IncidentRow, alert: AlertRow, alert_key: str) -> None:
    alert.incident_id, alert.member = row.incident_id, True
    row.total += alert_key not in row.members
    row.members = [*(one for one in row.members if one != alert_key), alert_key][-LISTED:]
    row.firing += 1
    row.last_join_at = row.updated_at = turn.now
    if alert.severity == P1:
        mark_p1(turn, row, alert, alert_key)


def mark_p1(turn: Turn, row: IncidentRow, alert: AlertRow, alert_key: str) -> None:
    if alert_key not in row.p1_members:
        row.p1_members = [*row.p1_members, alert_key][-LISTED_P1:]
    if alert.service:
        add_ref(turn, OPEN_P1, f"{row.domain}|{alert.service}", row.incident_id)


def raise_to(turn: Turn, row: IncidentRow, alert: AlertRow) -> None:
    note(row, turn.now, f"severity {row.severity} to {alert.severity} by {alert.name}")
    row.severity, row.service, row.owner = alert.severity, alert.service, alert.owner or row.owner
    row.updated_at = turn.now
    turn.publish.add(row.incident_id)


def publish_soon(turn: Turn, row: IncidentRow) -> None:
    """Small changes go out together: one revision for all within the gap."""
    row.updated_at = turn.now
    if row.publish_due <= turn.now:
        row.publish_due = turn.now + round(turn.world.rules.publish_gap_s * 1000)
        turn.at(row.publish_due, "publish", row.incident_id)


def count_soon(turn: Turn, incident_id: str) -> None:
    """A repeat came: the published counts follow within the gap. Touches no incident row, since most of a storm is repeats."""
    mark = UNCOUNTED + incident_id.encode()
    if turn.state.get(mark) is None:
        turn.state.put(mark, b"1")
        turn.at(turn.now + round(turn.world.rules.count_gap_s * 1000), "count", incident_id)


def reopen_by_person(turn: Turn, row: IncidentRow, by: str) -> None:
    """Somebody says that it is not over: it stands for those of its alerts that still fire. Without any it is open until the next of its
    alerts clears, or a person ends it."""
    row.status, row.resolved_at, row.resolved_by, row.acknowledged_at, row.acknowledged_by = "open", 0, "", 0, ""
    turn.state.delete(CLOSED_MARK + row.incident_id.encode())
    members = [(one, member) for one in row.members if (member := ALERTS.get(turn.state, one)) is not None]
    fires = [(one, member) for one, member in members if member.firing and member.member and member.incident_id == row.incident_id]
    row.firing = len(fires)
    for service in row.causes:
        add_ref(turn, CAUSES, f"{row.domain}|{service}", row.incident_id)
    for alert_key, member in fires:
        if member.severity == P1:
            mark_p1(turn, row, member, alert_key)
    note(row, turn.now, "reopened", by)
    tell(turn, row, Transition.FIRED)


def reopen(turn: Turn, row: IncidentRow, alert: AlertRow, alert_key: str) -> None:
    row.status, row.resolved_at, row.resolved_by = "open", 0, ""
    row.acknowledged_at, row.acknowledged_by, row.paged_severity, row.silence_code, row.silence_text = 0, "", "", "", ""
    row.severity = alert.severity
    for service in row.causes:
        add_ref(turn, CAUSES, f"{row.domain}|{service}", row.incident_id)
    note(row, turn.now, f"reopened by {alert.name}")
    take_in(turn, row, alert, alert_key)
    turn.publish.add(row.incident_id)


# -- telling ----------------------------------------------------------------------------------------------------------------------------


def receivers(turn: Turn, row: IncidentRow) -> tuple[str, ...]:
    return turn.world.whom(
        severity=Severity(row.severity), service=row.service, environment=row.environment, owner=row.owner, labels=row.labels, now=turn.now
    )


def tell(turn: Turn, row: IncidentRow, transition: Transition) -> None:
    """Ask that the incident's receivers are told; the decide lane turns this into effects."""
    if transition in PAGES:
        row.paged_severity, row.page_confirmed = row.severity, False
        row.silence_code, row.silence_text = "", ""
        row.receivers = list(dict.fromkeys([*row.receivers, *receivers(turn, row)]))
        start_response_clock(turn, row)
    row.last_tell_at = turn.now
    turn.publish.add(row.incident_id)
    turn.tells.append(Tell(row, transition, tuple(row.receivers)))


def page(turn: Turn, row: IncidentRow) -> bool:
    """Page now, or hold for the transient time; True when the page is asked for now."""
    hold = round(turn.world.rules.transient_hold_s * 1000) if turn.world.rules.suppression_enabled else 0
    if row.severity == P1 or hold <= 0:
        row.hold_until = 0
        tell(turn, row, Transition.FIRED)
        return True
    row.hold_until = turn.now + hold
    turn.at(row.hold_until, "hold", row.incident_id)
    return False


def page_higher(turn: Turn, row: IncidentRow) -> bool:
    """After a severity rose: an incident that was told escalates, one that is held and became a P1 is paged at once."""
    if row.paged_severity:
        if Severity(row.severity).outranks(Severity(row.paged_severity)):
            if row.acknowledged_at:  # that was of something milder
                row.status, row.acknowledged_at, row.acknowledged_by = "open", 0, ""
            tell(turn, row, Transition.ESCALATED)
            return True
        return False
    return page(turn, row) if row.severity == P1 or not row.hold_until else False


def page_others(turn: Turn, row: IncidentRow, wanted: Iterable[str]) -> list[str]:
    """Page those of `wanted` who do not know of the incident; who they are."""
    new = [one for one in wanted if one not in row.receivers]
    if new:
        row.receivers = [*row.receivers, *new]
        turn.publish.add(row.incident_id)
        turn.tells.append(Tell(row, Transition.FIRED, tuple(new)))
    return new


def wait_for_silence(turn: Turn, row: IncidentRow) -> bool:
    """Hold the page of an incident that a silence covers, and look again at its end, or soon: it may be taken back."""
    silence = over_incident(row, turn)
    if silence is None:
        return False
    row.hold_until = min(to_ms(silence.ends_at) + 1, turn.now + round(turn.world.rules.release_check_s * 1000))
    turn.at(row.hold_until, "hold", row.incident_id)
    if row.silence_text != said(silence):
        withdraw(row, why(silence).value, said(silence))
        note(row, turn.now, said(silence))
        turn.publish.add(row.incident_id)
    return True


def update_page(turn: Turn, row: IncidentRow) -> None:
    """A P1 joined an incident that people know: say so, at most once in the update gap."""
    gap = round(turn.world.rules.update_gap_s * 1000)
    if turn.now - row.last_tell_at >= gap:
        tell(turn, row, Transition.UPDATED)
    elif row.update_due <= turn.now:
        row.update_due = row.last_tell_at + gap
        turn.at(row.update_due, "update", row.incident_id)


def start_response_clock(turn: Turn, row: IncidentRow) -> None:
    rules = turn.world.rules
    seconds = {"P1": rules.respond_p1_s, "P2": rules.respond_p2_s, "P3": rules.respond_p3_s}.get(row.severity, 0)
    if seconds and not row.acknowledged_at:
        due = turn.now + round(seconds * 1000)
        if not row.respond_by or due < row.respond_by or row.respond_by <= turn.now:
            row.respond_by = due
            turn.at(due, "respond", row.incident_id)


def delivered(row: IncidentRow) -> bool:
    """Whether anybody has received its newest page."""
    return row.page_confirmed


# -- ending -----------------------------------------------------------------------------------------------------------------------------


def member_cleared(turn: Turn, row: IncidentRow, alert: AlertRow, alert_key: str) -> None:
    """It no longer counts; what follows from the end of a P1 is `agents.children`."""
    alert.member = False
    row.firing = max(0, row.firing - 1)
    row.updated_at = turn.now
    row.p1_members = [one for one in row.p1_members if one != alert_key]


def resolve(turn: Turn, row: IncidentRow, *, by: str, status: str = "resolved") -> bool:
    """End the incident; True when people who were told are now told that it is over."""
    close(turn, row, by=by, status=status)
    if not row.paged_severity:
        return False
    tell(turn, row, Transition.RESOLVED)
    return True


def close(turn: Turn, row: IncidentRow, *, by: str, status: str = "resolved") -> None:
    services = {member.service for one in [*row.members, *row.p1_members] if (member := ALERTS.get(turn.state, one))} | {row.service}
    if row.firing and status == "resolved":
        turn.state.put(CLOSED_MARK + row.incident_id.encode(), b"1")
    row.status, row.resolved_at, row.resolved_by, row.updated_at = status, turn.now, by, turn.now
    turn.at(turn.now + PURGE_AFTER, "purge", row.incident_id)
    row.firing, row.p1_members, row.update_due, row.respond_by, row.hold_until = 0, [], 0, 0, 0
    note(row, turn.now, status, by)
    for service in row.causes:
        drop_ref(turn, CAUSES, f"{row.domain}|{service}", row.incident_id)
    for service in sorted(services):
        if service:
            drop_ref(turn, OPEN_P1, f"{row.domain}|{service}", row.incident_id)
    turn.publish.add(row.incident_id)


def withdraw(row: IncidentRow, code: str, text: str) -> None:
    """Nobody was told, and this is why."""
    row.silence_code, row.silence_text = code, text


# -- indexes ----------------------------------------------------------------------------------------------------------------------------


def add_ref(turn: Turn, store: Store[Refs], key: str, incident_id: str) -> None:
    refs = store.get(turn.state, key) or Refs()
    if incident_id not in refs.ids:
        store.put(turn.state, key, Refs([*refs.ids, incident_id][-LISTED_REFS:]))


def drop_ref(turn: Turn, store: Store[Refs], key: str, incident_id: str) -> None:
    refs = store.get(turn.state, key)
    if refs is None or incident_id not in refs.ids:
        return
    left = [one for one in refs.ids if one != incident_id]
    if left:
        store.put(turn.state, key, Refs(left))
    else:
        store.delete(turn.state, key)
