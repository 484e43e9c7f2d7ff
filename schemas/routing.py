"""Which provider is asked about what. Compacted by `rule_id`; the first rule by `order` that fits decides."""

from __future__ import annotations

from pydantic import Field

from schemas.advice import AdviceTask
from schemas.base import Matcher, Message, Severity


class RoutingRule(Message):
    """`providers` are asked in turn until one answers; an empty list asks nobody."""

    rule_id: str = Field(min_length=1, max_length=100)
    order: int = Field(default=100, ge=0, le=10_000, description="Lower is looked at first; equal ones by id.")
    task: AdviceTask | None = Field(default=None, description="None fits every task.")
    severities: list[Severity] = Field(default_factory=list, description="Of the rules' verdict; empty fits all.")
    matchers: list[Matcher] = Field(default_factory=list, description="On the opener's labels, or service, environment, name, source.")
    providers: list[str] = Field(max_length=5)
    local_only: bool = Field(default=False, description="Pass over providers outside this network.")
    reason: str = Field(min_length=1)
    owner: str = ""
