"""One receiver's desk: how many attempts may run at once. What does not fit is put off at once and never queued."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass, field

import structlog

from agents.notify.words import clean
from pipeline.act.receivers.base import Failed, Receiver, Rejected, Sent
from schemas.base import Severity
from schemas.effect import Delivery

LOG = structlog.get_logger("act")


def reserve(max_in_flight: int) -> int:
    """Places beyond the limit that only a P1 may take, so that it does not wait behind milder ones."""
    return max(1, max_in_flight // 4)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The receipt's part that the attempt decides."""

    status: str
    detail: str = ""
    external_id: str = ""
    retry_after_ms: int | None = None


@dataclass
class Desk:
    name: str
    receiver: Receiver
    timeout_s: float
    max_in_flight: int
    running: int = field(default=0, init=False)

    def has_room(self, severity: Severity) -> bool:
        most = self.max_in_flight + (reserve(self.max_in_flight) if severity is Severity.P1 else 0)
        return self.running < most

    async def attempt(self, delivery: Delivery) -> Outcome:
        """One attempt within `timeout_s`, whatever the receiver does; only cancellation comes out of it."""
        try:
            async with asyncio.timeout(self.timeout_s):
                sent = await self.receiver.send(delivery)
        except Rejected as error:
            return Outcome("rejected", str(error))
        except Failed as error:
            return Outcome("failed", str(error), retry_after_ms=error.retry_after_ms)
        except TimeoutError:
            return Outcome("failed", f"not done within {self.timeout_s:g} s")
        except Exception as error:
            # Not the exception's text, nor the frames' locals: either may hold the receiver's secret.
            where = "".join(traceback.format_tb(error.__traceback__, -6))
            LOG.error("receiver raises", receiver=self.name, effect_id=delivery.effect_id, error=type(error).__name__, where=where)
            return Outcome("failed", clean(f"unexpected {type(error).__name__}", 200))
        return Outcome("done", sent.detail, sent.external_id)


class Shadow:
    """Stands for every receiver in shadow mode: says yes and tells nobody."""

    async def send(self, delivery: Delivery) -> Sent:
        return Sent("shadow mode: nobody was told")

    async def close(self) -> None:
        """Nothing is held."""
