"""The fake of Ollama does what it claims: slots, step times, loading, late cancellation, faults."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import jsonschema
import pytest

from benchmarks.fake_ollama import FakeOllama, Fault, curve, process
from benchmarks.fake_words import Cut, pieces, shaped
from tests.act.providers.asks import SCHEMA
from tests.act.providers.raw_ollama import client, lines, request

T = TypeVar("T")
SAID = "a b c d e f g h i j "
"""20 tokens."""
BUSY = {"error": "server busy, please try again.  maximum pending requests exceeded"}
SHARES = {"type": "object", "properties": {level: {"type": "integer"} for level in ("P1", "P2", "P3", "P4")}}
NOISE_S = 0.15
"""What a busy machine may add to a time."""


def against(use: Callable[[FakeOllama, httpx.AsyncClient], Awaitable[T]], **fields: Any) -> T:
    async def scenario() -> T:
        values: dict[str, Any] = {"slots": 2, "step_s": curve({1: 0.005}), "prefill_s": 0.0, "answer": lambda _: SAID}
        async with FakeOllama(**values | fields) as fake, client(fake.url) as http:
            return await use(fake, http)

    return asyncio.run(scenario())


async def timed(asking: Awaitable[object]) -> float:
    began = time.monotonic()
    await asking
    return time.monotonic() - began


async def until(true: Callable[[], bool], seconds: float = 2.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


# -- speed -------------------------------------------------------------------------------------------------------------------------------


def test_a_step_gives_each_slot_a_token_and_takes_as_long_as_the_curve_says() -> None:
    steps = curve({1: 0.01, 4: 0.025})

    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> tuple[float, float]:
        await lines(http, request())
        alone = await timed(lines(http, request()))
        return alone, await timed(asyncio.gather(*(lines(http, request()) for _ in range(4))))

    alone, together = against(use, slots=4, step_s=steps)
    assert 20 * 0.01 <= alone < 20 * 0.01 + NOISE_S
    assert 20 * 0.025 <= together + 0.02 < 20 * 0.025 + 0.02 + NOISE_S


def test_small_packets_are_sent_at_once() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> list[int]:
        await lines(http, request())
        sockets = [line.writer.get_extra_info("socket") for line in fake._lines]
        return [sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for sock in sockets]

    assert against(use) == [1], "a socket that collects small packets is up to 40 ms late with a first token"


def test_the_curve_is_straight_between_its_points_and_goes_on() -> None:
    step = curve({1: 1.0, 3: 2.0, 5: 6.0})
    assert [step(busy) for busy in (0, 1, 2, 3, 4, 5, 6)] == [1.0, 1.0, 1.5, 2.0, 4.0, 6.0, 8.0]
    assert curve({8: 0.5})(32) == 0.5


def test_slots_are_filled_first_come_first_served_and_the_rest_waits_without_a_bound() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> tuple[list[int], float]:
        await lines(http, request())
        ended: list[int] = []

        async def one(number: int) -> None:
            await lines(http, request(f"{number}"))
            ended.append(number)

        began, asking = time.monotonic(), []
        for number in range(12):
            asking.append(asyncio.create_task(one(number)))
            await until(lambda: fake.counts.requests == len(asking) + 1)
        await asyncio.gather(*asking)
        took = time.monotonic() - began
        assert (fake.counts.running_max, fake.counts.in_flight_max) == (2, 12)
        return ended, took

    ended, took = against(use, max_queue=1)
    assert [sorted(ended[at : at + 2]) for at in range(0, 12, 2)] == [[at, at + 1] for at in range(0, 12, 2)]
    assert 6 * 20 * 0.005 <= took < 2 * 6 * 20 * 0.005, "on one slot it would take twice as long"


def test_a_prompt_is_read_once_and_a_beginning_that_a_slot_remembers_not_again() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> list[int]:
        read = []
        for prompt in ("x" * 4000, "x" * 4000, "x" * 3600 + "y" * 400, "z" * 4000):
            before = fake.counts.tokens_read
            end = (await lines(http, request(prompt)))[-1]
            read.append(fake.counts.tokens_read - before)
            assert end["prompt_eval_count"] == 1002, "read and remembered alike"
        return read

    assert against(use, slots=1) == [1002, 1, 101, 1001]


def test_reading_takes_its_time_and_holds_the_others_up() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> float:
        long = asyncio.create_task(lines(http, request()))
        await until(lambda: fake.counts.tokens_out > 0)
        await asyncio.gather(long, lines(http, request("w" * 2000)))
        return float((await long)[-1]["eval_duration"]) / 1e9

    assert against(use, prefill_s=0.0005) > 20 * 0.005 + 0.2


# -- loading -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["num_ctx", "num_batch", "num_gpu", "use_mmap", "num_thread"])
def test_a_changed_option_of_loading_loads_again_when_the_running_have_ended(option: str) -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> None:
        await lines(http, request())
        running = asyncio.create_task(lines(http, request()))
        await until(lambda: fake.counts.running == 1)
        changed, after = await asyncio.gather(lines(http, request(options={option: 1})), lines(http, request(options={option: 1})))
        assert running.done()
        assert fake.counts.reloads == 1
        assert min(changed[-1]["load_duration"], after[-1]["load_duration"]) > 0.2e9, "all wait"

    against(use, load_s=0.2)


def test_other_options_load_nothing() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> int:
        for options in ({}, {"num_predict": 3}, {"temperature": 0.7}, {"seed": 9}):
            await lines(http, request(options=options))
        return fake.counts.loads

    assert against(use) == 1


def test_503_comes_only_while_the_model_loads() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> None:
        first = await asyncio.gather(*(http.post("/api/chat", json=request()) for _ in range(10)))
        assert sorted(answer.status_code for answer in first) == [200] * 5 + [503] * 5, "one loads, four wait"
        assert next(answer.json() for answer in first if answer.status_code == 503) == BUSY
        then = await asyncio.gather(*(http.post("/api/chat", json=request()) for _ in range(30)))
        assert {answer.status_code for answer in then} == {200}
        assert fake.counts.refused == 5

    against(use, load_s=0.2, max_queue=4, slots=8)


def test_a_load_goes_on_when_who_asked_for_it_has_gone() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/api/chat", json=request(), timeout=0.1)
        await lines(http, request())
        assert (fake.counts.loads, fake.counts.cancelled) == (1, 1)

    against(use, load_s=0.3)


# -- cancellation ------------------------------------------------------------------------------------------------------------------------


def test_a_slot_that_generates_is_free_at_once_when_its_client_goes() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> None:
        await lines(http, request(options={"num_predict": 1}))
        asking = asyncio.create_task(lines(http, request()))
        await until(lambda: fake.counts.tokens_out > 3)
        asking.cancel()
        assert await timed(until(lambda: fake.counts.running == 0)) < 0.06
        assert fake.counts.tokens_out < 40

    against(use, answer=lambda _: SAID * 20, slots=1)


def test_a_slot_that_reads_its_prompt_stays_busy_until_it_has() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> float:
        await lines(http, request())
        asking = asyncio.create_task(lines(http, request("w" * 1600)))
        await until(lambda: fake.counts.running == 1)
        asking.cancel()
        await until(lambda: fake.counts.in_flight == 0)
        return await timed(lines(http, request()))

    assert against(use, slots=1, prefill_s=0.001) > 0.3 + 20 * 0.005


def test_who_waits_leaves_the_queue_at_once() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> None:
        await lines(http, request())
        running, waiting = (asyncio.create_task(lines(http, request(str(number)))) for number in range(2))
        await until(lambda: fake.counts.in_flight == 2)
        waiting.cancel()
        await running
        await asyncio.sleep(0.02)
        assert fake.counts.tokens_out == 40

    against(use, slots=1)


def test_what_does_not_stream_runs_on_beside_others() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> int:
        other = asyncio.create_task(lines(http, request()))
        await until(lambda: fake.counts.running == 1)
        asking = asyncio.create_task(http.post("/api/chat", json=request("two", stream=False)))
        await until(lambda: fake.counts.running == 2)
        asking.cancel()
        await other
        await asyncio.sleep(0.05)
        return fake.counts.tokens_out

    assert against(use) > 35


def test_a_connection_is_kept_for_the_next_request() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> int:
        for _ in range(5):
            await lines(http, request(options={"num_predict": 1}))
        return fake.counts.connections_max

    assert against(use) == 1


# -- faults ------------------------------------------------------------------------------------------------------------------------------


def test_dead_refuses_and_comes_back_at_the_same_address() -> None:
    async def use(fake: FakeOllama, http: httpx.AsyncClient) -> None:
        await lines(http, request())
        for _ in range(2):
            fake.fault = Fault.DEAD
            await asyncio.sleep(0.02)
            with pytest.raises(httpx.ConnectError):
                await http.get("/api/version")
            fake.fault = Fault.NONE
            assert (await http.get("/api/version")).json() == {"version": "0.24.0"}

    against(use)


def test_a_process_of_its_own_is_told_its_faults_and_tells_its_counts() -> None:
    with process("--slots", "3", "--step-ms", "1:1", "--answer-tokens", "30") as fake:

        async def use() -> None:
            async with client(fake.url) as http:
                end = (await lines(http, request(format=SCHEMA)))[-1]
                assert (end["eval_count"], end["done_reason"]) == (30, "stop")
                assert (await http.post("/fault", json={"fault": "of no kind"})).status_code == 400
                fake.set_fault(Fault.BUSY)
                assert (await http.post("/api/chat", json=request())).status_code == 503
                fake.set_fault(Fault.DEAD, seconds=0.2)
                with pytest.raises(httpx.HTTPError):
                    await http.get("/api/version")
                await asyncio.sleep(0.3)
                await lines(http, request())

        asyncio.run(use())
        stats = fake.stats()
        assert (stats["requests"], stats["running_max"], stats["refused"], stats["reloads"]) == (2, 1, 1, 0)


# -- words -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schema",
    [
        SCHEMA,
        {
            "type": "object",
            "properties": {
                "probabilities": {"type": "object", "properties": {level: {"type": "integer"} for level in ("P1", "P2", "P3", "P4")}}
            },
        },
        {
            "type": "object",
            "properties": {"a": {"anyOf": [{"$ref": "#/$defs/b"}, {"type": "null"}]}},
            "$defs": {"b": {"enum": ["P2", "P3"]}},
        },
        {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 2, "maxItems": 4},
        {
            "type": "object",
            "properties": {"sure": {"type": "boolean"}, "of": {"type": ["string", "null"]}, "n": {"type": "number", "maximum": 1}},
        },
    ],
    ids=["triage", "shares", "reference", "list", "others"],
)
def test_answers_are_valid_by_their_schema(schema: dict[str, Any]) -> None:
    jsonschema.validate(json.loads(shaped(schema, "P1")), schema)


@pytest.mark.parametrize("cut", ["whole", "split", "glued"])
def test_tokens_are_the_text_and_as_many_as_wanted(cut: Cut) -> None:
    text = shaped(SCHEMA, "P2")
    assert "".join(pieces(text, cut)) == text
    for count in (10, 40, 100):
        found = pieces(text, cut, count)
        assert ("".join(found), len(found)) == (text, count)
    assert any("P2" in piece for piece in pieces(text, cut, 40)) == (cut != "split")
