"""What the routes need, handed to them: each can be replaced in a test by something that remembers what it was asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agents.normalize import Normalized
from pipeline.api.body import Budget
from pipeline.api.publish import Coordinates, Publisher
from pipeline.api.read import Archive
from pipeline.config import Config
from pipeline.health import Health
from pipeline.known import Known
from pipeline.metrics import Metrics
from pipeline.models import ProviderFacts
from pipeline.settings import Settings
from schemas.routing import RoutingRule
from schemas.silence import Silence


class Normalize(Protocol):
    def __call__(self, body: bytes, source: str, where: Coordinates) -> Normalized:
        """What intake will make of this raw record."""


class AdviceDesk(Protocol):
    """What is known of language models."""

    @property
    def settings(self) -> Settings: ...

    @property
    def config(self) -> Config: ...

    def facts(self) -> Sequence[ProviderFacts]: ...

    def known(self) -> Known:
        """Reference data and rules as they are now. Blocks for a second. Raises HistoryUnavailable when Kafka does not answer."""

    def written(self) -> Mapping[str, RoutingRule]:
        """The rules of the topic. Blocks and raises as `known`."""


class SilenceReader(Protocol):
    def silences(self) -> Sequence[Silence]:
        """All that are known, ended ones included. Blocks for a moment. Raises HistoryUnavailable when Kafka does not answer."""


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Parts:
    publisher: Publisher
    normalize: Normalize
    archive: Archive
    silences: SilenceReader
    advice: AdviceDesk
    metrics: Metrics
    health: Health
    prefix: str = "flux."
    token: str = ""
    """What callers must present; empty means no check."""
    slack_secret: str = ""
    now: Callable[[], int] = wall_clock_ms
    budget: Budget = field(default_factory=Budget)
