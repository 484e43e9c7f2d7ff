"""`fluxai send`: payload files onto a topic."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipeline.cli.common import BROKER, JSON, Exit, Refusal, load_settings, print_json

if TYPE_CHECKING:
    from pipeline.cli.kafka import Outgoing


def send(
    files: list[str] = typer.Argument(..., metavar="FILE...", help="Payloads; .jsonl and .ndjson hold one a line; - is stdin."),
    source: str | None = typer.Option(
        None, "--source", "-s", help="Name the format (flux, alertmanager, grafana, ...); else it is recognised."
    ),
    topic: str = typer.Option("alerts.raw", "--topic", "-t", help="Another topic than alerts.raw."),
    key: str | None = typer.Option(
        None, "--key", "-k", help="Key of the records; records of one key stay in order. Default: the source or file name."
    ),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Send payload files as they are; returns when Kafka has acknowledged them (acks=all).

    \b
    Example:
      fluxai send --source alertmanager alert.json
      jq -c '.[]' many.json | fluxai send --source flux -
    """
    from pipeline.cli.kafka import send_all, short_name
    from schemas.topics import full_name

    settings = load_settings(brokers=broker)
    short = short_name(settings, topic)
    sent = send_all(settings, short, records(files, source, key))
    if json:
        print_json({"sent": sent, "topic": full_name(settings.topic_prefix, short)})
    else:
        print(f"{sent} record{'' if sent == 1 else 's'} acknowledged on {full_name(settings.topic_prefix, short)}.")


def records(files: list[str], source: str | None, key: str | None) -> Iterator[Outgoing]:
    """One record a file, or one a line; refuses before the first is sent when a file is missing."""
    from pipeline.cli.kafka import Outgoing

    missing = [name for name in files if name != "-" and not Path(name).is_file()]
    if missing:
        raise Refusal(Exit.USAGE, f"There is no file {', '.join(missing)}.")
    headers = [("source", source.encode())] if source else []
    for name in files:
        by = (key or source or Path(name).name).encode()
        if name == "-" or name.endswith((".jsonl", ".ndjson")):
            with sys.stdin.buffer if name == "-" else Path(name).open("rb") as lines:
                for line in lines:
                    if line.strip():
                        yield Outgoing(by, line.rstrip(b"\r\n"), headers)
        else:
            yield Outgoing(by, Path(name).read_bytes(), headers)
