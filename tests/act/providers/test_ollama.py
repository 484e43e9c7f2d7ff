"""Ollama: what goes over the wire, and what its failures mean. What all providers have in common is in test_contract.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import pytest

from benchmarks.fake_ollama import FakeOllama, Fault, curve
from benchmarks.fake_words import Cut
from pipeline.act.providers import ollama
from pipeline.act.providers.base import Ask, Failure, ProviderError
from pipeline.act.providers.ollama import NUM_CTX, Ollama
from tests.act.providers.asks import SCHEMA, an_ask
from tests.fakes import model_http
from tests.fakes.model_http import ModelServer, Reply, Request

T = TypeVar("T")
MODEL = "llama3.1:8b"
QUICK = curve({1: 0.001})


def against(use: Callable[[Ollama, FakeOllama], Awaitable[T]], *, model: str = MODEL, slots: int = 2, **fields: Any) -> T:
    async def scenario() -> T:
        async with FakeOllama(slots=slots, step_s=QUICK, prefill_s=1e-6, **fields) as fake:
            provider = Ollama(fake.url, model, slots=slots)
            try:
                return await use(provider, fake)
            finally:
                await provider.close()

    return asyncio.run(scenario())


async def failure(asking: Awaitable[Any]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await asking
    return caught.value


class Refuses(ModelServer):
    """Answers everything with a status and words."""

    def __init__(self, status: int, words: str = "so it is") -> None:
        super().__init__()
        self.status, self.words = status, words

    async def reply(self, request: Request) -> Reply:
        return self.error(self.status, "", self.words)

    def error(self, status: int, error: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
        return Reply.of({"error": message}, status, headers)


def refused(server: ModelServer, ask: Ask | None = None) -> ProviderError:
    async def scenario() -> ProviderError:
        async with server:
            provider = Ollama(server.url, MODEL, slots=1)
            try:
                return await failure(provider.ask(ask or an_ask()))
            finally:
                await provider.close()

    return asyncio.run(scenario())


def test_what_goes_over_the_wire() -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> dict[str, Any]:
        await provider.ask(an_ask())
        return fake.asked[0]

    ask = an_ask()
    assert against(use) == {
        "model": MODEL,
        "messages": [{"role": "system", "content": ask.system}, {"role": "user", "content": ask.user}],
        "tools": [],
        "stream": True,
        "think": False,
        "format": SCHEMA,
        "options": {"num_ctx": 4096, "num_predict": 160, "temperature": 0.0, "seed": 1},
        "keep_alive": -1,
        "logprobs": True,
        "top_logprobs": 20,
    }


def test_no_ask_makes_the_model_load_again_or_lets_it_go() -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> None:
        for ask in (an_ask(), an_ask(max_tokens=500), an_ask(labels=()), an_ask(schema={}, system="x"), an_ask(warm=True)):
            await provider.ask(ask)
        assert (fake.counts.loads, fake.counts.reloads) == (1, 0)
        assert {request["keep_alive"] for request in fake.asked} == {-1}
        options = [{key: value for key, value in request["options"].items() if key != "num_predict"} for request in fake.asked]
        assert all(one == options[0] for one in options)

    against(use)


@pytest.mark.parametrize("cut", ["whole", "split", "glued"])
def test_probabilities_are_of_the_labels_however_they_are_cut_into_tokens(cut: Cut) -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> None:
        answer = await provider.ask(an_ask(user="the disk of a replica"))
        assert json.loads(answer.text)["severity"] == "P3"
        assert answer.probabilities == pytest.approx({"P1": 0.01, "P2": 0.08, "P3": 0.88, "P4": 0.03})

    against(use, cut=cut)


def test_the_time_of_loading_is_told_and_only_the_first_answer_has_it() -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> None:
        first, second = await provider.ask(an_ask()), await provider.ask(an_ask())
        assert first.load_s == pytest.approx(0.3, abs=0.1)
        assert second.load_s < 0.1

    against(use, load_s=0.3)


def test_warming_says_one_token_and_is_no_failure() -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> None:
        assert (await provider.ask(an_ask(warm=True))).tokens_out == 1
        read = fake.counts.tokens_read
        await provider.ask(an_ask())
        assert fake.counts.tokens_read - read == 1, "what was warmed is not read again"

    against(use)


def test_an_answer_that_is_cut_off_at_its_limit_is_broken() -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> ProviderError:
        return await failure(provider.ask(an_ask(max_tokens=5)))

    error = against(use)
    assert (error.failure, error.what) == (Failure.BROKEN, "the answer was not at its end after 5 tokens")


def test_a_prompt_that_was_cut_to_the_context_is_refused() -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> ProviderError:
        return await failure(provider.ask(an_ask(user="disk " * NUM_CTX)))

    error = against(use)
    assert error.failure is Failure.REFUSED and "4096" in error.what


def test_a_missing_model_tells_the_command_that_fetches_it() -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> list[ProviderError]:
        return [await failure(provider.ask(an_ask())), await failure(provider.check())]

    asked, checked = against(use, model="mistral:7b")
    assert (asked.failure, checked.failure) == (Failure.NO_MODEL, Failure.NO_MODEL)
    assert "ollama pull mistral:7b" in asked.what
    assert "llama3.1:8b" in checked.what, "what there is instead"


def test_a_server_that_loads_is_overloaded_in_its_own_words() -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> ProviderError:
        fake.fault = Fault.BUSY
        return await failure(provider.ask(an_ask()))

    error = against(use)
    assert error.failure is Failure.OVERLOADED and "maximum pending requests exceeded" in error.what


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, Failure.REFUSED),
        (401, Failure.DENIED),
        (403, Failure.DENIED),
        (429, Failure.OVERLOADED),
        (499, Failure.REFUSED),
        (500, Failure.BROKEN),
        (502, Failure.UNREACHABLE),
        (503, Failure.OVERLOADED),
        (302, Failure.REFUSED),
    ],
)
def test_each_status_has_its_failure(status: int, meaning: Failure) -> None:
    assert refused(Refuses(status)).failure is meaning


def test_an_address_of_something_else_is_named_as_such() -> None:
    error = refused(Refuses(404, "404 page not found"))
    assert error.failure is Failure.BROKEN and "OLLAMA_URL" in error.what


def test_a_server_that_quotes_the_prompt_is_not_quoted() -> None:
    secret = "the password of the database is hunter2"
    error = refused(Refuses(500, f"cannot parse: {secret}"), an_ask(user=f"disk full, {secret}, help"))
    assert error.failure is Failure.BROKEN and "hunter2" not in str(error)
    assert error.__cause__ is None, "the client's own error holds the words"


def test_nobody_there_was_not_asked() -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> ProviderError:
        fake.fault = Fault.DEAD
        return await failure(provider.ask(an_ask()))

    error = against(use)
    assert (error.failure, error.asked) == (Failure.UNREACHABLE, False)
    assert "ollama serve" in error.what


def test_who_gets_no_connection_is_told_why_and_was_not_asked() -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> list[BaseException | Any]:
        fake.fault = Fault.HANG
        return await asyncio.gather(*(provider.ask(an_ask(timeout_s=0.6)) for _ in range(5)), return_exceptions=True)

    errors = [error for error in against(use, slots=2) if isinstance(error, ProviderError)]
    assert sorted((error.failure, error.asked) for error in errors) == [(Failure.BUSY, False)] + [(Failure.TIMEOUT, True)] * 4


@pytest.mark.parametrize(
    "line",
    [b"[" * 100_000, b"[1]", b'"x"', b"null", b'{"message": 7, "done": true}', b'{"done": true}', b"\xff\xfe", b'{"message":{}}'],
    ids=["deep", "a list", "a text", "null", "no message", "nothing", "no UTF-8", "no role"],
)
def test_lines_of_another_protocol_are_broken(line: bytes) -> None:
    server = Refuses(200)
    server.fail(model_http.Fault(raw=line + b"\n", kind="application/x-ndjson"))
    assert refused(server).failure is Failure.BROKEN


@pytest.mark.parametrize("byte", [b"x", b"\n"], ids=["one line", "many lines"])
def test_an_answer_without_end_is_cut_off(byte: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "MOST_BYTES", 10_000)
    server = Refuses(500)
    server.fail(model_http.Fault(status=500, raw=byte * 100_000))
    assert refused(server).failure is Failure.BROKEN


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    async def use(provider: Ollama, fake: FakeOllama) -> None:
        assert (await provider.ask(an_ask())).text
        assert await provider.version() == fake.shape.version

    against(use)


def test_a_server_elsewhere_is_not_asked_in_tests() -> None:
    async def scenario() -> ProviderError:
        provider = Ollama("http://192.0.2.7:11434", MODEL, slots=1)
        try:
            return await failure(provider.ask(an_ask()))
        finally:
            await provider.close()

    error = asyncio.run(scenario())
    assert (error.failure, error.asked) == (Failure.NOT_ALLOWED, False)


def test_the_check_tells_of_the_server_and_warns_of_a_model_that_another_program_has_loaded_otherwise() -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> None:
        check = await provider.check()
        assert check.says == "Ollama 0.24.0, 1 model, not loaded yet" and not check.warning
        await provider.ask(an_ask())
        assert (await provider.check()).says.endswith("loaded") and not (await provider.check()).warning
        other = provider._client
        await other.chat(model=MODEL, messages=[{"role": "user", "content": "hello"}], options={"num_ctx": 8192})
        assert "8192" in (await provider.check()).warning
        assert fake.counts.reloads == 1

    against(use)


def test_a_name_without_a_tag_means_latest() -> None:
    async def use(provider: Ollama, fake: FakeOllama) -> None:
        assert (await provider.check()).model == "tiny"
        assert await provider.models() == ["tiny:latest"]

    against(use, model="tiny", models=("tiny:latest",))


@pytest.mark.parametrize("status", [-1, 302, 400, 401, 404, 429, 500, 502])
def test_the_password_of_the_url_is_in_no_message(status: int) -> None:
    async def scenario() -> ProviderError:
        server = Refuses(status)
        async with server:
            url = "http://127.0.0.1:9" if status < 0 else server.url
            provider = Ollama(url.replace("://", "://bob:S3cretPw@"), MODEL, slots=1)
            try:
                return await failure(provider.ask(an_ask()))
            finally:
                await provider.close()

    error = asyncio.run(scenario())
    assert "127.0.0.1" in error.what and "S3cretPw" not in f"{error} {error.what}" and "bob" not in error.what
