"""Questions to language models on the act lane: from the configuration to a running loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Protocol

from agents.advice.config import AdviceConfig
from pipeline.act.advice_dispatch import AdviceDispatcher
from pipeline.act.advice_metrics import AdviceMetrics
from pipeline.act.clients import Outbox
from pipeline.act.lane import ActLane, Times, Work, briefly
from pipeline.act.ledger import KafkaLedger
from pipeline.act.live import LiveRules
from pipeline.act.offsets import Offsets
from pipeline.act.providers.budget import Ledger
from pipeline.act.usage_log import UsageLog
from pipeline.health import Health
from pipeline.metrics import Metrics
from pipeline.models import forbidden, may_be_asked
from pipeline.settings import Problem, Settings, SettingsError
from schemas.advice import AdviceRequest
from schemas.effect import Receipt

IN_HAND = 5_000
"""So many that a P1 is seen behind a storm of milder questions; at some 8 kB each that is 40 MB."""
STUCK_AFTER_S = 120.0
"""Beyond the time in which every question must have been answered."""
DEADLINE_S = 15.0
TURN_S, LEDGER_S = 0.05, 5.0
DRAIN_S, USAGE_S = 2.5, 0.8
"""Leaving: for the answers that are about to come, and for their usage."""


class Asked(Protocol):
    """What the lane needs of `pipeline.act.adviser.Adviser`."""

    async def start(self) -> None:
        """Returns at once; what it has to find out about its servers it does beside."""

    async def advise(self, request: AdviceRequest) -> Receipt:
        """Raises nothing but cancellation."""

    async def close(self) -> None: ...


MakeAdviser = Callable[[Settings, AdviceConfig, LiveRules, Ledger, AdviceMetrics], Asked]


def make_adviser(settings: Settings, config: AdviceConfig, rules: LiveRules, ledger: Ledger, observer: AdviceMetrics) -> Asked:
    from pipeline.act.adviser import Adviser
    from pipeline.act.providers.build import build

    stacks = build(settings, config, ledger=ledger, observer=observer)
    observer.paid = frozenset(name for name, stack in stacks.items() if stack.paid)
    for name in stacks:
        observer.breaker(name, "closed")
    rule_source, version = rules.routes, rules.active_version
    return Adviser(
        stacks,
        config,
        routes=rule_source,
        active_version=version,
        calibrate=rules.calibrate,
        observer=observer,
        forbidden=forbidden(settings, config),
    )


async def run_advise(
    settings: Settings,
    config: AdviceConfig,
    metrics: Metrics,
    health: Health,
    stop: threading.Event,
    *,
    make: MakeAdviser = make_adviser,
    times: Times | None = None,
) -> None:
    """Run until `stop`, then leave within 9 s. Waits for a Kafka that is away.

    Raises SettingsError before anything starts when there is nobody to ask, and ActFailed when only a new process helps.
    """
    must_be_wanted(settings, config)
    log = UsageLog(settings, metrics.advice.usage_dropped.inc)
    observer = AdviceMetrics(metrics, f"advise-{settings.slot}", log.put)
    ledger = KafkaLedger(settings, config, log, told=observer.budget)
    rules = LiveRules(settings, config, health)
    rules.start()
    log.start()
    ledger.start()
    try:
        if await _loaded(rules, ledger, health, stop):
            adviser = make(settings, config, rules, ledger, observer)
            await _answer(settings, config, adviser, observer, health, stop, times)
    finally:
        await ledger.close()
        await log.close(USAGE_S)
        rules.close()


async def _loaded(rules: LiveRules, ledger: KafkaLedger, health: Health, stop: threading.Event) -> bool:
    """Wait for the rules: one of them may forbid a provider; then a while for the ledger, without which only unpaid ones are asked.

    False when stopped before.
    """
    health.waits("rules", "reading routing rules and prompt versions")
    health.started()
    turns_left = round(LEDGER_S / TURN_S)
    while not rules.loaded or (turns_left > 0 and not ledger.ready):
        if stop.is_set():
            return False
        turns_left -= rules.loaded
        health.turn()
        await asyncio.sleep(TURN_S)
    health.has("rules")
    return True


async def _answer(
    settings: Settings,
    config: AdviceConfig,
    adviser: Asked,
    observer: AdviceMetrics,
    health: Health,
    stop: threading.Event,
    times: Times | None,
) -> None:
    def dispatcher(outbox: Outbox, offsets: Offsets) -> AdviceDispatcher:
        return AdviceDispatcher(adviser.advise, outbox.receipt, offsets, observer)

    work = Work("advise", "effects.advice", AdviceRequest.from_json, dispatcher, IN_HAND)
    stuck_after = DEADLINE_S + config.late_within_s + STUCK_AFTER_S
    try:
        await adviser.start()
        await ActLane(settings, work, observer, health, stop, times or Times(stuck_after=stuck_after, drain=DRAIN_S)).run()
    finally:
        await briefly(adviser.close(), 0.5)


def must_be_wanted(settings: Settings, config: AdviceConfig) -> None:
    """Raises SettingsError where no model is set up, or none may be asked: a worker that has nothing to do is a mistake."""
    if not settings.providers:
        fix = "Set OLLAMA_URL, OPENAI_BASE_URL or ANTHROPIC_API_KEY, or do not start this worker: verdicts are from rules without it"
        raise SettingsError([Problem("OLLAMA_URL", "no language model is set up, and this worker has nobody to ask", fix)])
    if not may_be_asked(settings, config):
        names = ", ".join(settings.providers)
        fix = "Set OLLAMA_URL to a server of this network, or do not start this worker: verdicts are from rules without it"
        raise SettingsError([Problem("AI_LOCAL_ONLY", f"allows no provider outside this network, and none else is set up: {names}", fix)])
    if config.mode == "off":
        fix = "Set active or shadow, or do not start this worker: verdicts are from rules without it"
        raise SettingsError([Problem("AI_MODE", "is off, and this worker has nothing to do", fix)])
