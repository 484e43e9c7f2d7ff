"""One provider and the line before it: how long to wait for a slot, how long for the answer, when to leave it to the next in the chain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from pipeline.act.admission import Admission
from pipeline.act.advice_observer import AdviceObserver
from pipeline.act.providers.base import Answer, Ask, Failure, Provider, ProviderError
from pipeline.act.providers.breaker import Breaker, BreakerState
from pipeline.act.providers.cache import Cache
from pipeline.act.providers.wrapping import layer
from pipeline.act.self_test import Keeper
from schemas.base import Severity

LOG = structlog.get_logger("advise")
LEAST_S = 0.3
"""With less time than this left nothing is asked: the call would be paid for and given up."""
PATIENCE = 4.0
"""A call that takes so many times what calls take is given up where somebody else can still be asked."""
LEAST_PATIENCE_S = 4.0
LATE_TIMES, LEAST_LATE_S = 3.0, 10.0
NONSENSE = 3
"""A provider whose last so many answers were all invalid is not waited for beyond the deadline."""
LOOK_S = 0.1
"""So often it is seen whether a call that runs past its time is still worth waiting for."""
RELOAD_S = 0.1
"""A server that says that it loaded for longer than this had not had the model in memory."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one call; times by the clock."""

    deadline: float
    """What it is in line by."""
    answer_by: float
    """The call is ended then, unless this is the last hope and the server is known to take longer."""
    wait_until: float
    """The line is left then."""
    late_until: float = 0.0
    """No call goes on beyond it."""
    last: bool = True
    """Nobody else can be asked after this one."""

    @property
    def late(self) -> bool:
        """An amendment is welcome."""
        return self.wait_until > self.deadline


class Station:
    """`stack` is the provider in all its wrappers, cache outermost."""

    def __init__(
        self, stack: Provider, slots: int, observer: AdviceObserver, clock: Callable[[], float] = time.monotonic, most_waiting: int = 2048
    ) -> None:
        self.stack, self.name = stack, stack.name
        self.cache, self.breaker = layer(stack, Cache), layer(stack, Breaker)
        self._observer, self._clock = observer, clock
        self.admission = Admission(
            slots,
            clock,
            lingers=stack.local,
            most_waiting=most_waiting,
            changed=lambda in_flight, waiting: observer.admission(self.name, in_flight, waiting),
        )
        self.keeper: Keeper | None = None
        self.answered = self.failed = self.reloads = 0
        self.invalid_in_a_row = 0
        if self.breaker is not None:
            self.breaker.watch(self._breaker_changed)

    @property
    def talks_nonsense(self) -> bool:
        return self.invalid_in_a_row >= NONSENSE

    @property
    def healthy(self) -> bool:
        """Whether there is hope that it answers late what it could not answer in time."""
        if self.talks_nonsense:
            return False
        return self.breaker is None or (self.breaker.healthy and self.breaker.state is BreakerState.CLOSED)

    def refusal(self, severity: Severity, limits: Limits) -> ProviderError | None:
        """Why it would not be asked now, even if it had a slot."""
        return None if self.breaker is None or self._rest_s(limits) is not None else self.breaker.refusal(severity)

    def reserve_s(self, left_s: float) -> float:
        """What those before it in the chain should leave it of the time."""
        expected = self.admission.expected_s
        return min(max(1.0, 3.0 if expected is None else 2 * expected), left_s / 2)

    def too_slow(self, by: float) -> ProviderError | None:
        """Why it cannot answer by then, even if asked at once."""
        expected, left = self.admission.expected_s, by - self._clock()
        if expected is None or expected <= left:
            return None
        return ProviderError(Failure.BUSY, f"an answer takes it {expected:.1f} s, {max(0.0, left):.1f} s are left", asked=False)

    def too_late(self, severity: Severity, by: float) -> ProviderError | None:
        """Why a call that joined the line now would not be answered by then."""
        if self.admission.could_start_by(severity, by):
            return None
        wait = self.admission.starts_at(severity, by) - self._clock()
        return ProviderError(
            Failure.BUSY, f"{self.admission.waiting} calls wait: a slot would be free in {wait:.1f} s, too late", asked=False
        )

    async def ask(self, ask: Ask, limits: Limits, begins: Callable[[], None] = lambda: None) -> Answer:
        """One answer, `waited_s` set. Raises ProviderError. `begins` is called when a slot is there."""
        began = self._clock()
        while True:
            ready = await self._ready(ask, limits)
            if ready is not None:
                self._observer.answered(self.name, ask, ready)
                return ready
            if self.keeper is not None and self.admission.in_flight >= self.admission.slots:
                self.keeper.give_way()
            async with self.admission.slot(ask.severity, limits.deadline, limits.wait_until) as slot:
                rest_s = self._rest_s(limits)
                if rest_s is None:
                    begins()
                    self._observer.waited(self.name, ask.severity, slot.waited_s)
                    answer = await self._call(replace(ask, timeout_s=self._timeout_s(limits)), limits.answer_by)
                    if answer.cached:
                        slot.unused()
                    return self._told(ask, replace(answer, waited_s=max(0.0, self._clock() - began - answer.took_s)))
                slot.unused()
            await asyncio.sleep(rest_s)

    async def _ready(self, ask: Ask, limits: Limits) -> Answer | None:
        if self.cache is None:
            return None
        return await self.cache.ready(replace(ask, timeout_s=max(0.0, max(limits.answer_by, limits.wait_until) - self._clock())))

    async def _call(self, ask: Ask, by: float) -> Answer:
        if ask.timeout_s < LEAST_S:
            raise ProviderError(Failure.BUSY, "a slot became free too late", asked=False)
        self._observer.asked(self.name, ask)
        if self.stack.paid or ask.timeout_s <= by - self._clock() + LOOK_S:
            return await self.stack.ask(ask)
        return await self._beyond(ask, by)

    async def _beyond(self, ask: Ask, by: float) -> Answer:
        """A call that may run past `by`, as long as anything but nonsense can be hoped for."""
        began = self._clock()
        call = asyncio.create_task(self.stack.ask(ask))
        try:
            await asyncio.wait({call}, timeout=max(0.0, by - began))
            while not call.done():
                if self.talks_nonsense:
                    call.cancel()
                    await asyncio.wait({call}, timeout=LOOK_S)
                    said = f"not waited for after {self._clock() - began:.1f} s: its last {self.invalid_in_a_row} answers were invalid"
                    raise ProviderError(Failure.TIMEOUT, said)
                await asyncio.wait({call}, timeout=LOOK_S)
            return call.result()
        finally:
            call.cancel()

    def _told(self, ask: Ask, answer: Answer) -> Answer:
        self.answered += 1
        self._observer.answered(self.name, ask, answer)
        if answer.load_s > RELOAD_S and self.stack.local:
            self.reloads += 1
            LOG.warning("the model server has loaded the model again", provider=self.name, seconds=round(answer.load_s, 2))
            self._observer.reloaded(self.name)
            if self.keeper is not None:
                self.keeper.reloaded()
        return answer

    def _timeout_s(self, limits: Limits) -> float:
        """Of a call that begins now."""
        now, expected = self._clock(), self.admission.expected_s
        left = limits.answer_by - now
        if not limits.last:
            return left if expected is None else min(left, max(LEAST_PATIENCE_S, PATIENCE * expected))
        if not self.healthy:
            return left
        least = max(LATE_TIMES * (expected or 0.0), LEAST_LATE_S if limits.late else 0.0)
        return max(left, min(limits.late_until - now, least))

    def _rest_s(self, limits: Limits) -> float | None:
        """How long the provider wants to be left alone, where that is worth waiting for."""
        if self.breaker is None or self.breaker.state is not BreakerState.RESTING or not limits.last:
            return None
        until = self.breaker.until
        return until - self._clock() + 0.01 if until + LEAST_S < max(limits.answer_by, limits.wait_until) else None

    def _breaker_changed(self, provider: str, state: str) -> None:
        if self.breaker is None:
            return
        if state == BreakerState.OPEN:
            error = ProviderError(Failure.OPEN, f"not asked: {self.breaker.why}", asked=False)
            sent_away = self.admission.dismiss(error)
            left_s = round(self.breaker.until - self._clock(), 1)
            LOG.warning("provider is not asked for a while", provider=self.name, why=self.breaker.why, seconds=left_s, sent_away=sent_away)
        elif state == BreakerState.CLOSED:
            LOG.info("provider is asked again", provider=self.name)

    def status(self) -> dict[str, Any]:
        """For health, and for people."""
        expected = self.admission.expected_s
        return {
            "model": self.stack.model,
            "local": self.stack.local,
            "paid": self.stack.paid,
            "state": self.breaker.state.value if self.breaker is not None else "closed",
            "why": self.breaker.why if self.breaker is not None else "",
            "slots": self.admission.slots,
            "in_flight": self.admission.in_flight,
            "in_flight_max": self.admission.in_flight_max,
            "waiting": self.admission.waiting,
            "expected_s": None if expected is None else round(expected, 3),
            "answered": self.answered,
            "failed": self.failed,
            "reloads": self.reloads,
            "self_test": self.keeper.says if self.keeper is not None else "",
            "fits": self.keeper.fits if self.keeper is not None else None,
        }

    async def close(self) -> None:
        self.admission.close()
        await self.stack.close()
