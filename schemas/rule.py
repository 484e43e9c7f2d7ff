"""Rules that people write: thresholds of significance and owned, expiring suppressions. Compacted by `rule_id`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import Matcher, Message, Moment, Severity


class Rule(Message):
    """`significance`: below `threshold` (of the annotation or label `metric`) the alert is not worth a page.
    `false_p1`: a known false P1, held back at most `daily_cap` times a day, until `ends_at`.
    `severity`: alerts that match get `severity`."""

    rule_id: str = Field(min_length=1)
    version: int = 1
    kind: Literal["significance", "false_p1", "severity"]
    matchers: list[Matcher] = Field(min_length=1)
    owner: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    ends_at: Moment | None = None
    metric: str = ""
    threshold: float | None = None
    daily_cap: int = Field(default=3, ge=1, le=100)
    severity: Severity | None = None
