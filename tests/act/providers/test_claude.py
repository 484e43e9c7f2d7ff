"""Claude against a fake of its API on a real socket. Nothing here has met the real one: no key was there when it was written."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from typing import Any, TypeVar

import pytest
import structlog

from pipeline.act.providers import prices
from pipeline.act.providers.base import Answer, Ask, Failure, ProviderError, worst_cost
from pipeline.act.providers.claude import THINKING_ROOM, Claude, steady
from tests.act.providers.asks import SCHEMA, an_ask
from tests.fakes.claude import KEY, THOUGHT_TOKENS, VERSION, FakeClaude
from tests.fakes.model_http import Fault, Line

T = TypeVar("T")
HAIKU = "claude-haiku-5-5"


def against(fake: FakeClaude, use: Callable[[Claude], Awaitable[T]], *, model: str = HAIKU, key: str = KEY) -> T:
    async def scenario() -> T:
        async with fake:
            claude = Claude(key, model, url=fake.url)
            try:
                return await use(claude)
            finally:
                await claude.close()

    return asyncio.run(scenario())


def asked(fake: FakeClaude, ask: Ask | None = None, *, model: str = HAIKU) -> Answer:
    return against(fake, lambda claude: claude.ask(ask or an_ask()), model=model)


def failed(fake: FakeClaude, ask: Ask | None = None, *, model: str = HAIKU, key: str = KEY) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        against(fake, lambda claude: claude.ask(ask or an_ask()), model=model, key=key)
    return caught.value


def test_an_answer_has_its_text_its_tokens_and_its_cost() -> None:
    answer = asked(FakeClaude())
    assert json.loads(answer.text)["severity"] == "P2"
    assert (answer.provider, answer.model, answer.probabilities) == ("claude", HAIKU, {})
    assert answer.tokens_in > 0 and answer.tokens_out > 0
    assert answer.cost_usd == pytest.approx((answer.tokens_in * 0.1 + answer.tokens_out * 0.5) / 1e6)


def test_what_goes_over_the_wire() -> None:
    fake = FakeClaude()
    asked(fake)
    (request,) = fake.requests
    assert request.headers["anthropic-version"] == VERSION
    assert request.headers["authorization"] == f"Bearer {KEY}"
    body = request.body
    assert body["system"] == [{"type": "text", "text": an_ask().system, "cache_control": {"type": "ephemeral"}}]
    assert body["messages"] == [{"role": "user", "content": an_ask().user}]
    assert (body["max_tokens"], body["thinking"], body["output_config"]["effort"]) == (160, {"type": "disabled"}, "low")
    assert not {"temperature", "top_p", "top_k", "stream"} & body.keys()
    schema = body["output_config"]["format"]["schema"]
    assert body["output_config"]["format"]["type"] == "json_schema" and schema["additionalProperties"] is False
    assert list(schema["properties"]) == list(SCHEMA["properties"])
    assert not {"minimum", "maximum", "maxLength", "maxItems"} & {key for part in schema["properties"].values() for key in part}


def test_an_ask_without_a_schema_gets_prose() -> None:
    fake = FakeClaude()
    assert asked(fake, an_ask(schema={})).text == "Says the fake."
    assert "format" not in fake.bodies[0]["output_config"]


def test_the_schema_is_the_same_for_all_candidates_so_that_the_prompt_cache_holds() -> None:
    other = json.loads(json.dumps(SCHEMA))
    other["properties"]["runbooks"] = {"type": "array", "items": {"enum": ["other"]}, "maxItems": 1}
    fake = FakeClaude()
    long = an_ask(system="You triage alerts. " * 200)

    async def twice(claude: Claude) -> list[Answer]:
        return [await claude.ask(long), await claude.ask(replace(long, schema=other, user="something else, P3"))]

    first, second = against(fake, twice)
    assert fake.bodies[0]["output_config"] == fake.bodies[1]["output_config"]
    assert first.tokens_cached == 0 < second.tokens_cached < second.tokens_in
    assert second.cost_usd < first.cost_usd / 3
    assert steady(SCHEMA)["properties"]["severity"] == SCHEMA["properties"]["severity"]


@pytest.mark.parametrize(
    ("model", "thinking", "effort", "room"),
    [
        ("claude-haiku-5-5", {"type": "disabled"}, "low", 0),
        ("claude-sonnet-5-5", {"type": "between_tools"}, "low", 0),
        ("claude-opus-5-5", None, "low", THINKING_ROOM),
        ("claude-haiku-4-5-20251001", None, None, 0),
    ],
)
def test_each_model_is_asked_the_way_it_takes(model: str, thinking: Any, effort: str | None, room: int) -> None:
    fake = FakeClaude()
    asked(fake, model=model)
    (body,) = fake.bodies
    assert (body.get("thinking"), body["output_config"].get("effort"), body["max_tokens"]) == (thinking, effort, 160 + room)


def test_a_model_that_thinks_gives_its_answer_and_its_thoughts_are_paid() -> None:
    answer = asked(FakeClaude(), model="claude-opus-5-5")
    assert json.loads(answer.text)["severity"] == "P2"
    assert answer.tokens_out > THOUGHT_TOKENS


def test_an_unknown_model_that_takes_no_effort_is_asked_without_it_from_the_second_ask_on() -> None:
    fake = FakeClaude()

    async def twice(claude: Claude) -> Answer:
        with pytest.raises(ProviderError) as caught:
            await claude.ask(an_ask())
        assert (caught.value.failure, caught.value.asked) == (Failure.REFUSED, False)
        return await claude.ask(an_ask())

    assert against(fake, twice, model="claude-of-tomorrow").text


STATUSES = {
    400: (Failure.REFUSED, False),
    401: (Failure.DENIED, False),
    402: (Failure.DENIED, False),
    403: (Failure.DENIED, False),
    404: (Failure.NO_MODEL, False),
    413: (Failure.REFUSED, False),
    422: (Failure.REFUSED, False),
    429: (Failure.OVERLOADED, False),
    500: (Failure.BROKEN, True),
    503: (Failure.OVERLOADED, False),
    504: (Failure.TIMEOUT, True),
    529: (Failure.OVERLOADED, False),
    307: (Failure.DENIED, False),
}


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_has_its_failure_and_says_whether_it_may_have_cost_money(status: int) -> None:
    fake = FakeClaude()
    fake.fail(Fault(status=status, message="quotes the question", headers={"location": "http://127.0.0.1:9/"}), times=2)
    error = failed(fake, an_ask(timeout_s=1.2))
    assert (error.failure, error.asked) == STATUSES[status]
    assert "quotes" not in error.what and str(status) in error.what


def test_a_wrong_key_is_denied_and_stands_in_no_error() -> None:
    error = failed(FakeClaude(), key="sk-ant-wrong-key")
    assert error.failure is Failure.DENIED
    assert "wrong-key" not in repr(error) + error.what
    error = failed(FakeClaude(), key="sk-ant-with-a-line\nend")
    assert "with-a-line" not in repr(error) + error.what


@pytest.mark.parametrize("status", [429, 529, 503])
def test_what_is_busy_is_asked_once_more(status: int) -> None:
    fake = FakeClaude()
    fake.fail(Fault(status=status, headers={"retry-after": "0.1"}))
    assert asked(fake).text
    assert len(fake.bodies) == 2


def test_what_stays_busy_is_asked_twice_and_no_more() -> None:
    fake = FakeClaude()
    fake.fail(Fault(status=529, headers={"retry-after": "0.1"}), times=5)
    error = failed(fake)
    assert (error.failure, error.retry_after_s, len(fake.bodies)) == (Failure.OVERLOADED, 0.1, 2)


def test_a_wait_that_does_not_fit_the_time_is_not_begun() -> None:
    fake = FakeClaude()
    fake.fail(Fault(status=429, headers={"retry-after": "30"}))
    began = time.monotonic()
    error = failed(fake)
    assert (error.failure, error.retry_after_s, len(fake.bodies)) == (Failure.OVERLOADED, 30.0, 1)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("line", [Line.DROPS, Line.TRUNCATES])
def test_what_may_have_cost_money_is_not_asked_again(line: Line) -> None:
    fake = FakeClaude()
    fake.fail(Fault(line=line))
    error = failed(fake)
    assert (error.failure, error.asked) == ({Line.DROPS: Failure.UNREACHABLE, Line.TRUNCATES: Failure.BROKEN}[line], True)
    assert len(fake.bodies) == 1


@pytest.mark.parametrize("line", [Line.HANGS, Line.DRIPS])
def test_an_ask_ends_with_its_time_however_the_server_behaves(line: Line) -> None:
    fake = FakeClaude()
    fake.fail(Fault(line=line))

    async def timed(claude: Claude) -> float:
        began = time.monotonic()
        with pytest.raises(ProviderError) as caught:
            await claude.ask(an_ask(timeout_s=0.6))
        assert (caught.value.failure, caught.value.asked) == (Failure.TIMEOUT, True)
        return time.monotonic() - began

    assert against(fake, timed) < 0.6 + 0.5


def test_nobody_there_is_unreachable_and_cost_nothing() -> None:
    async def scenario() -> ProviderError:
        claude = Claude(KEY, HAIKU, url="http://127.0.0.1:9")
        with pytest.raises(ProviderError) as caught:
            await claude.ask(an_ask(timeout_s=1.0))
        await claude.close()
        return caught.value

    error = asyncio.run(scenario())
    assert (error.failure, error.asked) == (Failure.UNREACHABLE, False)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(raw=b"<html>hello</html>", kind="text/html"),
        Fault(raw=b"{no json"),
        Fault(raw=b"[]"),
        Fault(raw=b'{"type": "message"}'),
        Fault(raw=b'{"type": "message", "content": "text", "usage": {"input_tokens": 1, "output_tokens": 1}, "stop_reason": "end_turn"}'),
        Fault(raw=b'{"type": "message", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}, "stop_reason": "end_turn"}'),
        Fault(raw=b'{"type": "message", "content": ["x"], "usage": {"input_tokens": 1, "output_tokens": 1}, "stop_reason": "end_turn"}'),
        Fault(raw=b'{"type": "message", "content": [{"type": "text", "text": "x"}], "usage": {"input_tokens": null}}'),
        Fault(raw=b'{"type": "message", "content": [{"type": "text", "text": 7}], "usage": {"input_tokens": 1, "output_tokens": 1}}'),
        Fault(raw=b""),
    ],
    ids=[
        "html",
        "no json",
        "a list",
        "no fields",
        "content is text",
        "no content",
        "no blocks",
        "no tokens",
        "a number as text",
        "nothing",
    ],
)
def test_what_is_no_answer_of_the_protocol_is_broken(fault: Fault) -> None:
    fake = FakeClaude()
    fake.fail(fault)
    assert failed(fake).failure is Failure.BROKEN


def test_an_answer_without_an_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.act.providers.sdk.MOST_BYTES", 1000)
    fake = FakeClaude(answer=lambda _: "x" * 400)
    assert len(asked(fake, an_ask(max_tokens=1000)).text) == 400
    error = failed(FakeClaude(answer=lambda _: "x" * 2000), an_ask(max_tokens=1000))
    assert error.failure is Failure.BROKEN and "does not end" in error.what


@pytest.mark.parametrize(
    ("stop", "failure"),
    [("refusal", Failure.REFUSED), ("max_tokens", Failure.BROKEN), ("model_context_window_exceeded", Failure.REFUSED)],
)
def test_a_reason_to_stop_is_looked_at_before_the_text(stop: str, failure: Failure) -> None:
    fake = FakeClaude()
    fake.stop = stop
    error = failed(fake)
    assert (error.failure, error.asked) == (failure, True) and stop in error.what


def test_a_limit_of_tokens_that_is_too_low_is_no_answer() -> None:
    assert failed(FakeClaude(), an_ask(max_tokens=5)).failure is Failure.BROKEN


def test_warming_up_asks_nothing_and_costs_nothing() -> None:
    fake = FakeClaude()
    assert asked(fake, an_ask(warm=True)).cost_usd == 0.0
    assert fake.requests == []


def test_cancelling_ends_the_call_at_once() -> None:
    fake = FakeClaude()
    fake.fail(Fault(line=Line.HANGS))

    async def cancelled(claude: Claude) -> None:
        call = asyncio.create_task(claude.ask(an_ask(timeout_s=30)))
        await fake.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        for _ in range(100):
            if fake.dropped:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the server still waits")

    against(fake, cancelled)


def test_no_prompt_and_no_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeClaude()
    fake.fail(Fault(status=529))
    with caplog.at_level(logging.DEBUG):
        asked(fake)
    assert "checkout" not in caplog.text and KEY not in caplog.text


def test_check_tells_of_the_model_and_learns_how_to_ask_it() -> None:
    fake = FakeClaude()

    async def use(claude: Claude) -> str:
        told = await claude.check()
        assert (told.model, told.warning) == ("claude-of-tomorrow", "")
        await claude.ask(an_ask())
        return told.says

    assert "1000000 tokens of context" in against(fake, use, model="claude-of-tomorrow")
    assert "effort" not in fake.bodies[0]["output_config"] and fake.bodies[0]["max_tokens"] == 160
    assert [request.method for request in fake.requests] == ["GET", "POST"]


def test_check_warns_of_a_deprecated_model_and_fails_for_one_that_is_gone() -> None:
    fake = FakeClaude()
    fake.lifecycle, fake.retires_at = "deprecated", "2027-01-05T00:00:00Z"
    assert "withdrawn on 2027-01-05" in against(fake, lambda claude: claude.check()).warning
    fake.lifecycle = "retired"
    with pytest.raises(ProviderError, match="no_model"):
        against(fake, lambda claude: claude.check())
    with pytest.raises(ProviderError, match="denied"):
        against(FakeClaude(), lambda claude: claude.check(), key="sk-ant-wrong")
    with pytest.raises(ProviderError, match="no_model"):
        against(FakeClaude(), lambda claude: claude.check(), model="gpt")


def test_costs_follow_the_table() -> None:
    haiku = prices.price(HAIKU)
    assert haiku.cost(700, 120) == pytest.approx(0.00013)
    assert haiku.cost(100, 0, written=1_000_000 // 20, read=0) == pytest.approx(100 * 0.1e-6 + 50_000 * 0.125e-6)
    assert haiku.cost(100_000, 0) == pytest.approx(0.01)
    assert haiku.cost(100_001, 0) == pytest.approx(0.05, rel=1e-4), "long prompts have their own rates"
    assert prices.price("claude-opus-5-5").cost(0, 0, read=1_000_000) == pytest.approx(0.2)
    assert prices.price("claude-haiku-4-5-20251001") == prices.price("claude-haiku-4-5")
    assert prices.table().as_of > date(2026, 1, 1)


def test_a_model_without_a_price_counts_as_the_dearest_and_warns_once() -> None:
    with structlog.testing.capture_logs() as logs:
        unknown = prices.price("claude-of-the-day-after")
        prices.price("claude-of-the-day-after")
    assert unknown.output == max(each.output for each in prices.table().models.values())
    assert [entry["model"] for entry in logs] == ["claude-of-the-day-after"]


@pytest.mark.parametrize("user", ["disk full on db-1", "磁盘已满 " * 50, "9f8e7d6c5b4a" * 50, ""])
@pytest.mark.parametrize("model", [HAIKU, "claude-opus-5-5"])
def test_no_call_costs_more_than_was_reserved(user: str, model: str) -> None:
    ask = an_ask(user=user, system="You triage alerts. " * 200)

    async def use(claude: Claude) -> tuple[float, float]:
        return worst_cost(claude, ask), (await claude.ask(ask)).cost_usd

    worst, real = against(FakeClaude(), use, model=model)
    assert 0 < real <= worst < 0.05
