"""Worker processes that are started again whenever they end, as a supervisor would, and killed on purpose.

Knows nothing of what the workers do: their commands are given.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from pipeline.engine.faults import POINTS


@dataclass(frozen=True, slots=True)
class Member:
    """One worker. `engine`: it has the engine's fault points."""

    name: str
    command: Sequence[str]
    engine: bool = True


def copies(command: Sequence[str], slots: int) -> list[Member]:
    """As many of one command; `{slot}` in it is replaced."""
    return [Member(str(slot), [part.replace("{slot}", str(slot)) for part in command]) for slot in range(slots)]


@dataclass(frozen=True, slots=True)
class Death:
    """`at` in seconds since the epoch; `by`: "kill" for ours, the name of the fault point, or "exit N"."""

    at: float
    name: str
    by: str


class Fleet:
    """Workers by their number in `members`. With a `fault_probability`, each launch in turn gets none of the engine's fault points or one.

    `deaths` counts the kills by what did them: `kill` for ours, the name of the point for those at a fault point; `exits` other statuses;
    `history` has them all in order. Use as a context manager; leaving it ends what still runs.
    """

    def __init__(
        self,
        members: Sequence[Member],
        environment: Mapping[str, str],
        logs: Path,
        *,
        fault_probability: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.deaths: Counter[str] = Counter()
        self.exits: Counter[int] = Counter()
        self.random = random.Random(seed)
        self.history: list[Death] = []
        self._members = list(members)
        self._environment = {**os.environ, **environment}
        self._logs = logs
        self._faults: Iterator[str] = cycle(["", *POINTS]) if fault_probability else cycle([""])
        self._probability = fault_probability
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._fault_of: dict[int, str] = {}
        self._killed: set[int] = set()

    def __enter__(self) -> Fleet:
        for slot in range(len(self._members)):
            self._launch(slot)
        return self

    def __exit__(self, *unused: object) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()

    def add(self, member: Member) -> int:
        """Start one more; its number."""
        self._members.append(member)
        self._launch(len(self._members) - 1)
        return len(self._members) - 1

    def calm(self) -> None:
        """From now on launches get no fault point."""
        self._faults = cycle([""])

    def watch(self, seconds: float) -> None:
        """For this long, start again whoever ends."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            for slot, process in self._processes.items():
                if process.poll() is not None:
                    self._count(slot, process)
                    self._launch(slot)
            time.sleep(0.02)

    def kill(self, slot: int, how: signal.Signals = signal.SIGKILL) -> None:
        process = self._processes[slot]
        if process.poll() is None:
            if how is signal.SIGKILL:
                self._killed.add(process.pid)
            process.send_signal(how)

    def stop(self, seconds: float = 10.0) -> list[int]:
        """SIGTERM to all; their exit statuses. Raises subprocess.TimeoutExpired when one does not leave in time."""
        for process in self._processes.values():
            process.terminate()
        return [process.wait(seconds) for process in self._processes.values()]

    def log(self) -> str:
        return "".join(self.log_of(member.name) for member in self._members)

    def log_of(self, name: str) -> str:
        return (self._logs / f"worker-{name}.log").read_text(errors="replace")

    def _launch(self, slot: int) -> None:
        member = self._members[slot]
        fault = self._fault_of[slot] = next(self._faults) if member.engine else ""
        environment = dict(self._environment)
        if fault:
            environment["FLUX_FAULT"] = f"{fault}:{self._probability}"
        with (self._logs / f"worker-{member.name}.log").open("ab") as log:
            self._processes[slot] = subprocess.Popen(member.command, env=environment, stdout=log, stderr=log)

    def _count(self, slot: int, process: subprocess.Popen[bytes]) -> None:
        if process.returncode != -signal.SIGKILL:
            self.exits[process.returncode] += 1
            by = f"exit {process.returncode}"
        else:
            by = "kill" if process.pid in self._killed else self._fault_of[slot] or "unexplained"
            self.deaths[by] += 1
        self.history.append(Death(time.time(), self._members[slot].name, by))
