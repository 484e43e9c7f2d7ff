"""Say again what was answered to the very same words, and ask only once what several want to know at the same time."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from pipeline.act.providers.base import Answer, Ask, Failure, Provider, ProviderError
from pipeline.act.providers.recorder import digest
from pipeline.act.providers.wrapping import Wrapping

Key = tuple[str, str, str, str]


class _Flight:
    """A call that is under way, and how many wait for it."""

    def __init__(self, task: asyncio.Task[Answer]) -> None:
        self.task = task
        self.waiting = 0


class Cache(Wrapping):
    """Keeps `size` answers, each for `age_s`: 512 answers of at most some kB. An answer is the same for the same provider, model, prompt
    version and words; time-outs, severities and incidents make no difference. Failures are not kept."""

    def __init__(self, inner: Provider, *, size: int = 512, age_s: float = 600.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(inner)
        self._size, self._age_s, self._clock = size, age_s, clock
        self._answers: OrderedDict[Key, tuple[float, Answer]] = OrderedDict()
        self._flights: dict[Key, _Flight] = {}

    async def ready(self, ask: Ask) -> Answer | None:
        """The answer where nothing need be asked for it: it is here, or on its way to somebody else. None where that one failed."""
        if ask.warm:
            return None
        key = self._key(ask)
        if (kept := self._kept(key)) is not None:
            return kept
        flight = self._flights.get(key)
        if flight is None:
            return None
        try:
            return _again(await self._join(flight, ask))
        except ProviderError:
            return None

    async def ask(self, ask: Ask) -> Answer:
        if ask.warm:
            return await self.inner.ask(ask)
        key = self._key(ask)
        if (kept := self._kept(key)) is not None:
            return kept
        flight = self._flights.get(key)
        if flight is not None:
            return _again(await self._join(flight, ask))
        flight = self._flights[key] = _Flight(asyncio.create_task(self.inner.ask(ask)))
        flight.task.add_done_callback(lambda task: self._landed(key, task))
        return await self._lead(flight)

    def forget(self, ask: Ask) -> None:
        """Its answer turned out to be of no use."""
        self._answers.pop(self._key(ask), None)

    async def _lead(self, flight: _Flight) -> Answer:
        """The first who asked has no limit but the ask's own."""
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            await self._left(flight)

    async def _join(self, flight: _Flight, ask: Ask) -> Answer:
        flight.waiting += 1
        try:
            async with asyncio.timeout(ask.timeout_s):
                return await asyncio.shield(flight.task)
        except TimeoutError:
            raise ProviderError(Failure.TIMEOUT, "the same question was asked already, and not answered in time", asked=False) from None
        finally:
            await self._left(flight)

    async def _left(self, flight: _Flight) -> None:
        """When nobody waits any more, the call is called off."""
        flight.waiting -= 1
        if flight.waiting == 0 and not flight.task.done():
            flight.task.cancel()
            await asyncio.wait([flight.task])

    def _landed(self, key: Key, task: asyncio.Task[Answer]) -> None:
        self._flights.pop(key, None)
        if task.cancelled() or task.exception() is not None:
            return
        self._answers[key] = (self._clock(), task.result())
        self._answers.move_to_end(key)
        while len(self._answers) > self._size:
            self._answers.popitem(last=False)

    def _kept(self, key: Key) -> Answer | None:
        known = self._answers.get(key)
        if known is None:
            return None
        if self._clock() - known[0] > self._age_s:
            del self._answers[key]
            return None
        self._answers.move_to_end(key)
        return _again(known[1])

    def _key(self, ask: Ask) -> Key:
        return (self.name, self.model, ask.prompt, digest(ask))


def _again(answer: Answer) -> Answer:
    """As one that cost and took nothing."""
    return replace(
        answer, cached=True, cost_usd=0.0, tokens_in=0, tokens_out=0, tokens_cached=0, took_s=0.0, load_s=0.0, first_token_s=None
    )
