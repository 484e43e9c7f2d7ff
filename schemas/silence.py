"""Silences and maintenance windows: what nobody wants to be told for a while, who said so and why. Compacted by `silence_id`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.base import Matcher, Message, Moment


class Silence(Message):
    silence_id: str = Field(min_length=1)
    kind: Literal["silence", "maintenance"] = "silence"
    matchers: list[Matcher] = Field(min_length=1)
    owner: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    starts_at: Moment
    ends_at: Moment
    created_at: Moment | None = None

    @model_validator(mode="after")
    def ends_after_it_starts(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError("ends_at must be after starts_at")
        return self
