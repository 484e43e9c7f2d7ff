"""The public test double."""

from __future__ import annotations

import asyncio
import time

import pytest

from pipeline.act.providers.base import Answer, Failure, ProviderError, worst_cost
from pipeline.act.providers.scripted import Scripted
from tests.act.providers.asks import an_ask


def test_a_list_is_said_in_turn_and_its_last_again_and_again() -> None:
    async def scenario() -> list[str]:
        provider = Scripted(["one", "two"])
        return [(await provider.ask(an_ask())).text for _ in range(3)]

    assert asyncio.run(scenario()) == ["one", "two", "two"]


def test_a_function_sees_the_ask() -> None:
    provider = Scripted(lambda ask: ask.user.upper())
    assert asyncio.run(provider.ask(an_ask(user="down"))).text == "DOWN"
    assert [ask.user for ask in provider.asked] == ["down"]


def test_a_failure_is_raised_and_a_whole_answer_given_as_it_is() -> None:
    async def scenario() -> Answer:
        provider = Scripted([ProviderError(Failure.OVERLOADED, "as asked"), Answer("x", "p", "m", probabilities={"P1": 1.0})])
        with pytest.raises(ProviderError, match="overloaded: as asked"):
            await provider.ask(an_ask())
        return await provider.ask(an_ask())

    assert asyncio.run(scenario()).probabilities == {"P1": 1.0}


def test_it_takes_its_time_and_ends_with_that_of_the_ask() -> None:
    async def scenario() -> float:
        provider = Scripted(["x"], latency_s=60)
        began = time.monotonic()
        with pytest.raises(ProviderError, match="timeout"):
            await provider.ask(an_ask(timeout_s=0.1))
        return time.monotonic() - began

    assert 0.1 <= asyncio.run(scenario()) < 0.6


def test_it_counts_what_was_in_hand_at_once() -> None:
    async def scenario() -> Scripted:
        provider = Scripted(["x"], latency_s=0.02)
        await asyncio.gather(*(provider.ask(an_ask()) for _ in range(5)))
        return provider

    assert asyncio.run(scenario()).most_at_once == 5


def test_it_costs_only_where_it_is_paid() -> None:
    paid = Scripted(["x"], paid=True, local=False, name="claude", cost_usd=0.01)
    assert (worst_cost(paid, an_ask()), asyncio.run(paid.ask(an_ask())).cost_usd, paid.name) == (0.01, 0.01, "claude")
    assert worst_cost(Scripted(["x"], cost_usd=0.01), an_ask()) == 0.0


@pytest.mark.parametrize("answers", [[], "a text"])
def test_a_script_that_says_nothing_is_refused(answers: str | list[str]) -> None:
    with pytest.raises(ValueError, match="one answer or more"):
        Scripted(answers)
