"""Two words about one incident, the first not yet told: what is the one word that says both?"""

from __future__ import annotations

from schemas.effect import Transition
from schemas.incident import Incident, IncidentStatus

CLOSING = frozenset({Transition.RESOLVED, Transition.FIRED_AND_RESOLVED})
PAGES = frozenset({Transition.FIRED, Transition.ESCALATED, Transition.REMINDED})
"""Transitions that are meant to make a person act."""
NEWS = frozenset({Transition.FIRED, Transition.ESCALATED, Transition.FLAPPING})
OVER_A_FIRE = frozenset({Transition.UPDATED, Transition.ESCALATED, Transition.ACKNOWLEDGED, Transition.REMINDED})
OVER_AN_ESCALATION = frozenset({Transition.UPDATED, Transition.ACKNOWLEDGED, Transition.REMINDED})


def is_over(incident: Incident) -> bool:
    return incident.status in (IncidentStatus.RESOLVED, IncidentStatus.FALSE_POSITIVE)


def merged(unsent: Transition, new: Transition, *, over: bool) -> Transition:
    """The transition to tell instead of `unsent`, with the content of `new`. `over`: that content says the incident has ended.

    Who was never told of a fire is told of it first; an end replaces what it ends.
    """
    if new in CLOSING:
        return Transition.FIRED_AND_RESOLVED if unsent in NEWS or unsent in CLOSING else Transition.RESOLVED
    if unsent in CLOSING and over:
        return unsent
    if unsent is Transition.FIRED_AND_RESOLVED:
        unsent = Transition.FIRED
    if unsent is Transition.FIRED and new in OVER_A_FIRE:
        return Transition.FIRED
    if unsent is Transition.ESCALATED and new in OVER_AN_ESCALATION:
        return Transition.ESCALATED
    return new
