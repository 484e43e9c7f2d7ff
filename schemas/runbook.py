"""What to do about an alert: the content itself, not only a link. Compacted by `runbook_id`."""

from __future__ import annotations

from pydantic import Field

from schemas.base import Message, Part


class Runbook(Message):
    runbook_id: str = Field(min_length=1)
    title: str
    description: str = ""
    services: list[str] = Field(default_factory=list)
    alert_names: list[str] = Field(default_factory=list)
    patterns: list[str] = Field(default_factory=list, description="Symptoms in words.")
    steps: list[str] = Field(default_factory=list)
    url: str = ""
    used: int = 0


class RunbookMatch(Part):
    id: str
    title: str
    score: float = Field(ge=0, le=1)
    url: str = ""
    steps: list[str] = Field(default_factory=list)
