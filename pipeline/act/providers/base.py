"""The contract of every provider of language models, and of everything that wraps one: cache, breaker, budget, redaction, recorder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from schemas.base import Severity


class Failure(StrEnum):
    """Why a provider gave no answer."""

    UNREACHABLE = "unreachable"
    """Nobody listens, or the connection broke before an answer began."""
    TIMEOUT = "timeout"
    OVERLOADED = "overloaded"
    """429, 503, 529: it is there and busy. `retry_after_s` may say how long."""
    REFUSED = "refused"
    """It will never answer this: bad request, safety refusal, prompt too long."""
    DENIED = "denied"
    """Key missing, wrong or out of money: a person must look at the configuration."""
    NO_MODEL = "no_model"
    BROKEN = "broken"
    """The answer stopped in the middle, or is no answer of its protocol."""
    INVALID_ANSWER = "invalid_answer"
    """It answered, and our checks turned the answer down."""
    BUDGET = "budget"
    UNREDACTABLE = "unredactable"
    """Redaction failed, so nothing was sent."""
    OPEN = "open"
    """The breaker is open: it was not asked."""
    BUSY = "busy"
    """No slot became free in time: it was not asked."""
    NOT_ALLOWED = "not_allowed"
    """Local-only mode, or the switch against real calls in tests."""
    INTERNAL = "internal"


class ProviderError(Exception):
    """No answer. `what` is for people and holds no secret and no part of a prompt."""

    def __init__(self, failure: Failure, what: str, *, retry_after_s: float | None = None, asked: bool = True) -> None:
        super().__init__(f"{failure.value}: {what}")
        self.failure, self.what, self.retry_after_s = failure, what, retry_after_s
        self.asked = asked
        """Whether the request may have reached the server: then it may cost money, and its slot may still be busy."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One call. `system` is the static part, byte-identical for all calls of a prompt version; `user` is what differs."""

    task: str
    prompt: str
    """Task and version: `triage@1`."""
    system: str
    user: str
    schema: Mapping[str, Any]
    """JSON Schema of the answer; the property order is the order in which it is written."""
    max_tokens: int
    timeout_s: float
    """From now until the answer must be whole; the provider ends the call by itself then."""
    labels: tuple[str, ...] = ()
    """Values of the first property whose probabilities are wanted (`P1`..`P4`)."""
    severity: Severity = Severity.P3
    """Of the rules: what is admitted first."""
    incident_id: str = ""
    warm: bool = False
    """Only fills the server's prompt cache; the answer is thrown away."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said, unchecked."""

    text: str
    provider: str
    model: str
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_usd: float = 0.0
    took_s: float = 0.0
    first_token_s: float | None = None
    load_s: float = 0.0
    """Time that the server spent on loading the model, where it says so: more than 0.1 s after the first call means a reload."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Of each of the ask's labels, summing to 1; empty where the provider gives none."""
    cached: bool = False
    redacted: Mapping[str, int] = field(default_factory=dict)
    """Kind of secret to how many were taken out before the call."""
    waited_s: float = 0.0


class Provider(Protocol):
    @property
    def name(self) -> str:
        """`ollama`, `claude`, `openai`, `scripted`: what routes name and metrics carry."""

    @property
    def model(self) -> str: ...

    @property
    def local(self) -> bool:
        """Whether what is sent stays in this network: then it is not redacted, and local-only mode allows it."""

    @property
    def paid(self) -> bool:
        """Whether a call costs money: then budgets bind."""

    async def ask(self, ask: Ask) -> Answer:
        """One answer. Raises ProviderError, and nothing else but cancellation. Never takes longer than `ask.timeout_s` + 0.5 s."""

    async def close(self) -> None: ...


def worst_cost(provider: Provider, ask: Ask) -> float:
    """What a call may cost at most, in USD; 0 for providers without a price."""
    price = getattr(provider, "worst_cost", None)
    return float(price(ask)) if callable(price) else 0.0
