"""What decide and advise go by, read once: configuration, reference data, routing rules, and who can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from agents.advice.prompt import templates
from agents.calibrate import Calibration
from pipeline.act.live import merged
from pipeline.broker.reference import Reference
from pipeline.config import Config
from pipeline.models import forbidden, may_be_asked
from pipeline.settings import Settings
from schemas.advice import AdviceTask
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


NO_TABLES = Tables({})


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
    forbidden: tuple[str, ...] = ()
    """Providers that are set up and that local-only mode lets nobody ask."""

    def version(self, task: AdviceTask) -> int | None:
        """Of the prompt in use; None is the one that is marked as current, also where this build does not have the other."""
        promoted = self.snapshots.get(f"prompt/{task.value}")
        here = {(one.task, one.version) for one in templates()}
        return promoted.version if promoted is not None and (task, promoted.version) in here else None

    def calibrate(self, model: str, prompt: str, probabilities: Mapping[str, float]) -> dict[str, float]:
        fitted = self.snapshots.get(f"calibration/{model} {prompt}")
        return dict(probabilities) if fitted is None else Calibration.from_content(fitted.content).apply(probabilities)


def known_from(settings: Settings, config: Config, tables: Tables, *, scripted: bool = False) -> Known:
    """`scripted`: the provider of that name can be asked too."""
    available = {one.name: one.local for one in may_be_asked(settings, config.advice)}
    if scripted:
        available["scripted"] = True
    written = {name: rule for name, rule in tables.table("routing").items() if isinstance(rule, RoutingRule)}
    snapshots = {name: one for name, one in tables.table("models").items() if isinstance(one, Snapshot)}
    return Known(config, tables, list(merged(config.advice.routes, written)), available, snapshots, forbidden(settings, config.advice))


def read_tables(settings: Settings) -> Tables:
    """All reference topics, as they are now. Takes a second or so. Raises BrokersUnavailable; a retry may help."""
    reference = Reference(settings.brokers, settings.topic_prefix, REFERENCE, client=settings.kafka_client())
    try:
        reference.load(timeout=WITHIN_S)
        return Tables({topic: dict(reference.table(topic)) for topic in REFERENCE})
    finally:
        reference.close()
