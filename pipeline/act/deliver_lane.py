"""Deliveries on the act lane: from the configuration to a running loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping

from agents.notify.routes import NotifyConfig
from pipeline.act.clients import Outbox
from pipeline.act.desk import Desk, Shadow
from pipeline.act.dispatch import Dispatcher
from pipeline.act.lane import ActLane, Times, Work, briefly
from pipeline.act.observer import MetricsObserver
from pipeline.act.offsets import Offsets
from pipeline.act.receivers.build import build
from pipeline.health import Health
from pipeline.metrics import Metrics
from pipeline.settings import Mode, Settings
from schemas.effect import Delivery

IN_HAND = 500
"""At some 20 kB each that is 10 MB."""


async def run_act(
    settings: Settings,
    config: NotifyConfig,
    metrics: Metrics,
    health: Health,
    stop: threading.Event,
    *,
    environ: Mapping[str, str] | None = None,
    times: Times | None = None,
) -> None:
    """Run until `stop`, then leave within 8 s. Waits for a Kafka that is away.

    Raises SettingsError before anything starts when a receiver's secret is missing, and ActFailed when only a new process helps.
    """
    desks = make_desks(settings, config, os.environ if environ is None else environ)
    observer = MetricsObserver(metrics, frozenset(desks))

    def dispatcher(outbox: Outbox, offsets: Offsets) -> Dispatcher:
        return Dispatcher(desks, outbox.receipt, offsets, observer)

    work = Work("act", "effects.delivery", Delivery.from_json, dispatcher, IN_HAND)
    try:
        await ActLane(settings, work, observer, health, stop, times or Times()).run()
    finally:
        await asyncio.gather(*(briefly(desk.receiver.close(), 0.5) for desk in desks.values()))


def make_desks(settings: Settings, config: NotifyConfig, environ: Mapping[str, str]) -> dict[str, Desk]:
    """Every configured receiver, ready. Raises SettingsError. In shadow mode none of them is built."""
    shadow = settings.mode is Mode.SHADOW
    return {
        one.name: Desk(one.name, Shadow() if shadow else build(one, environ, config.public_url), one.timeout_s, one.max_in_flight)
        for one in config.receivers
    }
