"""Flap: more than `flap_threshold` cycles of fire and clear in the window. One notice when it starts, one when it ends, none between.

A P1 is not suppressed: while its incident is open and told, a fire of it joins that incident.
"""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.reasons import Why
from agents.rows import AlertRow
from schemas.base import Severity
from schemas.decision import Outcome


def flap(case: Case, turn: Turn) -> End | None:
    row = case.row
    if row is None or not row.flapping:
        return None
    facts = {"cycles": len(row.clears), "window_s": turn.world.rules.flap_window_s}
    if case.severity is Severity.P1:
        if case.severity.outranks(Severity(row.severity)):
            return None  # an escalation always passes
        return End(Outcome.GROUPED, Why.FLAPPING_P1, f"flapping: {len(row.clears)} cycles; its incident is open and told", facts)
    text = f"flapping: {len(row.clears)} cycles in {turn.world.rules.flap_window_s / 60:.0f} min; told once when it began"
    return End(Outcome.SUPPRESSED, Why.FLAP, text, facts, until=turn.now + round(turn.world.rules.flap_quiet_s * 1000), by=row.incident_id)


def note_clear(row: AlertRow, now: int, window_ms: int) -> int:
    """Remember one clear; returns how many lie in the window."""
    row.clears = [*(at for at in row.clears if now - at < window_ms), now][-50:]
    return len(row.clears)
