"""The question about one alert is the decide lane's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.normalize import NormalizeRules, normalize
from pipeline.asking import NotAsked, asked
from pipeline.config import Config
from schemas.alert import Alert
from schemas.base import Severity

NOW = 1_790_000_000_000


def alert(**changes: Any) -> Alert:
    said = {"name": "HighErrorRate", "service": "checkout", "severity": "warning", "environment": "production", "status": "firing"}
    body = json.dumps({"summary": "38% errors"} | said | changes).encode()
    (found,) = normalize(body, source_hint="flux", topic="t", partition=0, offset=0, received_ms=NOW, rules=NormalizeRules()).alerts
    return found


def test_the_question_says_what_the_alert_says_and_what_the_rules_made_of_it() -> None:
    found = asked(alert(), Config(), NOW)
    question = found.request.question
    assert (question.rule_severity, question.floor, question.alerts[0].name) == (
        found.decision.severity,
        question.rule_severity,
        "HighErrorRate",
    )
    assert found.but == ""


def test_an_alert_that_would_be_suppressed_is_asked_about_and_the_reason_why_not_is_told() -> None:
    assert asked(alert(environment="staging"), Config(), NOW).but.startswith("it would be suppressed (non_production")


def test_severities_that_are_not_asked_about_and_models_that_are_off_are_told() -> None:
    config = Config()
    only_p1 = config.model_copy(update={"advice": config.advice.model_copy(update={"severities": (Severity.P1,)})})
    assert "not asked about" in asked(alert(), only_p1, NOW).but
    off = config.model_copy(update={"advice": config.advice.model_copy(update={"mode": "off"})})
    assert asked(alert(), off, NOW).but == "AI_MODE is off"


def test_nothing_is_asked_about_an_alert_that_has_ended() -> None:
    with pytest.raises(NotAsked):
        asked(alert(status="resolved"), Config(), NOW)
