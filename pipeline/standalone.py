"""Everything on this machine: a broker, a database, topics and all workers, brought up and taken down in order."""

from __future__ import annotations

import json
import os
import shutil
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.broker.embedded import EmbeddedBroker
from pipeline.broker.topics import apply, check
from pipeline.config import load_config
from pipeline.console.live import Lane
from pipeline.health import LANES, SLOTS, metrics_port
from pipeline.models import asks
from pipeline.ports import Ports
from pipeline.record.postgres import EmbeddedPostgres
from pipeline.settings import SecurityProtocol, Settings
from pipeline.supervisor import Spec, State, Supervisor, project_path, worker_command

TURNS = {"api": 0, "intake": 1, "decide": 2, "act": 3, "advise": 3, "learn": 3, "record": 3}
"""Who stops first: the front door, then each lane after the one that feeds it."""
STOP_S = 9.0
METRICS_BASE = 9464


class TopicsWrong(Exception):
    """The broker has topics that a worker would stumble over; the text says which, and the fixes."""


@dataclass(eq=False, repr=False)
class Standalone:
    """`start` brings all up, `stop` takes it down. `settings` are those that workers and commands reach it with."""

    settings: Settings
    embedded: bool
    """Whether the broker is ours, in this process."""
    beside: bool = False
    """Whether another run uses the state folder: then this one keeps its own things apart and removes them."""
    say: Callable[[str], None] = print
    supervisor: Supervisor = field(init=False, default_factory=lambda: Supervisor([], Path()))
    _stack: ExitStack = field(default_factory=ExitStack)
    _ready: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Logs and the database of this run."""
        return self.settings.state_dir.absolute() / (f"run-{os.getpid()}" if self.beside else "")

    @property
    def started(self) -> tuple[str, ...]:
        """The lanes that run here: all, but nobody asks models where none may and should be asked. Raises pipeline.yaml_lines.FileError."""
        wanted = asks(self.settings, load_config(self.settings).advice)
        return tuple(lane for lane in LANES if lane != "advise" or wanted)

    @property
    def api_url(self) -> str:
        return f"http://{self.settings.api_host}:{self.settings.api_port}"

    def start(self) -> None:
        """Broker, database, topics, in a few seconds; not yet the workers.

        Raises BrokersUnavailable, TopicsWrong, PostgresFailed, OSError; `stop` is safe after any of them.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(1, "postgres") as starter:
            database = None if self.settings.postgres_url is not None else starter.submit(self._start_postgres)
            self._start_broker()
            self._free_ports()
            if database is not None:
                self._set(postgres_url=database.result())

    def start_workers(self, environ: dict[str, str] | None = None) -> None:
        """All lanes as processes. `environ` is added to what they get."""
        told = {**self.settings.environ(), **project_path(os.environ), "FLUX_STATE_DIR": str(self.settings.state_dir.absolute())}
        told |= {"FLUX_KAFKA_SECURITY_PROTOCOL": self.settings.security_protocol.value, **(environ or {})}
        specs = [Spec(lane, worker_command(lane), told, TURNS[lane]) for lane in self.started]
        self.supervisor = Supervisor(specs, self.folder / "logs")
        self._stack.callback(lambda: self.supervisor.stop(STOP_S))
        self.supervisor.start()
        stop = threading.Event()
        watcher = threading.Thread(target=self._ask_all, args=(stop,), name="ready", daemon=True)
        watcher.start()
        self._stack.callback(stop.set)

    def stop(self) -> None:
        """Workers, then database, then broker. Calling it again is harmless."""
        self._stack.close()
        if self.beside:
            shutil.rmtree(self.folder, ignore_errors=True)

    def ready(self, lanes: Sequence[str] = ()) -> bool:
        """Whether these lanes are, or all that were started."""
        wanted = lanes or tuple(self.supervisor.workers)
        return bool(wanted) and all(self._ready.get(lane) == "" for lane in wanted)

    def lanes(self) -> list[Lane]:
        """Every worker's state, with the reason why it is not ready."""
        shown = []
        for name, worker in self.supervisor.workers.items():
            state, why = worker.state.value, ""
            if worker.state is State.RUNNING:
                missing = self._ready.get(name, "starting")
                state, why = ("running", "") if missing == "" else ("starting", missing if missing != "starting" else "")
            elif worker.state is not State.STOPPED:
                why = f"exit {worker.last_exit}, see {worker.log}"
            shown.append(Lane(name, state, why, worker.restarts))
        return shown

    def _set(self, **changes: object) -> None:
        self.settings = Settings.model_validate(self.settings.model_dump(exclude_unset=True) | changes)

    def _start_broker(self) -> None:
        if self.embedded:
            broker = EmbeddedBroker()
            self._stack.callback(broker.stop)
            bootstrap = broker.start()
            broker.create_topics(self.settings.topic_prefix)
            # The mock's offsets begin at 0 in every run: the history must not take this run's records for an older run's.
            cluster = self.settings.cluster_id or f"embedded-{uuid.uuid4().hex[:12]}"
            self._set(brokers=bootstrap, embedded_broker=True, cluster_id=cluster, security_protocol=SecurityProtocol.PLAINTEXT)
            return
        settings = self.settings
        created = apply(settings.brokers, settings.topic_prefix, client=settings.kafka_client())
        if created:
            self.say(f"Created {len(created)} topics on {settings.brokers}.")
        problems = check(settings.brokers, settings.topic_prefix, client=settings.kafka_client())
        if problems:
            raise TopicsWrong("\n".join(map(str, problems)))

    def _start_postgres(self) -> str:
        server = EmbeddedPostgres(self.folder / "postgres")
        self._stack.callback(server.stop)
        return server.start()

    def _free_ports(self) -> None:
        ports = self._stack.enter_context(closing(Ports()))
        if self.settings.metrics_port == 0:
            self._set(metrics_port=ports.take_base(self.settings.metrics_host, METRICS_BASE, SLOTS, len(LANES)))
        port = self.settings.api_port
        if port == 0 or not ports.take(self.settings.api_host, port):
            self._set(api_port=ports.take_any(self.settings.api_host))
            if port:
                self.say(f"Port {port} is in use; the HTTP front door listens on {self.settings.api_port}.")

    def _ask_all(self, stop: threading.Event) -> None:
        while not stop.wait(0.3):
            for lane in self.supervisor.workers:
                self._ready[lane] = ask_ready(*self._health_address(lane))

    def _health_address(self, lane: str) -> tuple[str, int]:
        """The front door serves its health on its own port, the others beside their metrics."""
        settings = self.settings
        if lane == "api":
            return settings.api_host, settings.api_port
        return settings.metrics_host, metrics_port(settings.metrics_port, lane, settings.slot)


def ask_ready(host: str, port: int) -> str:
    """What a worker still waits for; empty when it is ready."""
    try:
        with urllib.request.urlopen(f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/ready", timeout=1):
            return ""
    except urllib.error.HTTPError as answer:
        with closing(answer):
            try:
                return ", ".join(json.loads(answer.read())["waits_for"].values())
            except (ValueError, KeyError, AttributeError):
                return "not ready"
    except OSError:
        return "starting"
