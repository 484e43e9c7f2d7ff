"""What every provider keeps, shown on each against a fake server on a real socket.

With OLLAMA_URL set (and OLLAMA_MODEL, OLLAMA_NUM_PARALLEL) the same runs against a real Ollama on this machine, less what only a fake can
be told to do. The model may be the stand-in of 7 MB that a tool of ours writes: its answers follow keywords and nothing else, so no test
asks for sense.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
import warnings
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from pipeline.act.providers.base import Answer, Ask, Failure, Provider, ProviderError
from pipeline.act.providers.wrapping import innermost
from tests.act.providers.asks import SCHEMA, an_ask
from tests.act.providers.rig import EXPECTED, Maker, Rig, Spoilt

T = TypeVar("T")
SHORT_S = 0.3
SLACK_S = 0.5
"""How much longer than its time-out a call may take, by the contract."""


def against(maker: Maker, use: Callable[[Rig], Awaitable[T]]) -> T:
    async def scenario() -> T:
        async with maker.open() as rig:
            return await use(rig)

    return asyncio.run(scenario())


async def failure(provider: Provider, ask: Ask) -> ProviderError:
    began = time.monotonic()
    with pytest.raises(ProviderError) as caught:
        await provider.ask(ask)
    assert time.monotonic() - began < ask.timeout_s + SLACK_S
    return caught.value


async def outcome(provider: Provider, ask: Ask) -> Answer | ProviderError:
    try:
        return await provider.ask(ask)
    except ProviderError as error:
        return error


async def until(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:  # noqa: ASYNC110 - a server counts what is looked at, and sets no event
        await asyncio.sleep(0.005)
    return true()


def spoil(rig: Rig, spoilt: Spoilt) -> None:
    assert rig.spoil is not None
    rig.spoil(spoilt)


def open_connections(rig: Rig) -> int:
    assert rig.connections is not None
    return rig.connections()


def test_an_answer_has_the_shape_of_the_schema_and_says_what_it_took(maker: Maker) -> None:
    async def use(rig: Rig) -> None:
        answer = await rig.provider.ask(an_ask(timeout_s=30.0))
        said = json.loads(answer.text)
        assert list(said) == list(SCHEMA["properties"])
        assert said["severity"] in SCHEMA["properties"]["severity"]["enum"]
        assert 0 <= said["confidence"] <= 100 and len(said["summary"]) <= 160 and len(said["runbooks"]) <= 2
        assert (answer.provider, answer.model) == (rig.provider.name, rig.provider.model)
        assert answer.tokens_in > 0 and answer.tokens_out > 0 and not answer.cached
        assert 0 < answer.took_s < 30.0 and (answer.first_token_s is None or 0 < answer.first_token_s <= answer.took_s)

    against(maker, use)


def test_probabilities_are_of_the_labels_and_sum_to_one_or_there_are_none(maker: Maker) -> None:
    async def use(rig: Rig) -> None:
        given = (await rig.provider.ask(an_ask(timeout_s=30.0))).probabilities
        assert bool(given) == rig.gives_probabilities
        if given:
            assert set(given) == {"P1", "P2", "P3", "P4"}
            assert sum(given.values()) == pytest.approx(1.0)
        assert not (await rig.provider.ask(an_ask(labels=(), timeout_s=30.0))).probabilities

    against(maker, use)


def test_asks_beside_each_other_are_all_answered(maker: Maker) -> None:
    async def use(rig: Rig) -> None:
        count = min(rig.most_connections, 4)
        answers = await asyncio.gather(*(rig.provider.ask(an_ask(timeout_s=30.0, user=f"disk {at}")) for at in range(count)))
        assert all(json.loads(answer.text)["severity"] for answer in answers)

    against(maker, use)


def test_a_server_is_found_well_by_its_check(maker: Maker) -> None:
    async def use(rig: Rig) -> None:
        check = getattr(innermost(rig.provider), "check", None)
        assert check is not None
        assert (await check(5.0)).says

    against(maker, use)


def test_an_ask_with_no_time_left_ends_at_once(maker: Maker) -> None:
    async def use(rig: Rig) -> None:
        assert (await failure(rig.provider, an_ask(timeout_s=0.001))).failure is Failure.TIMEOUT
        assert (await rig.provider.ask(an_ask(timeout_s=30.0))).text

    against(maker, use)


def test_each_fault_has_its_failure_and_ends_in_time(maker: Maker, spoilt: Spoilt) -> None:
    async def use(rig: Rig) -> None:
        await rig.provider.ask(an_ask())  # connections are kept, so that the fault meets a used one
        spoil(rig, spoilt)
        error = await failure(rig.provider, an_ask(timeout_s=SHORT_S))
        assert error.failure is EXPECTED[spoilt]
        assert "checkout" not in error.what, "an error tells nothing of the prompt"

    against(maker, use)


def test_a_fault_on_the_first_connection_is_no_other(maker: Maker, spoilt: Spoilt) -> None:
    async def use(rig: Rig) -> None:
        spoil(rig, spoilt)
        assert (await failure(rig.provider, an_ask(timeout_s=SHORT_S))).failure is EXPECTED[spoilt]

    against(maker, use)


def test_cancelling_closes_the_connection_at_once(fakes_maker: Maker) -> None:
    async def use(rig: Rig) -> None:
        spoil(rig, Spoilt.HANGS)
        asking = asyncio.create_task(rig.provider.ask(an_ask(timeout_s=30.0)))
        assert await until(lambda: open_connections(rig) == 1, 2.0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await until(lambda: open_connections(rig) == 0, 1.0)

    against(fakes_maker, use)


def test_a_time_out_closes_the_connection_at_once(fakes_maker: Maker) -> None:
    async def use(rig: Rig) -> None:
        spoil(rig, Spoilt.DRIPS)
        assert (await failure(rig.provider, an_ask(timeout_s=SHORT_S))).failure is Failure.TIMEOUT
        assert await until(lambda: open_connections(rig) == 0, 1.0)

    against(fakes_maker, use)


def test_no_more_connections_than_allowed_and_who_gets_none_ends_in_time(fakes_maker: Maker) -> None:
    async def use(rig: Rig) -> None:
        spoil(rig, Spoilt.HANGS)
        asking = [asyncio.create_task(outcome(rig.provider, an_ask(timeout_s=0.8))) for _ in range(rig.most_connections * 3)]
        most, began = 0, time.monotonic()
        while not all(task.done() for task in asking):
            most = max(most, open_connections(rig))
            assert time.monotonic() - began < 0.8 + SLACK_S
            await asyncio.sleep(0.005)
        assert most == rig.most_connections
        ended = [await task for task in asking]
        assert {error.failure for error in ended if isinstance(error, ProviderError)} <= {Failure.TIMEOUT, Failure.BUSY}
        assert not any(isinstance(one, Answer) for one in ended)

    against(fakes_maker, use)


def test_closing_leaves_nothing_open(maker: Maker) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        async def use(rig: Rig) -> None:
            await rig.provider.ask(an_ask(timeout_s=30.0))
            await outcome(rig.provider, an_ask(timeout_s=0.001))
            await rig.provider.close()
            if rig.connections is not None:
                assert await until(lambda: open_connections(rig) == 0, 1.0)

        against(maker, use)
        gc.collect()
    assert [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)] == []
