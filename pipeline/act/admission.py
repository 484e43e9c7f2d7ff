"""Admission to one server: never more calls in flight than it has slots, the most urgent first. The order itself is in `slots.py`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pipeline.act.providers.base import Failure, ProviderError
from pipeline.act.slots import BACKGROUND, RANKS, Call, Slots
from schemas.base import Severity

LINGERS_S = 1.0
"""A server notices that a caller has gone within this time, if it notices at all (Ollama while it decodes: 0.03 s)."""
Changed = Callable[[int, int], None]


class Slot:
    """A place at the server while its context lasts. `waited_s`: how long it took to get it."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.waited_s = call.started_at - call.offered_at
        self.until: float | None = None
        self.used = True

    def lost(self, until: float) -> None:
        """The server may be at it until then, whether or not somebody still waits for it."""
        self.until = until

    def unused(self) -> None:
        """Nothing was asked: how long it took says nothing about calls."""
        self.used = False


class Admission:
    """`lingers`: whether a call that was given up keeps the server busy; not so at a cloud.

    `changed` is told in flight and waiting whenever they change. Times are of `clock`, in seconds.
    """

    def __init__(
        self,
        slots: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        lingers: bool = True,
        most_waiting: int = 2048,
        changed: Changed = lambda in_flight, waiting: None,
    ) -> None:
        self._core = Slots(slots, most_waiting)
        self._clock = clock
        self._lingers = lingers
        self._changed = changed
        self._futures: dict[Call, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._told = (0, 0)
        self.in_flight_max = 0

    @property
    def slots(self) -> int:
        return self._core.slots

    @property
    def in_flight(self) -> int:
        return self._core.in_flight

    @property
    def waiting(self) -> int:
        return self._core.waiting

    @property
    def expected_s(self) -> float | None:
        """What a call takes; None before one has ended."""
        return self._core.durations.expected_s

    def starts_at(self, severity: Severity, deadline: float) -> float:
        """When a call that came now would get a slot: an estimate."""
        return self._core.starts_at(RANKS.index(severity), deadline, self._clock())

    def could_start_by(self, severity: Severity, deadline: float) -> bool:
        """Whether a call that came now would start early enough to end by its deadline: an estimate, and yes while nothing is known."""
        return self._core.could_start_by(RANKS.index(severity), deadline, self._clock())

    @asynccontextmanager
    async def slot(
        self, severity: Severity, deadline: float, late_until: float | None = None, *, background: bool = False
    ) -> AsyncIterator[Slot]:
        """Wait for a place, and hold it. Raises ProviderError BUSY when there is none by `late_until` (unset: the deadline).

        `background` stands behind all severities. A body that is cancelled or times out leaves its place busy until the server must
        have ended.
        """
        call = Call(BACKGROUND if background else RANKS.index(severity), deadline, deadline if late_until is None else late_until)
        await self._wait(call)
        slot = Slot(call)
        try:
            yield slot
        except (asyncio.CancelledError, TimeoutError):
            self._give_up(slot)
            raise
        except ProviderError as error:
            if error.failure is Failure.TIMEOUT and error.asked:
                self._give_up(slot)
            raise
        else:
            if slot.used:
                self._core.durations.observe(self._clock() - call.started_at)
        finally:
            if slot.until is not None:
                self._core.lose(call, slot.until)
            self._core.finish(call)
            self._pump()

    def dismiss(self, error: ProviderError) -> int:
        """Send everybody who waits away with that error; how many."""
        calls = self._core.dismiss()
        for call in calls:
            self._refuse(call, error)
        self._pump()
        return len(calls)

    async def _wait(self, call: Call) -> None:
        future = self._futures[call] = asyncio.get_running_loop().create_future()
        self._core.offer(call, self._clock())
        self._pump()
        try:
            await future
        except asyncio.CancelledError:
            self._core.withdraw(call)
            self._core.finish(call)  # a slot may have come at the same moment
            self._pump()
            raise
        finally:
            self._futures.pop(call, None)

    def _give_up(self, slot: Slot) -> None:
        if self._lingers and slot.until is None and slot.used:
            now = self._clock()
            slot.lost(max(now + LINGERS_S, slot._call.started_at + self._core.durations.worst_s))

    def _refuse(self, call: Call, error: ProviderError) -> None:
        future = self._futures.get(call)
        if future is not None and not future.done():
            future.set_exception(error)

    def _pump(self) -> None:
        now = self._clock()
        turn = self._core.advance(now)
        for call in turn.left:
            why = call.left.value if call.left is not None else ""
            self._refuse(call, ProviderError(Failure.BUSY, f"{why}; waited {now - call.offered_at:.1f} s", asked=False))
        for call in turn.started:
            future = self._futures.get(call)
            if future is not None and not future.done():
                future.set_result(None)
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        if self._told != (self.in_flight, self.waiting):
            self._told = (self.in_flight, self.waiting)
            self._changed(*self._told)
        self._arm(now)

    def _arm(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self._core.next_at()
        if at is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, at - now) + 0.001, self._pump)

    def close(self) -> None:
        """Stop the timer; nobody may wait any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
