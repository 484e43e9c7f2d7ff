"""Plain lines instead of a live screen: for pipes, CI and terminals that cannot redraw."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.console.board import Board
from pipeline.console.line import Line
from pipeline.console.live import Lane, Status, clock
from pipeline.history.explain import printable


class PlainLines:
    """Prints what is new, and lanes whose state changed. With `quiet` nothing at all."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._lanes: dict[str, str] = {}
        self._notes = 0

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def lines(self, lines: Sequence[Line]) -> None:
        for line in lines:
            self._print(f"{clock(line.at)}  {line.kind:<8}  {line.text}")

    def show(self, board: Board, status: Status) -> None:
        self.lines(status.notes[self._notes :])
        self._notes = len(status.notes)
        for lane in status.lanes:
            if self._lanes.get(lane.name) != lane.state:
                self._lanes[lane.name] = lane.state
                self._print(f"{'':8}  {'lane':<8}  {lane.name} {lane.state}{self._why(lane)}")

    def _why(self, lane: Lane) -> str:
        return f": {lane.why}" if lane.why else ""

    def _print(self, text: str) -> None:
        if not self._quiet:
            print(printable(text.replace("\n", " ")), flush=True)
