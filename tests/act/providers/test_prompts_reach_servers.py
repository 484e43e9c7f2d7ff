"""The prompts of the library are such that Claude and OpenAI-compatible servers take them, as far as their fakes know."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jsonschema
import pytest

from agents.advice.prompt import Template, render, templates
from pipeline.act.providers.base import Answer, Ask, Provider
from pipeline.act.providers.claude import Claude
from pipeline.act.providers.openai_compatible import OpenAICompatible
from schemas.advice import Candidate, Question
from tests.fakes.claude import KEY, FakeClaude
from tests.fakes.openai_server import FakeOpenAI


def asks(template: Template, *candidates: str) -> Ask:
    question = Question(task=template.task, title="Disk full", candidates=[Candidate(id=name, title=name) for name in candidates])
    prompt = render(template, question, secret=b"of the test")
    return Ask(template.task, prompt.prompt_id, prompt.system, prompt.user, prompt.schema, prompt.max_tokens, 5.0, prompt.labels)


async def answered(provider: Provider, *questions: Ask) -> list[Answer]:
    try:
        return [await provider.ask(ask) for ask in questions]
    finally:
        await provider.close()


@pytest.mark.parametrize("template", templates(), ids=lambda template: template.id)
def test_claude_takes_it_and_all_incidents_share_its_cache(template: Template) -> None:
    first, second = asks(template, "disk-full", "reboot"), asks(template, "other")
    fake = FakeClaude()

    async def scenario() -> list[Answer]:
        async with fake:
            return await answered(Claude(KEY, "claude-haiku-5-5", url=fake.url), first, second)

    answer, _ = asyncio.run(scenario())
    assert set(json.loads(answer.text)) == set(first.schema["properties"])
    one, other = fake.bodies
    assert (one["system"], one["output_config"]) == (other["system"], other["output_config"])


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("template", templates(), ids=lambda template: template.id)
def test_openai_compatible_servers_take_it(template: Template, local: bool) -> None:
    ask = asks(template, "disk-full", "reboot")
    fake = FakeOpenAI()

    async def scenario() -> list[Answer]:
        async with fake:
            return await answered(OpenAICompatible(fake.url, "tiny", local=local), ask)

    (answer,) = asyncio.run(scenario())
    value: Any = json.loads(answer.text)
    jsonschema.validate(value, dict(ask.schema))
    assert set(answer.probabilities) == set(ask.labels)
