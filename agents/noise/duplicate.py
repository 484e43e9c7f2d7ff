"""Duplicate: hold back an event that only repeats what is already known of a firing alert.

An escalation and a resolve always pass. State: the alert's row.
"""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.incidents import knows
from agents.reasons import Why
from agents.rows import AlertRow
from agents.score import digest
from schemas.base import Severity
from schemas.decision import Outcome


def same_words(case: Case, turn: Turn) -> End | None:
    """A firing alert said again in the same words needs no new verdict: the cheap way out for most of a storm."""
    case.digest = digest(case.alert)
    row = case.row
    if row is None or row.digest != case.digest or not still_known(row, turn):
        return None
    case.severity = Severity(row.severity)
    return repeat_of(row)


def duplicate(case: Case, turn: Turn) -> End | None:
    """The words changed, the urgency did not rise."""
    row = case.row
    if row is None or not still_known(row, turn) or case.severity.outranks(Severity(row.severity)):
        return None
    case.severity = Severity(row.severity)
    return repeat_of(row)


def still_known(row: AlertRow, turn: Turn) -> bool:
    """Whether what was decided about a firing alert still holds. A figure that was too small is looked at each time."""
    if not row.firing or row.suppressed == Why.INSIGNIFICANT:
        return False
    if row.suppressed:
        return row.recheck_at > turn.now or row.flapping
    return knows(turn, row.incident_id)


def repeat_of(row: AlertRow) -> End:
    facts = {"count": row.count + 1, "repeat": True}
    if row.suppressed:
        text = f"repeat {row.count + 1} of an alert that is held back: {row.suppressed_text}"
        return End(Outcome.SUPPRESSED, Why(row.suppressed), text, facts, by=row.suppressed_by)
    return End(Outcome.GROUPED, Why.REPEAT, f"repeat {row.count + 1} of {row.name}; its incident {row.incident_id} knows", facts)
