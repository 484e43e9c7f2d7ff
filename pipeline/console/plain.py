"""Plain lines instead of a live screen: for pipes, CI and terminals that cannot redraw."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pipeline.console.board import Board
from pipeline.console.line import Line
from pipeline.console.live import Lane, Status, clock
from pipeline.history.explain import printable

STEADY_S = 3.0
"""A worker that runs and connects again for so short a time is not worth a line."""


class PlainLines:
    """Prints what is new in the order of its time, and lanes whose state changed. With `quiet` nothing at all."""

    def __init__(self, *, quiet: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        self._quiet = quiet
        self._now = now
        self._lanes: dict[str, str] = {}
        self._unsteady: dict[str, float] = {}
        self._notes = 0
        self._waiting: list[Line] = []

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()

    def lines(self, lines: Sequence[Line]) -> None:
        """Printed by the next `show`, or at the end."""
        self._waiting += lines

    def show(self, board: Board, status: Status) -> None:
        self._waiting += status.notes[self._notes :]
        self._notes = len(status.notes)
        self._flush()
        for lane in status.lanes:
            self._lane(lane)

    def _lane(self, lane: Lane) -> None:
        known = self._lanes.get(lane.name)
        if known == lane.state:
            self._unsteady.pop(lane.name, None)
            return
        again = lane.state == "starting" and known in ("running", "waiting")
        if again and self._now() < self._unsteady.setdefault(lane.name, self._now()) + STEADY_S:
            return
        state = "waiting" if again else lane.state
        if state != known:
            self._lanes[lane.name] = state
            why = f": {lane.why}" if lane.why else ""
            self._print(f"{'':8}  {'lane':<8}  {lane.name} {state}{why}")

    def _flush(self) -> None:
        for line in sorted(self._waiting, key=lambda one: one.at):
            self._print(f"{clock(line.at)}  {line.kind:<8}  {line.text}")
        self._waiting.clear()

    def _print(self, text: str) -> None:
        if not self._quiet:
            print(printable(text.replace("\n", " ")), flush=True)
