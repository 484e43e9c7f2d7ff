"""The order of the alert stages, to be read aloud.

A firing event: is it said again in the same words? What do we know of its service? How urgent is it? Does it come after its own resolve?
Does it only repeat? Is it silenced, not from production, too small, a known false P1, flapping, explained by a parent? If nothing held
it back, it joins or opens an incident, and people are told. A resolve: is it of an earlier episode? If not, it ends the present one.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.case import Case, End, Stage, Turn
from agents.enrich import enrich
from agents.episode import clears, fires
from agents.noise.duplicate import duplicate, same_words
from agents.noise.environment import non_production
from agents.noise.false_p1 import false_p1
from agents.noise.flap import flap
from agents.noise.inhibit import inhibit
from agents.noise.order import late_fire, late_resolve
from agents.noise.significance import significance
from agents.noise.silence import silence
from agents.reasons import Why
from agents.score import score
from schemas.base import AlertStatus
from schemas.decision import Outcome

FIRING: tuple[Stage, ...] = (
    same_words,
    enrich,
    score,
    late_fire,
    duplicate,
    silence,
    non_production,
    significance,
    false_p1,
    flap,
    inhibit,
)
RESOLVED: tuple[Stage, ...] = (late_resolve,)


def decide(case: Case, turn: Turn) -> End:
    """Run an event through its stages; the rows it changes are in the turn's state, what it asks for is on the turn."""
    if case.alert.status is AlertStatus.FIRING:
        return fires(case, turn, run(FIRING, case, turn))
    ended = run(RESOLVED, case, turn)
    return clears(case, turn) if ended is None else ended


def run(stages: Sequence[Stage], case: Case, turn: Turn) -> End | None:
    """The first stage that ends the event, or None. With suppression off, a stage that would suppress is written down and passed."""
    for stage in stages:
        ended = stage(case, turn)
        if ended is None:
            continue
        if may_pass(ended) and not turn.world.rules.suppression_enabled:
            case.would_suppress = case.would_suppress or ended
            case.add(stage.__name__, ended.why.value, would_suppress=True, **ended.facts)
            continue
        case.add(stage.__name__, ended.why.value, **ended.facts)
        return ended
    return None


def may_pass(ended: End) -> bool:
    """Whether it is suppression of noise, which can be switched off; repeats and late events are told already."""
    return ended.outcome is Outcome.SUPPRESSED and ended.why is not Why.ALREADY_RESOLVED and not ended.facts.get("repeat")


def judge_again(case: Case, turn: Turn) -> End | None:
    """Whether an alert that was held back still is: the stages that can hold back, without the ones about repeats."""
    return run((enrich, score, silence, non_production, significance, false_p1, flap, inhibit), case, turn)
