"""What was answered is said again, and what several ask at once is asked once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.act.providers.base import Answer, Ask, Failure, ProviderError
from pipeline.act.providers.cache import Cache
from pipeline.act.providers.scripted import Scripted
from schemas.base import Severity
from tests.act.providers.asks import an_ask


def ask_all(cache: Cache, *asks: Ask) -> list[Answer]:
    async def play() -> list[Answer]:
        return [await cache.ask(ask) for ask in asks]

    return asyncio.run(play())


def test_the_same_words_are_asked_once_and_cost_once() -> None:
    inner = Scripted(["an answer"], paid=True, cost_usd=0.01)
    first, second = ask_all(Cache(inner), an_ask(), an_ask(severity=Severity.P1, incident_id="other", timeout_s=1.0))
    assert len(inner.asked) == 1
    assert (first.cached, first.cost_usd) == (False, 0.01)
    assert (second.text, second.cached, second.cost_usd, second.tokens_in) == ("an answer", True, 0.0, 0)


@pytest.mark.parametrize(
    "other", [{"user": "x"}, {"system": "x"}, {"prompt": "triage@2"}, {"max_tokens": 7}, {"schema": {}}, {"labels": ()}]
)
def test_whatever_may_change_the_answer_is_asked_anew(other: dict[str, Any]) -> None:
    inner = Scripted(["an answer"])
    ask_all(Cache(inner), an_ask(), an_ask(**other))
    assert len(inner.asked) == 2


def test_the_same_question_at_the_same_time_is_one_call() -> None:
    inner = Scripted(["an answer"], latency_s=0.02)
    cache = Cache(inner)

    async def play() -> list[Answer]:
        return await asyncio.gather(*(cache.ask(an_ask()) for _ in range(5)))

    answers = asyncio.run(play())
    assert len(inner.asked) == 1
    assert [one.cached for one in answers] == [False, True, True, True, True]


def test_whoever_asked_first_may_leave_and_the_others_get_the_answer() -> None:
    inner = Scripted(["an answer"], latency_s=0.02)
    cache = Cache(inner)

    async def play() -> Answer:
        first = asyncio.create_task(cache.ask(an_ask()))
        await asyncio.sleep(0)
        second = asyncio.create_task(cache.ask(an_ask()))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(play()).text == "an answer"
    assert len(inner.asked) == 1


def test_a_call_that_nobody_waits_for_is_called_off() -> None:
    inner = Scripted(["an answer"], latency_s=5.0)
    cache = Cache(inner)

    async def play() -> None:
        asking = asyncio.create_task(cache.ask(an_ask()))
        await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(play())
    assert inner._at_once == 0


def test_a_failure_is_not_kept() -> None:
    inner = Scripted([ProviderError(Failure.BROKEN, "no"), "an answer"])
    cache = Cache(inner)

    async def play() -> str:
        with pytest.raises(ProviderError):
            await cache.ask(an_ask())
        return (await cache.ask(an_ask())).text

    assert asyncio.run(play()) == "an answer"


def test_an_answer_that_was_no_good_is_forgotten() -> None:
    inner = Scripted(["nonsense", "an answer"])
    cache = Cache(inner)
    ask_all(cache, an_ask())
    cache.forget(an_ask())
    assert ask_all(cache, an_ask())[0].text == "an answer"


def test_answers_have_an_age_and_there_is_a_bound() -> None:
    now = [0.0]
    inner = Scripted(["an answer"])
    cache = Cache(inner, size=2, age_s=10, clock=lambda: now[0])
    ask_all(cache, an_ask(user="a"), an_ask(user="b"), an_ask(user="a"), an_ask(user="c"))
    assert len(inner.asked) == 3
    ask_all(cache, an_ask(user="a"))
    assert len(inner.asked) == 3, "the one that was used last is kept"
    ask_all(cache, an_ask(user="b"))
    assert len(inner.asked) == 4
    now[0] = 11.0
    ask_all(cache, an_ask(user="b"))
    assert len(inner.asked) == 5


def test_what_is_known_or_on_its_way_is_ready_without_a_call_of_its_own() -> None:
    inner = Scripted(["an answer"], latency_s=0.02)
    cache = Cache(inner)

    async def play() -> tuple[Answer | None, Answer | None, Answer | None]:
        nothing = await cache.ready(an_ask())
        asking = asyncio.create_task(cache.ask(an_ask()))
        await asyncio.sleep(0)
        joined = await cache.ready(an_ask())
        await asking
        return nothing, joined, await cache.ready(an_ask())

    nothing, joined, kept = asyncio.run(play())
    assert nothing is None
    assert joined is not None and joined.cached and kept is not None and kept.cached
    assert len(inner.asked) == 1


def test_a_warm_up_always_reaches_the_server() -> None:
    inner = Scripted(["", ""])
    ask_all(Cache(inner), an_ask(warm=True), an_ask(warm=True))
    assert len(inner.asked) == 2
