"""When a stage raises: the alert is still told, from its rule verdict alone. It touches as little state as it can."""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.episode import begin
from agents.incidents import is_open, look, open_incident, tell
from agents.reasons import Why
from agents.rows import ALERTS
from agents.triage import title_of
from schemas.base import AlertStatus, Severity, to_ms
from schemas.decision import Outcome
from schemas.effect import Transition


def tell_anyway(case: Case, turn: Turn, error: BaseException) -> End:
    what = f"{type(error).__name__} while deciding; told from the rule verdict"
    case.add("fail_open", Why.STAGE_FAILED.value, error=str(error)[:500])
    if case.alert.status is AlertStatus.RESOLVED:
        return End(Outcome.RESOLVED, Why.STAGE_FAILED, f"{type(error).__name__} while deciding a resolve; see the dead letter")
    if told(case, turn):
        return End(Outcome.GROUPED, Why.STAGE_FAILED, f"{type(error).__name__} while deciding a repeat; its incident was told")
    row = begin(case, turn)
    fingerprint = case.alert.fingerprint
    case.incident = open_incident(
        turn,
        row,
        fingerprint,
        title=title_of(row),
        summary=case.alert.summary or title_of(row),
        confidence=case.confidence,
        deadline=to_ms(case.alert.deadline),
        labels=case.alert.labels,
    )
    ALERTS.put(turn.state, fingerprint, row)
    tell(turn, case.incident, Transition.FIRED)
    return End(Outcome.NOTIFIED, Why.STAGE_FAILED, what, {"error": type(error).__name__})


def told(case: Case, turn: Turn) -> bool:
    """Whether an open incident of the alert was told as urgently: what fails at each repeat does not page at each."""
    row = case.row
    incident = look(turn, row.incident_id) if row is not None and row.member and row.firing and not row.suppressed else None
    if incident is None or not is_open(incident) or not incident.paged_severity:
        return False
    return not case.severity.outranks(Severity(incident.paged_severity))
