"""What is left of the budget of paid models, as history knows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from agents.advice.config import AdviceConfig
from pipeline.history.base import History
from pipeline.history.usage import Spent
from pipeline.models import provider_facts
from pipeline.settings import Settings


@dataclass(frozen=True)
class Budget:
    """Of paid providers: USD today (UTC), calls this hour, and what the configuration allows of both."""

    spent_usd: float
    reserved_usd: float
    limit_usd: float
    paid_calls_this_hour: int
    limit_per_hour: int

    @property
    def left_usd(self) -> float:
        return max(0.0, self.limit_usd - self.spent_usd)

    @property
    def left_this_hour(self) -> int:
        return max(0, self.limit_per_hour - self.paid_calls_this_hour)

    def to_json(self) -> dict[str, int | float]:
        return {**asdict(self), "left_usd": self.left_usd, "left_this_hour": self.left_this_hour}

    def __str__(self) -> str:
        waiting = f" (${self.reserved_usd:.4f} of it of calls that have not reported their end)" if self.reserved_usd else ""
        return (
            f"Today (UTC) ${self.spent_usd:.4f}{waiting} of ${self.limit_usd:.2f}, ${self.left_usd:.4f} left; "
            f"this hour {self.paid_calls_this_hour} of {self.limit_per_hour} calls to paid providers."
        )


def budget_now(source: History, settings: Settings, config: AdviceConfig, moment: datetime) -> Budget:
    """Raises HistoryUnavailable."""
    paid = {one.name for one in provider_facts(settings, config) if one.paid}
    today = of_paid(source.usage_since(midnight(moment)), paid)
    hour = of_paid(source.usage_since(moment.replace(minute=0, second=0, microsecond=0)), paid)
    return Budget(
        sum(row.cost_usd for row in today),
        sum(row.reserved_usd for row in today),
        config.budget,
        sum(row.calls - row.cached for row in hour),
        config.analyses_per_hour,
    )


def of_paid(rows: Iterable[Spent], paid: set[str]) -> list[Spent]:
    return [row for row in rows if row.provider in paid]


def midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
