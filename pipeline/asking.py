"""The question that the decide lane would ask about an alert, made by the decide lane's own code without a broker."""

from __future__ import annotations

from dataclasses import dataclass

from agents.notify.routes import router
from pipeline.config import Config
from pipeline.decide.alerts import AlertsProcessor, dead_delivery
from pipeline.decide.effects import Deliveries
from pipeline.decide.world import Tables, WorldView
from pipeline.engine.memory import MemoryRunner
from pipeline.known import NO_TABLES
from schemas.advice import AdviceRequest
from schemas.alert import Alert
from schemas.base import Severity
from schemas.decision import Decision


class NotAsked(Exception):
    """Nothing would be asked about this alert; the text says why."""


@dataclass(frozen=True)
class Asked:
    """`but`: why the decide lane would not ask in truth, where it would not (the alert would be suppressed, models are off, ...)."""

    request: AdviceRequest
    decision: Decision
    but: str = ""


def asked(alert: Alert, config: Config, now_ms: int, tables: Tables | None = None) -> Asked:
    """The request about a firing alert that nothing came before, with noise let through. Raises NotAsked."""
    every = tuple(Severity)
    advice = config.advice.model_copy(update={"mode": "active", "severities": every})
    noise = config.noise.model_copy(update={"suppression_enabled": False})
    view = WorldView(noise, router(config.notify), config.notify.backup_for, tables or NO_TABLES, lambda *_: None, advice)
    processor = AlertsProcessor(view, Deliveries(config.notify.policy(), dead_delivery, shadow=True))
    runner = MemoryRunner(processor, start_ms=now_ms, before_batch=view.refresh)
    runner.send("alerts", alert.domain, alert.to_json())
    if runner.failures:
        raise NotAsked(f"the decide lane fails on it: {runner.failures[0][1]}")
    decisions = [Decision.from_json(one.value or b"") for one in runner.records("decisions")]
    requests = [AdviceRequest.from_json(one.value or b"") for one in runner.records("effects.advice")]
    if not requests or not decisions:
        raise NotAsked(decisions[0].reason.text if decisions else "it is a notice of our own, no alert")
    return Asked(requests[0], decisions[0], but(decisions[0], requests[0], config))


def but(decision: Decision, request: AdviceRequest, config: Config) -> str:
    held = decision.would_suppress
    if held is not None and config.noise.suppression_enabled:
        return f"it would be suppressed ({held.code}: {held.text})"
    if config.advice.mode == "off":
        return "AI_MODE is off"
    rule = request.question.rule_severity
    return "" if rule in config.advice.severities else f"models are not asked about {rule.value} (advice.severities)"
