"""A real local Apache Kafka of one or three KRaft nodes, for development and for tests that make promises.

Each node is a Java process with ports of its own that stay the same over restarts, its data and its log in a folder of its own.
What runs is written to `kafka.json` in the cluster's folder, so that another process can stop it.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.broker.jars import LocalKafkaError, ensure_jars, home

STATE_FILE = "kafka.json"
STOP_SECONDS = 20.0
LOG_TAIL = 1500
TOOL_HEAP_LIMIT = 256
"""Below this heap (MiB) a Java process is a tool that ends at once, for which full optimisation never pays."""


@dataclass
class Node:
    """One broker and controller. `pid` is None while it is down."""

    id: int
    port: int
    controller_port: int
    pid: int | None = None


class LocalKafka:
    """A cluster in one folder. `detached` nodes outlive this process (`fluxai kafka up`); others are meant to be stopped by it.

    `quick` nodes start in a third of the time and burn less of a small machine, but never reach full speed: for tests, not benchmarks.

    All methods raise LocalKafkaError with the end of the node's log when a node does not do what it should.
    """

    def __init__(self, directory: Path, nodes: int = 1, *, detached: bool = False, quick: bool = False, heap_mb: int | None = None) -> None:
        if nodes not in (1, 3):
            raise LocalKafkaError(f"a local Kafka has 1 or 3 nodes, not {nodes}")
        self.directory = directory.absolute()
        self.cluster_id = new_cluster_id()
        ports = free_ports(2 * nodes)
        self.nodes = [Node(number + 1, ports[2 * number], ports[2 * number + 1]) for number in range(nodes)]
        self._detached = detached
        self._quick = quick
        self._heap_mb = heap_mb or (512 if nodes == 1 else 384)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @classmethod
    def load(cls, directory: Path) -> LocalKafka | None:
        """The cluster that was left in a folder, running or not; None when there is none."""
        file = directory.absolute() / STATE_FILE
        if not file.is_file():
            return None
        state = json.loads(file.read_text())
        cluster = cls.__new__(cls)
        cluster.directory = directory.absolute()
        cluster.cluster_id = state["cluster_id"]
        cluster.nodes = [Node(**node) for node in state["nodes"]]
        cluster._detached = True
        cluster._quick = False
        cluster._heap_mb = state["heap_mb"]
        cluster._processes = {}
        return cluster

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def running(self) -> list[int]:
        """Ids of the nodes whose process lives."""
        return [node.id for node in self.nodes if self._alive(node)]

    def start(self, timeout: float = 90.0) -> str:
        """Start the nodes that are down and wait until all answer. Returns the bootstrap addresses."""
        self._jars = ensure_jars()
        self.directory.mkdir(parents=True, exist_ok=True)
        down = [node for node in self.nodes if not self._alive(node)]
        self._format(down)
        for node in down:
            self._launch(node)
        self.wait_ready(timeout)
        return self.bootstrap

    def start_node(self, number: int, timeout: float = 90.0, *, wait: bool = True) -> None:
        """Start one node that was stopped or killed; its data are as it left them."""
        self._jars = ensure_jars()
        node = self._node(number)
        if not self._alive(node):
            self._launch(node)
        if wait:
            self.wait_ready(timeout)

    def kill_node(self, number: int) -> None:
        """End a node as a power cut would (SIGKILL)."""
        self._end([self._node(number)], signal.SIGKILL)

    def stop_node(self, number: int) -> None:
        """Stop a node in order."""
        self._end([self._node(number)], signal.SIGTERM)

    def restart_node(self, number: int, timeout: float = 90.0) -> None:
        self.stop_node(number)
        self.start_node(number, timeout)

    def stop(self) -> None:
        """Stop all nodes in order; data, ports and logs stay."""
        self._end(self.nodes, signal.SIGTERM)

    def wipe(self) -> None:
        """Stop all nodes at once and delete the cluster's folder."""
        self._end(self.nodes, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def wait_ready(self, timeout: float = 90.0) -> None:
        """Wait until every node that is up is listed by a broker and has a leader to answer for it."""
        ends = time.monotonic() + timeout
        up = [node for node in self.nodes if node.pid is not None]
        for node in up:
            while not listening(node.port):
                self._check_alive(node)
                if time.monotonic() > ends:
                    raise LocalKafkaError(f"Kafka node {node.id} did not listen within {timeout:.0f} s: {self._log_tail(node)}")
                time.sleep(0.1)
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        while True:
            try:
                if len(admin.list_topics(timeout=2).brokers) >= len(up):
                    return
            except KafkaException as error:
                problem = str(error)
            else:
                problem = "not all nodes have joined"
            for node in up:
                self._check_alive(node)
            if time.monotonic() > ends:
                raise LocalKafkaError(f"Kafka was not ready within {timeout:.0f} s: {problem}")
            time.sleep(0.1)

    def log_file(self, number: int) -> Path:
        return self.directory / f"node{number}.log"

    def _node(self, number: int) -> Node:
        for node in self.nodes:
            if node.id == number:
                return node
        raise LocalKafkaError(f"no node {number}: there are {[node.id for node in self.nodes]}")

    def _properties(self, node: Node) -> Path:
        return self.directory / f"node{node.id}.properties"

    def _format(self, nodes: Sequence[Node]) -> None:
        """Prepare the data folders that are not there yet, side by side: each is a Java start of its own."""
        formatting = []
        for node in nodes:
            properties = self._properties(node)
            properties.write_text(server_properties(node, self.nodes, self.directory))
            if not (self.directory / f"data{node.id}" / "meta.properties").exists():
                command = [*self._java(128), "kafka.tools.StorageTool", "format", "-t", self.cluster_id, "-c", str(properties)]
                formatting.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        for process in formatting:
            output, _ = process.communicate(timeout=120)
            if process.returncode != 0:
                raise LocalKafkaError(f"Kafka's storage could not be formatted: {output.decode(errors='replace')[-LOG_TAIL:]}")

    def _java(self, heap_mb: int) -> list[str]:
        quiet = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
        memory = [f"-Xmx{heap_mb}m", f"-Xms{min(heap_mb, 128)}m", "-XX:+UseSerialGC"]
        speed = ["-XX:TieredStopAtLevel=1"] if self._quick or heap_mb < TOOL_HEAP_LIMIT else []
        return ["java", *memory, *speed, *quiet, "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS", "-cp", f"{self._jars}/*"]

    def _launch(self, node: Node) -> None:
        with self.log_file(node.id).open("ab") as log:
            process = subprocess.Popen(
                [*self._java(self._heap_mb), "kafka.Kafka", str(self._properties(node))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=self._detached,
            )
        self._processes[node.id] = process
        node.pid = process.pid
        self._save()

    def _end(self, nodes: Sequence[Node], how: signal.Signals) -> None:
        alive = [node for node in nodes if self._alive(node)]
        for node in alive:
            os.kill(node.pid or 0, how)
        for node in alive:
            ends = time.monotonic() + STOP_SECONDS
            while self._alive(node):
                if time.monotonic() > ends:
                    os.kill(node.pid or 0, signal.SIGKILL)
                    ends = time.monotonic() + STOP_SECONDS
                time.sleep(0.05)
        for node in nodes:
            node.pid = None
            self._processes.pop(node.id, None)
        if self.directory.is_dir():
            self._save()

    def _alive(self, node: Node) -> bool:
        if node.id in self._processes:
            return self._processes[node.id].poll() is None
        return node.pid is not None and str(self._properties(node)) in command_line(node.pid)

    def _check_alive(self, node: Node) -> None:
        if not self._alive(node):
            raise LocalKafkaError(f"Kafka node {node.id} ended while starting: {self._log_tail(node)}")

    def _log_tail(self, node: Node) -> str:
        log = self.log_file(node.id)
        return f"{log}: " + log.read_text(errors="replace")[-LOG_TAIL:] if log.exists() else str(log)

    def _save(self) -> None:
        state = {"cluster_id": self.cluster_id, "heap_mb": self._heap_mb, "nodes": [asdict(node) for node in self.nodes]}
        scratch = self.directory / (STATE_FILE + ".new")
        scratch.write_text(json.dumps(state))
        scratch.replace(self.directory / STATE_FILE)


def up(nodes: int = 1, directory: Path | None = None) -> LocalKafka:
    """Start the local cluster of `directory` (default: `local` in Kafka's home), or leave it as it is when it runs.

    Raises LocalKafkaError when one of another size is there: stop it and delete its folder first.
    """
    directory = directory or home() / "local"
    cluster = LocalKafka.load(directory) or LocalKafka(directory, nodes, detached=True)
    if len(cluster.nodes) != nodes:
        raise LocalKafkaError(
            f"{directory} holds a cluster of {len(cluster.nodes)}: run `fluxai kafka down`, delete that folder, then start {nodes}"
        )
    cluster.start()
    return cluster


def down(directory: Path | None = None) -> bool:
    """Stop the local cluster; its data stay. Whether there was one."""
    cluster = LocalKafka.load(directory or home() / "local")
    if cluster is None or not cluster.running():
        return False
    cluster.stop()
    return True


def server_properties(node: Node, nodes: Sequence[Node], directory: Path) -> str:
    """A combined broker and controller on loopback, tuned for a laptop: quick rebalances, small internal topics."""
    copies = len(nodes)
    voters = ",".join(f"{each.id}@127.0.0.1:{each.controller_port}" for each in nodes)
    settings = {
        "process.roles": "broker,controller",
        "node.id": node.id,
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://127.0.0.1:{node.port},CONTROLLER://127.0.0.1:{node.controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": directory / f"data{node.id}",
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": 1 if copies == 1 else 2,
        "transaction.state.log.num.partitions": 8,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": 1 if copies == 1 else 2,
        "default.replication.factor": copies,
        "min.insync.replicas": 1 if copies == 1 else 2,
        "group.initial.rebalance.delay.ms": 0,
        "auto.create.topics.enable": "false",
        # A producer that died leaves its transaction open until it times out; by default the broker looks only each 10 s.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
        # A node that was killed may register again only when its old session has run out.
        "broker.session.timeout.ms": 3000 if copies == 1 else 6000,
        "broker.heartbeat.interval.ms": 500,
        "group.min.session.timeout.ms": 1000,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def new_cluster_id() -> str:
    """A random id as Kafka writes them. Never with a dash first, as one in 64 would have: its own command takes that for an option."""
    while (found := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return found


def free_ports(count: int) -> list[int]:
    """Ports of loopback that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def listening(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def command_line(pid: int) -> str:
    """The command of a process, empty when it is gone or has ended and not been waited for."""
    proc = Path(f"/proc/{pid}")
    if Path("/proc/self/cmdline").exists():
        try:
            return (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")  # empty for one that has ended
        except (FileNotFoundError, ProcessLookupError):
            return ""
    answer = subprocess.run(["ps", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    line = answer.stdout.strip()
    return "" if line.startswith("Z") else line
