"""From questions to receipts, and how far offsets may be committed. No Kafka, no model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pipeline.act import advice_dispatch
from pipeline.act.advice_dispatch import AdviceDispatcher, failed
from pipeline.act.offsets import Offsets, Place
from schemas.advice import AdviceRequest
from schemas.effect import Receipt
from tests.act.test_advise_lane import a_request


class Bench:
    """A dispatcher whose adviser does what it is told."""

    def __init__(self, advise: Callable[[AdviceRequest], Awaitable[Receipt]]) -> None:
        self.asked: list[str] = []
        self.receipts: list[Receipt] = []
        self.seen: list[int] = []
        self.offsets = Offsets()
        self.kafka = asyncio.Event()
        self.kafka.set()
        self.next = 0
        self._advise = advise
        self.dispatcher = AdviceDispatcher(self.advise, self.report, self.offsets, self)

    async def advise(self, request: AdviceRequest) -> Receipt:
        self.asked.append(request.incident_id)
        return await self._advise(request)

    async def report(self, receipt: Receipt) -> None:
        await self.kafka.wait()
        self.receipts.append(receipt)

    def receipt(self, receipt: Receipt) -> None: ...
    def in_hand(self, count: int) -> None:
        self.seen.append(count)

    def offer(self, request: AdviceRequest) -> None:
        place = Place(0, self.next)
        self.next += 1
        self.offsets.taken(place, 0)
        self.offsets.read_to(0, self.next)
        self.dispatcher.offer(place, request)
        self.dispatcher.launch()


async def at_once(request: AdviceRequest) -> Receipt:
    return failed(request, "no")


async def slowly(request: AdviceRequest) -> Receipt:
    await asyncio.sleep(0.1)
    return failed(request, "no")


async def never(request: AdviceRequest) -> Receipt:
    await asyncio.sleep(60)
    raise AssertionError


def test_all_questions_are_handed_over_at_once_and_each_frees_its_place() -> None:
    async def play() -> Bench:
        bench = Bench(slowly)
        for number in range(50):
            bench.offer(a_request(f"i{number}"))
        await asyncio.sleep(0)
        assert len(bench.asked) == 50 and bench.offsets.to_commit() == {0: 0}
        assert await bench.dispatcher.drain(5) == 0
        return bench

    bench = asyncio.run(play())
    assert len(bench.receipts) == 50 and bench.offsets.to_commit() == {0: 50} and bench.dispatcher.settled == 50
    assert max(bench.seen) == 50 and bench.seen[-1] == 0


def test_a_question_read_again_while_it_is_at_work_is_not_asked_twice_but_another_attempt_is() -> None:
    async def play() -> Bench:
        bench = Bench(slowly)
        for attempt in (1, 1, 2):
            bench.offer(a_request("i", attempt=attempt))
        await bench.dispatcher.drain(5)
        return bench

    bench = asyncio.run(play())
    assert len(bench.asked) == 2 and sorted(receipt.attempt for receipt in bench.receipts) == [1, 2]
    assert bench.offsets.to_commit() == {0: 3}


def test_offsets_wait_for_kafka_to_have_the_receipt() -> None:
    async def play() -> None:
        bench = Bench(at_once)
        bench.kafka.clear()
        bench.offer(a_request())
        await asyncio.sleep(0.02)
        assert bench.offsets.to_commit() == {0: 0}
        bench.kafka.set()
        await bench.dispatcher.drain(5)
        assert bench.offsets.to_commit() == {0: 1}

    asyncio.run(play())


def test_a_question_that_nobody_needs_answered_any_more_is_not_asked() -> None:
    async def play() -> Bench:
        bench = Bench(at_once)
        bench.offer(a_request(late_in_s=-1))
        await bench.dispatcher.drain(5)
        return bench

    bench = asyncio.run(play())
    (receipt,) = bench.receipts
    assert bench.asked == [] and (receipt.status, receipt.detail, receipt.effect) == ("failed", "too old", "advice")
    assert bench.offsets.to_commit() == {0: 1}


def test_an_adviser_that_hangs_or_raises_is_answered_for() -> None:
    async def raises(request: AdviceRequest) -> Receipt:
        raise RuntimeError("secret")

    async def play(advise: Callable[[AdviceRequest], Awaitable[Receipt]]) -> Bench:
        bench = Bench(advise)
        bench.offer(a_request(late_in_s=0.1))
        await bench.dispatcher.drain(5)
        return bench

    before, advice_dispatch.GRACE_S = advice_dispatch.GRACE_S, 0.05
    try:
        hung, raised = asyncio.run(play(never)), asyncio.run(play(raises))
    finally:
        advice_dispatch.GRACE_S = before
    assert [receipt.detail for receipt in hung.receipts + raised.receipts] == ["too old", "unexpected RuntimeError"]
    assert raised.dispatcher.failure is None


def test_leaving_breaks_off_what_runs_and_keeps_its_place() -> None:
    async def play() -> tuple[int, Bench]:
        bench = Bench(never)
        bench.offer(a_request())
        return await bench.dispatcher.drain(0.05), bench

    left, bench = asyncio.run(play())
    assert left == 1 and not bench.receipts and bench.offsets.to_commit() == {0: 0}


def test_a_receipt_that_cannot_be_written_for_good_is_the_lanes_failure() -> None:
    async def play() -> BaseException | None:
        bench = Bench(at_once)

        async def refuse(receipt: Receipt) -> None:
            raise OSError("no more")

        dispatcher = AdviceDispatcher(at_once, refuse, bench.offsets, bench)
        dispatcher.offer(Place(0, 0), a_request())
        await dispatcher.drain(1)
        return dispatcher.failure

    assert isinstance(asyncio.run(play()), OSError)
