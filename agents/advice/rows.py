"""What the decide lane remembers of the models' advice on an incident."""

from __future__ import annotations

import msgspec

from agents.state import Store


class AdviceRow(msgspec.Struct, array_like=True):
    """The newest question about an incident and the newest answer. Key: incident id. Times are epoch ms of our clock."""

    effect_id: str = ""
    waiting: bool = False
    """The newest question has neither been answered nor given up."""
    asks: int = 0
    asked_at: int = 0
    deadline: int = 0
    """Of the verdict; the receipt is due a little earlier."""
    late_until: int = 0
    about: str = ""
    """What the newest question was about, as `agents.advice.ask.about`: an incident that is about more is asked about again."""
    again_at: int = 0
    described: str = ""
    """The opener's description, for later questions."""
    code: str = ""
    """Why there is no answer, where there is none; empty while waiting and after an answer."""
    text: str = ""
    answered: bool = False
    late: bool = False
    severity: str = ""
    confidence: float = 0.0
    confirmed: bool = False
    """The classifier took it for a P1 as well."""
    probabilities: dict[str, float] = {}
    summary: str = ""
    runbooks: list[str] = []
    provider: str = ""
    model: str = ""
    prompt: str = ""
    cost_usd: float = 0.0
    """Of all answers so far."""
    took_ms: int = 0
    overruled: bool = False
    """A person has said how urgent it is: no model's severity is shown any more."""


ADVICE = Store("advice", AdviceRow)
