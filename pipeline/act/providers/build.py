"""From settings to whole providers: each in its wrappers, in the order in which they must stand.

a cloud's:            Cache(Breaker(Budget(Redacting(Claude))))
of this network:      Cache(Breaker(Ollama))

The cache is outermost, so that what is known costs and sends nothing; the budget is inside the breaker, so that what is not asked reserves
nothing; redaction is innermost, so that nothing else sees what is sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from agents.advice.config import AdviceConfig
from pipeline.act.advice_observer import AdviceObserver, NoAdviceObserver
from pipeline.act.providers.base import Provider
from pipeline.act.providers.breaker import Breaker
from pipeline.act.providers.cache import Cache
from pipeline.act.providers.network import is_local
from pipeline.settings import Settings

if TYPE_CHECKING:
    from agents.advice.redact import Redactor
    from pipeline.act.providers.budget import Ledger

LOG = structlog.get_logger("advise")


def build(
    settings: Settings,
    config: AdviceConfig,
    *,
    ledger: Ledger | None = None,
    observer: AdviceObserver | None = None,
    unbudgeted: bool = False,
) -> dict[str, Provider]:
    """The providers that are set up, by name; `observer` is told what their breakers do.

    In local-only mode those outside this network are not even made, and paid ones without a ledger only where `unbudgeted` says so.
    """
    redactor = _redactor(settings, config)
    watching = observer or NoAdviceObserver()
    stacks: dict[str, Provider] = {}
    for name in settings.providers:
        local, paid, make = _makers(settings)[name]
        if config.local_only and not local:
            LOG.info("provider left out: local-only mode, and it is outside this network", provider=name)
            continue
        if paid and ledger is None and not unbudgeted:
            LOG.info("provider left out: it costs money, and nobody keeps count", provider=name)
            continue
        stacks[name] = wrapped(make(), ledger=ledger, redactor=redactor, observer=watching)
    return stacks


def wrapped(
    provider: Provider, *, ledger: Ledger | None, redactor: Callable[[], Redactor], observer: AdviceObserver | None = None
) -> Provider:
    """One provider in its wrappers. `redactor` is called for those outside this network only."""
    if not provider.local:
        from pipeline.act.providers.redacting import Redacting

        provider = Redacting(provider, redactor())
    if provider.paid and ledger is not None:
        from pipeline.act.providers.budget import Budget

        provider = Budget(provider, ledger)
    return Cache(Breaker(provider, changed=(observer or NoAdviceObserver()).breaker))


def _makers(settings: Settings) -> dict[str, tuple[bool, bool, Callable[[], Provider]]]:
    """Name to whether it is in this network, whether it costs money, and how it is made. SDKs are imported only for providers in use."""

    def ollama() -> Provider:
        from pipeline.act.providers.ollama import Ollama

        return Ollama(settings.ollama_url, settings.ollama_model, slots=settings.ollama_slots, local=ollama_local)

    def openai() -> Provider:
        from pipeline.act.providers.openai_compatible import OpenAICompatible

        key = settings.openai_key.get_secret_value() if settings.openai_key else ""
        return OpenAICompatible(settings.openai_url, settings.openai_model, key=key, slots=settings.openai_slots, local=openai_local)

    def claude() -> Provider:
        from pipeline.act.providers.claude import Claude

        key = settings.anthropic_key.get_secret_value() if settings.anthropic_key else ""
        return Claude(key, settings.anthropic_model, url=settings.anthropic_url)

    ollama_local = is_local(settings.ollama_url) and not runs_in_a_cloud(settings.ollama_model)
    openai_local = is_local(settings.openai_url)
    return {
        "ollama": (ollama_local, False, ollama),
        "openai": (openai_local, not openai_local, openai),
        "claude": (False, True, claude),
    }


def runs_in_a_cloud(model: str) -> bool:
    """Whether an Ollama server passes this model's questions on to its makers: `gpt-oss:120b-cloud`, `glm-4.6:cloud`."""
    tag = model.rpartition(":")[2].lower()
    return tag == "cloud" or tag.endswith("-cloud")


def _redactor(settings: Settings, config: AdviceConfig) -> Callable[[], Redactor]:
    """One for all providers, so that a placeholder is the same for each of them."""
    made: list[Redactor] = []

    def redactor() -> Redactor:
        if not made:
            from agents.advice.redact import Redactor

            key = settings.redaction_key.get_secret_value().encode() if settings.redaction_key else secrets.token_bytes(32)
            made.append(Redactor(config.redact, key))
        return made[0]

    return redactor
