"""The fake of Ollama has the words, fields and habits of a real one: each test runs on the fake, and on a real one where OLLAMA_URL is set.

OLLAMA_MODEL may be the stand-in of 7 MB that a tool of ours writes, whose answers follow keywords; OLLAMA_NUM_PARALLEL should be 2 or more.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx
import jsonschema
import pytest

from benchmarks.fake_ollama import FakeOllama, curve
from benchmarks.fake_words import triage as triage_answer
from tests.act.providers.asks import SCHEMA
from tests.act.providers.raw_ollama import client, lines, request

T = TypeVar("T")
REAL = os.environ.get("OLLAMA_URL")
BOTH = [pytest.param("", id="fake"), *([pytest.param(REAL, id="real")] if REAL else [])]


def on(url: str, use: Callable[[httpx.AsyncClient, str], Awaitable[T]]) -> T:
    """Against the server at `url`, or a fake of 4 slots."""

    async def scenario() -> T:
        if url:
            async with client(url) as http:
                return await use(http, os.environ.get("OLLAMA_MODEL", "llama3.1:8b"))
        async with FakeOllama(slots=4, load_s=0.3, step_s=curve({1: 0.002}), answer=says) as fake, client(fake.url) as http:
            return await use(http, "llama3.1:8b")

    return asyncio.run(scenario())


def says(body: Mapping[str, Any]) -> str:
    return triage_answer(body) if body.get("format") else "so it is " * 1000


def triage(model: str, **more: Any) -> dict[str, Any]:
    probable = {"logprobs": True, "top_logprobs": 5}
    options = {"num_ctx": 4096, "num_predict": 160, "temperature": 0}
    return request("checkout outage", model=model, format=SCHEMA, **{"options": options} | probable | more)


@pytest.mark.parametrize("url", BOTH)
def test_the_lines_of_an_answer_have_these_fields(url: str) -> None:
    async def use(http: httpx.AsyncClient, model: str) -> None:
        *parts, end = await lines(http, triage(model))
        for part in parts:
            assert set(part) == {"model", "created_at", "message", "done", "logprobs"}
            assert part["done"] is False and set(part["message"]) == {"role", "content"}
            for token in part["logprobs"]:
                assert set(token) == {"token", "logprob", "bytes", "top_logprobs"}
                assert set(token["top_logprobs"][0]) == {"token", "logprob", "bytes"}
        assert set(end) == {
            *("model", "created_at", "message", "done", "done_reason", "total_duration", "load_duration"),
            *("prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"),
        }
        assert (end["done"], end["done_reason"], end["message"]["content"]) == (True, "stop", "")
        text = "".join(part["message"]["content"] for part in parts)
        jsonschema.validate(json.loads(text), SCHEMA)
        assert json.loads(text)["severity"] == "P1", "by keywords, in the fake and in the stand-in model"
        assert "".join(token["token"] for part in parts for token in part["logprobs"]) == text

    on(url, use)


@pytest.mark.parametrize("url", BOTH)
def test_refusals_have_these_words(url: str) -> None:
    async def use(http: httpx.AsyncClient, model: str) -> None:
        missing = await http.post("/api/chat", json=request(model="nobody-has-this"))
        assert (missing.status_code, missing.json()) == (404, {"error": "model 'nobody-has-this' not found"})
        broken = await http.post("/api/chat", content=b'{"model":')
        assert (broken.status_code, broken.json()) == (400, {"error": "unexpected EOF"})
        many = await http.post("/api/chat", json=triage(model, top_logprobs=21))
        assert (many.status_code, many.json()) == (400, {"error": "top_logprobs must be between 0 and 20"})
        nowhere = await http.get("/nowhere")
        assert (nowhere.status_code, nowhere.text) == (404, "404 page not found")
        assert (await http.get("/")).text == "Ollama is running"

    on(url, use)


@pytest.mark.parametrize("url", BOTH)
def test_an_empty_prompt_only_loads_and_ps_tells_the_context(url: str) -> None:
    async def use(http: httpx.AsyncClient, model: str) -> None:
        loaded = (await http.post("/api/generate", json={"model": model, "options": {"num_ctx": 4096}})).json()
        assert set(loaded) == {"model", "created_at", "response", "done", "done_reason"} and loaded["done_reason"] == "load"
        (running,) = [one for one in (await http.get("/api/ps")).json()["models"] if one["name"].startswith(model)]
        assert running["context_length"] == 4096
        assert {"name", "model", "size", "digest", "details", "expires_at", "size_vram", "context_length"} <= set(running)
        (listed,) = [one for one in (await http.get("/api/tags")).json()["models"] if one["name"].startswith(model)]
        assert {"name", "model", "modified_at", "size", "digest", "details"} <= set(listed)
        assert "version" in (await http.get("/api/version")).json()

    on(url, use)


@pytest.mark.parametrize("url", BOTH)
def test_another_context_loads_the_model_again(url: str) -> None:
    async def use(http: httpx.AsyncClient, model: str) -> None:
        await lines(http, triage(model))
        same = (await lines(http, triage(model)))[-1]
        other = (await lines(http, triage(model, options={"num_ctx": 2048, "num_predict": 160})))[-1]
        await lines(http, triage(model))
        assert other["load_duration"] > 5 * same["load_duration"] and other["load_duration"] > 0.05e9

    on(url, use)


@pytest.mark.parametrize("url", BOTH)
def test_a_limit_of_tokens_ends_an_answer_with_its_reason(url: str) -> None:
    async def use(http: httpx.AsyncClient, model: str) -> None:
        end = (await lines(http, triage(model, options={"num_ctx": 4096, "num_predict": 4})))[-1]
        assert (end["done_reason"], end["eval_count"]) == ("length", 4)
        whole = (await http.post("/api/chat", json=triage(model, stream=False))).json()
        assert whole["done"] is True and json.loads(whole["message"]["content"])["severity"] == "P1" and whole["logprobs"]

    on(url, use)


@pytest.mark.parametrize("url", BOTH)
def test_a_loaded_model_has_no_bound_of_those_who_wait(url: str) -> None:
    async def use(http: httpx.AsyncClient, model: str) -> None:
        await lines(http, triage(model))
        answers = await asyncio.gather(*(http.post("/api/chat", json=triage(model)) for _ in range(24)))
        assert {answer.status_code for answer in answers} == {200}

    on(url, use)


@pytest.mark.parametrize("url", BOTH)
def test_who_stops_listening_to_a_stream_frees_its_slot(url: str) -> None:
    """Else the last answer would come after the two seconds and more that the others' 2,000 tokens take."""

    async def use(http: httpx.AsyncClient, model: str) -> None:
        await lines(http, triage(model))
        long = request("tell", model=model, options={"num_ctx": 4096, "num_predict": 2000})
        asking = [asyncio.create_task(lines(http, long)) for _ in range(8)]
        await asyncio.sleep(0.3)
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)
        began = time.monotonic()
        await lines(http, triage(model))
        assert time.monotonic() - began < 1.0

    on(url, use)
