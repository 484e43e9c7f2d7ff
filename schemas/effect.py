"""Effects asked for by the decide lane, and the receipts that report what became of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.advice import Advice, Tried
from schemas.base import Message, Moment
from schemas.incident import Incident


class Transition(StrEnum):
    """What a delivery tells."""

    FIRED = "fired"
    UPDATED = "updated"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    FIRED_AND_RESOLVED = "fired_and_resolved"
    REMINDED = "reminded"
    FLAPPING = "flapping"
    FLAPPING_ENDED = "flapping_ended"


class Delivery(Message):
    """Tell one receiver about one transition of one incident. At least once: `effect_id` is the idempotency key."""

    effect_id: str = Field(description="The same for every attempt at this transition to this receiver.")
    attempt: int = 1
    receiver: str
    transition: Transition
    incident: Incident
    asked_at: Moment
    deadline: Moment = Field(description="The receipt is due by then; later the decide lane asks again.")


class Receipt(Message):
    """What became of an effect's attempt."""

    effect_id: str
    effect: Literal["delivery", "advice"] = "delivery"
    attempt: int
    receiver: str = ""
    incident_id: str
    domain: str
    status: Literal["done", "failed", "rejected", "deferred"]
    """done; failed: a retry may help; rejected: no retry helps (bad key, 4xx); deferred: not tried (busy), not counted as a try."""
    detail: str = ""
    external_id: str = ""
    retry_after_ms: int | None = None
    at: Moment
    took_ms: int = 0
    advice: Advice | None = Field(default=None, description="The answer, where `effect` is `advice` and it is done.")
    tried: list[Tried] = Field(default_factory=list, description="Which providers were asked for it, in turn.")
