"""What the two dispatchers share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from pipeline.act.advice_dispatch import AdviceDispatcher
from pipeline.act.dispatch import Dispatcher
from pipeline.act.offsets import Offsets, Place
from pipeline.act.running import Running
from pipeline.api.answers import Said
from schemas.feedback import Feedback


class One(Running):
    def offer(self, place: Place, work: Coroutine[Any, Any, None]) -> None:
        if self._joins(("e1", 1), place):
            work.close()
        else:
            self._begin(("e1", 1), place, work)


def test_both_dispatchers_end_in_the_same_way() -> None:
    assert Dispatcher.drain is AdviceDispatcher.drain is Running.drain
    assert Said.model_fields["kind"].annotation == Feedback.model_fields["kind"].annotation


def test_an_attempt_begins_once_and_what_goes_wrong_is_kept() -> None:
    async def fails() -> None:
        raise ValueError("a test")

    async def run() -> None:
        one = One(Offsets())
        one.offer(Place(0, 1), fails())
        one.offer(Place(0, 2), fails())
        assert await one.drain(1.0) == 0
        assert isinstance(one.failure, ValueError)
        one.offer(Place(0, 3), asyncio.sleep(60))
        assert await one.drain(0.01) == 1 and one.settled == 0

    asyncio.run(run())
