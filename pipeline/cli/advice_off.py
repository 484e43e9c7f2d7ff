"""`AI_MODE=off`: the pipeline asks nobody. A command that a person gives does; what costs money only when they say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from pipeline.cli.advice_question import note
from pipeline.cli.common import Exit, Refusal, read_config

if TYPE_CHECKING:
    from pipeline.settings import Settings

PAID = typer.Option(False, "--paid", help="With AI_MODE=off: ask providers that cost money too.")
UNSET: dict[str, dict[str, Any]] = {"claude": {"anthropic_key": None}, "openai": {"openai_url": ""}, "ollama": {"ollama_url": ""}}
FIX = "To ask all the same: --paid"


def who_may_be_asked(settings: Settings, provider: str | None, paid: bool, fix: str = FIX) -> Settings:
    """The settings without the providers that may not be asked; says on stderr what AI_MODE=off means here.

    Refuses where all whom it could ask cost money and that was not allowed; `fix` says how it is.
    """
    from pipeline.models import provider_facts

    advice = read_config(settings).advice
    if advice.mode != "off" or provider == "scripted":
        return settings
    set_up = [one for one in provider_facts(settings, advice) if one.set_up and one.allowed]
    costly = [] if paid else [one.name for one in set_up if one.paid]
    if costly and (provider in costly or len(costly) == len(set_up)):
        raise Refusal(Exit.USAGE, f"AI_MODE is off and {provider or ', '.join(costly)} costs money: nobody was asked.", fix)
    note("AI_MODE is off: the pipeline asks nobody; this command does")
    if costly:
        note(f"{', '.join(costly)} costs money and is not asked. {fix}")
    return settings.model_copy(update={name: value for one in costly for name, value in UNSET[one].items()})
