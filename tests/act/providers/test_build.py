"""From settings to whole providers: who is made, and what they are wrapped in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from agents.advice.config import AdviceConfig
from pipeline.act.providers.base import Provider
from pipeline.act.providers.build import build, runs_in_a_cloud
from pipeline.act.providers.wrapping import innermost, takes_at_once
from pipeline.settings import Settings
from schemas.usage import Usage

OLLAMA: dict[str, Any] = {"ollama_url": "http://127.0.0.1:11434", "ollama_slots": 4}
OPENAI_LOCAL: dict[str, Any] = {"openai_url": "http://vllm:8000/v1", "openai_model": "m", "openai_slots": 6}
OPENAI_OUTSIDE: dict[str, Any] = {"openai_url": "https://models.example.com/v1", "openai_model": "m"}
CLAUDE: dict[str, Any] = {"anthropic_key": SecretStr("sk-ant-test-0000")}


class FreeMoney:
    async def begun(self, within_s: float) -> None:
        """It is there at once."""

    async def reserve(self, provider: str, model: str, task: str, incident_id: str, usd: float) -> str:
        return "id"

    async def settle(self, usage_id: str, usage: Usage) -> None:
        """Nothing is counted."""


def layers(stack: object) -> list[str]:
    found = []
    while stack is not None:
        found.append(type(stack).__name__)
        stack = getattr(stack, "inner", None)
    return found


def made(config: AdviceConfig | None = None, *, money: bool = True, **given: Any) -> dict[str, list[str]]:
    stacks = build(Settings.model_construct(**given), config or AdviceConfig(), ledger=FreeMoney() if money else None)
    close(stacks)
    return {name: layers(stack) for name, stack in stacks.items()}


def close(stacks: dict[str, Provider]) -> None:
    async def all_of_them() -> None:
        for stack in stacks.values():
            await stack.close()

    asyncio.run(all_of_them())


def test_nothing_is_set_up_and_nothing_is_made() -> None:
    assert made() == {}


def test_a_cloud_is_cached_guarded_paid_for_and_redacted_in_this_order_and_a_local_one_is_not_redacted() -> None:
    assert made(**OLLAMA, **OPENAI_OUTSIDE, **CLAUDE) == {
        "ollama": ["Cache", "Breaker", "Ollama"],
        "openai": ["Cache", "Breaker", "Budget", "Redacting", "OpenAICompatible"],
        "claude": ["Cache", "Breaker", "Budget", "Redacting", "Claude"],
    }


def test_an_openai_compatible_server_of_this_network_is_as_local_as_ollama() -> None:
    assert made(**OPENAI_LOCAL) == {"openai": ["Cache", "Breaker", "OpenAICompatible"]}


def test_in_local_only_mode_what_is_outside_is_not_made() -> None:
    assert list(made(AdviceConfig(local_only=True), **OLLAMA, **OPENAI_OUTSIDE, **CLAUDE)) == ["ollama"]


def test_what_costs_money_is_not_made_where_nobody_keeps_count_unless_told_so() -> None:
    assert list(made(money=False, **OLLAMA, **CLAUDE)) == ["ollama"]
    stacks = build(Settings.model_construct(**CLAUDE), AdviceConfig(), unbudgeted=True)
    close(stacks)
    assert layers(stacks["claude"]) == ["Cache", "Breaker", "Redacting", "Claude"]


@pytest.mark.parametrize(
    ("model", "cloud"),
    [("llama3.1:8b", False), ("gpt-oss:120b-cloud", True), ("glm-4.6:cloud", True), ("cloud:8b", False), ("mistral", False)],
)
def test_a_model_that_ollama_passes_on_to_a_cloud_is_no_local_one(model: str, cloud: bool) -> None:
    assert runs_in_a_cloud(model) is cloud
    found = made(**OLLAMA, ollama_model=model)["ollama"]
    assert ("Redacting" in found) is cloud


def test_how_many_calls_a_stack_takes_at_once_is_what_was_set() -> None:
    stacks = build(Settings.model_construct(**OLLAMA, **OPENAI_LOCAL), AdviceConfig())
    close(stacks)
    assert {name: takes_at_once(stack) for name, stack in stacks.items()} == {"ollama": 4, "openai": 6}
    assert type(innermost(stacks["ollama"])).__name__ == "Ollama"
