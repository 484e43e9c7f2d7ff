"""Who gets a slot of a model server, and when: the order on a virtual clock, then the same through asyncio."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.act.admission import LINGERS_S, Admission
from pipeline.act.providers.base import Failure, ProviderError
from pipeline.act.slots import BACKGROUND, Call, Slots, State, Why
from schemas.base import Severity


class Traffic(RuleBasedStateMachine):
    """Calls come, end, are given up and time passes, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.offered: list[Call] = []
        self.withdrawn: set[Call] = set()
        self.gone: list[Call] = []

    @initialize(slots=st.integers(1, 4), most=st.integers(1, 8))
    def a_server(self, slots: int, most: int) -> None:
        self.server = Slots(slots, most_waiting=most)

    def turn(self) -> None:
        waiting = [call for call in self.offered if call.state is State.WAITING]
        can_be = self.now + (self.server.durations.expected_s or 0.0)
        started, left = self.server.advance(self.now)
        self.gone += left
        for position, call in enumerate(started):
            behind = [one for one in waiting if one not in started[: position + 1] and one not in left and one.left is None]
            for other in behind:
                assert order(call, self.now, can_be) < order(other, self.now, can_be)
        still = [call for call in waiting if call.state is State.WAITING]
        assert not (still and self.server.in_flight < self.server.slots), "a slot idles while somebody waits"

    @rule(rank=st.integers(0, BACKGROUND), deadline=st.floats(-2, 20), late=st.floats(0, 30))
    def comes(self, rank: int, deadline: float, late: float) -> None:
        call = Call(rank, self.now + deadline, self.now + deadline + late)
        self.offered.append(call)
        self.server.offer(call, self.now)
        self.turn()

    @precondition(lambda self: self.server.running)
    @rule(pick=st.randoms(use_true_random=False), took=st.floats(0.01, 10))
    def ends(self, pick: object, took: float) -> None:
        call = min(self.server.running, key=lambda one: one.sequence)
        self.server.durations.observe(took)
        self.server.finish(call)
        self.turn()

    @precondition(lambda self: self.server.running)
    @rule(lasts=st.floats(0, 10))
    def is_given_up(self, lasts: float) -> None:
        call = max(self.server.running, key=lambda one: one.sequence)
        self.server.lose(call, self.now + lasts)
        self.turn()
        assert call.state is State.LOST or call.busy_until <= self.now

    @precondition(lambda self: self.server.waiting)
    @rule()
    def is_not_wanted_any_more(self) -> None:
        call = next(call for call in self.offered if call.state is State.WAITING)
        self.server.withdraw(call)
        self.withdrawn.add(call)

    @rule(seconds=st.floats(0.01, 15))
    def time_passes(self, seconds: float) -> None:
        until = self.now + seconds
        while (at := self.server.next_at()) is not None and at <= until:
            self.now = max(self.now, at)
            self.turn()
        self.now = until
        self.turn()

    @invariant()
    def in_flight_is_never_more_than_the_slots(self) -> None:
        if self.offered:
            assert self.server.in_flight <= self.server.slots
            assert self.server.waiting <= self.server.most_waiting

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """Each call waits, has a slot, or has left with a reason, once."""
        assert len(self.gone) == len(set(self.gone))
        for call in self.offered:
            if call.state is State.ENDED and not call.started_at and call.left is None and call not in self.withdrawn:
                assert call.offered_at == 0.0  # began and ended at the zero of this clock
            assert (call.left is not None) == (call in self.gone)

    def teardown(self) -> None:
        """Were the server never to answer, each would still leave at its time."""
        self.now += 1000.0
        if self.offered:
            for call in list(self.server.running):
                self.server.finish(call)
            while self.server.waiting:
                self.turn()
                for call in list(self.server.running):
                    self.server.finish(call)
            assert all(call.state is not State.WAITING for call in self.offered)


def order(call: Call, now: float, can_be: float) -> tuple[bool, int, bool, float, int]:
    """As contracted: what is over last, then severity, what can still be in time, the earlier deadline, who came first."""
    return (call.deadline <= now, call.rank, call.deadline < can_be, call.deadline, call.sequence)


TestTraffic = Traffic.TestCase


def started(server: Slots, now: float) -> list[Call]:
    return server.advance(now).started


def test_a_p1_that_comes_last_is_next() -> None:
    server = Slots(1)
    running = Call(3, 10, 10)
    server.offer(running, 0)
    started(server, 0)
    calls = [Call(3, 5, 10), Call(1, 9, 10), Call(0, 12, 12)]
    for call in calls:
        server.offer(call, 0)
    server.finish(running)
    assert started(server, 1) == [calls[2]]


def test_of_equal_severity_the_earlier_deadline_is_next_and_one_that_cannot_be_in_time_any_more_is_not_preferred() -> None:
    server = Slots(1)
    server.durations.observe(2.0)
    hopeless, near, far = Call(2, 1.5, 60), Call(2, 5.0, 60), Call(2, 9.0, 60)
    for call in (far, near, hopeless):
        server.offer(call, 0)
    assert started(server, 0) == [near]
    server.finish(near)
    assert started(server, 2) == [far]
    server.finish(far)
    assert started(server, 4) == [hopeless]


def test_a_call_whose_deadline_has_passed_is_behind_a_p4_that_can_be_in_time() -> None:
    server = Slots(1)
    late, in_time = Call(0, 1, 60), Call(3, 10, 60)
    server.offer(Call(3, 10, 10), 0)
    (running,) = started(server, 0)
    server.offer(late, 0)
    server.offer(in_time, 0)
    server.finish(running)
    assert started(server, 2) == [in_time]


def test_a_call_that_was_given_up_keeps_its_slot_until_then() -> None:
    server = Slots(1)
    first, second = Call(0, 9, 9), Call(0, 9, 9)
    server.offer(first, 0)
    started(server, 0)
    server.offer(second, 0)
    server.lose(first, 3.0)
    assert started(server, 2.9) == []
    assert server.next_at() == 3.0
    assert started(server, 3.0) == [second]


def test_a_full_line_drops_the_least_urgent() -> None:
    server = Slots(1, most_waiting=2)
    server.offer(Call(0, 9, 9), 0)
    started(server, 0)
    p4, p2, p1 = Call(3, 9, 9), Call(1, 9, 9), Call(0, 9, 9)
    for call in (p4, p2, p1):
        server.offer(call, 0)
    assert server.advance(0).left == [p4]
    assert p4.left is Why.DROPPED


def test_how_soon_a_call_would_start_counts_who_is_before_it() -> None:
    server = Slots(2)
    server.durations.observe(1.0)
    for _ in range(2):
        server.offer(Call(3, 20, 20), 0)
    started(server, 0)
    for _ in range(4):
        server.offer(Call(2, 20, 20), 0)
    assert server.starts_at(3, 20, 0) == 3.0
    assert server.starts_at(0, 20, 0) == 1.0
    assert server.could_start_by(3, 4.0, 0)
    assert not server.could_start_by(3, 3.9, 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(1, 50)), max_size=30), st.integers(1, 4), st.integers(0, 3), st.floats(1, 50))
def test_the_estimate_is_what_happens_when_every_call_takes_what_calls_take(
    others: list[tuple[int, float]], slots: int, rank: int, deadline: float
) -> None:
    server = Slots(slots)
    server.durations.observe(0.01)
    for other, by in others:
        server.offer(Call(other, by, 1000), 0)
    running = started(server, 0)
    expected = server.starts_at(rank, deadline, 0)
    mine = Call(rank, deadline, 1000)
    server.offer(mine, 0)
    turn = 0
    running += started(server, 0)
    while mine.state is State.WAITING:
        turn += 1
        for call in running:
            server.finish(call)
        running = started(server, turn * 0.01)
    assert expected == pytest.approx(turn * 0.01)


async def hold(admission: Admission, severity: Severity, seconds: float, log: list[str], name: str = "", patience: float = 5.0) -> None:
    async with admission.slot(severity, time.monotonic() + patience):
        log.append(name or severity.value)
        await asyncio.sleep(seconds)


def test_slots_are_handed_over_in_the_order_of_urgency() -> None:
    log: list[str] = []

    async def play() -> int:
        admission = Admission(1)
        first = asyncio.create_task(hold(admission, Severity.P4, 0.03, log))
        await asyncio.sleep(0)
        rest = [asyncio.create_task(hold(admission, level, 0.001, log)) for level in (Severity.P4, Severity.P3, Severity.P1, Severity.P2)]
        await asyncio.gather(first, *rest)
        return admission.in_flight_max

    assert asyncio.run(play()) == 1
    assert log == ["P4", "P1", "P2", "P3", "P4"]


def test_who_gets_no_slot_in_time_is_told_so_and_was_not_asked() -> None:
    async def play() -> ProviderError:
        admission = Admission(1)
        holder = asyncio.create_task(hold(admission, Severity.P4, 0.2, []))
        await asyncio.sleep(0)
        with pytest.raises(ProviderError) as caught:
            await hold(admission, Severity.P1, 0, [], patience=0.05)
        await holder
        admission.close()
        return caught.value

    error = asyncio.run(play())
    assert (error.failure, error.asked) == (Failure.BUSY, False)


def test_a_cancelled_call_keeps_its_slot_until_the_server_must_have_seen_it() -> None:
    async def play() -> float:
        admission = Admission(1)
        for _ in range(3):
            await hold(admission, Severity.P4, 0.01, [])
        gone = asyncio.create_task(hold(admission, Severity.P4, 9, []))
        await asyncio.sleep(0.01)
        gone.cancel()
        began = time.monotonic()
        await hold(admission, Severity.P4, 0, [])
        return time.monotonic() - began

    assert LINGERS_S - 0.1 < asyncio.run(play()) < LINGERS_S + 0.5


@pytest.mark.parametrize(("failure", "in_flight"), [(Failure.TIMEOUT, 1), (Failure.REFUSED, 0), (Failure.BROKEN, 0)])
def test_a_call_that_timed_out_keeps_its_slot_and_one_that_was_answered_with_an_error_frees_it(failure: Failure, in_flight: int) -> None:
    async def play() -> int:
        admission = Admission(1)
        with pytest.raises(ProviderError):
            async with admission.slot(Severity.P1, time.monotonic() + 1):
                raise ProviderError(failure, "no")
        admission.close()
        return admission.in_flight

    assert asyncio.run(play()) == in_flight


def test_a_cloud_has_no_slot_that_lingers() -> None:
    async def play() -> int:
        admission = Admission(1, lingers=False)
        holder = asyncio.create_task(hold(admission, Severity.P4, 9, []))
        await asyncio.sleep(0.01)
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)
        return admission.in_flight

    assert asyncio.run(play()) == 0


def test_who_gives_up_waiting_leaves_the_line() -> None:
    log: list[str] = []

    async def play() -> int:
        admission = Admission(1)
        holder = asyncio.create_task(hold(admission, Severity.P4, 0.05, log, "holder"))
        await asyncio.sleep(0)
        waiter = asyncio.create_task(hold(admission, Severity.P1, 0, log, "waiter"))
        await asyncio.sleep(0.01)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        waiting = admission.waiting
        await holder
        await hold(admission, Severity.P2, 0, log, "next")
        return waiting

    assert asyncio.run(play()) == 0
    assert log == ["holder", "next"]


def test_a_line_that_is_sent_away_is_told_why() -> None:
    async def play() -> list[BaseException | None]:
        admission = Admission(1)
        holder = asyncio.create_task(hold(admission, Severity.P4, 0.02, []))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(hold(admission, Severity.P3, 0, [])) for _ in range(3)]
        await asyncio.sleep(0)
        assert admission.dismiss(ProviderError(Failure.OPEN, "it is down")) == 3
        await holder
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert [getattr(error, "failure", None) for error in asyncio.run(play())] == [Failure.OPEN] * 3
