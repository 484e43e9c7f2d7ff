"""From deliveries as they are read to attempts and receipts. Knows no Kafka.

A newer delivery for the same incident and receiver replaces one that has not started: the decide lane asks again only when the
older is answered or given up. One whose deadline has passed is held until its partition has been read to the end, since a newer one
is probably on its way; after an outage of this lane the backlog therefore sends each message once and not once for each time it was
asked for.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass

from pipeline.act.desk import Desk, Outcome
from pipeline.act.observer import ActObserver
from pipeline.act.offsets import Offsets, Place
from pipeline.act.running import Running
from schemas.base import from_ms, to_ms
from schemas.effect import Delivery, Receipt

HOLD_S = 10.0
"""A late delivery is held no longer than this, whatever comes behind it: the clocks may disagree."""
Report = Callable[[Receipt], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Waiting:
    place: Place
    delivery: Delivery
    since: float
    late: bool


class Dispatcher(Running):
    """`report` returns once Kafka has the receipt; it may take as long as Kafka is away, and raises only for good."""

    def __init__(self, desks: Mapping[str, Desk], report: Report, offsets: Offsets, observer: ActObserver) -> None:
        super().__init__(offsets)
        self._desks = desks
        self._report = report
        self._observer = observer
        self._waiting: dict[tuple[str, str], Waiting] = {}

    def offer(self, place: Place, delivery: Delivery) -> None:
        """Take one delivery; `place` is already known to the offsets."""
        key = (delivery.incident.incident_id, delivery.receiver)
        older = self._waiting.pop(key, None)
        if older is not None:
            self._settle([older.place])
            self._observer.skipped(1)
        late = time.time() * 1000 > to_ms(delivery.deadline)
        self._waiting[key] = Waiting(place, delivery, time.monotonic(), late)

    def launch(self, quiet: Set[int] | None = None) -> None:
        """Start what waits, the most urgent first; late ones only where `quiet` has their partition. None means all."""
        now = time.monotonic()
        ready = [
            (key, one)
            for key, one in self._waiting.items()
            if not one.late or quiet is None or one.place.partition in quiet or now - one.since > HOLD_S
        ]
        for key, one in sorted(ready, key=lambda item: item[1].delivery.incident.severity):
            del self._waiting[key]
            self._start(one.place, one.delivery)

    def _start(self, place: Place, delivery: Delivery) -> None:
        attempt = (delivery.effect_id, delivery.attempt)
        if self._joins(attempt, place):
            return
        desk = self._desks.get(delivery.receiver)
        if desk is None:
            work = self._answer(delivery, Outcome("rejected", "no receiver of that name is configured"), None)
        elif not desk.has_room(delivery.incident.severity):
            work = self._answer(delivery, Outcome("deferred", f"{desk.running} attempts are running"), None)
        else:
            desk.running += 1
            work = self._attempt(desk, delivery)
        self._begin(attempt, place, work)

    async def _attempt(self, desk: Desk, delivery: Delivery) -> None:
        started = time.monotonic()
        self._observer.in_flight(sum(one.running for one in self._desks.values()))
        try:
            outcome = await desk.attempt(delivery)
        finally:
            desk.running -= 1
            self._observer.in_flight(sum(one.running for one in self._desks.values()))
        await self._answer(delivery, outcome, time.monotonic() - started)

    async def _answer(self, delivery: Delivery, outcome: Outcome, seconds: float | None) -> None:
        receipt = Receipt.model_validate(
            {
                "effect_id": delivery.effect_id,
                "attempt": delivery.attempt,
                "receiver": delivery.receiver,
                "incident_id": delivery.incident.incident_id,
                "domain": delivery.incident.domain,
                "status": outcome.status,
                "detail": outcome.detail,
                "external_id": outcome.external_id,
                "retry_after_ms": outcome.retry_after_ms,
                "at": from_ms(round(time.time() * 1000)),
                "took_ms": round((seconds or 0) * 1000),
            }
        )
        await self._report(receipt)
        self._observer.effect(outcome.status, delivery.receiver, seconds)
        self._settle(self._running[(delivery.effect_id, delivery.attempt)])
