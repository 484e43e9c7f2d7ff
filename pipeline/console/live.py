"""The live screen (rich). Every text from outside is set as text: it can neither style the screen nor move the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pipeline.console.advised import brief
from pipeline.console.board import Board, Silenced
from pipeline.console.line import Line
from pipeline.console.plural import many
from pipeline.history.base import ENDED
from pipeline.history.explain import printable
from schemas.incident import AdviceStatus, Incident

STYLES = {"P1": "bold white on red", "P2": "bold yellow", "P3": "cyan", "P4": "dim"}
LANE_STYLES = {
    "running": "green",
    "starting": "yellow",
    "waiting": "yellow",
    "crash-looping": "bold red",
    "refused": "bold red",
    "stopped": "dim",
}
ADVISED_STYLES: dict[AdviceStatus | None, str] = {
    AdviceStatus.ADOPTED: "green",
    AdviceStatus.AMENDED: "green",
    AdviceStatus.MISSING: "yellow",
}
FIXED_LINES = 8
"""Frames and headings; what these, the lines at the top and those at the bottom leave of the screen is for incidents and silences."""
FRAME = 4
"""Columns that a frame takes."""
GAP = "   "
WIDE = 110
"""Columns from which there is room for the runbooks too."""
STATES = {"acknowledged": "acked", "in_progress": "in work", "false_positive": "false"}
"""Shorter words for a narrow column."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A worker as the screen shows it: state and, when it is not well, why."""

    name: str
    state: str
    why: str = ""
    restarts: int = 0


@dataclass
class Status:
    """What the screen shows beside the board."""

    banner: str
    where: str
    models: str = field(default="", kw_only=True)
    """Who is asked for advice."""
    elapsed_s: float = 0.0
    lanes: Sequence[Lane] = ()
    notes: list[Line] = field(default_factory=list)


class LiveScreen:
    """Use as a context manager; `show` as often as wanted, it redraws four times a second at most."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, screen=False, transient=True)

    def __enter__(self) -> LiveScreen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def lines(self, lines: Sequence[Line]) -> None:
        """The screen shows facts, not news."""

    def show(self, board: Board, status: Status) -> None:
        self._live.update(screen(board, status, self._console.height, self._console.width), refresh=True)


def screen(board: Board, status: Status, height: int, width: int = 160) -> RenderableType:
    top, bottom = heading(status, width - FRAME, board.advised.silence), counts(board, status, width - FRAME)
    room = max(6, height - FIXED_LINES - len(top) - len(bottom))
    silences = min(len(board.silenced), max(2, room // 3))
    return Group(
        framed(top),
        incident_table(board.open_incidents(), max(3, room - silences), width),
        silence_table(list(board.silenced)[-silences:] if silences else []),
        framed(bottom),
    )


def framed(lines: Sequence[Text]) -> RenderableType:
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Panel(Group(*lines))


def packed(parts: Sequence[Text], width: int) -> list[Text]:
    """As many parts on a line as fit, with a gap between them."""
    lines: list[Text] = []
    for part in parts:
        if lines and len(lines[-1]) + len(GAP) + len(part) <= width:
            lines[-1].append(GAP).append_text(part)
        else:
            lines.append(part.copy())
    return lines


def heading(status: Status, width: int, silence: str = "") -> list[Text]:
    """`silence`: why models do not answer, where they do not."""
    minutes, seconds = divmod(int(status.elapsed_s), 60)
    where = [text_of(part, "dim") for part in status.where.split(GAP)]
    note = text_of(status.notes[-1].text if status.notes else "", "italic")
    banner = packed([text_of(part, "yellow") for part in status.banner.split(". ")], width) if len(status.banner) > width else []
    return [
        *packed([Text(f"Flux AI  {minutes}:{seconds:02d}", "bold"), *where], width),
        *(banner or [text_of(status.banner, "yellow")]),
        *([text_of(status.models, "dim")] if status.models else []),
        *([text_of(silence, "bold yellow")] if silence else []),
        note,
    ]


def incident_table(incidents: Sequence[Incident], rows: int, width: int = 160) -> RenderableType:
    """The name first; what a model wrote is the last of its cell, so that it is cut first. Narrow screens go without the runbooks."""
    table = Table(expand=True, box=None, pad_edge=False, header_style="bold dim")
    asked, wide = any(one.advice is not None for one in incidents[:rows]), width >= WIDE
    shares: list[tuple[str, int | None]] = [("", None), ("incident", 6 if asked else 7), ("state", None)]
    shares += [("model", 4)] if asked else []
    shares += [("runbooks", 3)] if wide else []
    for name, ratio in (*shares, ("told", 4 if wide else 3)):
        table.add_column(name, ratio=ratio, no_wrap=True, overflow="ellipsis", min_width=2)
    for one in incidents[:rows]:
        ended = one.status in ENDED
        style = "dim" if ended else ""
        alerts = f" [{one.alert_count} alerts]" if one.alert_count > 1 else ""
        books = ", ".join(f"{book.title} {book.score:.2f}" for book in one.runbooks) or "no runbook"
        model = text_of(brief(one), style or ADVISED_STYLES.get(one.advice.status if one.advice else None, "dim"))
        table.add_row(
            text_of(one.severity.value, "dim" if ended else STYLES[one.severity.value]),
            text_of(f"{one.title}{alerts}: {one.summary}", style),
            text_of(STATES.get(one.status.value, one.status.value), style),
            *([model] if asked else []),
            *([text_of(books, "dim" if ended or not one.runbooks else "green")] if wide else []),
            text_of(told(one), style),
        )
    if not incidents:
        table.add_row("", Text("no incidents yet", style="dim"))
    elif len(incidents) > rows:
        table.add_row("", Text(f"and {len(incidents) - rows} more: fluxai incidents", style="dim"))
    return table


def told(incident: Incident) -> str:
    """Who was told of what and when, the newest last; or why nobody."""
    if incident.notified:
        return " ".join(f"{each.receiver} {clock(each.at)} {each.reason}" for each in incident.notified[-2:])
    return f"nobody: {incident.silence.text}" if incident.silence is not None else "nobody yet"


def silence_table(silences: Sequence[Silenced]) -> RenderableType:
    table = Table(expand=True, box=None, pad_edge=False, header_style="bold dim")
    for name, ratio in (("", None), ("silenced", 3), ("because", 5), ("would have told", 2)):
        table.add_column(name, ratio=ratio, no_wrap=True, overflow="ellipsis")
    for one in reversed(silences):
        times = f" ×{one.times}" if one.times > 1 else ""
        table.add_row(
            text_of(one.severity, "dim"),
            text_of(f"{one.what}{times}"),
            text_of(f"{one.code}: {one.reason}"),
            text_of(", ".join(one.would_notify), "dim"),
        )
    return table


def counts(board: Board, status: Status, width: int) -> list[Text]:
    account = board.ledger.account()
    numbers = f"accepted {account.accepted} = notified {account.notified} + grouped {account.grouped} + suppressed {account.suppressed}"
    others = f"+ dead letters {account.dead_lettered} + open {account.open}"
    late = f", {account.deadline_misses} LATE" if account.deadline_misses else ""
    about = [numbers, others, f"changes {board.changes}", f"verdict p99 {account.verdict_p99_ms} ms{late}"]
    models = board.advised
    if models.calls or models.degraded or models.advised or models.not_adopted:
        about.append(
            f"advised {models.advised}, late {models.amended}, not adopted {models.not_adopted}, degraded {models.degraded}, "
            f"{many(models.calls, 'call')} ${models.cost_usd:.4f}"
        )
    return packed([Text(part) for part in about], width) + packed([lane_of(lane) for lane in status.lanes], width)


def lane_of(lane: Lane) -> Text:
    again = f" (restarted {lane.restarts}×)" if lane.restarts else ""
    why = f" {lane.why}" if lane.why else ""
    return Text.assemble((f"{lane.name} ", "bold"), (printable(f"{lane.state}{again}{why}"), LANE_STYLES.get(lane.state, "")))


def text_of(value: str, style: str = "") -> Text:
    return Text(printable(value.replace("\n", " ")), style=style)


def clock(moment: datetime) -> str:
    return moment.astimezone().strftime("%H:%M:%S")
