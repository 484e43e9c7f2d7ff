"""The record of one decision: each alert event has exactly one, found by its raw coordinates."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from schemas.alert import RawCoordinates
from schemas.base import AlertStatus, Message, Moment, Part, Reason, Severity


class Outcome(StrEnum):
    NOTIFIED = "notified"
    """It was told, or is being told, to a receiver."""
    GROUPED = "grouped"
    """It belongs to an incident that was told."""
    SUPPRESSED = "suppressed"
    """Nobody is told, for the reason given."""
    RESOLVED = "resolved"
    """It ended an alert."""
    OPEN = "open"
    """Its incident waits (a transient hold); the incident says how that ended."""


class StageRecord(Part):
    """What a stage found: its name, a named reason and the facts it added."""

    name: str
    reason: str
    facts: dict[str, Any] = Field(default_factory=dict)


class Decision(Message):
    alert_id: str
    fingerprint: str
    source: str
    name: str
    service: str
    environment: str = ""
    domain: str
    status: AlertStatus
    severity: Severity
    outcome: Outcome
    reason: Reason
    incident_id: str | None = None
    summary: str = ""
    would_notify: list[str] = Field(default_factory=list, description="Receivers that would have been told, had it not been suppressed.")
    would_suppress: Reason | None = Field(default=None, description="Set while NOISE_SUPPRESSION_ENABLED=false.")
    stages: list[StageRecord] = Field(default_factory=list)
    received_at: Moment
    decided_at: Moment
    deadline: Moment
    raw: RawCoordinates
    sequence: int = Field(description="Number of this decision within its partition; replay follows it.")
