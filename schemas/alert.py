"""A normalized alert event: one delivered occurrence of an alert."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import AlertStatus, Message, Moment, Part, Severity


class RawCoordinates(Part):
    """Where the raw record lies, and which alert within its payload this is."""

    topic: str
    partition: int
    offset: int
    index: int = 0


class Alert(Message):
    """One alert event. Keyed by `domain` on the topic, so that all that may be grouped together is decided in order.

    `kind` is `notice` for what intake itself tells people (unreadable input); a notice has no decision record, since the
    record it is about has its dead letter.
    """

    kind: Literal["alert", "notice"] = "alert"
    alert_id: str = Field(description="Id of this event, the same after a redelivery.")
    fingerprint: str = Field(description="Hash of source, name and identifying labels: the alert's identity.")
    source: str
    name: str
    service: str = ""
    environment: str = ""
    domain: str
    status: AlertStatus
    source_severity: str = Field(default="", description="The source's own word.")
    severity: Severity | None = Field(default=None, description="Level that the source's words alone suggest.")
    started_at: Moment | None = None
    ended_at: Moment | None = None
    summary: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    url: str = Field(default="", description="Link to the alert at its source.")
    flags: list[str] = Field(default_factory=list, description="What normalization noticed: `source_clock_skew`, ...")
    received_at: Moment = Field(description="The broker's time of the raw record.")
    deadline: Moment = Field(description="A verdict is due by then: received_at plus 15 s.")
    raw: RawCoordinates
