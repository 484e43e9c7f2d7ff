"""Order: late and swapped events end in the same state as the ordered stream would.

Only for sources whose `started_at` is the start of an episode; others may reuse it, and a page must not be lost to that.
"""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.reasons import Why
from agents.rows import AlertRow
from schemas.alert import Alert
from schemas.base import Severity, to_ms
from schemas.decision import Outcome


def late_fire(case: Case, turn: Turn) -> End | None:
    """A fire of an episode whose resolve has already come."""
    row = case.row
    if row is None or not ended_before(case.alert, row, turn):
        return None
    if row.unseen_end and (case.severity is Severity.P1 or not turn.world.rules.suppression_enabled):
        case.over = True  # told all the same: once, as both
        return None
    return End(Outcome.SUPPRESSED, Why.ALREADY_RESOLVED, "arrived after its own resolve", {"ended_at": row.source_ended})


def ended_before(alert: Alert, row: AlertRow, turn: Turn) -> bool:
    rules = turn.world.rules
    if row.firing or alert.started_at is None or not row.source_ended or alert.source not in rules.episodic_sources:
        return False
    started = to_ms(alert.started_at)
    same_episode = started <= (row.source_started or row.source_ended)
    return same_episode and started < row.source_ended and turn.now - row.resolved_at <= rules.late_window_s * 1000


def late_resolve(case: Case, turn: Turn) -> End | None:
    """A resolve of an episode before the one that fires now."""
    row, alert = case.row, case.alert
    if row is None or not row.firing or alert.started_at is None or not row.source_started:
        return None
    if alert.source not in turn.world.rules.episodic_sources or to_ms(alert.started_at) >= row.source_started:
        return None
    if alert.ended_at is not None and to_ms(alert.ended_at) > row.source_started:
        return None  # the source moved the start back, as Alertmanager does when two Prometheus tell of one alert
    case.severity = Severity(row.severity)
    return End(Outcome.RESOLVED, Why.RESOLVE_LATE, "resolves an earlier episode; the present one still fires")


def note_unseen_end(alert: Alert, row: AlertRow, turn: Turn, ended_at: int) -> None:
    """A resolve of what does not fire: of an episode whose fire is still to come, unless it repeats what is known."""
    if alert.started_at is None or alert.source not in turn.world.rules.episodic_sources or to_ms(alert.started_at) <= row.source_started:
        row.source_ended = max(row.source_ended, ended_at)
        return
    row.source_started, row.source_ended, row.resolved_at, row.unseen_end = to_ms(alert.started_at), ended_at, turn.now, True
