"""Worker processes that are started again whenever they end, as a supervisor would, and killed on purpose.

Knows nothing of what the workers do: the command is given, `{slot}` in it is replaced.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path

from pipeline.engine.faults import POINTS


class Fleet:
    """`slots` copies of `command`. With `faults`, each launch in turn gets none of the engine's fault points or one of them.

    `deaths` counts the kills by what did them: `kill` for ours, the name of the point for those at a fault point; `exits` other statuses.
    Use as a context manager; leaving it ends what still runs.
    """

    def __init__(
        self,
        command: Sequence[str],
        slots: int,
        environment: Mapping[str, str],
        logs: Path,
        *,
        fault_probability: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.deaths: Counter[str] = Counter()
        self.exits: Counter[int] = Counter()
        self.random = random.Random(seed)
        self._command = list(command)
        self._environment = {**os.environ, **environment}
        self._logs = logs
        self._faults: Iterator[str] = cycle(["", *POINTS]) if fault_probability else cycle([""])
        self._probability = fault_probability
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._fault_of: dict[int, str] = {}
        self._killed: set[int] = set()
        self._slots = slots

    def __enter__(self) -> Fleet:
        for slot in range(self._slots):
            self._launch(slot)
        return self

    def __exit__(self, *unused: object) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()

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
        return "".join(file.read_text(errors="replace") for file in sorted(self._logs.glob("worker-*.log")))

    def _launch(self, slot: int) -> None:
        fault = self._fault_of[slot] = next(self._faults)
        environment = dict(self._environment)
        if fault:
            environment["FLUX_FAULT"] = f"{fault}:{self._probability}"
        command = [part.replace("{slot}", str(slot)) for part in self._command]
        with (self._logs / f"worker-{slot}.log").open("ab") as log:
            self._processes[slot] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def _count(self, slot: int, process: subprocess.Popen[bytes]) -> None:
        if process.returncode != -signal.SIGKILL:
            self.exits[process.returncode] += 1
        elif process.pid in self._killed:
            self.deaths["kill"] += 1
        else:
            self.deaths[self._fault_of[slot] or "unexplained"] += 1
