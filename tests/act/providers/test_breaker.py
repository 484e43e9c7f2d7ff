"""When a provider is asked no more, for how long, and who asks it first again. Times are of a virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.act.providers.base import Answer, Ask, Failure, ProviderError
from pipeline.act.providers.breaker import Breaker, BreakerState
from schemas.base import Severity
from tests.act.providers.asks import an_ask

BROKEN = ProviderError(Failure.BROKEN, "the answer stopped")


class Bench:
    """A breaker around a provider that says what it is told, on a clock that is set."""

    name, model, local, paid = "fake", "model", True, False

    def __init__(self) -> None:
        self.now = 0.0
        self.says: ProviderError | str = "fine"
        self.takes = 0.1
        self.calls = 0
        self.states: list[str] = []
        self.breaker = Breaker(self, clock=lambda: self.now, changed=lambda provider, state: self.states.append(state))

    def state(self) -> BreakerState:
        return self.breaker.state

    async def ask(self, ask: Ask) -> Answer:
        self.calls += 1
        self.now += self.takes
        if isinstance(self.says, ProviderError):
            raise self.says
        return Answer(self.says, self.name, self.model)

    async def close(self) -> None:
        """Nothing is held."""

    def call(self, says: ProviderError | str = "fine", severity: Severity = Severity.P3, timeout_s: float = 10.0) -> Failure | None:
        self.says = says
        try:
            asyncio.run(self.breaker.ask(an_ask(severity=severity, timeout_s=timeout_s)))
        except ProviderError as error:
            return error.failure
        return None


@pytest.mark.parametrize("failure", [Failure.UNREACHABLE, Failure.TIMEOUT, Failure.BROKEN, Failure.INTERNAL])
def test_calls_that_fail_open_it_and_then_nothing_is_asked(failure: Failure) -> None:
    bench = Bench()
    for _ in range(3):
        assert bench.call(ProviderError(failure, "no")) is failure
    assert bench.state() is BreakerState.OPEN
    assert bench.call() is Failure.OPEN
    assert bench.calls == 3
    assert "3 of its last 3 calls failed" in bench.breaker.why


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.BUDGET, Failure.INVALID_ANSWER, Failure.UNREDACTABLE, Failure.BUSY])
def test_what_says_nothing_about_the_server_does_not_open_it(failure: Failure) -> None:
    bench = Bench()
    for _ in range(30):
        bench.call(ProviderError(failure, "no"))
    assert bench.state() is BreakerState.CLOSED
    assert bench.breaker.healthy


@pytest.mark.parametrize("failure", [Failure.DENIED, Failure.NO_MODEL])
def test_what_a_person_must_mend_opens_it_at_once_and_for_longer(failure: Failure) -> None:
    bench = Bench()
    bench.call(ProviderError(failure, "no key"))
    bench.now += 100
    assert bench.state() is BreakerState.OPEN
    bench.now += 25
    assert bench.state() is BreakerState.HALF_OPEN


def test_a_time_out_of_a_call_that_was_given_too_little_time_does_not_count() -> None:
    bench = Bench()
    for _ in range(10):
        bench.call(ProviderError(Failure.TIMEOUT, "no"), timeout_s=0.5)
    assert bench.state() is BreakerState.CLOSED


def test_few_failures_among_many_answers_do_not_open_it() -> None:
    bench = Bench()
    for turn in range(60):
        bench.call(BROKEN if turn % 4 == 0 else "fine")
    assert bench.state() is BreakerState.CLOSED


def test_failures_one_after_the_other_open_it_however_many_answers_came_before() -> None:
    bench = Bench()
    for _ in range(20):
        bench.call()
    for _ in range(3):
        bench.call(BROKEN)
    assert bench.state() is BreakerState.CLOSED
    bench.call(BROKEN)
    assert bench.state() is BreakerState.OPEN


def test_answers_that_take_all_the_time_there_is_open_it() -> None:
    bench = Bench()
    bench.takes = 9.5
    for _ in range(3):
        assert bench.call() is None
    assert bench.state() is BreakerState.OPEN
    assert "took nearly all the time" in bench.breaker.why


def test_a_probe_that_is_answered_closes_it() -> None:
    bench = Bench()
    for _ in range(3):
        bench.call(BROKEN)
    bench.now += 10
    assert bench.call() is None
    assert bench.state() is BreakerState.CLOSED
    assert bench.states == ["open", "half_open", "closed"]


def test_a_probe_that_fails_opens_it_for_twice_as_long() -> None:
    bench = Bench()
    for _ in range(3):
        bench.call(BROKEN)
    bench.now += 10
    bench.call(BROKEN)
    bench.now += 9
    assert bench.state() is BreakerState.OPEN
    bench.now += 1
    assert bench.state() is BreakerState.HALF_OPEN


def test_a_p1_is_no_probe_unless_nobody_else_came() -> None:
    bench = Bench()
    for _ in range(3):
        bench.call(BROKEN)
    bench.now += 11
    assert bench.call(severity=Severity.P1) is Failure.OPEN
    bench.now += 30
    assert bench.call(severity=Severity.P1) is None


def test_there_is_one_probe_at_a_time_and_one_that_is_cancelled_makes_room() -> None:
    bench = Bench()
    for _ in range(3):
        bench.call(BROKEN)
    bench.now += 10
    gate = asyncio.Event()

    async def held(ask: Ask) -> Answer:
        await gate.wait()
        return Answer("fine", "fake", "model")

    async def play() -> Failure:
        bench.ask = held  # type: ignore[method-assign]  # the double is slow for once
        probe = asyncio.create_task(bench.breaker.ask(an_ask()))
        await asyncio.sleep(0)
        with pytest.raises(ProviderError) as caught:
            await bench.breaker.ask(an_ask())
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        gate.set()
        await bench.breaker.ask(an_ask())
        return caught.value.failure

    assert asyncio.run(play()) is Failure.OPEN
    assert bench.state() is BreakerState.CLOSED


def test_a_provider_that_is_busy_rests_for_as_long_as_it_says_and_is_no_failure() -> None:
    bench = Bench()
    bench.call(ProviderError(Failure.OVERLOADED, "429", retry_after_s=7.0))
    assert bench.state() is BreakerState.RESTING
    assert bench.call() is Failure.OPEN
    bench.now += 7
    assert bench.state() is BreakerState.CLOSED
    assert bench.call() is None
    assert bench.breaker.healthy


def test_a_provider_that_is_busy_again_and_again_rests_longer_each_time() -> None:
    bench = Bench()
    rests = []
    for _ in range(6):
        bench.call(ProviderError(Failure.OVERLOADED, "503"))
        rests.append(max(0.0, round(bench.breaker.until - bench.now, 3)))
        bench.now += rests[-1]
    assert rests == [0, 0, 0.5, 1, 2, 4]


def test_calls_that_began_before_it_opened_do_not_open_it_again() -> None:
    bench = Bench()
    gate = asyncio.Event()

    async def held(ask: Ask) -> Answer:
        await gate.wait()
        raise BROKEN

    async def play() -> float:
        bench.ask = held  # type: ignore[method-assign]  # the double is slow for once
        calls = [asyncio.create_task(bench.breaker.ask(an_ask())) for _ in range(8)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*calls, return_exceptions=True)
        return bench.breaker.until

    assert asyncio.run(play()) == 5.0
    assert bench.states == ["open"]
