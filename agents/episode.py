"""An alert's episode: from its first fire to its resolve. Turns how an event ended (`End`) into the alert's row and its incident."""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.children import p1_cleared
from agents.correlate import join_parent, settle, tell_ended
from agents.held import remember
from agents.incidents import count_soon, is_open, knows, load, member_cleared, note, publish_soon, resolve, tell, withdraw
from agents.noise.flap import note_clear, stop_flapping
from agents.noise.order import note_unseen_end
from agents.noise.rules import DAY
from agents.reasons import Why
from agents.rows import ALERTS, HELD, AlertRow, IncidentRow
from schemas.base import Severity, to_ms
from schemas.decision import Outcome
from schemas.effect import Transition

FORGET_CHECK = DAY


def fires(case: Case, turn: Turn, ended: End | None) -> End:
    """Keep a firing event. `ended` is None when no stage held it back: then it gets its incident and its page."""
    row = begin(case, turn)
    if ended is None:
        row.suppressed, row.suppressed_text, row.suppressed_by = "", "", ""
        HELD.delete(turn.state, case.key)
        if case.over:
            ended = tell_ended(case, turn, row)
            row.firing, row.resolved_at = False, turn.now
        else:
            ended = settle(case, turn, row)
    elif ended.why is Why.REPEAT:
        count_soon(turn, row.incident_id)
    elif ended.why is Why.PARENT_P1 and case.incident is not None:
        row.suppressed, row.suppressed_text, row.suppressed_by = "", "", ""
        join_parent(case, turn, row, case.incident)
    elif ended.why is Why.FLAPPING_P1:
        row.suppressed, row.suppressed_text, row.suppressed_by = "", "", ""
    elif ended.why is Why.ALREADY_RESOLVED:
        row.firing = False
    elif ended.outcome is Outcome.SUPPRESSED and not ended.facts.get("repeat"):
        hold_back(case, turn, row, ended)
    ALERTS.put(turn.state, case.key, row)
    return ended


def begin(case: Case, turn: Turn) -> AlertRow:
    """The alert's row with this event counted in: a new episode, or one more of the present one."""
    alert, row = case.alert, case.row
    started = to_ms(alert.started_at) if alert.started_at is not None else 0
    if row is None:
        row = AlertRow(
            alert.name, alert.service, alert.environment, alert.domain, alert.source, case.severity.value, forget_at=turn.now + FORGET_CHECK
        )
        turn.at(row.forget_at, "forget", case.key)
    if not row.firing or (row.incident_id and not row.suppressed and not knows(turn, row.incident_id)):
        row.firing, row.first_at, row.count, row.fires, row.severity = True, turn.now, 0, row.fires + 1, case.severity.value
        row.source_started, row.unseen_end = started, False
        row.member = row.member and row.flapping
        row.notice = alert.kind == "notice"
        if row.notice:
            turn.at(turn.now + round(turn.world.rules.notice_quiet_s * 1000), "quiet", case.key)
    elif case.severity.outranks(Severity(row.severity)):
        row.severity = case.severity.value
    if case.digest != row.digest:
        row.digest, row.summary = case.digest, alert.summary[:300]
    row.owner, row.url = case.owner or row.owner, alert.url or row.url
    if not case.again:
        row.count += 1
        row.last_at = turn.now
    return row


def hold_back(case: Case, turn: Turn, row: AlertRow, ended: End) -> None:
    """A suppressed alert that still fires is judged again soon: its reason may end or be taken back, and the alert goes on."""
    waits = turn.now < row.recheck_at and (row.suppressed, row.suppressed_by) == (ended.why.value, ended.by)
    row.suppressed, row.suppressed_text, row.suppressed_by = ended.why.value, ended.text[:300], ended.by
    if ended.why is Why.FLAP:
        return  # until it calms down, which has a timer of its own
    remember(case, turn)
    if not waits:
        latest = turn.now + round(turn.world.rules.release_check_s * 1000)
        row.recheck_at = min(ended.until, latest) if ended.until else latest
        turn.at(row.recheck_at, "release", case.key)


def clears(case: Case, turn: Turn) -> End:
    """Keep a resolve."""
    alert, row = case.alert, case.row
    ended_at = to_ms(alert.ended_at) if alert.ended_at is not None else turn.now
    if row is None:
        row = AlertRow(alert.name, alert.service, alert.environment, alert.domain, alert.source, (alert.severity or Severity.P3).value)
        row.forget_at = turn.now + FORGET_CHECK
        turn.at(row.forget_at, "forget", case.key)
        row.source_started = to_ms(alert.started_at) if alert.started_at is not None else 0
        row.source_ended, row.resolved_at, row.unseen_end = ended_at, turn.now, True
        case.severity = Severity(row.severity)
        ended = End(Outcome.RESOLVED, Why.RESOLVE_UNKNOWN, "nothing of it was open")
    else:
        case.severity = Severity(row.severity)
        ended = clear(case, turn, row, ended_at)
    ALERTS.put(turn.state, case.key, row)
    return ended


def clear(case: Case, turn: Turn, row: AlertRow, ended_at: int) -> End:
    alert_key = case.key
    if not row.firing:
        note_unseen_end(case.alert, row, turn, ended_at)
        return End(Outcome.RESOLVED, Why.RESOLVE_REPEAT, "it was resolved already")
    row.firing, row.resolved_at, row.source_ended = False, turn.now, ended_at
    cycles = note_clear(row, turn.now, round(turn.world.rules.flap_window_s * 1000))
    incident = load(turn, row.incident_id) if row.incident_id else None
    held_for = row.suppressed
    row.suppressed = "" if held_for != Why.FLAP else held_for
    HELD.delete(turn.state, alert_key)
    if row.flapping and incident is not None and is_open(incident):
        return End(Outcome.RESOLVED, Why.RESOLVE_FLAPPING, f"flapping: {cycles} cycles; told when it calms down", {"cycles": cycles})
    if row.flapping:
        stop_flapping(row)
    if held_for and not row.member:
        return End(
            Outcome.RESOLVED, Why.RESOLVE_SUPPRESSED, f"it was held back: {row.suppressed_text}", {"was": held_for}, by=row.suppressed_by
        )
    if incident is None:
        return End(Outcome.RESOLVED, Why.RESOLVE_UNKNOWN, "its incident is gone")
    case.incident = incident
    if cycles > turn.world.rules.flap_threshold and turn.world.rules.suppression_enabled and is_open(incident):
        return start_flapping(turn, row, incident, alert_key, cycles)
    rules, fired_for = turn.world.rules, (turn.now - row.first_at) / 1000
    if not rules.suppression_enabled and row.severity != Severity.P1 and fired_for < rules.transient_hold_s:
        case.would_suppress = End(
            Outcome.SUPPRESSED, Why.TRANSIENT, f"cleared after {fired_for:.1f} s; told at once, as suppression is off"
        )
    return leave(turn, row, alert_key, by=f"{case.alert.source}")


def leave(turn: Turn, row: AlertRow, alert_key: str, *, by: str) -> End:
    """A member cleared: the incident ends with its last one."""
    incident = load(turn, row.incident_id)
    if incident is None or not is_open(incident):
        row.member = False
        return End(Outcome.RESOLVED, Why.RESOLVE_REPEAT, "its incident has ended already")
    was_p1 = alert_key in incident.p1_members
    member_cleared(turn, incident, row, alert_key)
    ALERTS.put(turn.state, alert_key, row)
    if was_p1:
        p1_cleared(turn, incident, row)
    facts = {"incident": incident.incident_id, "firing": incident.firing}
    if incident.firing > 0:
        publish_soon(turn, incident)
        return End(Outcome.RESOLVED, Why.RESOLVE_MEMBER, f"{incident.firing} alert(s) of {incident.incident_id} still fire", facts)
    if resolve(turn, incident, by=by):
        return End(Outcome.RESOLVED, Why.RESOLVE_TOLD, f"{incident.incident_id} is over: {', '.join(incident.receivers)}", facts)
    if not incident.silence_code:
        seconds = (turn.now - incident.opened_at) / 1000
        withdraw(incident, Why.TRANSIENT.value, f"cleared after {seconds:.1f} s, before its page was due")
    return End(Outcome.RESOLVED, Why.RESOLVE_WITHDRAWN, f"its page was withdrawn: {incident.silence_text}", facts)


def start_flapping(turn: Turn, row: AlertRow, incident: IncidentRow, alert_key: str, cycles: int) -> End:
    """It stays a member, counted as firing, until it calms down."""
    row.flapping, row.suppressed, row.suppressed_text = True, Why.FLAP.value, f"flapping: {cycles} cycles"
    row.suppressed_by = incident.incident_id
    note(incident, turn.now, f"{row.name} began to flap ({cycles} cycles)")
    incident.hold_until = 0
    tell(turn, incident, Transition.FLAPPING)
    turn.at(turn.now + round(turn.world.rules.flap_quiet_s * 1000), "calm", alert_key)
    return End(
        Outcome.RESOLVED,
        Why.RESOLVE_FLAPPING,
        f"flapping began: {cycles} cycles; told once now, and once when it ends",
        {"cycles": cycles, "began": True},
    )


def calm(turn: Turn, alert_key: str) -> None:
    """The timer of a flapping alert: it ends when nothing has changed for the quiet time."""
    row = ALERTS.get(turn.state, alert_key)
    if row is None or not row.flapping:
        return
    due = max(row.first_at, row.resolved_at) + round(turn.world.rules.flap_quiet_s * 1000)
    if due > turn.now:
        turn.at(due, "calm", alert_key)
        return
    stop_flapping(row)
    incident = load(turn, row.incident_id)
    if incident is not None and is_open(incident):
        note(incident, turn.now, f"{row.name} no longer flaps; it {'fires' if row.firing else 'is resolved'}")
        if not row.firing:
            leave(turn, row, alert_key, by="calm")
        elif not row.suppressed:
            tell(turn, incident, Transition.FLAPPING_ENDED)
    ALERTS.put(turn.state, alert_key, row)
