"""`fluxai advice usage`: what models cost, and what is left of the budget."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import typer

from pipeline.cli.common import BROKER, JSON, load_settings, now, print_json, print_table, read_config

if TYPE_CHECKING:
    from agents.advice.config import AdviceConfig
    from pipeline.history.base import History
    from pipeline.history.usage import Spent
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

    def __str__(self) -> str:
        waiting = f" (${self.reserved_usd:.4f} of it of calls that have not reported their end)" if self.reserved_usd else ""
        return (
            f"Today (UTC) ${self.spent_usd:.4f}{waiting} of ${self.limit_usd:.2f}, ${self.left_usd:.4f} left; "
            f"this hour {self.paid_calls_this_hour} of {self.limit_per_hour} calls to paid providers."
        )


def usage(
    days: int = typer.Option(1, "--days", min=1, max=366, help="Today and the days before it, UTC."),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """What models cost by day, provider and model, and what is left of the budget, from PostgreSQL or the topic `usage`.

    \b
    Example:
      fluxai advice usage --days 7
    """
    from pipeline.cli.incidents import history

    settings = load_settings(brokers=broker)
    config = read_config(settings).advice
    with history(settings) as source:
        rows = source.usage_since(midnight(now()) - timedelta(days=days - 1))
        budget = budget_now(source, settings, config, now())
    if json:
        print_json({"days": [row._asdict() for row in rows], "budget": budget.__dict__ | {"left_usd": budget.left_usd}})
        return
    print_table(
        ("day", "provider", "model", "calls", "failed", "denied", "cached", "tokens in", "of cache", "out", "mean ms", "usd"),
        map(cells, rows),
    )
    print(budget)


def cells(row: Spent) -> tuple[object, ...]:
    asked = max(1, row.calls - row.cached)
    return (
        row.day,
        row.provider,
        row.model,
        row.calls,
        row.failed,
        row.denied,
        row.cached,
        row.tokens_in,
        row.tokens_cached,
        row.tokens_out,
        row.took_ms // asked,
        f"{row.cost_usd:.6f}",
    )


def budget_now(source: History, settings: Settings, config: AdviceConfig, moment: datetime) -> Budget:
    """Raises HistoryUnavailable."""
    from pipeline.models import provider_facts

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
