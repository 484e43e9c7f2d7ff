"""Keeps a server of this network warm, and finds out whether it works on as many requests at once as the settings say.

All of it goes through admission behind every severity, and gives way when an incident wants a slot.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from pipeline.act.admission import LINGERS_S, Admission
from pipeline.act.advice_observer import AdviceObserver
from pipeline.act.providers.base import Answer, Ask, Failure, Provider, ProviderError
from pipeline.act.providers.breaker import Breaker, BreakerState
from pipeline.act.providers.wrapping import layer
from schemas.base import Severity

LOG = structlog.get_logger("advise")
PATIENCE_S = 120.0
"""Loading a large model from a slow disk takes so long."""
FIRST_PAUSE_S, MOST_PAUSE_S = 2.0, 60.0
CLOSE_S = 0.05
"""Calls shorter than this tell nothing: what we measure is then ourselves."""
HINTS = {"ollama": "is OLLAMA_NUM_PARALLEL={slots} set for the server?", "openai": "OPENAI_SLOTS says {slots}"}


def at_once(single_s: float, ends_s: Sequence[float]) -> int:
    """How many of calls that began together the server worked on at the same time. `ends_s`: when each ended, since then.

    A server that takes them in turn ends them one by one, or in waves; one that works on all ends them together, however slow that makes
    each (on a processor without a GPU eight at once take nearly as long as eight in turn). `single_s` is what one takes alone.
    """
    ends = sorted(ends_s)
    wave = sum(end <= 1.4 * ends[0] for end in ends)
    waves = -(-len(ends) // wave)
    return wave if waves > 1 and ends[-1] >= 0.7 * waves * single_s and ends[-1] >= 1.5 * ends[0] else len(ends)


def verdict(name: str, slots: int, single_s: float, ends_s: Sequence[float]) -> tuple[bool, str]:
    """Whether the setting fits the server, and what to tell a person."""
    if single_s < CLOSE_S:
        return True, "answers too quickly to tell how many requests it works on at once"
    found = at_once(single_s, ends_s)
    if found >= slots:
        return (
            True,
            f"works on {slots} request{'s' * (slots > 1)} at once; one takes {single_s:.1f} s alone, {max(ends_s):.1f} s among {slots}",
        )
    hint = HINTS.get(name, "{slots} are set").format(slots=slots)
    at_a_time = "one request at a time" if found == 1 else f"about {found} requests at a time"
    return False, f"the server works on {at_a_time}: {hint} ({slots} calls took {max(ends_s):.1f} s, one takes {single_s:.1f} s)"


class Keeper:
    """One server's. `ask` makes the question that is asked for it: a small one of the usual kind, so that the static part is the usual."""

    def __init__(
        self,
        stack: Provider,
        admission: Admission,
        ask: Callable[[], Ask],
        observer: AdviceObserver,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._breaker = layer(stack, Breaker)
        self._provider: Provider = self._breaker or stack  # beneath the cache: each of the calls must be made
        self._admission, self._ask, self._observer, self._clock = admission, ask, observer, clock
        self._again = asyncio.Event()
        self._testing: set[asyncio.Task[float]] = set()
        self._measured = False
        self.warmed = False
        self.fits: bool | None = None
        """Whether the number of slots fits the server; None while that is not known."""
        self.says = "not tried yet"
        if self._breaker is not None:
            self._breaker.watch(self._changed)

    async def run(self) -> None:
        """For as long as the adviser works."""
        pause = FIRST_PAUSE_S
        while True:
            barred_s = self._barred_s()
            self._again.clear()
            if barred_s > 0:
                await asyncio.sleep(barred_s)
            elif (self.warmed or await self._warm_up()) and (self._measured or await self._measure()):
                pause = FIRST_PAUSE_S
                await self._again.wait()
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, MOST_PAUSE_S)

    def reloaded(self) -> None:
        """The server has lost what it was warmed with, or may have."""
        self.warmed = False
        self._again.set()

    def give_way(self) -> None:
        """An incident wants a slot. Warming up goes on: the incident's call needs what it fills, and servers do not stop in a prompt."""
        for task in self._testing:
            task.cancel()

    def _changed(self, provider: str, state: str) -> None:
        if state == BreakerState.OPEN:
            self.reloaded()

    def _barred_s(self) -> float:
        """When the breaker's time is over the warm-up is its probe, and no incident has to be."""
        if self._breaker is None or self._breaker.state not in (BreakerState.OPEN, BreakerState.RESTING):
            return 0.0
        return max(0.05, self._breaker.until - self._clock())

    async def _warm_up(self) -> bool:
        """One call that may load the model, then one in each slot. Whether all were answered."""
        ask = replace(self._question(), warm=True, max_tokens=1, labels=())
        try:
            await self._call(ask)
            if self._admission.slots > 1:
                await self._together([ask] * self._admission.slots)
        except ProviderError as error:
            self.says = f"not warm: {error.what}"
            return False
        self.warmed = True
        return True

    async def _measure(self) -> bool:
        """Whether there is nothing more to find out. A call of which an incident had to wait, or beside which one ran, tells nothing."""
        slots = self._admission.slots
        if not self._idle():
            return False
        ask = self._question()
        try:
            (single_s,) = await self._together([ask])
            if slots > 1 and not self._idle():
                return False
            ends = await self._together([ask] * slots) if slots > 1 else [single_s]
        except ProviderError as error:
            self.says = f"not measured: {error.what}"
            self._measured = error.failure in (Failure.REFUSED, Failure.BROKEN)  # it would be the same again
            return self._measured
        except _GaveWay:
            return False
        self._measured = True
        self.fits, self.says = verdict(self._provider.name, slots, single_s, ends)
        log = LOG.info if self.fits else LOG.warning
        log("self-test of a model server", provider=self._provider.name, model=self._provider.model, result=self.says)
        return True

    def _question(self) -> Ask:
        return replace(self._ask(), timeout_s=PATIENCE_S)

    def _idle(self) -> bool:
        return self._admission.in_flight == 0

    async def _together(self, asks: Sequence[Ask]) -> list[float]:
        """How long after the start each ended. Raises ProviderError or _GaveWay."""
        began = self._clock()
        tasks = [asyncio.create_task(self._call(ask)) for ask in asks]
        self._testing.update(task for task, ask in zip(tasks, asks, strict=True) if not ask.warm)
        try:
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._testing.difference_update(tasks)
            for task in tasks:
                task.cancel()
        failed = [end for end in ends if isinstance(end, BaseException)]
        if any(isinstance(end, asyncio.CancelledError) for end in failed):
            raise _GaveWay
        if failed:
            raise failed[0]
        return [end - began for end in ends if isinstance(end, float)]

    async def _call(self, ask: Ask) -> float:
        """When it ended. Raises ProviderError."""
        began = self._clock()
        try:
            async with self._admission.slot(Severity.P4, began + PATIENCE_S, background=True) as slot:
                if ask.warm:
                    slot.unused()
                self._observer.asked(self._provider.name, ask)
                try:
                    answer: Answer = await self._provider.ask(ask)
                except asyncio.CancelledError:
                    slot.lost(self._clock() + LINGERS_S)  # it streams few tokens: the server sees at the next one that we have gone
                    raise
        except ProviderError as error:
            self._observer.failed(self._provider.name, ask, error.failure, self._clock() - began)
            raise
        self._observer.answered(self._provider.name, ask, answer)
        return self._clock()


class _GaveWay(Exception):
    """An incident wanted the slot."""
