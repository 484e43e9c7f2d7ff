"""Duplicate: hold back an event that only repeats what is already known of a firing alert.

An escalation and a resolve always pass. State: the alert's row.
"""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.reasons import Why
from agents.rows import AlertRow
from agents.score import digest
from schemas.base import Severity
from schemas.decision import Outcome


def same_words(case: Case, turn: Turn) -> End | None:
    """A firing alert said again in the same words needs no new verdict: the cheap way out for most of a storm."""
    case.digest = digest(case.alert)
    row = case.row
    if row is None or not row.firing or row.digest != case.digest or (row.suppressed and row.recheck_at <= turn.now):
        return None
    case.severity = Severity(row.severity)
    return repeat_of(row)


def duplicate(case: Case, turn: Turn) -> End | None:
    """The words changed, the urgency did not rise."""
    row = case.row
    if row is None or not row.firing or case.severity.outranks(Severity(row.severity)) or (row.suppressed and row.recheck_at <= turn.now):
        return None
    case.severity = Severity(row.severity)
    return repeat_of(row)


def repeat_of(row: AlertRow) -> End:
    if row.suppressed:
        text = f"repeat {row.count + 1} of an alert that is held back: {row.suppressed_text}"
        return End(Outcome.SUPPRESSED, Why(row.suppressed), text, {"count": row.count + 1, "repeat": True}, by=row.suppressed_by)
    return End(
        Outcome.GROUPED, Why.REPEAT, f"repeat {row.count + 1} of {row.name}; its incident {row.incident_id} knows", {"count": row.count + 1}
    )
