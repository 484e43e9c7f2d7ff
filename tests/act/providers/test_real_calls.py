"""No test reaches a model beyond this machine, also by a forgotten mock, also from a child process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from pipeline.act.providers.base import Failure, Provider, ProviderError
from pipeline.act.providers.claude import URL, Claude
from pipeline.act.providers.ollama import Ollama
from pipeline.act.providers.openai_compatible import OpenAICompatible
from pipeline.act.providers.real_calls import SWITCH, allowed
from tests.act.providers.asks import an_ask

CHILD = """
import asyncio, socket
def no(*args, **kwargs):
    print("reached out")
    raise OSError("no")
socket.getaddrinfo = socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = no
from pipeline.act.providers.base import Ask, ProviderError
from pipeline.act.providers.claude import Claude
async def main():
    claude = Claude("sk-ant-real-key", "claude-haiku-5-5")
    for call in (claude.ask(Ask("triage", "triage@1", "system", "user", {}, 10, 2.0)), claude.check(2.0)):
        try:
            print(await call)
        except ProviderError as error:
            print(error.failure.value, error.asked)
    await claude.close()
asyncio.run(main())
"""


def ask(provider: Provider) -> ProviderError:
    async def scenario() -> ProviderError:
        try:
            with pytest.raises(ProviderError) as caught:
                await provider.ask(an_ask(timeout_s=2.0))
            return caught.value
        finally:
            await provider.close()

    return asyncio.run(scenario())


def test_the_switch_is_on_in_this_suite() -> None:
    assert os.environ[SWITCH]


@pytest.mark.parametrize("kind", ["claude", "openai", "ollama"])
def test_a_provider_whose_fake_was_forgotten_is_not_asked(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[object] = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **_: reached.append(args))
    provider: Provider
    match kind:
        case "claude":
            provider = Claude("sk-ant-real-key", "claude-haiku-5-5")
        case "openai":
            provider = OpenAICompatible("https://models.example/v1", "m", local=False)
        case _:
            provider = Ollama("http://gpu-1:11434", "m", slots=1)
    error = ask(provider)
    assert (error.failure, error.asked, reached) == (Failure.NOT_ALLOWED, False, [])


def run_child(environ: dict[str, str]) -> str:
    child = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=60, check=True, env=environ)
    return child.stdout


def test_a_child_process_is_bound_too() -> None:
    assert run_child(dict(os.environ)).split("\n") == ["not_allowed False", "not_allowed False", ""]


def test_without_the_switch_that_child_would_have_called() -> None:
    without = {name: value for name, value in os.environ.items() if name != SWITCH and not name.lower().endswith("_proxy")}
    assert "reached out" in run_child(without)


@pytest.mark.parametrize("url", [URL, "http://10.0.0.1", "http://localhost.evil.example", "http://127.0.0.1@evil.example", "nonsense", ""])
def test_what_is_not_this_machine_is_refused(url: str) -> None:
    with pytest.raises(ProviderError, match="not_allowed"):
        allowed(url)


def test_this_machine_is_allowed_and_without_the_switch_everything_is(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed("http://127.0.0.1:11434")
    allowed("http://[::1]:11434/v1")
    monkeypatch.delenv(SWITCH)
    allowed(URL)


def test_a_worker_without_a_provider_does_not_pay_for_the_clients() -> None:
    code = (
        "import sys, pipeline.act.providers.claude, pipeline.act.providers.openai_compatible;"
        "print([name for name in ('anthropic', 'openai', 'httpx2') if name in sys.modules])"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert child.stdout == "[]\n"
