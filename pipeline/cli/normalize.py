"""`fluxai normalize`: what we make of payloads in files, without a broker."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.common import Exit, Refusal, load_settings, print_table, read_config


def normalize(
    files: Annotated[
        list[Path],
        typer.Argument(help="Payload files: one JSON document each, or one a line. `-` reads standard input.", metavar="FILE..."),
    ],
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line for each alert, change, ignored message and dead letter.")
    ] = False,
    source: Annotated[str | None, typer.Option("--source", help="Name of the source, as its `source` header would say.")] = None,
) -> None:
    """Show what alerts the payloads in files become. Needs no broker.

    \b
    Example:
      fluxai normalize payload.json
      fluxai normalize --json --source alertmanager payloads/*.json
      curl -s http://alertmanager:9093/api/v2/alerts | fluxai normalize -

    Exits with 1 where something became a dead letter, with 2 where a file cannot be read.
    """
    from agents.normalize import NormalizeRules
    from agents.normalize.lines import lines

    config = read_config(load_settings(follow_run=False))
    rules = NormalizeRules(domain_labels=config.normalize.domain_labels, mappings=config.mappings)
    printed: list[dict[str, Any]] = []
    for file in files:
        name, data = _bytes(file)
        printed.extend(lines(name, data, rules, source, received_ms=time.time_ns() // 1_000_000))
    if json:
        _print_json(printed)
    else:
        print_table(("file", "source", "status", "level", "said", "name", "service", "since"), map(_cells, printed))
    if any("dead_letter" in line for line in printed):
        raise typer.Exit(Exit.NO)


def _bytes(file: Path) -> tuple[str, bytes]:
    if str(file) == "-":
        return "-", sys.stdin.buffer.read()
    try:
        return file.name, file.read_bytes()
    except OSError as error:
        raise Refusal(
            Exit.USAGE, f"{file}: {error.strerror or error}", "Name a file that can be read, or `-` for standard input."
        ) from error


def _print_json(printed: list[dict[str, Any]]) -> None:
    import msgspec

    for line in printed:
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")


def _cells(line: dict[str, Any]) -> list[str]:
    if "dead_letter" in line:
        return [line["file"], "", "dead letter", "", "", line["dead_letter"], "", ""]
    if "ignored" in line:
        return [line["file"], "", "ignored", "", "", line["ignored"], "", ""]
    if "change" in line:
        change = line["change"]
        return [line["file"], change["source"], change["kind"], "", "", change["title"], change["service"], change["happened_at"]]
    since = (line["started_at"] or "")[:19]
    return [
        line["file"],
        line["source"],
        line["status"],
        line["severity"] or "-",
        line["source_severity"],
        line["name"],
        line["service"],
        since,
    ]
