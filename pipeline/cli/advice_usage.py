"""`fluxai advice usage`: what models cost, and what is left of the budget."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from pipeline.cli.common import BROKER, JSON, load_settings, now, print_json, print_table, read_config

if TYPE_CHECKING:
    from pipeline.history.usage import Spent


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
    from pipeline.spending import budget_now, midnight

    settings = load_settings(brokers=broker)
    config = read_config(settings).advice
    with history(settings) as source:
        rows = source.usage_since(midnight(now()) - timedelta(days=days - 1))
        budget = budget_now(source, settings, config, now())
    if json:
        print_json({"days": [row._asdict() for row in rows], "budget": budget.to_json()})
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
