"""What happens to an incident after it was opened: its timers, and what people say about it."""

from __future__ import annotations

from agents.case import Case, Turn
from agents.children import child_pages
from agents.episode import calm, fires, leave
from agents.held import recall
from agents.incidents import (
    delivered,
    is_open,
    load,
    note,
    page_higher,
    publish_soon,
    purge,
    reopen_by_person,
    resolve,
    tell,
    wait_for_silence,
    withdraw,
)
from agents.noise.rules import DAY
from agents.noise.silence import over_incident
from agents.reasons import Why
from agents.rows import ALERTS, HELD, UNCOUNTED, IncidentRow
from pipeline.decide.questions import overrule
from pipeline.stages import judge_again
from schemas.base import Severity, to_ms
from schemas.effect import Transition
from schemas.feedback import Feedback

# -- timers -----------------------------------------------------------------------------------------------------------------------------


def hold_is_over(turn: Turn, incident_id: str, due: int) -> None:
    """The transient hold ended: page, unless it was paged, withdrawn or held anew."""
    row = load(turn, incident_id)
    if row is None or not is_open(row) or row.hold_until != due or row.paged_severity:
        return
    row.hold_until = 0
    if not wait_for_silence(turn, row):
        tell(turn, row, Transition.FIRED)


def update_is_due(turn: Turn, incident_id: str, due: int) -> None:
    row = load(turn, incident_id)
    if row is not None and is_open(row) and row.update_due == due:
        row.update_due = 0
        tell(turn, row, Transition.UPDATED)


def publish_is_due(turn: Turn, incident_id: str, due: int) -> None:
    row = load(turn, incident_id)
    if row is not None and row.publish_due == due:
        turn.publish.add(incident_id)


def count_is_due(turn: Turn, incident_id: str) -> None:
    turn.state.delete(UNCOUNTED + incident_id.encode())
    row = load(turn, incident_id)
    if row is not None and is_open(row):
        row.updated_at = turn.now
        turn.publish.add(incident_id)


def response_is_due(turn: Turn, incident_id: str, due: int) -> None:
    """Nobody acknowledged in time: escalate, once, to the backup receivers too."""
    row = load(turn, incident_id)
    if row is None or not is_open(row) or row.acknowledged_at or row.respond_by != due:
        return
    quieted = over_incident(row, turn)
    if quieted is not None:
        row.respond_by = min(to_ms(quieted.ends_at) + 1, turn.now + round(turn.world.rules.release_check_s * 1000))
        turn.at(row.respond_by, "respond", incident_id)
        return
    row.status = "escalated"
    note(row, turn.now, "nobody acknowledged in time: escalated")
    backups = [backup for one in row.receivers if (backup := turn.world.backup(one))]
    row.receivers = list(dict.fromkeys([*row.receivers, *backups]))
    tell(turn, row, Transition.ESCALATED)
    row.respond_by = 0


def child_page_is_due(turn: Turn, key: str) -> None:
    """A P1 child joined a parent whose page has still not arrived: it pages by itself."""
    incident_id, alert_key = key.split("|", 1)
    row, alert = load(turn, incident_id), ALERTS.get(turn.state, alert_key)
    if row is None or alert is None or not alert.firing or alert.incident_id != incident_id or delivered(row):
        return
    child_pages(turn, row, alert_key, alert)


def release(turn: Turn, alert_key: str, due: int) -> None:
    """An alert that was held back still fires: is it still held back? If not, it is told now."""
    row, held = ALERTS.get(turn.state, alert_key), HELD.get(turn.state, alert_key)
    if row is None or held is None or not row.firing or not row.suppressed or row.recheck_at != due:
        return
    case = Case(alert=recall(row, held, alert_key, turn.now), row=row, digest=row.digest, again=True)
    case.severity, case.owner = Severity(row.severity), row.owner
    ended = judge_again(case, turn)
    fires(case, turn, ended)


def quiet(turn: Turn, alert_key: str) -> None:
    """No unreadable input for a while: the notice is over."""
    row = ALERTS.get(turn.state, alert_key)
    if row is None or not row.firing:
        return
    due = row.last_at + round(turn.world.rules.notice_quiet_s * 1000)
    if due > turn.now:
        turn.at(due, "quiet", alert_key)
        return
    row.firing, row.resolved_at, row.suppressed = False, turn.now, ""
    HELD.delete(turn.state, alert_key)
    leave(turn, row, alert_key, by="quiet")
    ALERTS.put(turn.state, alert_key, row)


def forget(turn: Turn, alert_key: str, due: int) -> None:
    """Drop what ended longer ago than the history is kept; look again later otherwise."""
    row = ALERTS.get(turn.state, alert_key)
    if row is None or row.forget_at != due:
        return
    kept_until = max(row.last_at, row.resolved_at) + turn.world.rules.history_days * DAY
    if not row.firing and kept_until <= turn.now:
        ALERTS.delete(turn.state, alert_key)
        HELD.delete(turn.state, alert_key)
        return
    row.forget_at = max(turn.now + DAY, kept_until)
    ALERTS.put(turn.state, alert_key, row)
    turn.at(row.forget_at, "forget", alert_key)


def fire(turn: Turn, name: str, key: str, due: int) -> None:
    """Every timer of an alert or an incident. A timer whose row has moved on does nothing."""
    match name:
        case "hold":
            hold_is_over(turn, key, due)
        case "update":
            update_is_due(turn, key, due)
        case "publish":
            publish_is_due(turn, key, due)
        case "count":
            count_is_due(turn, key)
        case "respond":
            response_is_due(turn, key, due)
        case "child_page":
            child_page_is_due(turn, key)
        case "release":
            release(turn, key, due)
        case "calm":
            calm(turn, key)
        case "quiet":
            quiet(turn, key)
        case "purge":
            purge(turn, key)
        case "forget":
            forget(turn, key, due)
        case _:
            raise ValueError(f"unknown timer {name!r}")


# -- people -----------------------------------------------------------------------------------------------------------------------------


def hear(turn: Turn, feedback: Feedback) -> None:
    """What a person said about an incident."""
    row = load(turn, feedback.incident_id)
    if row is None:
        return
    match feedback.kind:
        case "acknowledge" | "in_progress":
            acknowledge(turn, row, feedback)
        case "escalate":
            note(row, turn.now, "escalated" if is_open(row) else "escalated after it had ended", feedback.by)
            if is_open(row):
                row.status = "escalated"
                tell(turn, row, Transition.ESCALATED)
        case "resolve" | "false_positive":
            if is_open(row):
                withdraw_if_untold(row, feedback)
                resolve(turn, row, by=feedback.by, status="resolved" if feedback.kind == "resolve" else "false_positive")
        case "reopen":
            if not is_open(row):
                reopen_by_person(turn, row, feedback.by)
        case "severity":
            if feedback.severity is not None:
                correct(turn, row, feedback.severity, feedback.by)
        case _:
            note(row, turn.now, f"{feedback.kind}: {feedback.comment or feedback.runbook_id or ''}".strip(), feedback.by)
    publish_soon(turn, row)
    turn.publish.add(row.incident_id)


def acknowledge(turn: Turn, row: IncidentRow, feedback: Feedback) -> None:
    if not is_open(row):
        note(row, turn.now, f"{feedback.kind} after it had ended", feedback.by)
        return
    first = not row.acknowledged_at
    row.status = "acknowledged" if feedback.kind == "acknowledge" else "in_progress"
    if first:
        row.acknowledged_at, row.acknowledged_by, row.respond_by = turn.now, feedback.by, 0
    note(row, turn.now, row.status, feedback.by)
    if first and row.paged_severity:
        tell(turn, row, Transition.ACKNOWLEDGED)


def correct(turn: Turn, row: IncidentRow, severity: Severity, by: str) -> None:
    before = Severity(row.severity)
    overrule(turn, row, by)
    row.ruled = row.ruled or before.value
    row.severity = severity.value
    if row.paged_severity and before.outranks(severity):
        row.paged_severity = severity.value  # what is worse than that is news again
    note(row, turn.now, f"severity {before.value} to {severity.value}", by)
    if is_open(row) and severity.outranks(before):
        page_higher(turn, row)


def withdraw_if_untold(row: IncidentRow, feedback: Feedback) -> None:
    if not row.paged_severity:
        withdraw(row, Why.TRANSIENT.value, f"{feedback.kind} by {feedback.by} before anybody was told")
