"""The contract of a receiver: one attempt, and how it may end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from schemas.effect import Delivery


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver has it. `external_id` is the receiver's own name for it, where it gave one."""

    detail: str = ""
    external_id: str = ""


class Failed(Exception):
    """It did not come through now; a retry may help."""

    def __init__(self, detail: str, retry_after_ms: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after_ms = retry_after_ms


class Rejected(Exception):
    """The receiver will not take it however often it is sent: bad key, bad request, an address that is not allowed."""


class Receiver(Protocol):
    async def send(self, delivery: Delivery) -> Sent:
        """One attempt. The caller bounds its time by cancelling. Raises Failed and Rejected; their texts hold no secret."""

    async def close(self) -> None:
        """Let go of connections."""
