"""Warming a server up, and telling a person when it works on fewer requests at once than the settings say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agents.advice.config import AdviceConfig
from benchmarks.fake_ollama import FakeOllama, Fault
from pipeline.act.adviser import Adviser
from pipeline.act.providers.breaker import Breaker
from pipeline.act.providers.cache import Cache
from pipeline.act.providers.ollama import Ollama
from pipeline.act.self_test import at_once, verdict
from schemas.base import Severity
from tests.act.test_adviser import request

Status = dict[str, Any]


def step(seconds: float) -> Callable[[int], float]:
    return lambda busy: seconds


def play(server: dict[str, Any], act: Callable[[Adviser, FakeOllama], Awaitable[Any]], *, slots: int, fault: Fault = Fault.NONE) -> Any:
    async def run() -> Any:
        async with FakeOllama(**server) as fake:
            fake.fault = fault
            stack = Cache(Breaker(Ollama(fake.url, "llama3.1:8b", slots=slots)))
            adviser = Adviser({"ollama": stack}, AdviceConfig())
            try:
                await adviser.start()
                return await act(adviser, fake)
            finally:
                await adviser.close()

    return asyncio.run(run())


async def until(condition: Callable[[], bool], seconds: float = 8.0) -> None:
    """Returns when it holds, or after that time."""
    for _ in range(round(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)


async def until_tested(adviser: Adviser, fake: FakeOllama) -> tuple[Status, FakeOllama]:
    await until(lambda: adviser.status()["ollama"]["fits"] is not None)
    return adviser.status()["ollama"], fake


def test_a_server_that_takes_requests_in_turn_is_told_of_with_what_to_do() -> None:
    status, _ = play({"slots": 1, "step_s": step(0.005)}, until_tested, slots=4)
    assert status["fits"] is False
    assert "the server works on one request at a time: is OLLAMA_NUM_PARALLEL=4 set for the server?" in status["self_test"]


def test_a_server_with_fewer_slots_than_set_is_told_of_with_how_many_it_seems_to_have() -> None:
    status, _ = play({"slots": 2, "step_s": step(0.005)}, until_tested, slots=4)
    assert status["fits"] is False
    assert "about 2 requests at a time" in status["self_test"]


def test_a_server_with_the_slots_that_are_set_is_warm_in_each_and_never_asked_more_at_once() -> None:
    status, fake = play({"slots": 4, "step_s": step(0.005)}, until_tested, slots=4)
    assert status["fits"] is True
    assert "works on 4 requests at once" in status["self_test"]
    assert fake.counts.running_max == 4
    assert fake.counts.in_flight_max == 4
    assert status["expected_s"] > 0.1, "calls are known to take time before the first incident"


@pytest.mark.parametrize(
    ("single", "ends", "found"),
    [
        (1.0, [1.0, 2.0, 3.0, 4.0], 1),
        (1.0, [1.3, 1.3, 2.6, 2.6], 2),
        (1.0, [1.2, 1.3, 1.3, 1.5], 4),
        (1.0, [3.7, 3.8, 3.9, 4.0], 4),
        (1.0, [1.0, 1.0], 2),
        (1.0, [1.0, 2.0], 1),
        (1.0, [1.0], 1),
    ],
    ids=["in turn", "two at a time", "all", "all, on a slow processor", "both", "two in turn", "one slot"],
)
def test_how_many_at_once_follows_from_when_they_ended(single: float, ends: list[float], found: int) -> None:
    assert at_once(single, ends) == found


def test_answers_that_are_too_quick_to_tell_raise_no_alarm() -> None:
    fits, says = verdict("ollama", 4, 0.01, [0.01, 0.02, 0.03, 0.04])
    assert fits
    assert "too quickly" in says


def test_a_p1_that_comes_during_the_test_does_not_wait_for_it() -> None:
    async def act(adviser: Adviser, fake: FakeOllama) -> tuple[float, Status]:
        await until(lambda: fake.counts.running == 2)  # both slots are busy with the test
        began = time.monotonic()
        receipt = await adviser.advise(request("i1", Severity.P1, within=8))
        took = time.monotonic() - began
        assert receipt.status == "done"
        return took, adviser.status()["ollama"]

    took, status = play({"slots": 2, "step_s": step(0.03)}, act, slots=2)  # an answer of some 60 tokens takes 2 s
    assert status["fits"] is None
    assert took < 2 + 1.5


def test_a_server_that_loads_the_model_again_is_warmed_again() -> None:
    async def act(adviser: Adviser, fake: FakeOllama) -> tuple[int, int, Status]:
        await until_tested(adviser, fake)
        before = fake.counts.requests
        fake._engine.loaded = None  # as after another program used another context
        await adviser.advise(request("i1", within=5))
        await until(lambda: fake.counts.requests >= before + 4)
        return before, fake.counts.requests, adviser.status()["ollama"]

    before, after, status = play({"slots": 2, "step_s": step(0.002), "load_s": 0.2}, act, slots=2)
    assert after == before + 1 + 3, "the incident's call, one warm-up and one in each slot"
    assert status["reloads"] == 1


def test_a_server_that_is_away_at_the_start_is_warmed_when_it_comes() -> None:
    async def act(adviser: Adviser, fake: FakeOllama) -> tuple[str, Status]:
        await asyncio.sleep(0.3)
        before = str(adviser.status()["ollama"]["self_test"])
        fake.fault = Fault.NONE
        return before, (await until_tested(adviser, fake))[0]

    before, after = play({"slots": 2, "step_s": step(0.002)}, act, slots=2, fault=Fault.DEAD)
    assert "not warm: nobody answers" in before
    assert after["fits"] is True
