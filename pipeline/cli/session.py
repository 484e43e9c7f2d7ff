"""One `fluxai run` from start to the closing account: tells the story, keeps the board, looks after the workers."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from types import FrameType

from confluent_kafka import Message, Producer
from rich.console import Console

from pipeline.cli.common import Exit, now
from pipeline.cli.kafka import Outgoing, Reader, send_all
from pipeline.cli.running import Running, announced
from pipeline.cli.topology import read_services
from pipeline.console.board import TOPICS, Board
from pipeline.console.closing import closing
from pipeline.console.line import Line
from pipeline.console.live import LiveScreen, Status
from pipeline.console.plain import PlainLines
from pipeline.engine.processor import Record
from pipeline.history.reading import read_record
from pipeline.settings import reveal
from pipeline.standalone import Standalone
from pipeline.story.player import Player
from pipeline.story.script import FOLDER, load_forms, load_samples, load_story
from pipeline.supervisor import State
from schemas.topics import full_name

FORGETFUL = "The embedded broker keeps nothing: what is on it is gone when this ends. For real work: fluxai run --broker HOST:PORT"
WAIT_FOR_WORKERS_S = 20.0
"""Then the story begins all the same: the records wait on the topic."""
SETTLE_S, LONGEST_SETTLE_S = 1.0, 6.0
"""At the end: until so long nothing new came, but not longer than that."""


@dataclass(eq=False, repr=False)
class Session:
    here: Standalone
    told: bool
    """Whether the story is told."""
    seconds: float | None
    quiet: bool = False
    models: str = ""
    """Who is asked for advice, in a line."""
    board: Board = field(default_factory=Board)
    _stopping: bool = False
    _sent: int = 0

    def run(self) -> int:
        """The exit code. Ctrl-C and SIGTERM end it in order: the story first, then what is on its way, then the workers."""
        began = time.monotonic()
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            self.here.start()
            settings = self.here.settings
            self.board = Board(settings.topic_prefix)
            run = Running(
                os.getpid(), settings.brokers, reveal(settings.postgres_url), settings.cluster_id, settings.topic_prefix, self.here.api_url
            )
            with announced(settings.state_dir.absolute(), run), Reader(settings) as reader:
                player = self._prepare() if self.told else None
                reader.start(TOPICS, from_start=self.here.embedded)
                self.here.start_workers()
                code = self._watch(reader, player, began)
        finally:
            if not self.quiet:
                print("Stopping the workers.", flush=True)
            self.here.stop()
            for number, handler in before.items():
                signal.signal(number, handler)
        if not self.quiet:
            print("\n".join(closing(self.board)), flush=True)
        return code

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _prepare(self) -> Player:
        """Put the story's topology, runbooks and silences on their topics, before the workers read them."""
        from pipeline.cli.runbook_files import read_folder

        settings = self.here.settings
        player = Player(load_story(), load_forms(), now(), load_samples())
        send_all(settings, "topology", [Outgoing(one.name.encode(), one.to_json()) for one in read_services(FOLDER / "topology.yaml")])
        send_all(settings, "runbooks", [Outgoing(one.runbook_id.encode(), one.to_json()) for one in read_folder(FOLDER / "runbooks")])
        send_all(settings, "silences", [Outgoing(one.silence_id.encode(), one.to_json()) for one in player.silences()])
        return player

    def _watch(self, reader: Reader, player: Player | None, began: float) -> int:
        settings = self.here.settings
        kafka = f"embedded broker {settings.brokers}" if self.here.embedded else settings.brokers
        status = Status(
            FORGETFUL if self.here.embedded else "",
            f"{kafka}   alerts: POST {self.here.api_url}/api/v1/alerts/SOURCE   logs: {self.here.folder / 'logs'}",
            models=self.models,
        )
        producer = Producer(
            settings.kafka_client() | {"acks": "all", "enable.idempotence": True, "partitioner": "murmur2_random", "log_level": 0}
        )
        live = sys.stdout.isatty() and not self.quiet
        if not live and not self.quiet:
            print("\n".join(text for text in (f"Flux AI: {status.where}", status.models, status.banner) if text), flush=True)
        code = int(Exit.OK)
        with LiveScreen(Console()) if live else PlainLines(quiet=self.quiet) as screen:
            starts: float | None = None
            while not self._stopping and not self._time_is_up(starts):
                if starts is None and (self.here.ready(("intake", "decide")) or time.monotonic() > began + WAIT_FOR_WORKERS_S):
                    starts = time.monotonic()
                    if player is not None:
                        player.began = now()
                if player is not None and starts is not None:
                    self._tell(player, time.monotonic() - starts, producer, status)
                screen.lines(self._read(reader))
                self._look_after(status)
                status.elapsed_s = time.monotonic() - began
                screen.show(self.board, status)
                if any(worker.state is State.REFUSED for worker in self.here.supervisor.workers.values()):
                    code = int(Exit.USAGE)
                    break
            producer.flush(5)
            self._settle(reader, screen)
        self._say_why_refused()
        return code

    def _time_is_up(self, starts: float | None) -> bool:
        """`--for` counts from when the workers are ready, so that a slow start does not cut the story short."""
        return self.seconds is not None and starts is not None and time.monotonic() >= starts + self.seconds

    def _tell(self, player: Player, elapsed: float, producer: Producer, status: Status) -> None:
        topic = full_name(self.here.settings.topic_prefix, "alerts.raw")
        for sending in player.play(elapsed):
            headers: dict[str, str | bytes | None] = {"source": sending.source} if sending.source else {}
            producer.produce(topic, sending.value, sending.key.encode(), headers=headers)
            self._sent += 1
        producer.poll(0)
        status.notes += [Line(now(), "story", note) for note in player.notes]
        player.notes.clear()

    def _read(self, reader: Reader, wait_s: float = 0.15) -> list[Line]:
        short = {full_name(self.here.settings.topic_prefix, name): name for name in TOPICS}
        messages: list[Message] = reader.poll(wait_s)
        records: list[Record] = [read_record(message, short) for message in messages]
        return [line for record in records for line in self.board.take(record)]

    def _look_after(self, status: Status) -> None:
        for worker in self.here.supervisor.watch():
            what = f"{worker.spec.name} {ended(worker.last_exit)} and is {worker.state.value}"
            if not killed(worker.last_exit):  # then it had no time to say why
                what += f": {cause(worker.last_words(20))}"
            status.notes.append(Line(now(), "worker", what))
        status.lanes = self.here.lanes()

    def _settle(self, reader: Reader, screen: LiveScreen | PlainLines) -> None:
        """Read what is still on its way, so that the account is of all that was sent."""
        last = time.monotonic()
        end = last + LONGEST_SETTLE_S
        while time.monotonic() < min(end, last + SETTLE_S):
            before = (self.board.raw, self.board.outcomes.total(), self.board.dead_letters, len(self.board.incidents))
            screen.lines(self._read(reader))
            if before != (self.board.raw, self.board.outcomes.total(), self.board.dead_letters, len(self.board.incidents)):
                last = time.monotonic()

    def _say_why_refused(self) -> None:
        for worker in self.here.supervisor.workers.values():
            if worker.state is State.REFUSED:
                print("\n".join([f"The worker {worker.spec.name} refuses to start:", *worker.last_words(6)]), file=sys.stderr)


def ended(code: int | None) -> str:
    """`ended with 3`, or `was killed by SIGKILL`."""
    if code is None or not killed(code):
        return f"ended with {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def killed(code: int | None) -> bool:
    return code is not None and code < 0


def cause(lines: list[str]) -> str:
    """What a worker's last log lines say went wrong: the newest error, or what no logger wrote."""
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            return line[:300]  # what no logger wrote: the end of a traceback, or a library that gave up
        if isinstance(entry, dict) and entry.get("level") in ("error", "critical"):
            raised = entry.get("exception") or [{}]
            about = f"{raised[-1].get('exc_type', '')} {raised[-1].get('exc_value', '')}".strip() if isinstance(raised, list) else ""
            return " ".join(part for part in (str(entry.get("event", "")), str(entry.get("why", "")), about) if part)[:300]
    return "its log says nothing of it"
