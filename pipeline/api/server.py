"""The api worker: uvicorn around the application, with bounds on slow clients, a watch on Kafka and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from agents.normalize import Normalized, NormalizeRules, normalize
from pipeline.api.advice_desk import AdviceOnTopics
from pipeline.api.app import create_app
from pipeline.api.guard import is_loopback
from pipeline.api.parts import Normalize, Parts
from pipeline.api.publish import Coordinates, KafkaPublisher
from pipeline.api.read import Archive
from pipeline.api.silences import SilencesOnTopic
from pipeline.config import Config
from pipeline.health import Health
from pipeline.history.choose import choose_history, history_cluster
from pipeline.metrics import Metrics, build
from pipeline.settings import Settings, reveal

log = structlog.get_logger(__name__)

HEAD_S = 10.0
"""A request's head must have come by then; a connection that says nothing is closed after it."""
KEEP_ALIVE_S = 65.0
DRAIN_S = 7.0
"""After SIGTERM: running requests have this long; with the producer's 2 s it stays under the 10 s of every worker."""
MAX_CONNECTIONS = 2048
WATCH_S = 5.0
EXIT_CANNOT_LISTEN = 1
EXIT_FATAL = 3


class BoundedH11(H11Protocol):
    """Uvicorn's HTTP protocol; a connection that sends no whole request head in time is closed (its own limit ends at the first byte)."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_head(HEAD_S)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_head(KEEP_ALIVE_S + HEAD_S)

    def _expect_head(self, within_s: float) -> None:
        before = self.cycle
        self.loop.call_later(within_s, self._close_unless_head_came, before)

    def _close_unless_head_came(self, before: object) -> None:
        if self.cycle is before and not self.transport.is_closing():
            self.transport.close()


class QuietServer(uvicorn.Server):
    """Signals are the command's: uvicorn's own handling would end the process by the signal and not by an exit code."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ApiServer:
    """One api worker. `run` blocks until the event `stop` is set; `port` is known once `listening` is set."""

    def __init__(self, parts: Parts, publisher: KafkaPublisher, host: str, port: int, stop: threading.Event) -> None:
        self._parts = parts
        self._publisher = publisher
        self._host = host
        self._port = port
        self._stop = stop
        self.listening = threading.Event()
        self.port = 0
        self._server = QuietServer(
            uvicorn.Config(
                create_app(parts),
                host=host,
                port=port,
                http=BoundedH11,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=round(KEEP_ALIVE_S),
                timeout_graceful_shutdown=round(DRAIN_S),
                limit_concurrency=MAX_CONNECTIONS,
            )
        )

    def run(self) -> int:
        """Serve; returns the exit code: 0, 1 when the address cannot be listened on, 3 when the producer failed for good."""
        if not self._parts.token and not is_loopback(self._host):
            log.warning("anybody who reaches this address may send alerts and acknowledge: set FLUX_API_TOKEN", host=self._host)
        watch = threading.Thread(target=self._watch, name="api-watch", daemon=True)
        watch.start()
        try:
            asyncio.run(self._serve())
        except SystemExit:  # uvicorn's way to say that it cannot bind; it has logged why
            log.error("cannot listen", host=self._host, port=self._port, fix="set FLUX_API_HOST and FLUX_API_PORT to a free address")
            return EXIT_CANNOT_LISTEN
        finally:
            self._stop.set()
            self._publisher.stop()
            self._parts.archive.close()
        return EXIT_FATAL if self._publisher.fatal else 0

    async def _serve(self) -> None:
        turning = asyncio.get_running_loop().create_task(self._turn())
        try:
            await self._server.serve()
        finally:
            turning.cancel()

    async def _turn(self) -> None:
        """Shows that the loop turns, says where it listens once it does, and ends it: running requests are finished first."""
        while not self._stop.is_set():
            self._parts.health.turn()
            if not self.listening.is_set() and self._server.started:
                self.port = self._server.servers[0].sockets[0].getsockname()[1]
                self.listening.set()
                self._parts.health.started()
                log.info("listening", url=f"http://{self._host}:{self.port}", docs="/docs")
            await asyncio.sleep(0.05)
        self._parts.health.waits("stop", "leaving")
        self._server.should_exit = True

    def _watch(self) -> None:
        """Asks Kafka for the raw topic every few seconds; ends the process when the producer is beyond repair."""
        said = None
        while not self._stop.is_set():
            missing = self._publisher.missing("alerts.raw")
            if self._publisher.fatal:
                self._stop.set()
                return
            if missing:
                self._parts.health.waits("kafka", missing)
            else:
                self._parts.health.has("kafka")
            if missing != said:
                (log.warning if missing else log.info)("kafka", state=missing or "answers")
            said = missing
            self._stop.wait(1.0 if missing else WATCH_S)


def as_intake_does(rules: NormalizeRules) -> Normalize:
    """What intake will make of a raw record, computed here for the answer."""

    def read(body: bytes, source: str, where: Coordinates) -> Normalized:
        return normalize(
            body,
            source_hint=source,
            topic=where.topic,
            partition=where.partition,
            offset=where.offset,
            received_ms=where.timestamp,
            rules=rules,
        )

    return read


def build_api(settings: Settings, config: Config, stop: threading.Event, metrics: Metrics | None = None) -> ApiServer:
    """An api worker from settings. Nothing must answer yet: it starts, and says 503, while Kafka is away."""
    metrics = metrics or build()
    kafka = settings.kafka_client()
    publisher = KafkaPublisher(kafka, settings.topic_prefix, metrics, embedded=settings.embedded_broker)
    health = Health(metrics, "api", settings.slot)
    health.waits("kafka", "not asked yet")
    postgres_url = None if settings.postgres_url is None else reveal(settings.postgres_url)
    parts = Parts(
        publisher=publisher,
        normalize=as_intake_does(config.normalize_rules()),
        archive=Archive(partial(choose_history, kafka, settings.topic_prefix, postgres_url, history_cluster(settings))),
        silences=SilencesOnTopic(kafka, settings.topic_prefix),
        advice=AdviceOnTopics(settings, config),
        metrics=metrics,
        health=health,
        prefix=settings.topic_prefix,
        token=reveal(settings.api_token),
        slack_secret=reveal(settings.slack_signing_secret),
    )
    return ApiServer(parts, publisher, settings.api_host, settings.api_port, stop)


def run_api(settings: Settings, config: Config, stop: threading.Event, metrics: Metrics | None = None) -> int:
    """Run the worker in this thread until `stop` is set, then finish what runs (within 9 s); returns the exit code."""
    return build_api(settings, config, stop, metrics).run()
