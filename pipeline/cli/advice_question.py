"""From a payload in a file to the question that the decide lane would ask about one of its alerts."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.common import Exit, Refusal, read_config

if TYPE_CHECKING:
    from pipeline.asking import Asked
    from pipeline.config import Config
    from pipeline.known import Known
    from pipeline.settings import Settings
    from schemas.advice import AdviceTask
    from schemas.alert import Alert


def what_is_known(settings: Settings, *, scripted: bool = False) -> Known:
    """Reference data from Kafka where one is named; without it stderr says what is missing. `scripted`: that provider can be asked too."""
    from pipeline.broker.topics import BrokersUnavailable
    from pipeline.known import NO_TABLES, known_from, read_tables

    tables = NO_TABLES
    if "brokers" not in settings.model_fields_set:
        note("no Kafka is named and no run goes on here: topology, runbooks and rules of topics are not known")
    else:
        try:
            tables = read_tables(settings)
        except BrokersUnavailable as error:
            note(f"Kafka is away, topology, runbooks and rules of topics are not known: {error}")
    return known_from(settings, read_config(settings), tables, scripted=scripted)


def question_from_file(
    settings: Settings, file: Path, index: int, source: str | None, task: str, *, scripted: bool = False
) -> tuple[Asked, Known]:
    """The request that decide would make. Refuses what is no payload, has no such alert, or needs no question."""
    from pipeline.asking import NotAsked, asked

    wanted = task_of(task)
    known = what_is_known(settings, scripted=scripted)
    alert = alert_of(file, index, source, known.config)
    try:
        found = asked(alert, known.config, time.time_ns() // 1_000_000, known.tables)
    except NotAsked as error:
        raise Refusal(
            Exit.NO, f"Nothing is asked about {alert.name} ({alert.status.value}): {error}.", "Take an alert that fires."
        ) from None
    found.request.question.task = wanted
    return found, known


def task_of(text: str) -> AdviceTask:
    from schemas.advice import AdviceTask

    try:
        return AdviceTask(text)
    except ValueError:
        raise Refusal(Exit.USAGE, f"There is no task {text!r}.", f"Known: {', '.join(AdviceTask)}.") from None


def alert_of(file: Path, index: int, source: str | None, config: Config) -> Alert:
    from agents.normalize import normalize
    from agents.normalize.lines import documents

    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Refusal(Exit.USAGE, f"{file}: {error.strerror or error}.", "Name a file that can be read, or - for standard input.") from None
    alerts, whys = [], []
    for offset, document in enumerate(documents(data)):
        made = normalize(
            document,
            source_hint=source,
            topic=file.name,
            partition=0,
            offset=offset,
            received_ms=time.time_ns() // 1_000_000,
            rules=config.normalize_rules(),
        )
        alerts += made.alerts
        whys += [f"{one.reason.value}: {one.error}" for one in made.rejects] + made.ignored
    if not alerts:
        raise Refusal(Exit.NO, f"{file} holds no alert: {'; '.join(whys[:3]) or 'it is empty'}.", f"See: fluxai normalize {file}")
    if index >= len(alerts):
        raise Refusal(Exit.USAGE, f"{file} holds {len(alerts)} alerts; there is no number {index}.", "Count from 0: --index 0")
    return alerts[index]


def note(text: str) -> None:
    print(f"Note: {text}.", file=sys.stderr)
