"""An alert event on its way through the stages, and the turn in which it is decided.

A stage is a function `stage(case, turn) -> End | None`: it adds facts to the case, and either lets it go on (None) or ends it with an
outcome and a named reason. It reads no clock and does no I/O; what should happen outside is asked for on the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agents.advice.config import AdviceConfig
from agents.noise.rules import NoiseRules
from agents.reasons import Why
from agents.rows import AlertRow, IncidentRow, alert_key
from agents.state import ByteMap
from agents.topology import Graph
from schemas.alert import Alert
from schemas.base import Severity
from schemas.decision import Outcome
from schemas.effect import Transition
from schemas.learning import Features
from schemas.rule import Rule
from schemas.runbook import RunbookMatch
from schemas.silence import Silence


class RunbookFinder(Protocol):
    def match(self, *, name: str, service: str, text: str, hint: str) -> list[RunbookMatch]: ...


class Learned(Protocol):
    """What people's corrections taught: `agents.learned.Classifier`."""

    def probabilities(self, features: Features) -> dict[str, float]: ...
    def knows(self, features: Features) -> bool: ...
    def runbook_wrong(self, features: Features, runbook_id: str) -> float: ...


class Whom(Protocol):
    def __call__(
        self, *, severity: Severity, service: str, environment: str, owner: str, labels: Mapping[str, str], now: int
    ) -> tuple[str, ...]: ...


NO_ADVICE = AdviceConfig(mode="off")


@dataclass(slots=True)
class World:
    """What a decision may look at besides the event and the state: rules and reference data as of the batch."""

    rules: NoiseRules
    graph: Graph
    silences: tuple[Silence, ...]
    significance: tuple[Rule, ...]
    false_p1: tuple[Rule, ...]
    severity_rules: tuple[Rule, ...]
    runbooks: RunbookFinder
    whom: Whom
    backup: Callable[[str], str | None]
    """Second receiver for a P1 that a receiver cannot be told."""
    learned: Learned | None = None
    advice: AdviceConfig = NO_ADVICE
    """`off` also where no provider is set up: then a verdict of the rules is complete."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Somebody is to be told about an incident."""

    incident: IncidentRow
    transition: Transition
    receivers: tuple[str, ...]


@dataclass(slots=True)
class Turn:
    """One event or timer: clock (epoch ms), state, world, and what is asked for."""

    now: int
    state: ByteMap
    world: World
    at: Callable[[int, str, str], None]
    tells: list[Tell] = field(default_factory=list)
    touched: dict[str, IncidentRow] = field(default_factory=dict)
    """Incidents read or changed in this turn, each loaded once and stored at its end."""
    publish: set[str] = field(default_factory=set)
    """Incidents whose next revision goes out with this turn."""
    revised: set[str] = field(default_factory=set)
    """Incidents whose revision was counted on in this turn: what is told and what is published carry the same one."""
    caused_by: str = ""
    """Alert event, receipt or feedback that this turn is about."""
    alert: Alert | None = None
    """The alert event that this turn is about."""
    advised: set[str] = field(default_factory=set)
    """Incidents whose question to a model came to an end in this turn."""


@dataclass(slots=True)
class Case:
    alert: Alert
    row: AlertRow | None
    """The alert as known before this event."""
    severity: Severity = Severity.P3
    confidence: float = 0.5
    digest: int = 0
    owner: str = ""
    tier: int = 3
    customer_facing: bool = False
    incident: IncidentRow | None = None
    would_suppress: End | None = None
    again: bool = False
    """It is judged again without a new event."""
    over: bool = False
    """Its own resolve came before it, and nobody has been told of that episode."""
    stages: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """(stage, reason, facts) in the order they came."""

    @property
    def key(self) -> str:
        return alert_key(self.alert.fingerprint, self.alert.domain)

    def add(self, stage: str, reason: str, /, **facts: Any) -> None:
        self.stages.append((stage, reason, facts))


@dataclass(frozen=True, slots=True)
class End:
    """How an event ended: what happens to it, the named reason, a sentence, the facts, and who suppresses it."""

    outcome: Outcome
    why: Why
    text: str
    facts: dict[str, Any] = field(default_factory=dict)
    until: int = 0
    """When suppressed: when to look again, epoch ms; 0 is the default interval."""
    by: str = ""


Stage = Callable[[Case, Turn], "End | None"]
