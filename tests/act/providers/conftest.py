"""The providers that the contract suite runs over, each with a fake server on a real socket; and a real Ollama where OLLAMA_URL is set."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fake_ollama import FakeOllama, Fault, curve
from pipeline.act.providers.base import Answer, Ask
from pipeline.act.providers.claude import Claude
from pipeline.act.providers.ollama import Ollama
from pipeline.act.providers.openai_compatible import OpenAICompatible
from pipeline.act.providers.recorder import Recorder
from pipeline.act.providers.scripted import Scripted
from tests.act.providers.rig import Maker, Rig, Spoilt
from tests.fakes import model_http
from tests.fakes.claude import KEY, FakeClaude
from tests.fakes.openai_server import FakeOpenAI

SLOTS = 3
STREAM = "text/event-stream"
PIECE = b'data: {"choices": [{"index": 0, "delta": {"content": "{"}, "finish_reason": null, "logprobs": null}]}\n\n'
OLLAMA_FAULTS = {
    Spoilt.DEAD: Fault.DEAD,
    Spoilt.HANGS: Fault.HANG,
    Spoilt.HANGS_AFTER_FIRST: Fault.HANG_AFTER_FIRST,
    Spoilt.BUSY: Fault.BUSY,
    Spoilt.DRIPS: Fault.DRIP,
    Spoilt.ERROR_IN_STREAM: Fault.ERROR_MID_STREAM,
    Spoilt.TRUNCATED: Fault.TRUNCATED,
    Spoilt.CUT: Fault.CUT,
    Spoilt.GARBAGE: Fault.GARBAGE,
    Spoilt.RESETS: Fault.RESET,
}
HTTP_FAULTS = {
    Spoilt.HANGS: model_http.Fault(line=model_http.Line.HANGS),
    Spoilt.HANGS_AFTER_FIRST: model_http.Fault(line=model_http.Line.STALLS),
    Spoilt.BUSY: model_http.Fault(status=503),
    Spoilt.DRIPS: model_http.Fault(line=model_http.Line.DRIPS),
    Spoilt.CUT: model_http.Fault(line=model_http.Line.TRUNCATES),
    Spoilt.GARBAGE: model_http.Fault(raw=b"<html><body>It works!</body></html>", kind="text/html"),
    Spoilt.RESETS: model_http.Fault(line=model_http.Line.DROPS),
}

OPENAI_FAULTS = {
    **HTTP_FAULTS,
    Spoilt.ERROR_IN_STREAM: model_http.Fault(raw=PIECE + b'data: {"error": {"message": "out of memory", "code": 500}}\n\n', kind=STREAM),
    Spoilt.TRUNCATED: model_http.Fault(raw=PIECE + b"data: [DONE]\n\n", kind=STREAM),
}


@asynccontextmanager
async def ollama() -> AsyncIterator[Rig]:
    async with FakeOllama(slots=SLOTS, step_s=curve({1: 0.001})) as fake, AsyncExitStack() as stack:
        provider = Ollama(fake.url, "llama3.1:8b", slots=SLOTS)
        stack.push_async_callback(provider.close)

        def spoil(spoilt: Spoilt) -> None:
            fake.fault = OLLAMA_FAULTS[spoilt]

        yield Rig(provider, spoil, lambda: fake.counts.connections, SLOTS + 2)


@asynccontextmanager
async def real_ollama() -> AsyncIterator[Rig]:
    slots = int(os.environ.get("OLLAMA_NUM_PARALLEL", "1"))
    provider = Ollama(os.environ["OLLAMA_URL"], os.environ.get("OLLAMA_MODEL", "llama3.1:8b"), slots=slots)
    try:
        yield Rig(provider, most_connections=slots + 2)
    finally:
        await provider.close()


def failing(fake: model_http.ModelServer) -> Callable[[Spoilt], None]:
    return lambda spoilt: fake.fail(OPENAI_FAULTS[spoilt], times=1000)


@asynccontextmanager
async def claude() -> AsyncIterator[Rig]:
    async with FakeClaude() as fake, AsyncExitStack() as stack:
        provider = Claude(KEY, "claude-haiku-5-5", url=fake.url, slots=SLOTS, max_retries=0)
        stack.push_async_callback(provider.close)
        yield Rig(provider, failing(fake), lambda: fake.connections, SLOTS + 2, gives_probabilities=False)


@asynccontextmanager
async def openai() -> AsyncIterator[Rig]:
    async with FakeOpenAI() as fake, AsyncExitStack() as stack:
        provider = OpenAICompatible(fake.url, "tiny", slots=SLOTS, local=True)
        stack.push_async_callback(provider.close)
        yield Rig(provider, failing(fake), lambda: fake.connections, SLOTS + 2)


@asynccontextmanager
async def scripted() -> AsyncIterator[Rig]:
    def said(ask: Ask) -> Answer:
        sure = {label: 1 / len(ask.labels) for label in ask.labels}
        text = json.dumps(model_http.generate(ask.schema, ask.user))
        return Answer(text, "scripted", "script", tokens_in=9, tokens_out=9, took_s=0.01, probabilities=sure)

    yield Rig(Scripted(said, latency_s=0.01), most_connections=SLOTS + 2)


@asynccontextmanager
async def recorded() -> AsyncIterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="fluxai-test-") as directory:
        async with openai() as rig:
            yield replace(rig, provider=Recorder(rig.provider, Path(directory, "calls.jsonl")))


MAKERS: dict[str, Maker] = {
    "ollama": Maker(ollama),
    "claude": Maker(claude, frozenset(HTTP_FAULTS)),
    "openai": Maker(openai, frozenset(OPENAI_FAULTS)),
    "scripted": Maker(scripted, frozenset()),
    "recorder": Maker(recorded, frozenset({Spoilt.BUSY, Spoilt.CUT})),
}
if "OLLAMA_URL" in os.environ:
    MAKERS["real_ollama"] = Maker(real_ollama, frozenset())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if {"maker", "spoilt"} <= set(metafunc.fixturenames):
        pairs = [(name, spoilt) for name, maker in MAKERS.items() for spoilt in Spoilt if spoilt in maker.spoils]
        metafunc.parametrize(
            ("maker", "spoilt"), [pytest.param(MAKERS[name], spoilt, id=f"{name}-{spoilt.name.lower()}") for name, spoilt in pairs]
        )
    elif "fakes_maker" in metafunc.fixturenames:
        metafunc.parametrize("fakes_maker", [pytest.param(maker, id=name) for name, maker in MAKERS.items() if maker.spoils])
    elif "maker" in metafunc.fixturenames:
        metafunc.parametrize("maker", [pytest.param(maker, id=name) for name, maker in MAKERS.items()])
