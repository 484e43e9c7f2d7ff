"""From a payload in a file to the question that the decide lane would ask about one of its alerts."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.common import Exit, Refusal, read_config

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipeline.asking import Asked
    from pipeline.config import Config
    from pipeline.settings import Settings
    from schemas.advice import AdviceTask
    from schemas.alert import Alert
    from schemas.learning import Snapshot
    from schemas.routing import RoutingRule

REFERENCE = ("topology", "runbooks", "rules", "silences", "models", "routing")
WITHIN_S = 5.0


class Tables:
    """Reference data as they were at one moment."""

    def __init__(self, tables: Mapping[str, Mapping[str, BaseModel]]) -> None:
        self._tables = tables

    def table(self, topic: str) -> Mapping[str, BaseModel]:
        return self._tables.get(topic, {})

    def version(self, topic: str) -> int:
        return 1


@dataclass(frozen=True)
class Known:
    """What decide and advise would go by: configuration, reference data, the routing rules in force, and who can be asked."""

    config: Config
    tables: Tables
    rules: list[RoutingRule]
    available: Mapping[str, bool]
    """Name of each provider that is set up and that local-only mode lets be asked, to whether it is local."""
    snapshots: Mapping[str, Snapshot]
    """What was learned and is in use."""

    def version(self, task: AdviceTask) -> int | None:
        """Of the prompt in use; None is the one that is marked as current, also where this build does not have the other."""
        from agents.advice.prompt import templates

        promoted = self.snapshots.get(f"prompt/{task.value}")
        here = {(one.task, one.version) for one in templates()}
        return promoted.version if promoted is not None and (task, promoted.version) in here else None

    def calibrate(self, model: str, prompt: str, probabilities: Mapping[str, float]) -> dict[str, float]:
        from agents.calibrate import Calibration

        fitted = self.snapshots.get(f"calibration/{model} {prompt}")
        return dict(probabilities) if fitted is None else Calibration.from_content(fitted.content).apply(probabilities)


def what_is_known(settings: Settings, *, scripted: bool = False) -> Known:
    """Reference data from Kafka where one is named; without it stderr says what is missing. `scripted`: that provider can be asked too."""
    from pipeline.act.live import merged
    from pipeline.models import provider_facts
    from schemas.learning import Snapshot
    from schemas.routing import RoutingRule

    config = read_config(settings)
    tables = read_tables(settings)
    available = {one.name: one.local for one in provider_facts(settings, config.advice) if one.set_up and one.allowed}
    if scripted:
        available["scripted"] = True
    written = {name: rule for name, rule in tables.table("routing").items() if isinstance(rule, RoutingRule)}
    snapshots = {name: one for name, one in tables.table("models").items() if isinstance(one, Snapshot)}
    return Known(config, tables, list(merged(config.advice.routes, written)), available, snapshots)


def read_tables(settings: Settings) -> Tables:
    from pipeline.broker.reference import Reference
    from pipeline.broker.topics import BrokersUnavailable

    if "brokers" not in settings.model_fields_set:
        note("no Kafka is named and no run goes on here: topology, runbooks and rules of topics are not known")
        return Tables({})
    reference = Reference(settings.brokers, settings.topic_prefix, REFERENCE, client=settings.kafka_client())
    try:
        reference.load(timeout=WITHIN_S)
        return Tables({topic: dict(reference.table(topic)) for topic in REFERENCE})
    except BrokersUnavailable as error:
        note(f"Kafka is away, topology, runbooks and rules of topics are not known: {error}")
        return Tables({})
    finally:
        reference.close()


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
