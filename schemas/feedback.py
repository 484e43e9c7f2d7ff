"""What people say: acknowledgements, corrections, approvals. Keyed by domain."""

from __future__ import annotations

from typing import Literal

from schemas.base import Message, Moment, Severity

Kind = Literal[
    "acknowledge",
    "in_progress",
    "escalate",
    "resolve",
    "reopen",
    "false_positive",
    "severity",
    "runbook_wrong",
    "runbook_right",
    "not_an_anomaly",
]
"""What can be said of an incident."""


class Feedback(Message):
    feedback_id: str
    kind: Kind
    incident_id: str
    domain: str
    by: str
    at: Moment
    severity: Severity | None = None
    runbook_id: str | None = None
    comment: str = ""
