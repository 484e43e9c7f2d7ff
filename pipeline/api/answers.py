"""What the front door answers, as models: the OpenAPI page is made from them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from pipeline.history.explain import DeadLetterExplanation, DecisionExplanation, IncidentExplanation
from schemas.base import Matcher, Moment, Severity
from schemas.decision import Decision
from schemas.effect import Receipt
from schemas.feedback import Kind
from schemas.incident import Incident
from schemas.silence import Silence

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class Where(BaseModel):
    """Coordinates of a raw record on Kafka."""

    topic: str
    partition: int
    offset: int


class Rejected(BaseModel):
    """One alert of the body that was not kept as an alert. Its raw record is in dead_letters, with the same reason."""

    index: int = Field(description="Its place in the body, from 0; -1 is the body itself")
    reason: str
    error: str


class Accepted(BaseModel):
    """Kafka has the body. `accepted` alerts go on to a decision each; `rejected` says which do not, and why."""

    accepted: int
    rejected: list[Rejected] = []
    changes: int = Field(default=0, description="Deploys and configuration changes in the body")
    ignored: list[str] = Field(default=[], description="What is rightly no alert: a subscription confirmation, a test")
    alert_ids: list[str] = Field(default=[], description="Ids for `explain`, at most 1,000")
    coordinates: Where
    pieces: list[Where] = Field(default=[], description="When the body was too large for one record: where all its pieces lie")


class Refused(BaseModel):
    """`error` in words. When the body could be kept all the same, `coordinates` says where: intake dead-letters it and people are told."""

    error: str
    accepted: int = 0
    rejected: list[Rejected] = []
    coordinates: Where | None = None
    problems: list[dict[str, Any]] = []


class Ack(BaseModel):
    """Who says so. With `domain` the incident is not looked up."""

    by: Name = "api"
    comment: Text = ""
    domain: Annotated[str, StringConstraints(max_length=300)] | None = None


class Said(BaseModel):
    """A person's word on an incident. `severity` says how urgent it was in truth (also when that is what it had), `runbook_id` which
    runbook was wrong or right: from both the machine learns. With `domain` the incident is not looked up."""

    kind: Kind
    severity: Severity | None = Field(default=None, description="Of kind `severity`")
    runbook_id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] | None = Field(
        default=None, description="Of kinds `runbook_wrong` and `runbook_right`"
    )
    by: Name = "api"
    comment: Text = ""
    domain: Annotated[str, StringConstraints(max_length=300)] | None = None

    @model_validator(mode="after")
    def whole(self) -> Self:
        if (self.kind == "severity") != (self.severity is not None):
            raise ValueError("kind `severity` needs `severity`, P1 to P4, and no other kind has it")
        if (self.kind in ("runbook_wrong", "runbook_right")) != (self.runbook_id is not None):
            raise ValueError("kinds `runbook_wrong` and `runbook_right` need `runbook_id`, and no other kind has it")
        return self


class Heard(BaseModel):
    """Kafka has what was said; the incident's next revision shows it."""

    feedback_id: str
    incident_id: str
    coordinates: Where


class NewSilence(BaseModel):
    """All matchers must hold. It must end, and somebody must own it."""

    matchers: list[Matcher] = Field(min_length=1, max_length=50)
    owner: Name
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    starts_at: Moment | None = Field(default=None, description="Now, when not given")
    ends_at: Moment | None = None
    duration_s: float | None = Field(default=None, gt=0, le=366 * 86_400, description="Instead of ends_at")
    maintenance: bool = False


class Silences(BaseModel):
    silences: list[Silence]


class Incidents(BaseModel):
    source: str = Field(description="Where the answer comes from: PostgreSQL, or the topics while it is away")
    incidents: list[Incident]


class IncidentDetail(BaseModel):
    source: str
    incident: Incident
    decisions: list[Decision]
    deliveries: list[Receipt]
    advice: list[Receipt] = Field(default=[], description="What became of each question to a language model about it, oldest first")


class Explained(BaseModel):
    source: str
    explanations: list[Annotated[DecisionExplanation | DeadLetterExplanation | IncidentExplanation, Field(discriminator="kind")]]
