"""OpenAI-compatible servers against a fake on a real socket. Nothing here has met vLLM, LM Studio or OpenAI."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from pipeline.act.providers.base import Answer, Ask, Failure, ProviderError, worst_cost
from pipeline.act.providers.openai_compatible import OpenAICompatible, strict
from pipeline.act.providers.prices import Price
from schemas.base import Severity
from tests.act.providers.asks import SCHEMA, an_ask
from tests.fakes.model_http import Fault, Line
from tests.fakes.openai_server import FakeOpenAI

T = TypeVar("T")
END = b'data: {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop", "logprobs": null}]}\n\n'
PRICE = Price(input=1.0, output=2.0, cache_read=0.1)


def against(fake: FakeOpenAI, use: Callable[[OpenAICompatible], Awaitable[T]], *, model: str = "tiny", **settings: Any) -> T:
    async def scenario() -> T:
        async with fake:
            server = OpenAICompatible(fake.url, model, **{"local": True} | settings)
            try:
                return await use(server)
            finally:
                await server.close()

    return asyncio.run(scenario())


def asked(fake: FakeOpenAI, ask: Ask | None = None, **settings: Any) -> Answer:
    return against(fake, lambda server: server.ask(ask or an_ask()), **settings)


def failed(fake: FakeOpenAI, ask: Ask | None = None, **settings: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        asked(fake, ask, **settings)
    return caught.value


def test_an_answer_is_put_together_from_its_stream() -> None:
    answer = asked(FakeOpenAI())
    assert json.loads(answer.text)["severity"] == "P2"
    assert (answer.provider, answer.model, answer.cost_usd) == ("openai", "tiny", 0.0)
    assert 0 < answer.tokens_cached < answer.tokens_in and answer.tokens_out > 5
    assert answer.first_token_s is not None and answer.first_token_s <= answer.took_s


def test_how_sure_it_is_comes_from_the_token_that_decided() -> None:
    fake = FakeOpenAI()
    answer = asked(fake)
    assert sum(answer.probabilities.values()) == pytest.approx(1.0)
    assert answer.probabilities == pytest.approx({"P1": 0.05 / 0.9, "P2": 0.6 / 0.9, "P3": 0.2 / 0.9, "P4": 0.05 / 0.9})
    assert fake.bodies[0]["logprobs"] is True and fake.bodies[0]["top_logprobs"] == 20


def test_what_goes_over_the_wire() -> None:
    fake = FakeOpenAI()
    asked(fake, slots=3, extra={"chat_template_kwargs": {"enable_thinking": False}})
    (body,) = fake.bodies
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert (body["stream"], body["stream_options"], body["temperature"], body["max_tokens"]) == (True, {"include_usage": True}, 0, 160)
    form = body["response_format"]["json_schema"]
    assert (form["strict"], form["schema"]["additionalProperties"]) == (True, False)
    assert form["schema"]["properties"]["summary"]["maxLength"] == 160, "a server of one's own needs the bound"
    assert body["chat_template_kwargs"] == {"enable_thinking": False} and "priority" not in body


def test_beyond_this_network_lengths_are_not_sent_and_the_answer_is_paid() -> None:
    fake = FakeOpenAI(key="sk-of-theirs")

    async def use(server: OpenAICompatible) -> tuple[float, Answer]:
        assert server.paid
        return worst_cost(server, an_ask()), await server.ask(an_ask())

    worst, answer = against(fake, use, local=False, key="sk-of-theirs", cost=PRICE)
    body = fake.bodies[0]
    assert body["max_completion_tokens"] == 160 and "max_tokens" not in body
    assert "maxLength" not in json.dumps(body)
    fresh = answer.tokens_in - answer.tokens_cached
    assert answer.cost_usd == pytest.approx((fresh * 1.0 + answer.tokens_cached * 0.1 + answer.tokens_out * 2.0) / 1e6)
    assert 0 < answer.cost_usd <= worst
    assert fake.requests[0].headers["authorization"] == "Bearer sk-of-theirs"


def test_a_paid_answer_without_usage_is_not_taken_for_free() -> None:
    fake = FakeOpenAI()
    fake.tells_usage = False
    assert asked(fake, local=False, cost=PRICE).cost_usd > 0


def test_the_severity_is_the_priority_where_the_server_takes_one() -> None:
    fake = FakeOpenAI()
    asked(fake, an_ask(severity=Severity.P1), priorities=True)
    assert fake.bodies[0]["priority"] == 1


@pytest.mark.parametrize("parameter", ["logprobs", "temperature", "stream_options", "priority"])
def test_a_parameter_that_the_server_does_not_take_is_left_out_from_then_on(parameter: str) -> None:
    fake = FakeOpenAI()
    fake.rejects = {parameter}

    async def twice(server: OpenAICompatible) -> Answer:
        await server.ask(an_ask())
        return await server.ask(an_ask())

    answer = against(fake, twice, priorities=True)
    assert json.loads(answer.text)["severity"] == "P2"
    assert [parameter in body for body in fake.bodies] == [True, False, False]
    assert bool(answer.probabilities) == (parameter != "logprobs")


def test_without_a_model_the_first_that_is_listed_is_asked() -> None:
    fake = FakeOpenAI(models=("llama", "other"))
    assert asked(fake, model="").model == "llama"
    assert [request.method for request in fake.requests] == ["GET", "POST"]
    assert failed(FakeOpenAI(models=()), model="").failure is Failure.NO_MODEL


def test_check_lists_models_and_asks_none() -> None:
    fake = FakeOpenAI(models=("llama", "other"))
    assert against(fake, lambda server: server.check(), model="").model == "llama"
    assert fake.bodies == []
    with pytest.raises(ProviderError, match=r"has no gone\. It has llama, other"):
        against(fake, lambda server: server.check(), model="gone")


@pytest.mark.parametrize(
    ("status", "failure", "may_have_cost"),
    [
        (400, Failure.REFUSED, False),
        (401, Failure.DENIED, False),
        (404, Failure.NO_MODEL, False),
        (429, Failure.OVERLOADED, False),
        (500, Failure.BROKEN, True),
        (503, Failure.OVERLOADED, False),
        (302, Failure.DENIED, False),
    ],
)
def test_each_status_has_its_failure_and_is_asked_once(status: int, failure: Failure, may_have_cost: bool) -> None:
    fake = FakeOpenAI()
    fake.fail(Fault(status=status, message="quotes the question", headers={"retry-after": "7", "location": "http://127.0.0.1:9/"}))
    error = failed(fake)
    assert (error.failure, error.asked, error.retry_after_s) == (failure, may_have_cost, 7.0 if status not in (302,) else None)
    assert "quotes" not in error.what and len(fake.bodies) == 1


def test_a_wrong_key_is_denied_and_stands_in_no_error() -> None:
    error = failed(FakeOpenAI(key="right"), key="sk-wrong-key")
    assert error.failure is Failure.DENIED and "wrong-key" not in repr(error) + error.what


def test_the_key_of_the_environment_is_not_sent_to_a_server_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-somebody-else")
    fake = FakeOpenAI()
    asked(fake)
    assert "somebody" not in str(fake.requests[0].headers)


@pytest.mark.parametrize("line", [Line.HANGS, Line.DRIPS])
def test_an_ask_ends_with_its_time_however_the_server_behaves(line: Line) -> None:
    fake = FakeOpenAI()
    fake.fail(Fault(line=line))

    async def timed(server: OpenAICompatible) -> float:
        began = time.monotonic()
        with pytest.raises(ProviderError) as caught:
            await server.ask(an_ask(timeout_s=0.6))
        assert (caught.value.failure, caught.value.asked) == (Failure.TIMEOUT, True)
        return time.monotonic() - began

    assert against(fake, timed) < 0.6 + 0.5


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (Fault(line=Line.DROPS), Failure.UNREACHABLE),
        (Fault(line=Line.TRUNCATES), Failure.BROKEN),
        (Fault(raw=b"<html>hello</html>", kind="text/html"), Failure.BROKEN),
        (Fault(raw=b"data: {no json\n\n", kind="text/event-stream"), Failure.BROKEN),
        (Fault(raw=b"data: [1]\n\n", kind="text/event-stream"), Failure.BROKEN),
        (Fault(raw=b'data: {"choices": [{"delta": null}]}\n\n', kind="text/event-stream"), Failure.BROKEN),
        (Fault(raw=b'data: {"choices": "none"}\n\n', kind="text/event-stream"), Failure.BROKEN),
        (
            Fault(raw=b'data: {"choices": [{"delta": {"content": 7}, "finish_reason": "stop"}]}\n\n', kind="text/event-stream"),
            Failure.BROKEN,
        ),
        (Fault(raw=END + b'data: {"choices": [], "usage": {"prompt_tokens": "many"}}\n\n', kind="text/event-stream"), Failure.BROKEN),
        (Fault(raw=b"data: [DONE]\n\n", kind="text/event-stream"), Failure.BROKEN),
        (Fault(raw=b"\xff\xfe\x00", kind="text/event-stream"), Failure.BROKEN),
    ],
    ids=[
        "dropped",
        "truncated",
        "html",
        "no json",
        "a list",
        "no delta",
        "choices are text",
        "a number as text",
        "words as numbers",
        "only an end",
        "no text",
    ],
)
def test_what_is_no_whole_answer_is_a_failure(fault: Fault, failure: Failure) -> None:
    fake = FakeOpenAI()
    fake.fail(fault)
    assert failed(fake).failure is failure


def test_an_error_in_the_middle_of_a_stream_is_broken() -> None:
    fake = FakeOpenAI()
    fake.error_after = 3
    error = failed(fake)
    assert error.failure is Failure.BROKEN and "engine" not in error.what


def test_a_stream_that_just_stops_is_broken() -> None:
    fake = FakeOpenAI()
    fake.finish = None
    assert failed(fake).failure is Failure.BROKEN


def test_an_answer_longer_than_its_limit_or_filtered_is_no_answer() -> None:
    assert failed(FakeOpenAI(), an_ask(max_tokens=5)).failure is Failure.BROKEN
    fake = FakeOpenAI()
    fake.finish = "content_filter"
    assert failed(fake).failure is Failure.REFUSED


def test_a_server_that_ignores_the_limit_is_cut_off() -> None:
    fake = FakeOpenAI(answer=lambda body: "long " * 2000 if body.pop("max_tokens") else "")
    error = failed(fake, an_ask(max_tokens=10))
    assert error.failure is Failure.BROKEN and "does not end" in error.what


def test_warming_up_takes_one_token_of_a_server_of_ones_own_and_nothing_of_another() -> None:
    fake = FakeOpenAI()
    asked(fake, an_ask(warm=True))
    assert fake.bodies[0]["max_tokens"] == 1 and fake.bodies[0]["messages"][0]["content"] == an_ask().system
    paid = FakeOpenAI()
    assert asked(paid, an_ask(warm=True), local=False, cost=PRICE).cost_usd == 0
    assert paid.requests == []


def test_cancelling_closes_the_connection() -> None:
    fake = FakeOpenAI()
    fake.fail(Fault(line=Line.DRIPS))

    async def cancelled(server: OpenAICompatible) -> None:
        call = asyncio.create_task(server.ask(an_ask(timeout_s=30)))
        await fake.arrived.wait()
        await asyncio.sleep(0.2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        for _ in range(150):
            if fake.dropped:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the server still writes")

    against(fake, cancelled)


def test_strict_requires_all_and_nothing_else_at_every_depth() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {"maxLength": SCHEMA}}}}}
    out = strict(schema, bounded=False)
    inner = out["properties"]["a"]["items"]
    assert (out["required"], inner["required"], inner["additionalProperties"]) == (["a"], ["maxLength"], False)
    assert "maxLength" not in inner["properties"]["maxLength"]["properties"]["summary"]
