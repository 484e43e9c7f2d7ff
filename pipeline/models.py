"""Which language models are set up, told from the settings alone: nobody is asked, nothing is imported that talks to a server."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from agents.advice.config import AdviceConfig
from pipeline.act.providers.build import runs_in_a_cloud
from pipeline.act.providers.network import is_local
from pipeline.act.providers.sdk import UNTOLD, host
from pipeline.settings import Settings

NONE = "no model: verdicts are from rules; set OLLAMA_URL (others: docs/models.md)"
SETTINGS_OF = {"ollama": "OLLAMA_URL", "openai": "OPENAI_BASE_URL", "claude": "ANTHROPIC_API_KEY"}
"""The environment variable that sets each provider up."""
CLAUDE_URL = "https://api.anthropic.com"
CLAUDE_SLOTS = 16


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """A provider that could be asked."""

    name: str
    setting: str
    """The environment variable that sets it up."""
    set_up: bool
    url: str
    """Without user, password and query; empty where there is none."""
    model: str
    local: bool
    """What is sent to it stays in this network."""
    paid: bool
    slots: int
    allowed: bool
    """Local-only mode lets it be asked."""


def provider_facts(settings: Settings, config: AdviceConfig) -> list[ProviderFacts]:
    """Of every provider there is, set up or not."""
    claude = settings.anthropic_url or CLAUDE_URL
    ollama_local = is_local(settings.ollama_url) and not runs_in_a_cloud(settings.ollama_model) if settings.ollama_url else False
    openai_local = is_local(settings.openai_url) if settings.openai_url else False
    found = [
        ("ollama", settings.ollama_url, settings.ollama_model, ollama_local, False, settings.ollama_slots),
        ("openai", settings.openai_url, settings.openai_model, openai_local, not openai_local, settings.openai_slots),
        ("claude", claude, settings.anthropic_model, False, True, CLAUDE_SLOTS),
    ]
    up = settings.providers
    return [
        ProviderFacts(name, SETTINGS_OF[name], name in up, shown_url(url), model, local, paid, slots, local or not config.local_only)
        for name, url, model, local, paid, slots in found
    ]


def may_be_asked(settings: Settings, config: AdviceConfig) -> list[ProviderFacts]:
    """Those that are set up, less those that local-only mode rules out."""
    return [one for one in provider_facts(settings, config) if one.set_up and one.allowed]


def forbidden(settings: Settings, config: AdviceConfig) -> tuple[str, ...]:
    """Names of those that are set up and that local-only mode rules out."""
    return tuple(one.name for one in provider_facts(settings, config) if one.set_up and not one.allowed)


def asks(settings: Settings, config: AdviceConfig) -> bool:
    """Whether any model is asked anything."""
    return config.mode != "off" and bool(may_be_asked(settings, config))


def shown_url(url: str) -> str:
    """A URL for people: no user, password, query or fragment. Empty where it cannot be told which part is the password."""
    who = host(url)
    if who == UNTOLD:
        return ""
    parts = urlsplit(url)
    return f"{parts.scheme}://{who}{parts.path}"


def models_line(settings: Settings, config: AdviceConfig) -> str:
    """Who is asked, in one line; or that nobody is, and why."""
    up = [one for one in provider_facts(settings, config) if one.set_up]
    if not up:
        return NONE
    if config.mode == "off":
        return f"{', '.join(one.name for one in up)} set up and not asked: AI_MODE is off"
    asked = may_be_asked(settings, config)
    names = ", ".join(f"{one.name} {one.model or '(its first model)'} at {one.url}{' (paid)' if one.paid else ''}" for one in asked)
    line = f"models: {names}" if asked else "no model is asked, verdicts are from rules"
    if left_out := forbidden(settings, config):
        line += f"; {', '.join(left_out)} not asked: AI_LOCAL_ONLY"
    if asked and config.mode == "shadow":
        line += "; shadow: what they say is recorded and told to nobody"
    return line
