"""What the benchmarks stand on: a Kafka of their own, the catalogue's topics, the real worker processes. All of it ends with the rig."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from confluent_kafka.admin import AdminClient

from benchmarks.report import Wrong, say
from pipeline.broker.jars import LocalKafkaError
from pipeline.broker.local import LocalKafka, free_ports
from pipeline.broker.topics import BrokersUnavailable, apply
from pipeline.health import LANES, SLOTS
from pipeline.supervisor import SUPERVISED

ROOT = Path(__file__).resolve().parents[1]
LEAVE_S = 15.0


class Process:
    """A child with its log in a file. It leaves by itself when this process is gone: its standard input ends then."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as file:
            self.popen = subprocess.Popen(
                [sys.executable, "-P", "-m", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if command[0].startswith("benchmarks.") else file,
                stderr=file,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def check(self) -> None:
        """Raises Wrong when it has ended."""
        code = self.popen.poll()
        if code is not None:
            raise Wrong(f"{self.name} ended with status {code}: {self.tail()}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.popen.kill()
        self.popen.wait()

    def ask_to_leave(self) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()

    def stop(self) -> None:
        self.ask_to_leave()
        try:
            self.popen.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # an order that was not read any more
                    stream.close()

    def tail(self, size: int = 1500) -> str:
        return self.log.read_text(errors="replace")[-size:]


class Lane(Process):
    """A worker, and where it says how it is."""

    def __init__(self, lane: str, slot: int, log: Path, environment: Mapping[str, str]) -> None:
        self.port = free_ports(1)[0]
        base = self.port - SLOTS * LANES.index(lane) - slot
        command = ["pipeline.cli.main", "worker", lane, "--slot", str(slot)]
        super().__init__(f"{lane}-{slot}", command, log, {**environment, "FLUX_METRICS_PORT": str(base), SUPERVISED: "1"})

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=2) as answer:
                return bool(json.load(answer)["ready"])
        except (urllib.error.URLError, OSError, ValueError):
            return False

    def wait_ready(self, timeout: float = 60.0) -> None:
        ends = time.monotonic() + timeout
        while not self.ready():
            self.check()
            if time.monotonic() > ends:
                raise Wrong(f"{self.name} was not ready within {timeout:.0f} s: {self.tail()}")
            time.sleep(0.1)


class Rig:
    """Use as a context manager. `config` is the text of a configuration file for the workers, `settings` more of their environment.

    `options.broker` names a Kafka that runs already: then topics are made there under a prefix of their own, and deleted at the end.
    """

    def __init__(self, options: argparse.Namespace, config: str = "", **settings: str) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="fluxai-bench-", ignore_cleanup_errors=True)
        self.directory = Path(self._scratch.name)
        self.kafka = None if options.broker else LocalKafka(self.directory / "kafka")
        self.brokers: str = options.broker or ""
        self.prefix = f"bench-{uuid.uuid4().hex[:6]}."
        self.processes: list[Process] = []
        self._show_logs: bool = options.log
        self._environment = {"FLUX_TOPIC_PREFIX": self.prefix, "FLUX_STATE_DIR": str(self.directory / "state"), "FLUX_LOG_FORMAT": "json"}
        self._environment |= settings
        if config:
            file = self.directory / "flux.yaml"
            file.write_text(config)
            self._environment["FLUX_CONFIG"] = str(file)

    def __enter__(self) -> Rig:
        try:
            if self.kafka is not None:
                say("starting Kafka")
                self.brokers = self.kafka.start()
            self._environment["FLUX_KAFKA_BROKERS"] = self.brokers
            apply(self.brokers, self.prefix)
        except (LocalKafkaError, BrokersUnavailable) as error:
            self.close()
            raise Wrong(str(error)) from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def broker_pid(self) -> int | None:
        """None for a Kafka that was there before."""
        return None if self.kafka is None else self.kafka.nodes[0].pid

    def topic(self, name: str) -> str:
        """The name on the broker."""
        return self.prefix + name

    def lane(self, lane: str, slot: int = 0) -> Lane:
        """Start a worker; do not wait for it."""
        worker = Lane(lane, slot, self.directory / f"{lane}-{slot}.log", self._environment)
        self.processes.append(worker)
        return worker

    def lanes(self, *lanes: str, each: int = 1) -> list[Lane]:
        """Start workers and wait until all are ready."""
        workers = [self.lane(lane, slot) for lane in lanes for slot in range(each)]
        for worker in workers:
            worker.wait_ready()
        return workers

    def helper(self, name: str, *command: str) -> Process:
        """Start a module of this package as a process of its own."""
        process = Process(name, command, self.directory / f"{name}.log", {})
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in self.processes:
            process.ask_to_leave()
        for process in self.processes:
            process.stop()
            if self._show_logs:
                say(f"-- {process.name}: {process.tail()}")
        if self.kafka is not None:
            self.kafka.wipe()
        elif self.brokers:
            delete_topics(self.brokers, self.prefix)
        self._scratch.cleanup()


def delete_topics(brokers: str, prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": brokers})
    ours = [name for name in admin.list_topics(timeout=10).topics if name.startswith(prefix)]
    for future in admin.delete_topics(ours).values() if ours else ():
        future.result(30)
