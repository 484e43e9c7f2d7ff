"""The ledger of paid calls on the embedded broker, and the wrapper that asks it. Two processes: tests/kafka/test_ledger.py."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents.advice.config import AdviceConfig
from pipeline.act.ledger import KafkaLedger
from pipeline.act.providers.base import Answer, Ask, Failure, ProviderError
from pipeline.act.providers.budget import Budget
from pipeline.act.usage_log import QUEUE, UsageLog
from pipeline.settings import Settings
from schemas.base import from_ms
from schemas.usage import Usage
from tests.act.test_advise_lane import Rig

AT = from_ms(1_750_000_000_000)


def an_ask(timeout_s: float = 5.0) -> Ask:
    return Ask("triage", "triage@1", "rules", "an alert", {}, 100, timeout_s, incident_id="i1")


def a_settle(usd: float = 0.001, **changes: Any) -> Usage:
    return Usage(usage_id="", kind="settle", provider="claude", cost_usd=usd, outcome="answered", at=AT, **changes)


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@asynccontextmanager
async def a_ledger(
    settings: Settings, *, usd: float = 1.0, per_hour: int = 100, clock: Callable[[], float] = time.time
) -> AsyncIterator[KafkaLedger]:
    log = UsageLog(settings)
    config = AdviceConfig(budget_per_day_usd=usd, analyses_per_hour=per_hour)
    ledger = KafkaLedger(settings, config, log, clock=clock)
    log.start()
    ledger.start()
    try:
        yield ledger
    finally:
        await ledger.close()
        await log.close(1.0)


async def reserved(ledger: KafkaLedger, usd: float) -> str:
    """Once the ledger is there."""
    for _ in range(100):
        try:
            return await ledger.reserve("claude", "m", "triage", "i1", usd)
        except ProviderError as error:
            if "did not answer" not in error.what:
                raise
            await asyncio.sleep(0.05)
    raise AssertionError("the ledger did not come")


async def left(ledger: KafkaLedger, usd: float) -> None:
    """Once what was written has been read back."""
    for _ in range(100):
        if ledger.left_usd == usd:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{ledger.left_usd} USD are left")


@pytest.fixture
def rig(embedded_topics: str, prefix: str) -> Rig:
    return Rig(embedded_topics, prefix)


def test_calls_are_granted_until_the_budget_is_used_up_and_a_restart_knows_what_was_spent(rig: Rig) -> None:
    async def play() -> None:
        async with a_ledger(rig.settings) as ledger:
            name = await reserved(ledger, 0.9)
            with pytest.raises(ProviderError, match=r"budget: 0\.9000 of the day's 1\.00 USD") as refused:
                await reserved(ledger, 0.2)
            assert refused.value.failure is Failure.BUDGET and not refused.value.asked
            await ledger.settle(name, a_settle(0.3))
            await left(ledger, 0.7)
            await reserved(ledger, 0.6)
        async with a_ledger(rig.settings) as ledger:
            with pytest.raises(ProviderError, match=r"0\.9000 of"):
                await reserved(ledger, 0.2)
            await reserved(ledger, 0.1)

    asyncio.run(play())
    usage = [Usage.from_json(record.value()) for record in rig.read("usage", 6)]
    closed = [one for one in usage if one.kind == "settle" and not one.asked]
    assert len(closed) == 1, "a denied reservation is closed, and once the period is known to be used up none is written"
    assert {one.worker for one in usage} == {"advise-0"}


def test_one_alert_tells_of_a_used_up_period_and_one_of_its_end(rig: Rig) -> None:
    async def play() -> None:
        clock = Clock()
        async with a_ledger(rig.settings, per_hour=1, clock=clock) as ledger:
            await reserved(ledger, 0.1)
            for _ in range(3):
                with pytest.raises(ProviderError, match="all 1 analyses of this hour are used up"):
                    await reserved(ledger, 0.1)
            await asyncio.sleep(2.2)
            clock.ahead = 3700
            await asyncio.sleep(1.2)

    asyncio.run(play())
    records = rig.read("alerts.raw", 2)
    alerts = [json.loads(record.value()) for record in records]
    assert [dict(record.headers())["source"] for record in records] == [b"flux"] * len(alerts)
    assert [alert["status"] for alert in alerts] == ["firing", "resolved"]
    assert {(alert["name"], alert["service"], alert["source_severity"]) for alert in alerts} == {
        ("AdviceBudgetExceeded", "flux-ai", "warning")
    }
    assert alerts[0]["labels"] == alerts[1]["labels"] and alerts[0]["labels"]["limit"] == "hour"


def test_what_was_reserved_and_given_up_is_closed_as_not_spent(rig: Rig) -> None:
    async def play() -> None:
        async with a_ledger(rig.settings) as ledger:
            await ledger.settle(await reserved(ledger, 0.1), a_settle(0.0))
            call = asyncio.create_task(ledger.reserve("claude", "m", "triage", "i1", 0.7))
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await reserved(ledger, 0.1)
            await left(ledger, 0.9)

    asyncio.run(play())


def test_the_first_call_after_a_start_waits_for_the_ledger(rig: Rig) -> None:
    async def play() -> tuple[Answer, float]:
        async with a_ledger(rig.settings) as ledger:
            assert not ledger.ready
            answer = await Budget(Paid(answers), ledger).ask(an_ask(20.0))
            ledger._reading = False
            began = time.monotonic()
            with pytest.raises(ProviderError, match="did not answer"):
                await Budget(Paid(answers), ledger).ask(an_ask(20.0))
            return answer, time.monotonic() - began

    answer, waited_s = asyncio.run(play())
    assert answer.tokens_in == 700
    assert waited_s < 0.5, "a ledger that was lost is waited for"


def test_without_kafka_nothing_paid_is_asked_and_leaving_is_quick(prefix: str) -> None:
    async def play() -> float:
        loop = asyncio.get_running_loop()
        async with a_ledger(Settings(brokers="127.0.0.1:1", topic_prefix=prefix)) as ledger:
            with pytest.raises(ProviderError, match="nothing that costs money is asked"):
                await ledger.reserve("claude", "m", "triage", "i1", 0.1)
            began = loop.time()
            await ledger.settle("x", a_settle())
            assert loop.time() - began < 1.5
            began = loop.time()
        return loop.time() - began

    assert asyncio.run(play()) < 4


def test_usage_that_does_not_fit_into_the_queue_is_counted_and_holds_nobody_up() -> None:
    async def play() -> tuple[int, list[bool]]:
        dropped = []
        log = UsageLog(Settings(), lambda: dropped.append(1))
        took = [log.put(a_settle()) for _ in range(QUEUE + 3)]
        return len(dropped), took

    dropped, took = asyncio.run(play())
    assert dropped == 3 and took.count(False) == 3 and took[:QUEUE] == [True] * QUEUE


class Book:
    """A ledger that writes down what it is told."""

    def __init__(self, refuses: bool = False, takes_s: float = 0.0) -> None:
        self.refuses, self.takes_s = refuses, takes_s
        self.reserved: list[float] = []
        self.settled: list[Usage] = []

    async def begun(self, within_s: float) -> None:
        """It is there at once."""

    async def reserve(self, provider: str, model: str, task: str, incident_id: str, usd: float) -> str:
        await asyncio.sleep(self.takes_s)
        if self.refuses:
            raise ProviderError(Failure.BUDGET, "used up", asked=False)
        self.reserved.append(usd)
        return f"call-{len(self.reserved)}"

    async def settle(self, usage_id: str, usage: Usage) -> None:
        self.settled.append(usage.model_copy(update={"usage_id": usage_id}))


class Paid:
    name, model, local, paid = "claude", "m", False, True

    def __init__(self, does: Callable[[Ask], Awaitable[Answer]]) -> None:
        self._does = does
        self.asked: list[Ask] = []

    def worst_cost(self, ask: Ask) -> float:
        return 0.01

    async def ask(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        return await self._does(ask)

    async def close(self) -> None:
        """Nothing is held."""


async def answers(ask: Ask) -> Answer:
    return Answer("{}", "claude", "m-dated", tokens_in=700, tokens_out=120, cost_usd=0.00013, took_s=1.24)


def raising(error: BaseException) -> Callable[[Ask], Awaitable[Answer]]:
    async def does(ask: Ask) -> Answer:
        raise error

    return does


def test_a_call_is_reserved_at_its_worst_and_settled_at_its_true_cost() -> None:
    book, paid = Book(), Paid(answers)
    assert asyncio.run(Budget(paid, book).ask(an_ask())).tokens_in == 700
    (settled,) = book.settled
    assert book.reserved == [0.01] and settled.usage_id == "call-1" and settled.cost_usd == 0.00013
    assert (settled.outcome, settled.tokens_in, settled.tokens_out, settled.took_ms, settled.model) == (
        "answered",
        700,
        120,
        1240,
        "m-dated",
    )


def test_what_is_not_granted_is_not_asked() -> None:
    paid = Paid(answers)
    with pytest.raises(ProviderError, match="used up"):
        asyncio.run(Budget(paid, Book(refuses=True)).ask(an_ask()))
    assert paid.asked == []


@pytest.mark.parametrize(("asked", "cost"), [(False, 0.0), (True, 0.01)])
def test_a_call_that_fails_costs_nothing_if_it_was_not_sent_and_else_what_it_may_have_cost(asked: bool, cost: float) -> None:
    book = Book()
    with pytest.raises(ProviderError):
        asyncio.run(Budget(Paid(raising(ProviderError(Failure.TIMEOUT, "late", asked=asked))), book).ask(an_ask()))
    (settled,) = book.settled
    assert (settled.cost_usd, settled.asked, settled.outcome) == (cost, asked, "timeout")


def test_a_call_that_is_broken_off_keeps_its_reservation() -> None:
    book = Book()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Budget(Paid(raising(asyncio.CancelledError())), book).ask(an_ask()))
    assert book.reserved == [0.01] and book.settled == []


def test_the_time_that_the_reservation_took_is_taken_from_the_call() -> None:
    book, paid = Book(takes_s=0.1), Paid(answers)
    asyncio.run(Budget(paid, book).ask(an_ask(1.0)))
    assert 0.7 < paid.asked[0].timeout_s <= 0.9
    with pytest.raises(ProviderError, match="time was over"):
        asyncio.run(Budget(paid, book).ask(an_ask(0.05)))
    assert len(paid.asked) == 1 and not book.settled[-1].asked and book.settled[-1].cost_usd == 0.0
