"""Non-production: staging and the like are kept out of the production view."""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.reasons import Why
from schemas.decision import Outcome


def non_production(case: Case, turn: Turn) -> End | None:
    environment = case.alert.environment.lower()
    if environment not in turn.world.rules.non_production:
        return None
    return End(Outcome.SUPPRESSED, Why.NON_PRODUCTION, f"environment {environment} is not production", {"environment": environment})
