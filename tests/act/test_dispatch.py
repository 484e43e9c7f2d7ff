"""From deliveries to attempts and receipts, and how far offsets may be committed. No Kafka."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.act.desk import Desk, Shadow
from pipeline.act.dispatch import Dispatcher
from pipeline.act.offsets import Offsets, Place
from pipeline.act.receivers.base import Sent
from schemas.base import from_ms
from schemas.effect import Delivery, Receipt
from tests.notify.build import a_delivery, an_incident


class Scripted:
    """A receiver that takes its time, and notes what it was sent."""

    def __init__(self, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.seconds, self.error = seconds, error
        self.sent: list[Delivery] = []

    async def send(self, delivery: Delivery) -> Sent:
        self.sent.append(delivery)
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return Sent()

    async def close(self) -> None:
        """Nothing is held."""


class Quiet:
    """An observer that counts."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str]] = []
        self.skips = 0

    def effect(self, state: str, receiver: str, seconds: float | None) -> None:
        self.states.append((state, receiver))

    def skipped(self, count: int) -> None:
        self.skips += count

    def in_flight(self, count: int) -> None: ...
    def dead_letter(self, reason: str) -> None: ...
    def lag(self, partition: int, messages: int, seconds: float) -> None: ...
    def revoked(self, partition: int) -> None: ...


class Bench:
    def __init__(self, **receivers: Scripted) -> None:
        self.receipts: list[Receipt] = []
        self.offsets = Offsets()
        self.observer = Quiet()
        self.next = 0
        desks = {name: Desk(name, one, 5, 2) for name, one in receivers.items()}
        self.dispatcher = Dispatcher(desks, self.report, self.offsets, self.observer)

    async def report(self, receipt: Receipt) -> None:
        self.receipts.append(receipt)

    def offer(self, incident: str, receiver: str, attempt: int = 1, severity: str = "P3", late: bool = False) -> None:
        place = Place(0, self.next)
        self.next += 1
        self.offsets.taken(place, 0)
        self.offsets.read_to(0, self.next)
        due = from_ms(round((time.time() + (-60 if late else 60)) * 1000))
        content = an_incident(incident_id=incident, severity=severity)
        effect = f"{incident}|{receiver}"
        self.dispatcher.offer(place, a_delivery(incident=content, receiver=receiver, effect_id=effect, attempt=attempt, deadline=due))

    async def finish(self) -> None:
        await self.dispatcher.drain(5)

    def statuses(self) -> dict[str, str]:
        return {receipt.incident_id: receipt.status for receipt in self.receipts}


def test_every_delivery_gets_one_receipt_and_frees_its_place() -> None:
    async def play() -> Bench:
        bench = Bench(a=Scripted())
        for number in range(2):
            bench.offer(f"i{number}", "a")
        bench.dispatcher.launch()
        await bench.finish()
        return bench

    bench = asyncio.run(play())
    assert bench.statuses() == {"i0": "done", "i1": "done"} and bench.offsets.to_commit() == {0: 2}
    assert bench.receipts[0].domain == "production" and bench.receipts[0].attempt == 1


def test_what_a_busy_receiver_cannot_take_is_put_off_at_once_and_a_p1_still_finds_room() -> None:
    async def play() -> tuple[Bench, float]:
        bench = Bench(slow=Scripted(0.3), quick=Scripted())
        for number in range(4):
            bench.offer(f"i{number}", "slow")
        bench.offer("page", "slow", severity="P1")
        bench.offer("other", "quick")
        began = time.monotonic()
        bench.dispatcher.launch()
        await asyncio.sleep(0.05)
        early = bench.statuses()
        assert early.get("other") == "done", "a slow receiver held up another"
        await bench.finish()
        return bench, time.monotonic() - began

    bench, took = asyncio.run(play())
    assert sorted(bench.statuses().values()) == ["deferred", "deferred", "deferred", "done", "done", "done"]
    assert bench.statuses()["page"] == "done" and took < 1


def test_a_newer_delivery_for_the_same_row_replaces_one_that_has_not_started() -> None:
    async def play() -> Bench:
        bench = Bench(a=Scripted())
        for attempt in (1, 2, 3):
            bench.offer("i", "a", attempt)
        bench.dispatcher.launch()
        await bench.finish()
        return bench

    bench = asyncio.run(play())
    assert [receipt.attempt for receipt in bench.receipts] == [3]
    assert bench.observer.skips == 2 and bench.offsets.to_commit() == {0: 3}


def test_a_late_delivery_waits_until_its_partition_is_read_to_the_end() -> None:
    async def play() -> tuple[int, Bench]:
        bench = Bench(a=Scripted())
        bench.offer("i", "a", late=True)
        bench.dispatcher.launch(quiet=set())
        await asyncio.sleep(0.01)
        before = len(bench.receipts)
        assert bench.offsets.to_commit() == {0: 0}
        bench.offer("i", "a", attempt=2)
        bench.dispatcher.launch(quiet=set())
        await bench.finish()
        bench.offer("late", "a", late=True)
        bench.dispatcher.launch(quiet={0})
        await bench.finish()
        return before, bench

    before, bench = asyncio.run(play())
    assert before == 0
    assert [(receipt.incident_id, receipt.attempt) for receipt in bench.receipts] == [("i", 2), ("late", 1)]


def test_a_delivery_read_again_while_it_is_being_sent_is_not_sent_twice() -> None:
    async def play() -> tuple[Bench, Scripted]:
        receiver = Scripted(0.1)
        bench = Bench(a=receiver)
        bench.offer("i", "a")
        bench.dispatcher.launch()
        await asyncio.sleep(0.02)
        bench.offer("i", "a")
        bench.dispatcher.launch()
        await bench.finish()
        return bench, receiver

    bench, receiver = asyncio.run(play())
    assert len(receiver.sent) == 1 and len(bench.receipts) == 1 and bench.offsets.to_commit() == {0: 2}


def test_a_receiver_that_is_not_configured_is_answered_and_one_that_raises_fails() -> None:
    async def play() -> Bench:
        bench = Bench(bad=Scripted(error=RuntimeError("boom")))
        bench.offer("i", "gone")
        bench.offer("j", "bad")
        bench.dispatcher.launch()
        await bench.finish()
        return bench

    bench = asyncio.run(play())
    assert bench.statuses() == {"i": "rejected", "j": "failed"} and bench.dispatcher.failure is None


def test_leaving_breaks_off_what_runs_too_long_and_keeps_its_place() -> None:
    async def play() -> tuple[int, Bench]:
        bench = Bench(a=Scripted(30))
        bench.offer("i", "a")
        bench.dispatcher.launch()
        left = await bench.dispatcher.drain(0.05)
        return left, bench

    left, bench = asyncio.run(play())
    assert left == 1 and not bench.receipts and bench.offsets.to_commit() == {0: 0}


def test_a_receipt_that_cannot_be_written_for_good_is_the_lanes_failure() -> None:
    async def play() -> Any:
        bench = Bench(a=Scripted())

        async def refuse(receipt: Receipt) -> None:
            raise OSError("no more")

        dispatcher = Dispatcher({"a": Desk("a", Shadow(), 1, 1)}, refuse, bench.offsets, bench.observer)
        dispatcher.offer(Place(0, 0), a_delivery(receiver="a"))
        dispatcher.launch()
        await dispatcher.drain(1)
        return dispatcher.failure

    assert isinstance(asyncio.run(play()), OSError)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=60), st.integers(1, 4))
def test_nothing_in_hand_is_ever_committed(steps: list[tuple[bool, int]], gap: int) -> None:
    offsets, position, open_places = Offsets(), 0, set[int]()
    for read, choice in steps:
        if read:
            offsets.taken(Place(0, position), position)
            open_places.add(position)
            position += gap  # markers and aborted records lie between
            offsets.read_to(0, position)
        elif open_places:
            done = sorted(open_places)[choice % len(open_places)]
            open_places.discard(done)
            offsets.settled([Place(0, done)])
        to_commit = offsets.to_commit()
        if to_commit:
            assert to_commit[0] == min(open_places, default=position)
            offsets.committed(to_commit)
    assert offsets.in_hand == len(open_places)


def test_a_partition_that_came_back_is_not_committed_past_where_it_is_read() -> None:
    offsets = Offsets()
    offsets.taken(Place(0, 12), 0)
    offsets.read_to(0, 13)
    offsets.forget([0])
    offsets.taken(Place(0, 12), 0)
    offsets.read_to(0, 10)
    assert offsets.to_commit() == {0: 10}
    offsets.settled([Place(0, 99), Place(1, 5)])
