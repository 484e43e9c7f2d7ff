"""Flap: more than `flap_threshold` cycles of fire and clear in the window. One notice when it starts, one when it ends, none between.

Only as long as the incident that was told is open. What got worse passes; a P1 is not suppressed, a fire of it joins that incident.
"""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.incidents import is_open, look
from agents.reasons import Why
from agents.rows import AlertRow
from schemas.base import Severity
from schemas.decision import Outcome


def flap(case: Case, turn: Turn) -> End | None:
    row = case.row
    if row is None:
        return None
    if not turn.world.rules.suppression_enabled:
        return would_flap(case, row, turn)
    if not row.flapping:
        return None
    incident = look(turn, row.incident_id)
    if incident is None or not is_open(incident):
        stop_flapping(row)  # a person closed it: it is judged like any other
        return None
    if case.severity.outranks(Severity(row.severity)):
        return None
    if case.severity is Severity.P1:
        return End(Outcome.GROUPED, Why.FLAPPING_P1, f"flapping: {len(row.clears)} cycles; its incident is open and told", facts(row, turn))
    return held(row, turn)


def would_flap(case: Case, row: AlertRow, turn: Turn) -> End | None:
    """With suppression off nothing flaps: each cycle is told, and written down as what would have been held back."""
    if row.flapping:
        stop_flapping(row)
    window_ms = round(turn.world.rules.flap_window_s * 1000)
    recent = sum(turn.now - at < window_ms for at in row.clears)
    return held(row, turn) if recent > turn.world.rules.flap_threshold and case.severity is not Severity.P1 else None


def held(row: AlertRow, turn: Turn) -> End:
    text = f"flapping: {len(row.clears)} cycles in {turn.world.rules.flap_window_s / 60:.0f} min; told once when it began"
    return End(Outcome.SUPPRESSED, Why.FLAP, text, facts(row, turn), by=row.incident_id)


def facts(row: AlertRow, turn: Turn) -> dict[str, object]:
    return {"cycles": len(row.clears), "window_s": turn.world.rules.flap_window_s}


def stop_flapping(row: AlertRow) -> None:
    row.flapping, row.clears = False, []
    if row.suppressed == Why.FLAP:
        row.suppressed, row.suppressed_text, row.suppressed_by = "", "", ""


def note_clear(row: AlertRow, now: int, window_ms: int) -> int:
    """Remember one clear; returns how many lie in the window."""
    row.clears = [*(at for at in row.clears if now - at < window_ms), now][-50:]
    return len(row.clears)
