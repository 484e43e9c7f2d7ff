"""From questions as they are read to receipts. Knows no Kafka and no model.

Every question goes to the adviser at once: it alone knows what is urgent and what its servers can take. Each is answered with one receipt,
also when nobody could be asked; offsets settle when Kafka has it.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Set
from typing import Protocol

import structlog

from pipeline.act.offsets import Offsets, Place
from pipeline.act.running import Running
from schemas.advice import AdviceRequest
from schemas.base import from_ms, to_ms
from schemas.effect import Receipt

LOG = structlog.get_logger("advise")
GRACE_S = 2.0
"""An adviser answers by `late_until`; one that has not by then and this much later is cut off, so that it cannot hold the lane up."""
TOO_OLD = "too old"
Advise = Callable[[AdviceRequest], Awaitable[Receipt]]
Report = Callable[[Receipt], Awaitable[None]]


class AdviceReceipts(Protocol):
    """Calls come from the loop and must return at once."""

    def receipt(self, receipt: Receipt) -> None:
        """Kafka has it."""

    def in_hand(self, count: int) -> None: ...


class AdviceDispatcher(Running):
    """`report` returns once Kafka has the receipt; it may take as long as Kafka is away, and raises only for good.

    How many questions are in hand is bounded by who offers them (`Work.in_hand`).
    """

    def __init__(self, advise: Advise, report: Report, offsets: Offsets, observer: AdviceReceipts) -> None:
        super().__init__(offsets)
        self._advise = advise
        self._report = report
        self._observer = observer

    def offer(self, place: Place, request: AdviceRequest) -> None:
        """Hand one question to the adviser; `place` is already known to the offsets."""
        attempt = (request.effect_id, request.attempt)
        if not self._joins(attempt, place):
            self._begin(attempt, place, self._answer(request))

    def launch(self, quiet: Set[int] | None = None) -> None:
        """Nothing waits here."""

    async def _answer(self, request: AdviceRequest) -> None:
        receipt = await self._receipt(request)
        await self._report(receipt)
        self._observer.receipt(receipt)
        self._settle(self._running[(request.effect_id, request.attempt)])

    async def _receipt(self, request: AdviceRequest) -> Receipt:
        """Of the adviser, or one that says why it gave none; only cancellation comes out of it."""
        left = to_ms(request.late_until) / 1000 - time.time()
        if left <= 0:
            return failed(request, TOO_OLD)
        try:
            async with asyncio.timeout(left + GRACE_S):
                return await self._advise(request)
        except TimeoutError:
            LOG.error("the adviser did not answer in time", effect_id=request.effect_id)
            return failed(request, TOO_OLD)
        except Exception as error:
            # Not the exception's text, nor the frames' locals: either may hold a secret or a prompt.
            where = "".join(traceback.format_tb(error.__traceback__, -6))
            LOG.error("the adviser raises", effect_id=request.effect_id, error=type(error).__name__, where=where)
            return failed(request, f"unexpected {type(error).__name__}")

    def _changed(self) -> None:
        self._observer.in_hand(len(self._running))


def failed(request: AdviceRequest, why: str) -> Receipt:
    """No answer; the verdict of the rules stands."""
    return Receipt(
        effect_id=request.effect_id,
        effect="advice",
        attempt=request.attempt,
        incident_id=request.incident_id,
        domain=request.domain,
        status="failed",
        detail=why,
        at=from_ms(round(time.time() * 1000)),
    )
