"""Order: late and swapped events end in the same state as the ordered stream would.

Only for sources whose `started_at` is the start of an episode; others may reuse it, and a page must not be lost to that.
"""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.reasons import Why
from schemas.base import Severity, to_ms
from schemas.decision import Outcome


def late_fire(case: Case, turn: Turn) -> End | None:
    """A fire of an episode whose resolve has already come."""
    row, alert, rules = case.row, case.alert, turn.world.rules
    if row is None or row.firing or alert.started_at is None or not row.source_ended or alert.source not in rules.episodic_sources:
        return None
    started = to_ms(alert.started_at)
    same_episode = started <= (row.source_started or row.source_ended)
    if not same_episode or started >= row.source_ended or turn.now - row.resolved_at > rules.late_window_s * 1000:
        return None
    if case.severity is Severity.P1 and not row.fires:
        return None  # never told: a P1 is told even when it is over
    return End(Outcome.SUPPRESSED, Why.ALREADY_RESOLVED, "arrived after its own resolve", {"ended_at": row.source_ended})


def late_resolve(case: Case, turn: Turn) -> End | None:
    """A resolve of an episode before the one that fires now."""
    row, alert = case.row, case.alert
    if row is None or not row.firing or alert.started_at is None or not row.source_started:
        return None
    if alert.source not in turn.world.rules.episodic_sources or to_ms(alert.started_at) >= row.source_started:
        return None
    case.severity = Severity(row.severity)
    return End(Outcome.RESOLVED, Why.RESOLVE_LATE, "resolves an earlier episode; the present one still fires")
