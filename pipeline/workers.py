"""What each worker is made of: the composition root. One function a lane, from settings to a running loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from agents.case import NO_ADVICE
from agents.normalize import NormalizeRules
from agents.notify.routes import router
from pipeline.broker.reference import Reference
from pipeline.broker.topics import BrokersUnavailable
from pipeline.config import Config, load_config
from pipeline.decide.alerts import AlertsProcessor, dead_delivery
from pipeline.decide.effects import Deliveries
from pipeline.decide.intake import IntakeProcessor
from pipeline.decide.world import WorldView
from pipeline.engine.worker import EngineSettings, FatalEngineError, Worker
from pipeline.health import Health, HealthServer, metrics_port
from pipeline.metrics import Metrics, build
from pipeline.models import asks as asks_models
from pipeline.observe import DecideCounts, EngineObserver, IntakeCounts, RecordObserver
from pipeline.settings import Mode, Problem, Settings, SettingsError, reveal
from schemas.topics import full_name

LOG = structlog.get_logger("worker")
FATAL = 3
REFERENCE = ("topology", "runbooks", "rules", "silences", "models")
WATCH_S = 0.5
LOAD_S = 4.0
"""One try at the reference data: SIGTERM may have to wait for it."""


@dataclass(frozen=True)
class Shown:
    """What a worker shows of itself."""

    metrics: Metrics
    health: Health


def run_lane(lane: str, settings: Settings, stop: threading.Event) -> int:
    """Run one worker until `stop`; the exit code (0, or 3 when only a new process helps).

    Raises SettingsError and FileError before anything starts when the configuration is wrong.
    """
    config = load_config(settings)
    if lane == "api":
        return run_api_lane(settings, config, stop)
    with shown(lane, settings) as look:
        try:
            RUN[lane](settings, config, look, stop)
        except FatalEngineError as error:
            LOG.error("only a new process helps", why=str(error))
            return FATAL
    return 0


@contextmanager
def shown(lane: str, settings: Settings) -> Iterator[Shown]:
    """Metrics and health, served over HTTP as long as the worker runs."""
    metrics = build()
    health = Health(metrics, lane, settings.slot)
    port = metrics_port(settings.metrics_port, lane, settings.slot)
    with HealthServer(health, host=settings.metrics_host, port=port) as server:
        LOG.info("metrics served", host=settings.metrics_host, port=server.port)
        yield Shown(metrics, health)


def normalize_rules(config: Config) -> NormalizeRules:
    return config.normalize_rules()


def engine_settings(settings: Settings) -> EngineSettings:
    return EngineSettings(brokers=settings.brokers, prefix=settings.topic_prefix, slot=settings.slot, client=settings.kafka_client())


def run_intake(settings: Settings, config: Config, look: Shown, stop: threading.Event) -> None:
    observer = EngineObserver(look.metrics, "intake")
    topic = full_name(settings.topic_prefix, "alerts.raw")
    processor = IntakeProcessor(normalize_rules(config), topic, IntakeCounts(observer.counts))
    run_engine(Worker(processor, engine_settings(settings), observer), look.health, stop)


def run_decide(settings: Settings, config: Config, look: Shown, stop: threading.Event) -> None:
    reference = Reference(settings.brokers, settings.topic_prefix, REFERENCE, client=settings.kafka_client())
    look.health.waits("reference", "reading topology, runbooks, rules, silences and what was learned")
    if not loaded(reference, stop):
        return
    look.health.has("reference")
    observer = EngineObserver(look.metrics, "decide")
    shadow, asks = settings.mode is Mode.SHADOW, asks_models(settings, config.advice)
    processor, view = alerts_processor(config, reference, DecideCounts(observer.counts), shadow=shadow, asks=asks)

    def before_batch() -> None:
        reference.poll()
        view.refresh()

    try:
        run_engine(Worker(processor, engine_settings(settings), observer, before_batch=before_batch), look.health, stop)
    finally:
        reference.close()


def alerts_processor(
    config: Config, reference: Reference, decided: DecideCounts | None = None, *, shadow: bool = False, asks: bool = False
) -> tuple[AlertsProcessor, WorldView]:
    """The deciding processor and the view of reference data to refresh before each batch. `asks`: a model that is set up may be asked."""
    notify = config.notify
    view = WorldView(config.noise, router(notify), notify.backup_for, reference, unusable, config.advice if asks else NO_ADVICE)
    return AlertsProcessor(view, Deliveries(notify.policy(), dead_delivery, shadow=shadow), decided), view


def unusable(what: str, error: str) -> None:
    LOG.error("a silence or rule cannot be used and is left out", id=what, error=error)


def loaded(reference: Reference, stop: threading.Event) -> bool:
    """Wait until the reference topics are read; False when stopped before."""
    while not stop.is_set():
        try:
            reference.load(timeout=LOAD_S)
            return True
        except BrokersUnavailable as error:
            LOG.warning("reference data not readable yet", error=str(error))
            stop.wait(1)
    return False


def run_engine(worker: Worker, health: Health, stop: threading.Event) -> None:
    """Drive an engine worker; a second thread tells its health, since the loop may be inside a long call."""
    done = threading.Event()

    def watch() -> None:
        health.waits("tasks", "joining the group and restoring state")
        while not done.wait(WATCH_S):
            if worker.healthy():
                health.turn()
            if worker.ready():
                health.has("tasks")
            else:
                health.waits("tasks", "joining the group and restoring state")

    watcher = threading.Thread(target=watch, name="watch", daemon=True)
    watcher.start()
    health.started()
    try:
        worker.run(stop)
    finally:
        done.set()
        watcher.join(2)


def run_act_lane(settings: Settings, config: Config, look: Shown, stop: threading.Event) -> None:
    from pipeline.act.clients import ActFailed
    from pipeline.act.deliver_lane import run_act

    try:
        asyncio.run(run_act(settings, config.notify, look.metrics, look.health, stop))
    except ActFailed as error:
        raise FatalEngineError(str(error)) from error


def run_advise_lane(settings: Settings, config: Config, look: Shown, stop: threading.Event) -> None:
    from pipeline.act.advise_lane import run_advise
    from pipeline.act.clients import ActFailed

    try:
        asyncio.run(run_advise(settings, config.advice, look.metrics, look.health, stop))
    except ActFailed as error:
        raise FatalEngineError(str(error)) from error


def run_learn_lane(settings: Settings, config: Config, look: Shown, stop: threading.Event) -> None:
    from pipeline.learn.lane import run_learn

    run_learn(settings, stop, look.health, look.metrics)


def run_record_lane(settings: Settings, config: Config, look: Shown, stop: threading.Event) -> None:
    from pipeline.record.lane import run_record
    from pipeline.record.settings import LaneFailed, RecordSettings

    if settings.postgres_url is None:
        raise SettingsError(
            [
                Problem(
                    "FLUX_POSTGRES_URL",
                    "is not set, and this lane has nowhere to write",
                    "Give a URL: postgresql://user:password@host/database",
                )
            ]
        )
    record = RecordSettings(
        kafka=settings.kafka_client(),
        postgres_url=reveal(settings.postgres_url),
        topic_prefix=settings.topic_prefix,
        slot=settings.slot,
        history_days=settings.history_days,
        cluster_id=settings.cluster_id,
    )
    look.health.started()
    try:
        run_record(record, stop, RecordObserver(look.metrics, look.health))
    except LaneFailed as error:
        raise FatalEngineError(str(error)) from error


def run_api_lane(settings: Settings, config: Config, stop: threading.Event) -> int:
    from pipeline.api.server import run_api

    return run_api(settings, config, stop)


RUN = {
    "intake": run_intake,
    "decide": run_decide,
    "act": run_act_lane,
    "advise": run_advise_lane,
    "learn": run_learn_lane,
    "record": run_record_lane,
}
"""All but the front door, which serves its own health."""
