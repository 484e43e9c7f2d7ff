"""What models may be asked and how far their answers reach: the section `advice` of the configuration file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from schemas.advice import AdviceTask
from schemas.base import Severity
from schemas.routing import RoutingRule

CHAINS: dict[AdviceTask, tuple[str, ...]] = {
    AdviceTask.TRIAGE: ("ollama", "openai", "claude"),
    AdviceTask.RUNBOOKS: ("ollama", "openai", "claude"),
    AdviceTask.ANOMALY: ("claude", "openai", "ollama"),
    AdviceTask.HANDOVER: ("ollama", "openai", "claude"),
    AdviceTask.NOISE_RULE: ("ollama", "openai", "claude"),
}
"""Who is asked in turn where no routing rule fits (SPEC 4.2)."""
PROVIDERS = ("ollama", "openai", "claude")
"""All that a rule may name."""


def unknown(providers: Sequence[str]) -> str:
    """What is wrong with the names of a rule, with those that it may have; empty where nothing is."""
    wrong = [name for name in providers if name not in PROVIDERS]
    return f"no provider {', '.join(wrong)}: use {', '.join(PROVIDERS)}" if wrong else ""


class Profile(BaseModel):
    """Defaults of an installation by what is at stake in it (SPEC 4.6, 4.7)."""

    model_config = ConfigDict(frozen=True)

    min_confidence: float
    budget_per_day_usd: float


PROFILES = {
    "default": Profile(min_confidence=0.75, budget_per_day_usd=5.0),
    "staging": Profile(min_confidence=0.70, budget_per_day_usd=2.0),
    "production": Profile(min_confidence=0.80, budget_per_day_usd=10.0),
}


class RedactConfig(BaseModel):
    """What is taken out of a text before it leaves for a provider outside this network. Secrets and personal data always are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    addresses: bool = Field(default=True, description="IPv4, IPv6 and MAC addresses")
    hosts: bool = Field(default=True, description="Host names, of the suffixes below or with a number in them")
    host_suffixes: tuple[str, ...] = Field(
        default=(".local", ".internal", ".lan", ".corp", ".intra", ".svc"), description="Names that end so are hosts of yours"
    )
    entropy: bool = Field(default=True, description="Long random-looking words, which may be keys of a kind nobody listed")


class AdviceConfig(BaseModel):
    """Times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["active", "shadow", "off"] = Field(
        default="active", description="shadow: models are asked and their answers recorded and compared, and told to nobody"
    )
    profile: Literal["default", "staging", "production"] = Field(
        default="default", description="Sets the defaults of confidence and budget"
    )
    local_only: bool = Field(default=False, description="No call leaves this network, whatever a route says")
    min_confidence: float | None = Field(
        default=None, ge=0, le=1, description="Below it an answer is marked for review; default by profile"
    )
    budget_per_day_usd: float | None = Field(
        default=None, ge=0, description="Of all paid providers and workers, by UTC day; default by profile"
    )
    analyses_per_hour: int = Field(default=20, ge=0, description="Calls to paid providers, of all workers")
    severities: tuple[Severity, ...] = Field(
        default=(Severity.P1, Severity.P2, Severity.P3, Severity.P4), description="Incidents of these rule severities are asked about"
    )
    floors: dict[Severity, Severity] = Field(
        default={},
        description="Rule severity to the lowest that a model may make of it, among P2-P4; unset means that a model lowers nothing",
    )
    late_within_s: float = Field(
        default=180, ge=0, le=3600, description="An answer that comes this long after the deadline is an amendment"
    )
    ask_again_s: float = Field(default=60, ge=5, description="An incident that got worse is asked about again, at most this often")
    asks_per_incident: int = Field(default=3, ge=1, le=20)
    routes: tuple[RoutingRule, ...] = Field(default=(), description="Looked at together with those of the topic, by order")
    redact: RedactConfig = RedactConfig()

    @field_validator("routes")
    @classmethod
    def known(cls, routes: tuple[RoutingRule, ...]) -> tuple[RoutingRule, ...]:
        for rule in routes:
            if wrong := unknown(rule.providers):
                raise ValueError(f"rule {rule.rule_id}: {wrong}")
        return routes

    @property
    def confidence(self) -> float:
        return PROFILES[self.profile].min_confidence if self.min_confidence is None else self.min_confidence

    @property
    def budget(self) -> float:
        return PROFILES[self.profile].budget_per_day_usd if self.budget_per_day_usd is None else self.budget_per_day_usd

    def floor(self, severity: Severity) -> Severity:
        """The least urgent that an answer may make of a rule verdict. A P1 stays a P1."""
        if severity is Severity.P1:
            return severity
        lowest = self.floors.get(severity, severity)
        return severity if lowest.outranks(severity) else lowest
