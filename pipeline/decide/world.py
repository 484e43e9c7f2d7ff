"""The world of a decision: rules and reference data as of now, rebuilt only when a reference topic moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from pydantic import BaseModel

from agents.advice.config import AdviceConfig
from agents.case import NO_ADVICE, Whom, World
from agents.learned import Classifier
from agents.matching import InvalidExpression, check
from agents.noise.rules import NoiseRules
from agents.runbooks import RunbookIndex
from agents.topology import Graph
from schemas.base import Matcher
from schemas.learning import Snapshot
from schemas.rule import Rule
from schemas.runbook import Runbook
from schemas.silence import Silence
from schemas.topology import Service

Model = TypeVar("Model", bound=BaseModel)


class Tables(Protocol):
    """Compacted topics as tables: the newest value of each key, and the offset that they are as of."""

    def table(self, topic: str) -> Mapping[str, BaseModel]: ...
    def version(self, topic: str) -> int: ...


class WorldView:
    """Callable that gives the world; `tables` may be moved on between batches."""

    def __init__(
        self,
        rules: NoiseRules,
        whom: Whom,
        backup: Callable[[str], str | None],
        tables: Tables,
        report: Callable[[str, str], None],
        advice: AdviceConfig = NO_ADVICE,
    ) -> None:
        """`report(id, error)` hears of a silence or rule that cannot be used."""
        self.report = report
        self.tables = tables
        self.world = World(rules, Graph(), (), (), (), (), RunbookIndex(), whom, backup, advice=advice)
        self.versions: dict[str, int] = {}

    def __call__(self) -> World:
        return self.world

    def refresh(self) -> None:
        """Take in what the reference topics say now."""
        world = self.world
        if self.moved("topology"):
            world.graph = Graph(self.all("topology", Service), self.versions["topology"])
        if self.moved("silences"):
            world.silences = tuple(one for one in self.all("silences", Silence) if self.usable(one.silence_id, one.matchers))
        if self.moved("runbooks"):
            world.runbooks = RunbookIndex(self.all("runbooks", Runbook))
        if self.moved("models"):
            world.learned = self.classifier()
        if self.moved("rules"):
            rules = [one for one in self.all("rules", Rule) if self.usable(one.rule_id, one.matchers)]
            world.significance = tuple(rule for rule in rules if rule.kind == "significance")
            world.false_p1 = tuple(rule for rule in rules if rule.kind == "false_p1")
            world.severity_rules = tuple(rule for rule in rules if rule.kind == "severity")

    def classifier(self) -> Classifier | None:
        """What was learned and promoted; a snapshot that cannot be used is reported, and the rules stand alone."""
        snapshots = {one.name: one for one in self.all("models", Snapshot)}
        try:
            return Classifier.from_snapshot(snapshots.get("severity"), snapshots.get("runbook"))
        except ValueError as error:
            self.report("models", str(error))
            return None

    def usable(self, what: str, matchers: Sequence[Matcher]) -> bool:
        """Whether its expressions compile; one that does not is reported and left out: unsure means tell."""
        try:
            check(matchers)
        except InvalidExpression as error:
            self.report(what, str(error))
            return False
        return True

    def moved(self, topic: str) -> bool:
        version = self.tables.version(topic)
        if self.versions.get(topic) == version:
            return False
        self.versions[topic] = version
        return True

    def all(self, topic: str, model: type[Model]) -> Sequence[Model]:
        return [value for _, value in sorted(self.tables.table(topic).items()) if isinstance(value, model)]
