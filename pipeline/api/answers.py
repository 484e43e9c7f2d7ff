"""What the front door answers, as models: the OpenAPI page is made from them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from pipeline.history.explain import DeadLetterExplanation, DecisionExplanation, IncidentExplanation
from schemas.base import Matcher, Moment
from schemas.decision import Decision
from schemas.effect import Receipt
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
