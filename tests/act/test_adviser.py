"""From a request for advice to its receipt, over providers that do what they are told."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest

from agents.advice.config import AdviceConfig
from agents.advice.prompt import template
from pipeline.act.adviser import Adviser
from pipeline.act.providers.base import Answer, Ask, Failure, Provider, ProviderError
from pipeline.act.providers.breaker import Breaker
from pipeline.act.providers.cache import Cache
from pipeline.act.providers.scripted import Said, Scripted
from schemas.advice import AdviceRequest, AdviceTask, AskedAlert, Question
from schemas.base import Severity, from_ms
from schemas.effect import Receipt
from schemas.routing import RoutingRule

T = TypeVar("T")
ALL = ("ollama", "openai", "claude")


def answer(severity: str = "P2") -> str:
    """A right one, whatever the fields of the current triage prompt are."""
    values: dict[str, object] = {}
    for field in template(AdviceTask.TRIAGE).fields:
        kinds = {"severity": severity, "percent": 90, "text": "Checkout fails.", "lines": []}
        if field.kind in kinds:
            values[field.name] = kinds[field.kind]
    return json.dumps(values)


def request(
    incident: str = "i1",
    severity: Severity = Severity.P3,
    *,
    within: float = 2.0,
    late: float = 0.0,
    revision: int = 1,
    title: str = "",
    age: float = 0.0,
) -> AdviceRequest:
    now = time.time() - age
    question = Question(
        task=AdviceTask.TRIAGE,
        incident_id=incident,
        title=title or f"Checkout fails ({incident})",
        rule_severity=severity,
        alerts=[AskedAlert(name="CheckoutFails", service="checkout")],
    )
    return AdviceRequest(
        effect_id=f"{incident}-{revision}",
        incident_id=incident,
        domain="prod",
        revision=revision,
        question=question,
        asked_at=from_ms(round(now * 1000)),
        deadline=from_ms(round((now + within) * 1000)),
        late_until=from_ms(round((now + within + late) * 1000)),
    )


def scripted(name: str, says: Callable[[Ask], Said] | Sequence[Said] = (), latency_s: float = 0.0) -> Scripted:
    return Scripted(says or [answer()], name=name, latency_s=latency_s)


def play(providers: Sequence[Provider], act: Callable[[Adviser], Awaitable[T]], *, slots: int = 2, wrapped: bool = True) -> T:
    stacks: dict[str, Provider] = {one.name: Cache(Breaker(one)) if wrapped else one for one in providers}

    async def run() -> T:
        adviser = Adviser(stacks, AdviceConfig(), routes=lambda: [ROUTE], slots=dict.fromkeys(ALL, slots))
        try:
            return await act(adviser)
        finally:
            await adviser.close()

    return asyncio.run(run())


ROUTE = RoutingRule(rule_id="all", providers=list(ALL), reason="a test")


def tried(receipt: Receipt) -> list[tuple[str, str]]:
    return [(one.provider, one.outcome) for one in receipt.tried if one.outcome != "passed_over"]


def in_time(receipt: Receipt, asked: AdviceRequest) -> bool:
    return receipt.at <= asked.deadline


def test_an_answer_becomes_a_receipt_with_advice() -> None:
    asked = request()
    receipt = play([scripted("ollama")], lambda adviser: adviser.advise(asked))
    assert (receipt.effect, receipt.status, receipt.effect_id, receipt.domain) == ("advice", "done", asked.effect_id, "prod")
    assert receipt.advice is not None
    assert (receipt.advice.severity, receipt.advice.provider, receipt.advice.prompt) == (
        Severity.P2,
        "ollama",
        template(AdviceTask.TRIAGE).id,
    )
    assert tried(receipt) == [("ollama", "answered")]


@pytest.mark.parametrize("failure", [one for one in Failure if one is not Failure.TIMEOUT])
def test_whatever_goes_wrong_the_next_of_the_chain_is_asked(failure: Failure) -> None:
    first, second = scripted("ollama", [ProviderError(failure, "as told")]), scripted("openai")
    receipt = play([first, second], lambda adviser: adviser.advise(request()))
    assert tried(receipt) == [("ollama", failure.value), ("openai", "answered")]
    assert receipt.advice is not None and receipt.advice.provider == "openai"


@pytest.mark.parametrize("text", ["", "P1", "{}", '{"severity":"P0"}', "[" * 5000, answer()[:-3]])
def test_an_answer_that_is_not_valid_is_not_asked_for_again_but_goes_to_the_next(text: str) -> None:
    first, second = scripted("ollama", [text]), scripted("openai")
    receipt = play([first, second], lambda adviser: adviser.advise(request()))
    assert tried(receipt) == [("ollama", "invalid_answer"), ("openai", "answered")]
    assert len(first.asked) == 1


def test_an_answer_that_is_not_valid_is_not_kept_either() -> None:
    provider = scripted("ollama", ["nonsense", answer()])

    async def twice(adviser: Adviser) -> list[str]:
        return [(await adviser.advise(request(f"i{turn}", title="the same"))).status for turn in range(2)]

    assert play([provider], twice) == ["failed", "done"]


def test_when_nobody_answers_the_receipt_says_why_in_plain_words_and_who_was_tried() -> None:
    providers = [
        scripted("ollama", [ProviderError(Failure.UNREACHABLE, "nobody listens")]),
        scripted("openai", [ProviderError(Failure.BUDGET, "5.00 USD are spent")]),
    ]
    receipt = play(providers, lambda adviser: adviser.advise(request()))
    assert (receipt.status, receipt.advice) == ("failed", None)
    assert "ollama: unreachable (nobody listens)" in receipt.detail
    assert "openai: budget (5.00 USD are spent)" in receipt.detail


def test_without_any_provider_there_is_a_receipt() -> None:
    receipt = play([], lambda adviser: adviser.advise(request()))
    assert receipt.status == "failed"
    assert "ollama" in receipt.detail


def test_a_provider_that_hangs_leaves_time_for_the_next() -> None:
    asked = request(within=3.0)
    receipt = play([scripted("ollama", latency_s=60), scripted("openai")], lambda adviser: adviser.advise(asked))
    assert tried(receipt) == [("ollama", "timeout"), ("openai", "answered")]
    assert in_time(receipt, asked)


def test_when_all_hang_the_receipt_is_there_by_the_deadline() -> None:
    asked = request(within=1.5, late=60)
    receipt = play([scripted("ollama", latency_s=60)], lambda adviser: adviser.advise(asked))
    assert (receipt.status, tried(receipt)) == ("failed", [("ollama", "timeout")])
    assert in_time(receipt, asked)


def test_a_request_that_is_too_old_for_any_use_asks_nobody() -> None:
    provider = scripted("ollama")
    receipt = play([provider], lambda adviser: adviser.advise(request(within=1, late=1, age=5)))
    assert (receipt.status, provider.asked) == ("failed", [])
    assert "too old" in receipt.detail


def test_a_request_that_comes_after_its_deadline_still_gets_an_amendment() -> None:
    receipt = play([scripted("ollama")], lambda adviser: adviser.advise(request(within=1, late=30, age=5)))
    assert receipt.status == "done"


def test_never_more_calls_at_once_than_slots_and_p1_first() -> None:
    provider = scripted("ollama", latency_s=0.03)

    async def storm(adviser: Adviser) -> list[Receipt]:
        levels = [Severity.P4] * 10 + [Severity.P1] * 4
        return await asyncio.gather(*(adviser.advise(request(f"i{n}", level)) for n, level in enumerate(levels)))

    receipts = play([provider], storm)
    assert all(receipt.status == "done" for receipt in receipts)
    assert provider.most_at_once == 2
    assert [ask.severity for ask in provider.asked[:6]].count(Severity.P1) == 4


def test_who_gets_no_slot_in_time_goes_on_as_late_and_gives_an_amendment() -> None:
    provider = scripted("ollama", latency_s=0.5)

    async def storm(adviser: Adviser) -> list[tuple[str, bool]]:
        asked = [request(f"i{n}", within=1.2, late=20) for n in range(4)]
        receipts = await asyncio.gather(*(adviser.advise(one) for one in asked))
        return [(receipt.status, in_time(receipt, one)) for receipt, one in zip(receipts, asked, strict=True)]

    assert sorted(play([provider], storm, slots=1)) == [("done", False), ("done", False), ("done", True), ("done", True)]


def test_who_gets_no_slot_in_time_is_told_so_by_the_deadline_where_no_amendment_is_wanted() -> None:
    async def storm(adviser: Adviser) -> list[tuple[str, bool]]:
        asked = [request(f"i{n}", within=1.5) for n in range(3)]
        receipts = await asyncio.gather(*(adviser.advise(one) for one in asked))
        return [(receipt.status, in_time(receipt, one)) for receipt, one in zip(receipts, asked, strict=True)]

    assert play([scripted("ollama", latency_s=0.6)], storm, slots=1) == [("done", True), ("failed", True), ("failed", True)]


def test_a_server_that_is_known_to_be_slower_than_the_deadline_gives_amendments() -> None:
    provider = scripted("ollama", latency_s=1.2)

    async def act(adviser: Adviser) -> list[tuple[str, bool]]:
        first = request("i0", within=10)
        await adviser.advise(first)
        second = request("i1", within=0.8, late=20)
        receipt = await adviser.advise(second)
        return [(receipt.status, in_time(receipt, second))]

    assert play([provider], act) == [("done", False)]


def test_a_call_that_cannot_be_in_time_is_passed_to_the_next_at_once() -> None:
    ollama, openai = scripted("ollama", latency_s=1.0), scripted("openai")

    async def storm(adviser: Adviser) -> list[Receipt]:
        await adviser.advise(request("first", within=10))
        return await asyncio.gather(*(adviser.advise(request(f"i{n}", within=3.4)) for n in range(6)))

    receipts = play([ollama, openai], storm, slots=1)
    assert receipts[0].receiver == "ollama"
    passed_on = [receipt for receipt in receipts if receipt.receiver == "openai"]
    assert len(passed_on) >= 4
    assert all(receipt.took_ms < 500 and tried(receipt) == [("ollama", "busy"), ("openai", "answered")] for receipt in passed_on)


def test_a_newer_request_for_an_incident_replaces_one_that_waits() -> None:
    provider = scripted("ollama", latency_s=0.2)

    async def act(adviser: Adviser) -> list[Receipt]:
        busy = asyncio.create_task(adviser.advise(request("other")))
        await asyncio.sleep(0.01)
        old = asyncio.create_task(adviser.advise(request("i1", revision=1)))
        await asyncio.sleep(0.01)
        new = asyncio.create_task(adviser.advise(request("i1", revision=3)))
        return list(await asyncio.gather(busy, old, new))

    _, old, new = play([provider], act, slots=1)
    assert (old.status, old.detail) == ("failed", "superseded by revision 3")
    assert new.status == "done"
    assert len(provider.asked) == 2


def test_an_older_request_that_comes_later_is_superseded_too_and_one_that_is_asked_goes_on() -> None:
    provider = scripted("ollama", latency_s=0.1)

    async def act(adviser: Adviser) -> list[Receipt]:
        asked = asyncio.create_task(adviser.advise(request("i1", revision=3)))
        await asyncio.sleep(0.02)
        return list(await asyncio.gather(asked, adviser.advise(request("i1", revision=2))))

    newer, older = play([provider], act)
    assert newer.status == "done"
    assert older.detail == "superseded by revision 3"


def test_identical_questions_share_one_call() -> None:
    provider = scripted("ollama", latency_s=0.05)

    async def act(adviser: Adviser) -> list[Receipt]:
        return await asyncio.gather(*(adviser.advise(request(f"i{n}", title="the same")) for n in range(6)))

    receipts = play([provider], act)
    assert all(receipt.status == "done" for receipt in receipts)
    assert len(provider.asked) == 1
    assert sum(receipt.advice.cached for receipt in receipts if receipt.advice is not None) == 5


def test_when_the_breaker_opens_those_who_wait_go_to_the_next_at_once() -> None:
    def says(ask: Ask) -> Said:
        return ProviderError(Failure.BROKEN, "it broke")

    broken, next_one = scripted("ollama", says, latency_s=0.05), scripted("openai")

    async def storm(adviser: Adviser) -> list[Receipt]:
        return await asyncio.gather(*(adviser.advise(request(f"i{n}")) for n in range(40)))

    receipts = play([broken, next_one], storm)
    assert all(receipt.advice is not None and receipt.advice.provider == "openai" for receipt in receipts)
    assert len(broken.asked) <= 4
    assert ("ollama", "open") in tried(receipts[-1])


def test_a_provider_that_asks_to_be_left_alone_is_asked_again_afterwards_where_there_is_time() -> None:
    provider = scripted("ollama", [ProviderError(Failure.OVERLOADED, "429", retry_after_s=0.5), answer()])

    async def act(adviser: Adviser) -> list[str]:
        return [(await adviser.advise(request(f"i{n}"))).status for n in range(2)]

    assert play([provider], act) == ["failed", "done"]


def test_a_fault_of_our_own_is_a_receipt_and_no_exception() -> None:
    class Faulty(Scripted):
        async def ask(self, ask: Ask) -> Answer:
            raise RuntimeError("secret words of a prompt")

    receipt = play([Faulty([answer()], name="ollama")], lambda adviser: adviser.advise(request()), wrapped=False)
    assert receipt.status == "failed"
    assert "RuntimeError" in receipt.detail
    assert "secret" not in receipt.to_json().decode()


def test_cancellation_comes_through_and_leaves_nothing_behind() -> None:
    provider = scripted("ollama", latency_s=5)

    async def act(adviser: Adviser) -> tuple[bool, int]:
        task = asyncio.create_task(adviser.advise(request()))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled(), provider._at_once

    assert play([provider], act) == (True, 0)


def test_too_many_requests_in_hand_are_turned_away_and_a_p1_is_not() -> None:
    provider = scripted("ollama", latency_s=0.1)

    async def run() -> list[str]:
        adviser = Adviser({"ollama": provider}, AdviceConfig(), slots={"ollama": 1}, most_in_hand=4)
        asked = [request(f"i{n}", Severity.P4) for n in range(6)] + [request("urgent", Severity.P1)]
        receipts = await asyncio.gather(*(adviser.advise(one) for one in asked))
        await adviser.close()
        return [receipt.status for receipt in receipts]

    assert asyncio.run(run()) == ["done"] * 4 + ["failed"] * 2 + ["done"]


def test_probabilities_are_calibrated_by_model_and_prompt() -> None:
    raw = {"P1": 0.1, "P2": 0.7, "P3": 0.1, "P4": 0.1}
    said = Answer(answer(), "ollama", "script", probabilities=raw)
    seen = []

    def calibrate(model: str, prompt: str, given: object) -> dict[str, float]:
        seen.append((model, prompt, given))
        return {"P1": 0.2, "P2": 0.6, "P3": 0.1, "P4": 0.1}

    async def run() -> Receipt:
        adviser = Adviser({"ollama": Scripted([said], name="ollama")}, AdviceConfig(), calibrate=calibrate)
        receipt = await adviser.advise(request())
        await adviser.close()
        return receipt

    receipt = asyncio.run(run())
    assert seen == [("ollama/script", template(AdviceTask.TRIAGE).id, raw)]
    assert receipt.advice is not None and receipt.advice.confidence == pytest.approx(0.6)


def test_in_local_only_mode_a_stack_that_is_not_local_is_not_asked_even_if_it_is_there() -> None:
    cloud = Scripted([answer()], name="claude", local=False)

    async def run() -> Receipt:
        adviser = Adviser({"claude": cloud}, AdviceConfig(local_only=True))
        receipt = await adviser.advise(request())
        await adviser.close()
        return receipt

    assert asyncio.run(run()).status == "failed"
    assert cloud.asked == []


def test_the_same_words_stand_first_in_every_prompt() -> None:
    provider = scripted("ollama")

    async def act(adviser: Adviser) -> None:
        for n in range(3):
            await adviser.advise(request(f"i{n}"))

    play([provider], act)
    assert len({ask.system for ask in provider.asked}) == 1
    assert len({ask.user for ask in provider.asked}) == 3


def test_what_it_costs_and_takes_is_in_the_advice() -> None:
    said = Answer(answer(), "claude", "m", tokens_in=700, tokens_out=90, cost_usd=0.002, took_s=0.4, redacted={"ip": 2})
    receipt = play([Scripted([said], name="claude", paid=True, local=False)], lambda adviser: adviser.advise(request()))
    advice = receipt.advice
    assert advice is not None
    assert (advice.tokens_in, advice.tokens_out, advice.cost_usd, advice.took_ms, advice.redacted) == (700, 90, 0.002, 400, {"ip": 2})


def test_status_tells_of_each_provider() -> None:
    async def act(adviser: Adviser) -> dict[str, object]:
        await adviser.advise(request())
        return adviser.status()["ollama"]

    status = play([scripted("ollama")], act)
    assert (status["state"], status["slots"], status["answered"], status["in_flight"], status["in_flight_max"]) == ("closed", 2, 1, 0, 1)


def test_an_answer_from_the_cache_costs_nothing() -> None:
    said = Answer(answer(), "ollama", "m", cost_usd=0.5, tokens_in=10)

    async def act(adviser: Adviser) -> Receipt:
        await adviser.advise(request("i0", title="the same"))
        return await adviser.advise(request("i1", title="the same"))

    receipt = play([Scripted([said], name="ollama")], act)
    assert receipt.advice is not None
    assert (receipt.advice.cached, receipt.advice.cost_usd) == (True, 0.0)
