"""What people work on. Each revision is complete in itself; the highest `revision` of an `incident_id` is the truth."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from schemas.base import Message, Moment, Part, Reason, Severity
from schemas.runbook import RunbookMatch


class IncidentStatus(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    IN_PROGRESS = "in_progress"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    FALSE_POSITIVE = "false_positive"


class IncidentAlert(Part):
    """A member: an alert (not an event) and how often it fired."""

    fingerprint: str
    name: str
    service: str = ""
    severity: Severity
    status: str
    count: int = 1
    first_at: Moment
    last_at: Moment


class Notified(Part):
    """Who was told, when and of what: `fired`, `updated`, `escalated`, `resolved`, `fired_and_resolved`, ..."""

    receiver: str
    at: Moment
    reason: str
    attempt: int = 1


class TimelineEntry(Part):
    at: Moment
    what: str
    by: str = "flux"


class AdviceStatus(StrEnum):
    PENDING = "pending"
    """A model was asked; the rules' verdict stands meanwhile."""
    ADOPTED = "adopted"
    """Its answer is in this revision."""
    AMENDED = "amended"
    """The same, and it came after the deadline."""
    NOT_ADOPTED = "not_adopted"
    """It answered, and the answer is not used; `reason` says why."""
    MISSING = "missing"
    """No answer in time: the verdict is degraded."""


class IncidentAdvice(Part):
    """What a language model has to do with this revision. It never decides who is told, when, or whether."""

    status: AdviceStatus
    reason: Reason
    severity: Severity | None = Field(default=None, description="What the model said.")
    rule_severity: Severity = Field(description="What the rules say; pages go by this.")
    needs_review: bool = Field(default=False, description="The model is not sure, or contradicts the rules downwards.")
    confidence: float | None = None
    provider: str = ""
    model: str = ""
    prompt: str = ""
    cost_usd: float = 0.0
    took_ms: int = 0
    summary: str = Field(default="", description="What the model says, checked. In the incident's `summary` it follows the rules' own.")


class Incident(Message):
    incident_id: str
    revision: int
    domain: str
    status: IncidentStatus
    severity: Severity
    service: str
    environment: str = ""
    title: str
    summary: str
    confidence: float = Field(ge=0, le=1)
    provenance: str = Field(description="`rules`, `learned`, or a model and its prompt version.")
    degraded: bool = Field(default=False, description="The verdict lacks the model that should have given it.")
    advice: IncidentAdvice | None = Field(default=None, description="Absent where no model was asked.")
    alerts: list[IncidentAlert]
    alert_count: int = Field(default=0, description="Alerts ever seen in it; `alerts` lists the newest 50.")
    runbooks: list[RunbookMatch] = Field(default_factory=list)
    parent: str | None = Field(default=None, description="Incident that explains this one.")
    silence: Reason | None = Field(default=None, description="Why nobody was told.")
    opened_at: Moment
    updated_at: Moment
    resolved_at: Moment | None = None
    acknowledged_at: Moment | None = None
    acknowledged_by: str | None = None
    resolved_by: str | None = None
    deadline: Moment
    respond_by: Moment | None = Field(default=None, description="A person should have acknowledged by then.")
    notified: list[Notified] = Field(default_factory=list)
    timeline: list[TimelineEntry] = Field(default_factory=list, description="The newest 50 entries.")

    @property
    def paged_as(self) -> Severity:
        """The severity of the rules: what people are told of, whatever a model says."""
        return self.severity if self.advice is None else self.advice.rule_severity
