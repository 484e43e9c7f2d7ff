"""Workers as processes of their own: started, watched, started again when they die, stopped in order.

Nothing here knows what a worker does. A worker must not outlive its supervisor, however that ends: its stdin is a pipe that only the
supervisor holds open, and `leave_with_parent` in the worker stops it when the pipe closes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO

REFUSED = 2
"""Exit code of a worker whose settings or configuration are wrong: starting it again would not help."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0
STEADY_AFTER_S = 30.0
"""A worker that has lived this long is well: its next death waits from the start of the back-off again."""
LOOPING_AFTER = 4
"""Deaths in a row that make a crash loop: by then 7.5 s of waiting have not helped."""
LOG_BYTES = 8 * 1024 * 1024
"""A log larger than this is set aside as `.1` when its worker starts, so logs take at most twice that (and what one life writes)."""
SUPERVISED = "FLUX_SUPERVISED"


class State(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    LOOPING = "crash-looping"
    REFUSED = "refused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Spec:
    """One worker: its name, command, what it adds to the environment, and its turn when all stop (lower goes first)."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    turn: int = 0


@dataclass(slots=True)
class Watched:
    spec: Spec
    log: Path
    process: subprocess.Popen[bytes] | None = None
    lifeline: IO[bytes] | None = None
    state: State = State.STOPPED
    started_at: float = 0.0
    next_start: float = 0.0
    restarts: int = 0
    deaths_in_a_row: int = 0
    last_exit: int | None = None

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid

    def last_words(self, lines: int = 5) -> list[str]:
        """The end of its log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 16_384))
                return list(deque(file.read().decode("utf-8", "replace").splitlines(), lines))
        except FileNotFoundError:
            return []


class Supervisor:
    """Call `start`, then `watch` every now and then (it never blocks), at the end `stop`. Not for several threads."""

    def __init__(self, specs: Sequence[Spec], logs: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.workers = {spec.name: Watched(spec, logs / f"{spec.name}.log") for spec in specs}
        self._logs = logs
        self._clock = clock

    def start(self) -> None:
        self._logs.mkdir(parents=True, exist_ok=True)
        for worker in self.workers.values():
            self._launch(worker)

    def watch(self) -> list[Watched]:
        """Look after every worker; returns those that died since the last call."""
        died = []
        for worker in self.workers.values():
            if worker.state is State.RUNNING and worker.process is not None:
                code = worker.process.poll()
                if code is not None:
                    self._buried(worker, code)
                    died.append(worker)
            elif worker.state in (State.WAITING, State.LOOPING) and self._clock() >= worker.next_start:
                worker.restarts += 1
                self._launch(worker)
        return died

    def stop(self, within_s: float = 10.0) -> list[str]:
        """SIGTERM in the order of turns, then SIGKILL for what is left when the time is up; returns the names of those killed."""
        end = self._clock() + within_s
        living = [worker for worker in self.workers.values() if worker.process is not None]
        for turn in sorted({worker.spec.turn for worker in living}):
            group = [worker for worker in living if worker.spec.turn == turn]
            for worker in group:
                self._signal(worker, signal.SIGTERM)
            for worker in group:
                self._wait(worker, end - self._clock())
        killed = []
        for worker in living:
            if worker.process is not None and worker.process.poll() is None:
                self._signal(worker, signal.SIGKILL)
                worker.process.wait()
                killed.append(worker.spec.name)
            self._close(worker)
            worker.state = State.STOPPED
        return killed

    def _launch(self, worker: Watched) -> None:
        if worker.log.exists() and worker.log.stat().st_size > LOG_BYTES:
            worker.log.replace(worker.log.with_suffix(".log.1"))
        reading, writing = os.pipe()
        with worker.log.open("ab") as log:
            worker.process = subprocess.Popen(
                list(worker.spec.command),
                stdin=reading,
                stdout=log,
                stderr=log,
                env={**os.environ, **worker.spec.environ, SUPERVISED: "1"},
                start_new_session=True,  # Ctrl-C is for the supervisor, which then stops them in order
            )
        os.close(reading)
        worker.lifeline = os.fdopen(writing, "wb", buffering=0)
        worker.state = State.RUNNING
        worker.started_at = self._clock()

    def _buried(self, worker: Watched, code: int) -> None:
        self._close(worker)
        worker.last_exit = code
        lived = self._clock() - worker.started_at
        worker.deaths_in_a_row = 1 if lived >= STEADY_AFTER_S else worker.deaths_in_a_row + 1
        worker.next_start = self._clock() + min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(worker.deaths_in_a_row - 1, 8))
        if code == REFUSED:
            worker.state = State.REFUSED
        else:
            worker.state = State.LOOPING if worker.deaths_in_a_row >= LOOPING_AFTER else State.WAITING

    def _signal(self, worker: Watched, number: signal.Signals) -> None:
        if worker.process is not None and worker.process.poll() is None:
            worker.process.send_signal(number)

    def _wait(self, worker: Watched, seconds: float) -> None:
        if worker.process is not None:
            try:
                worker.process.wait(max(0.0, seconds))
            except subprocess.TimeoutExpired:
                return  # `stop` kills it at the end

    def _close(self, worker: Watched) -> None:
        if worker.lifeline is not None:
            worker.lifeline.close()
        worker.lifeline = worker.process = None


def worker_command(lane: str) -> list[str]:
    """The command line of one of our own workers, run by this very Python. Its slot and settings come by environment."""
    return [sys.executable, "-P", "-m", "pipeline.cli.main", "worker", lane]


def project_path(environ: Mapping[str, str]) -> dict[str, str]:
    """PYTHONPATH under which a child finds the same code as this process, also where the project is not installed."""
    root = str(Path(__file__).resolve().parent.parent)
    others = [part for part in environ.get("PYTHONPATH", "").split(os.pathsep) if part and part != root]
    return {"PYTHONPATH": os.pathsep.join([root, *others])}


def leave_with_parent(stop: Callable[[], None], grace_s: float = 10.0) -> None:
    """In a worker: call `stop` when the supervisor is gone, and end the process when that took longer than `grace_s`.

    Does nothing in a process that no supervisor started.
    """
    if os.environ.pop(SUPERVISED, "") != "1":
        return

    def watch() -> None:
        while os.read(0, 1024):
            pass
        stop()
        time.sleep(grace_s)
        os._exit(3)

    threading.Thread(target=watch, name="leave-with-parent", daemon=True).start()
