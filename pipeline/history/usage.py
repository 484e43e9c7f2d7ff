"""What models cost, added up by day, provider and model."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date
from typing import NamedTuple

from schemas.usage import Usage

ANSWERED = "answered"


class Spent(NamedTuple):
    """Calls of one UTC day, provider and model."""

    day: date
    provider: str
    model: str
    calls: int
    denied: int
    """Not asked: the budget, or its ledger, said no."""
    cached: int
    """Answered from our own cache: nothing was asked."""
    failed: int
    cost_usd: float
    reserved_usd: float
    """Part of `cost_usd` that belongs to calls which have not reported their end: what they may cost at most."""
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    took_ms: int
    """Of all calls together."""


def sum_up(usage: Iterable[Usage]) -> list[Spent]:
    """A call is its settle where there is one, else its reserve; the same record twice counts once. Newest day first."""
    calls: dict[str, Usage] = {}
    for one in usage:
        known = calls.get(one.usage_id)
        if known is None or (known.kind == "reserve" and one.kind != "reserve"):
            calls[one.usage_id] = one
    groups: dict[tuple[date, str, str], list[Usage]] = {}
    for one in calls.values():
        groups.setdefault((one.at.astimezone(UTC).date(), one.provider, one.model), []).append(one)
    return [added(key, groups[key]) for key in sorted(groups, key=lambda key: (-key[0].toordinal(), *key[1:]))]


def added(key: tuple[date, str, str], calls: list[Usage]) -> Spent:
    return Spent(
        *key,
        calls=sum(one.asked for one in calls),
        denied=sum(not one.asked for one in calls),
        cached=sum(one.cached for one in calls),
        failed=sum(one.asked and one.kind != "reserve" and one.outcome != ANSWERED for one in calls),
        cost_usd=sum(one.cost_usd for one in calls),
        reserved_usd=sum(one.cost_usd for one in calls if one.kind == "reserve"),
        tokens_in=sum(one.tokens_in for one in calls),
        tokens_out=sum(one.tokens_out for one in calls),
        tokens_cached=sum(one.tokens_cached for one in calls),
        took_ms=sum(one.took_ms for one in calls),
    )
