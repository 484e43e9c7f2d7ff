"""When a stage raises: the alert is still told, from its rule verdict alone. It touches as little state as it can."""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.episode import begin
from agents.incidents import open_incident, tell
from agents.reasons import Why
from agents.rows import ALERTS
from agents.triage import title_of
from schemas.base import AlertStatus, to_ms
from schemas.decision import Outcome
from schemas.effect import Transition


def tell_anyway(case: Case, turn: Turn, error: BaseException) -> End:
    what = f"{type(error).__name__} while deciding; told from the rule verdict"
    case.add("fail_open", Why.STAGE_FAILED.value, error=str(error)[:500])
    if case.alert.status is AlertStatus.RESOLVED:
        return End(Outcome.RESOLVED, Why.STAGE_FAILED, f"{type(error).__name__} while deciding a resolve; see the dead letter")
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
