"""Labels: what a person corrected, with what was known when the machine decided. Learned from later, never made of a model's answer."""

from __future__ import annotations

from agents.advice.rows import ADVICE
from agents.case import Turn
from agents.features import incident_features
from agents.incidents import look
from schemas.base import Severity
from schemas.feedback import Feedback
from schemas.learning import Label


def label(turn: Turn, feedback: Feedback) -> Label | None:
    """The label that a feedback is; None where it teaches nothing. To be asked before the feedback is carried out."""
    severity = feedback.kind == "severity" and feedback.severity is not None
    runbook = feedback.kind in ("runbook_wrong", "runbook_right") and feedback.runbook_id
    row = look(turn, feedback.incident_id) if severity or runbook else None
    if row is None:
        return None
    features, advice = incident_features(turn, row), ADVICE.get(turn.state, row.incident_id)
    answered = advice is not None and advice.answered
    return Label(
        label_id=feedback.feedback_id,
        kind="severity" if severity else "runbook",
        incident_id=row.incident_id,
        domain=row.domain,
        features=features,
        rule_severity=Severity(row.ruled or row.severity),
        learned=(turn.world.learned.probabilities(features) or None) if turn.world.learned is not None else None,
        advised=Severity(advice.severity) if answered and advice is not None and advice.severity else None,
        advised_probabilities=advice.probabilities if answered and advice is not None else {},
        model=f"{advice.provider}/{advice.model} {advice.prompt}" if answered and advice is not None else "",
        severity=feedback.severity if severity else None,
        runbook_id=feedback.runbook_id if runbook else None,
        right=feedback.kind == "runbook_right" if runbook else None,
        by=feedback.by,
        at=feedback.at,
    )
