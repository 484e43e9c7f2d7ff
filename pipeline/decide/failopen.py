"""When a stage raises: the alert is still told, from its rule verdict alone. It touches as little state as it can."""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.episode import begin
from agents.held import recall
from agents.incidents import is_open, load, look, open_incident, tell
from agents.reasons import Why
from agents.rows import ALERTS, HELD, HeldRow
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
    alert_key = case.key
    case.incident = open_incident(
        turn,
        row,
        alert_key,
        title=title_of(row),
        summary=case.alert.summary or title_of(row),
        confidence=case.confidence,
        deadline=to_ms(case.alert.deadline),
        labels=case.alert.labels,
    )
    ALERTS.put(turn.state, alert_key, row)
    tell(turn, case.incident, Transition.FIRED)
    return End(Outcome.NOTIFIED, Why.STAGE_FAILED, what, {"error": type(error).__name__})


def timer_failed(turn: Turn, name: str, key: str, error: BaseException) -> None:
    """What hung on a timer that raised is told now: a page that was held, or an alert that was held back."""
    if name == "hold":
        incident = load(turn, key)
        if incident is not None and is_open(incident) and not incident.paged_severity:
            incident.hold_until = 0
            tell(turn, incident, Transition.FIRED)
    elif name in ("release", "child_page"):
        alert_key = key.split("|", 1)[1] if name == "child_page" else key
        row, held = ALERTS.get(turn.state, alert_key), HELD.get(turn.state, alert_key)
        if row is None or not row.firing or (name == "release" and not row.suppressed):
            return
        case = Case(alert=recall(row, held or HeldRow({}), alert_key, turn.now), row=row, digest=row.digest, again=True)
        case.severity, case.owner = Severity(row.severity), row.owner
        row.suppressed, row.suppressed_text, row.suppressed_by = "", "", ""
        tell_anyway(case, turn, error)


def told(case: Case, turn: Turn) -> bool:
    """Whether an open incident of the alert was told as urgently: what fails at each repeat does not page at each."""
    row = case.row
    incident = look(turn, row.incident_id) if row is not None and row.member and row.firing and not row.suppressed else None
    if incident is None or not is_open(incident) or not incident.paged_severity:
        return False
    return not case.severity.outranks(Severity(incident.paged_severity))
