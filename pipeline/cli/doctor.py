"""`fluxai doctor`: every setting and connection, with the fix for what is wrong."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipeline.cli.common import BROKER, JSON, Exit, Refusal, load_settings, print_json, read_config, safe

if TYPE_CHECKING:
    from pipeline.settings import Settings

LOW_DISK_BYTES = 1_000_000_000


class Grade(StrEnum):
    OK = "ok"
    NOTE = "note"
    """Works, and may still not be what was meant."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    about: str
    grade: Grade
    what: str
    fix: str = ""


def doctor(
    broker: str | None = BROKER,
    show: bool = typer.Option(False, "--settings", help="Print the catalogue of settings as Markdown and stop."),
    json: bool = JSON,
) -> None:
    """Check settings, configuration, Kafka, topics, PostgreSQL and this machine. Exit code 1 when something is wrong.

    \b
    Example:
      fluxai doctor --broker kafka:9092
      fluxai doctor --settings
    """
    from pipeline.settings import as_markdown

    if show:
        print(as_markdown(), end="")
        return
    wrong = 0
    for finding in examine(broker):
        wrong += finding.grade is Grade.WRONG
        if json:
            print_json(asdict(finding))
            continue
        mark = {Grade.OK: "ok   ", Grade.NOTE: "note ", Grade.WRONG: "WRONG"}[finding.grade]
        print(f"{mark}  {finding.about}: {safe(finding.what)}", flush=True)
        if finding.fix:
            print(f"       fix: {safe(finding.fix)}", flush=True)
    if wrong:
        raise typer.Exit(Exit.NO)


def examine(broker: str | None) -> Iterator[Finding]:
    yield Finding("Python", Grade.OK, platform.python_version())
    try:
        settings = load_settings(brokers=broker)
    except Refusal as refusal:
        for line in refusal.what.splitlines():
            yield Finding("setting", Grade.WRONG, line, refusal.fix)
        return
    yield from examine_settings(settings)
    yield from examine_kafka(settings)
    yield from examine_postgres(settings)
    yield from examine_models(settings)
    yield from examine_machine(settings)


def examine_settings(settings: Settings) -> Iterator[Finding]:
    from pipeline.settings import unknown_names

    yield Finding("settings", Grade.OK, f"all are valid, mode {settings.mode.value}")
    for name, close in unknown_names():
        yield Finding(
            "setting",
            Grade.NOTE,
            f"{name} means nothing to Flux AI",
            f"Did you mean {close}?" if close else "Unset it, or see: fluxai doctor --settings",
        )
    if not settings.noise_suppression:
        yield Finding("setting", Grade.NOTE, "NOISE_SUPPRESSION_ENABLED is false: everything is told", "Unset it to suppress noise again")
    try:
        config = read_config(settings)
    except Refusal as refusal:
        for line in refusal.what.splitlines():
            yield Finding("configuration", Grade.WRONG, line)
        return
    names = ", ".join(receiver.name for receiver in config.notify.receivers)
    yield Finding("configuration", Grade.OK, f"{settings.config_file or 'built in'}; receivers: {names}")
    yield from examine_secrets(settings)


def examine_secrets(settings: Settings) -> Iterator[Finding]:
    """Whether the secrets that receivers name can be read; their values are not looked at."""
    import os

    for receiver in read_config(settings).notify.receivers:
        for name in ("url", "secret"):
            value = getattr(receiver, name, None) or ""
            kind, _, rest = value.partition(":")
            if kind == "env" and not os.environ.get(rest):
                yield Finding("receiver", Grade.WRONG, f"{receiver.name} takes its {name} from {rest}, which is not set", f"Set {rest}")
            if kind == "file" and not Path(rest).is_file():
                yield Finding(
                    "receiver",
                    Grade.WRONG,
                    f"{receiver.name} takes its {name} from {rest}, which is no file",
                    "Make the file, readable by this user only",
                )


def examine_kafka(settings: Settings) -> Iterator[Finding]:
    from pipeline.broker.topics import BrokersUnavailable, check

    try:
        problems = check(settings.brokers, settings.topic_prefix, client=settings.kafka_client(), timeout=8.0)
    except BrokersUnavailable as error:
        fix = "Set FLUX_KAFKA_BROKERS or --broker; for a local one: export FLUX_KAFKA_BROKERS=$(fluxai kafka up)"
        yield Finding("Kafka", Grade.WRONG, f"{settings.brokers}: {error}", fix)
        return
    yield Finding("Kafka", Grade.OK, f"{settings.brokers} answers")
    for problem in problems:
        yield Finding("topic", Grade.WRONG, f"{problem.topic} {problem.what}", problem.fix)
    if not problems:
        yield Finding("topics", Grade.OK, f"all are there, prefix {settings.topic_prefix!r}")


def examine_postgres(settings: Settings) -> Iterator[Finding]:
    from pipeline.history.base import HistoryUnavailable
    from pipeline.record.reader import PostgresHistory
    from pipeline.settings import reveal

    if settings.postgres_url is None:
        yield Finding(
            "PostgreSQL",
            Grade.NOTE,
            "FLUX_POSTGRES_URL is not set: no history; explain and incidents read the topics",
            "Set it, or use: fluxai run",
        )
        return
    try:
        PostgresHistory(reveal(settings.postgres_url), settings.topic_prefix).check()
    except HistoryUnavailable as error:
        yield Finding(
            "PostgreSQL",
            Grade.WRONG,
            f"{error}",
            "Check FLUX_POSTGRES_URL and the server; the record worker makes the tables when it starts",
        )
    else:
        yield Finding("PostgreSQL", Grade.OK, "answers, and has the tables")


def examine_models(settings: Settings) -> Iterator[Finding]:
    """Asks each server for its models, and no model for anything."""
    from pipeline.cli.doctor_models import findings

    try:
        config = read_config(settings)
    except Refusal:
        return  # told already
    yield from findings(settings, config.advice)


def examine_machine(settings: Settings) -> Iterator[Finding]:
    from pipeline.broker.jars import missing_tools
    from pipeline.ports import port_is_free

    folder = settings.state_dir.absolute()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < LOW_DISK_BYTES:
        yield Finding(
            "disk", Grade.WRONG, f"{free // 1_000_000} MB free for {folder}", "Free some, or set FLUX_STATE_DIR to a folder on another disk"
        )
    else:
        yield Finding("disk", Grade.OK, f"{free // 1_000_000_000} GB free for {folder}")
    if settings.api_port and not port_is_free(settings.api_host, settings.api_port):
        yield Finding(
            "port", Grade.NOTE, f"{settings.api_host}:{settings.api_port} is in use, perhaps by Flux AI itself", "Else set FLUX_API_PORT"
        )
    missing = missing_tools()
    if missing is None:
        yield Finding("local Kafka", Grade.OK, "fluxai kafka up works here")
    else:
        yield Finding("local Kafka", Grade.NOTE, f"not possible here: {missing}", "Only needed for fluxai kafka up and the tests on Kafka")
