"""Attempts that run, each for the places in Kafka that asked for it: begun once, settled together, waited for at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from pipeline.act.offsets import Offsets, Place

Attempt = tuple[str, int]
"""Effect and number of the attempt."""


class Running:
    """What the dispatchers of deliveries and of questions have in common."""

    def __init__(self, offsets: Offsets) -> None:
        self._offsets = offsets
        self._running: dict[Attempt, list[Place]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.failure: BaseException | None = None
        """The first that came out of an attempt: the lane must end."""
        self.settled = 0
        """Places brought to an end since the start."""

    async def drain(self, timeout: float) -> int:
        """Wait for what runs, at most `timeout` seconds, then cancel the rest; answers how many were cancelled.

        Those keep their place: they are read and tried again by whoever comes next.
        """
        tasks = set(self._tasks)
        left = (await asyncio.wait(tasks, timeout=timeout))[1] if tasks else set()
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)

    def _joins(self, attempt: Attempt, place: Place) -> bool:
        """Whether it runs already: it was read again after a rebalance, while the first reading is still at work."""
        if attempt not in self._running:
            return False
        self._running[attempt].append(place)
        return True

    def _begin(self, attempt: Attempt, place: Place, work: Coroutine[Any, Any, None]) -> None:
        self._running[attempt] = [place]
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, attempt))
        self._changed()

    def _ended(self, task: asyncio.Task[None], attempt: Attempt) -> None:
        self._tasks.discard(task)
        self._running.pop(attempt, None)
        self._changed()
        if not task.cancelled() and task.exception() is not None:
            self.failure = self.failure or task.exception()

    def _settle(self, places: Sequence[Place]) -> None:
        self._offsets.settled(places)
        self.settled += len(places)

    def _changed(self) -> None:
        """An attempt began or ended; `_running` is as it is now."""
