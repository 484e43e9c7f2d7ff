"""What every message has in common: a schema version, JSON in and out, timezone-aware UTC times."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field


def in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]
"""A timezone-aware time; UTC after validation."""


def from_ms(epoch_ms: int) -> datetime:
    """UTC time of epoch milliseconds, the unit of Kafka's record timestamps."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)


def to_ms(moment: datetime) -> int:
    """Epoch milliseconds of an aware time."""
    return round(moment.timestamp() * 1000)


class Message(BaseModel):
    """A value on a topic. Consumers ignore fields they do not know; within a schema version none is removed."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, serialize_by_alias=True)

    schema_version: int = Field(default=1, alias="schema", description="Version of this message's schema.")

    def to_json(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self, by_alias=True)

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Raises pydantic.ValidationError when the bytes are not such a message; a retry does not help."""
        return cls.model_validate_json(data)


class Part(BaseModel):
    """A value inside a message."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class Severity(StrEnum):
    """Urgency that we assign. P1 pages at once, P2 is acknowledged in 15 min, P3 in 2 h, P4 on the next business day."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"

    def outranks(self, other: Severity) -> bool:
        """Whether `self` is more urgent than `other`."""
        return self.value < other.value


class AlertStatus(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


class Reason(Part):
    """Why something was decided: a code of a closed set, a sentence for a person, and the facts behind both."""

    code: str
    text: str
    facts: dict[str, Any] = Field(default_factory=dict)


class Matcher(Part):
    """One condition on an alert: a label (or `service`, `environment`, `name`, `source`, `severity`) and the value it must have.

    `op` is Alertmanager's: `=`, `!=`, `=~`, `!~`; expressions are RE2 and anchored at both ends.
    """

    name: str = Field(min_length=1, max_length=128)
    op: str = Field(default="=", pattern=r"^(=|!=|=~|!~)$")
    value: str = Field(max_length=4096)
