"""What `fluxai doctor` says of the language models that are set up. Servers are asked what they have; no model is asked anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipeline.cli.doctor import Finding, Grade

if TYPE_CHECKING:
    from agents.advice.config import AdviceConfig
    from pipeline.models import ProviderFacts
    from pipeline.settings import Settings

CHECK_S = 5.0
WHERE = {"claude": "the way out of this network, or ANTHROPIC_BASE_URL"}
FIXES = {
    "unreachable": "Start the server, or correct {where}; until then verdicts come from the next provider, or from rules",
    "timeout": "See why the server is slow, or correct {where}",
    "denied": "Check the key and the account",
    "no_model": "Fetch the model (ollama pull MODEL), or name one that is there",
}


def findings(settings: Settings, config: AdviceConfig) -> Iterator[Finding]:
    from pipeline.models import may_be_asked, provider_facts

    facts = [one for one in provider_facts(settings, config) if one.set_up]
    if not facts:
        yield Finding("models", Grade.NOTE, "none is set up: verdicts are from rules", "Set OLLAMA_URL, or see docs/models.md")
        return
    if config.mode == "off":
        yield Finding("models", Grade.NOTE, f"AI_MODE is off: {', '.join(one.name for one in facts)} not asked", "Unset AI_MODE")
        return
    asked = may_be_asked(settings, config)
    for one in facts:
        if not one.allowed:
            yield Finding("models", Grade.NOTE, f"{one.name} is set up and never asked: AI_LOCAL_ONLY", "Unset one of the two")
    if asked:
        yield from asyncio.run(answers(settings, config, asked))
    yield from settings_of(settings, config, asked)
    if not asked:
        yield Finding("models", Grade.NOTE, "none may be asked: verdicts are from rules", "Set OLLAMA_URL, or see docs/models.md")
    elif config.mode == "shadow":
        yield Finding("models", Grade.NOTE, "shadow: what models say is recorded and told to nobody", "AI_MODE=active tells it")


async def answers(settings: Settings, config: AdviceConfig, asked: list[ProviderFacts]) -> list[Finding]:
    from pipeline.act.providers.base import ProviderError
    from pipeline.act.providers.build import build
    from pipeline.act.providers.wrapping import innermost

    found = []
    stacks = build(settings, config, unbudgeted=True)
    try:
        for one in asked:
            bare: Any = innermost(stacks[one.name])
            try:
                check = await bare.check(CHECK_S)
            except ProviderError as error:
                fix = FIXES.get(error.failure.value, "Run: fluxai providers --test").format(where=WHERE.get(one.name, one.setting))
                found.append(Finding(f"model {one.name}", Grade.WRONG, f"{one.url}: {error.what}", fix))
                continue
            found.append(Finding(f"model {one.name}", Grade.OK, f"{one.url} has {check.model}: {check.says}"))
            if check.warning:
                found.append(Finding(f"model {one.name}", Grade.NOTE, check.warning))
    finally:
        for stack in stacks.values():
            await stack.close()
    return found


def settings_of(settings: Settings, config: AdviceConfig, asked: list[ProviderFacts]) -> Iterator[Finding]:
    """What can be told of the settings alone."""
    from pipeline.settings import reveal

    names = {one.name for one in asked}
    if "ollama" in names and settings.ollama_slots == 1:
        yield Finding(
            "setting",
            Grade.NOTE,
            "OLLAMA_NUM_PARALLEL is 1: Ollama is asked one question at a time",
            "On a GPU start the server with OLLAMA_NUM_PARALLEL=16 or more and set the same here; fluxai providers --test tells",
        )
    key = reveal(settings.anthropic_key)
    if "claude" in names and (not key.startswith("sk-ant-") or key != key.strip()):
        yield Finding("setting", Grade.NOTE, "ANTHROPIC_API_KEY does not look like a key of Anthropic (sk-ant-...)", "Copy it again, whole")
    if any(one.paid for one in asked) and (config.budget == 0 or config.analyses_per_hour == 0):
        which = "AI_BUDGET_PER_DAY" if config.budget == 0 else "AI_ANALYSES_PER_HOUR"
        yield Finding("setting", Grade.NOTE, f"{which} is 0: paid models are never asked", f"Set {which} above 0, or unset the key")
    if any(not one.local for one in asked) and settings.redaction_key is None:
        yield Finding(
            "setting",
            Grade.NOTE,
            "FLUX_REDACTION_KEY is not set: the placeholders of what is redacted change with each start",
            "Set any text of 16 characters or more, the same for every worker",
        )
