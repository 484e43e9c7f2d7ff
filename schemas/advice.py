"""Advice: what the decide lane asks a language model about an incident, and what came of it.

A question is complete: whoever answers it needs nothing else, and the same question renders to the same prompt. All text in it that comes
from outside is data; none of it is an instruction.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from schemas.base import Message, Moment, Part, Severity


class AdviceTask(StrEnum):
    TRIAGE = "triage"
    """Severity, a summary and the order of runbooks for an incident that was just opened or got worse."""
    RUNBOOKS = "runbooks"
    """Put the candidates in order; ids from the candidates only."""
    ANOMALY = "anomaly"
    """Say in a sentence what an anomaly is."""
    HANDOVER = "handover"
    """Sum an incident up for whoever takes over."""
    NOISE_RULE = "noise_rule"
    """Propose a rule against noise, as text for a person."""


class AskedAlert(Part):
    """One alert as its source told it. Everything here may have been written by an attacker."""

    name: str
    service: str = ""
    environment: str = ""
    source: str = ""
    source_severity: str = ""
    summary: str = ""
    description: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class ServiceCard(Part):
    """What the topology says of the service. From our own operators."""

    service: str
    owner: str = ""
    tier: int = 3
    customer_facing: bool = False
    depends_on: list[str] = Field(default_factory=list)
    used_by: list[str] = Field(default_factory=list)


class Candidate(Part):
    """A runbook that an answer may choose."""

    id: str
    title: str
    score: float = 0.0
    text: str = Field(default="", description="Start of its description and steps.")


class Question(Part):
    """All that a prompt may say."""

    task: AdviceTask
    incident_id: str = ""
    title: str = ""
    rule_severity: Severity = Severity.P3
    floor: Severity = Field(default=Severity.P3, description="No answer may make it less urgent than this.")
    learned: dict[str, float] | None = Field(default=None, description="The classifier's probability of each severity.")
    alerts: list[AskedAlert] = Field(default_factory=list, description="The opener first; at most five.")
    alert_count: int = 1
    service: ServiceCard | None = None
    changes: list[str] = Field(default_factory=list)
    history: list[str] = Field(default_factory=list, description="What happened before, in sentences of ours.")
    timeline: list[str] = Field(default_factory=list)
    candidates: list[Candidate] = Field(default_factory=list)
    facts: dict[str, Any] = Field(default_factory=dict, description="Numbers of the task: of an anomaly, or of a noisy rule.")


class AdviceRequest(Message):
    """Effect: ask about an incident. At least once; `effect_id` is the idempotency key."""

    effect_id: str
    attempt: int = 1
    incident_id: str
    domain: str
    revision: int = Field(description="Revision of the incident that the question is about.")
    question: Question
    asked_at: Moment
    deadline: Moment = Field(
        description="The receipt is due by then; later the verdict of the rules stands, and an answer is an amendment."
    )
    late_until: Moment = Field(description="After this an answer is of no use to anybody.")


class Tried(Part):
    """One provider that was asked, or passed over, on the way to an answer."""

    provider: str
    outcome: str = Field(description="`answered`, or the kind of failure: `timeout`, `overloaded`, `budget`, `invalid_answer`, ...")
    detail: str = ""
    took_ms: int = 0


class Advice(Part):
    """A checked answer: every field has been validated, and the summary says nothing that its input does not."""

    severity: Severity | None = None
    confidence: float = Field(default=0.0, ge=0, le=1)
    probabilities: dict[str, float] = Field(default_factory=dict, description="Of each severity, where the provider gives them.")
    summary: str = ""
    runbooks: list[str] = Field(default_factory=list, description="Ids of candidates, best first.")
    provider: str
    model: str
    prompt: str = Field(description="Task and version, `triage@1`.")
    cached: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_usd: float = 0.0
    waited_ms: int = Field(default=0, description="In our queue, before the call.")
    took_ms: int = Field(default=0, description="The call itself.")
    redacted: dict[str, int] = Field(default_factory=dict, description="Kind of secret to how many were taken out before the call.")
    dropped: list[str] = Field(default_factory=list, description="Why sentences of the answer were dropped.")
