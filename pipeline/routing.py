"""A dry run of the rules that choose a provider: which decides, and why each of the others does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from agents.advice.route import Fit, Route, choose, why
from schemas.advice import Question
from schemas.routing import RoutingRule


@dataclass(frozen=True, slots=True)
class DryRun:
    """The route of a question, and what came of each rule in the order in which they were looked at."""

    route: Route
    fits: tuple[Fit, ...]


def dry_run(rules: Sequence[RoutingRule], question: Question, available: Mapping[str, bool], forbidden: Collection[str] = ()) -> DryRun:
    """`available`: name of each provider that may be asked, to whether it is local. `forbidden`: those that local-only mode rules out."""
    return DryRun(choose(rules, question, available=available, forbidden=forbidden), tuple(why(rules, question)))
