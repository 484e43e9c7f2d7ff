"""What people taught: a label for each correction, and the snapshots that were learned from labels and promoted."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from schemas.base import Message, Moment, Part, Severity


class Features(Part):
    """What a classifier may look at: nothing that the author of an alert's free text controls."""

    name: str
    service: str = ""
    environment: str = ""
    source: str = ""
    source_severity: str = ""
    tier: int = 3
    customer_facing: bool = False


class Label(Message):
    """A person's word on an incident, with what was known when the machine decided. Never made from a model's answer."""

    label_id: str = Field(description="Id of the feedback; the same feedback is the same label.")
    kind: Literal["severity", "runbook"]
    incident_id: str
    domain: str
    features: Features
    rule_severity: Severity
    learned: dict[str, float] | None = Field(default=None, description="The classifier's probabilities at that time.")
    advised: Severity | None = Field(default=None, description="The model's severity, where one answered.")
    advised_probabilities: dict[str, float] = Field(default_factory=dict)
    model: str = Field(default="", description="provider/model and prompt of `advised`: `ollama/llama3.1:8b triage@1`.")
    severity: Severity | None = Field(default=None, description="What it was, says the person.")
    runbook_id: str | None = None
    right: bool | None = Field(default=None, description="Whether the runbook was the right one.")
    by: str
    at: Moment


class Snapshot(Message):
    """Something learned that is in use: weights of a classifier, a calibration, or the version of a prompt. Compacted by `name`."""

    name: str = Field(description="`severity`, `runbook`, `calibration/<model> <prompt>`, or `prompt/<task>`.")
    version: int = Field(ge=0, description="Offset after the last label it has seen; of a prompt its version.")
    labels: int = Field(default=0, description="How many labels it has learned from.")
    content: dict[str, Any] = Field(description="Weights: feature to class to weight, under `weights`; others by name.")
    metrics: dict[str, float] = Field(default_factory=dict, description="On the last N labels, before each was learned.")
    replaced: int | None = Field(default=None, description="Version that it was better than.")
    at: Moment
    by: str = "flux"
