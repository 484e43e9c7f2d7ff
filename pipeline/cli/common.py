"""What every command shares: exit codes, refusals with a fix, settings, tables and JSON on the terminal.

Commands import what is heavy inside their functions, so that `fluxai --help` and completion answer at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.settings import Settings


class Exit(IntEnum):
    OK = 0
    NO = 1
    """The answer is no: not found, or problems were found."""
    USAGE = 2
    """The command, a setting or a file is wrong; trying again does not help."""
    FATAL = 3
    CONNECTION = 4
    """A service did not answer; trying again may help."""


EXIT_CODES = "Exit codes: 0 done, 1 the answer is no (not found, problems found), 2 wrong use or configuration, 3 fatal, 4 no connection."


class Refusal(Exception):
    """Ends the command with a sentence about what is wrong, and one about what to do."""

    def __init__(self, code: Exit, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.code, self.what, self.fix = code, what, fix


class Commands(typer.Typer):
    """The application: refusals become exit codes, with `--json` also an object `error`; a closed pipe or Ctrl-C is no error."""

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        try:
            code = super().__call__(*args, **kwargs)
        except Refusal as refusal:
            for line in (refusal.what, refusal.fix):
                if line:
                    print(line, file=sys.stderr)
            if "--json" in (args[0] if args else sys.argv[1:]):
                print_json({"error": refusal.what} | ({"fix": refusal.fix} if refusal.fix else {}))
            code = int(refusal.code)
        except BrokenPipeError:
            # Python would complain again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = int(Exit.OK)
        except KeyboardInterrupt:
            code = 130
        sys.exit(code)


def commands(help: str, *, no_args_is_help: bool = True, **more: Any) -> Commands:
    """A group of commands in the house's style: plain help that keeps its examples' lines, no framed tracebacks."""
    settings: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
    return Commands(
        help=help, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=no_args_is_help, context_settings=settings, **more
    )


def load_settings(*, follow_run: bool = True, **changes: Any) -> Settings:
    """Settings of the environment; `changes` that are not None win over it. Refuses with all problems.

    Where no broker is named and a `fluxai run` goes on in this folder, its broker and database are taken (unless not `follow_run`).
    """
    from pydantic import ValidationError

    from pipeline.cli.running import running
    from pipeline.settings import Settings, SettingsError

    try:
        settings = Settings.load()
        given = {name: value for name, value in changes.items() if value is not None}
        if follow_run and "brokers" not in given and "brokers" not in settings.model_fields_set:
            run = running(settings.state_dir)
            if run is not None:
                given |= {
                    "brokers": run.brokers,
                    "postgres_url": run.postgres_url or None,
                    "cluster_id": run.cluster_id,
                    "topic_prefix": run.topic_prefix,
                }
        return settings.model_validate(settings.model_dump(exclude_unset=True) | given) if given else settings
    except SettingsError as error:
        raise Refusal(Exit.USAGE, str(error)) from None
    except ValidationError as error:
        item = error.errors(include_url=False, include_input=False)[0]
        raise Refusal(Exit.USAGE, f"{item['loc'][0]}: {item['msg'].removeprefix('Value error, ')}.") from None


def read_config(settings: Settings) -> Config:
    """The configuration file. Refuses with file, line and fix."""
    from pipeline.config import load_config
    from pipeline.yaml_lines import FileError

    try:
        return load_config(settings)
    except FileError as error:
        raise Refusal(Exit.USAGE, str(error)) from None


def safe(text: object) -> str:
    """Text for one line of a terminal: control characters, which could move the cursor or forge lines, become dots."""
    return "".join(character if character.isprintable() else "·" for character in str(text))


def print_json(value: Any) -> None:
    """One line of JSON on stdout, at once."""
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as their content; nothing is cut, so that `grep` and `awk` see it all."""
    lines = [[safe(cell) for cell in row] for row in rows]
    widths = [max(len(line[column]) for line in [list(head), *lines]) for column in range(len(head))]
    for line in [[name.upper() for name in head], *lines]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def now() -> datetime:
    return datetime.now(UTC)


def duration(text: str) -> timedelta:
    """`90s`, `30m`, `2h`, `1d`. Refuses anything else."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = text[:-1], text[-1:].lower()
    try:
        seconds = float(number) * units[unit]
    except (KeyError, ValueError):
        raise Refusal(Exit.USAGE, f"{text!r} is no duration.", "Write it as 90s, 30m, 2h or 1d.") from None
    if not 0 < seconds <= 366 * 86400:
        raise Refusal(Exit.USAGE, f"{text!r} is not between a second and a year.", "Write it as 90s, 30m, 2h or 1d.")
    return timedelta(seconds=seconds)


def moment(text: str) -> datetime:
    """An ISO 8601 time; without an offset it is UTC. Refuses anything else."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(Exit.USAGE, f"{text!r} is no time.", "Write it as 2026-05-01T22:00:00Z.") from None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def ago(then: datetime | None) -> str:
    """How long ago, roughly: `12s`, `5m`, `3h`, `2d`."""
    if then is None:
        return ""
    seconds = max(0, int((now() - then).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def me() -> str:
    """Who is at the keyboard, for what carries an owner."""
    import getpass

    try:
        return os.environ.get("FLUX_USER") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


JSON = typer.Option(False, "--json", help="Print JSON, for scripts.")
BROKER = typer.Option(None, "--broker", help="HOST:PORT of Kafka; default FLUX_KAFKA_BROKERS.")
