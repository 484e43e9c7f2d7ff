"""Who is told of what, and which configurations are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from agents.matching import InvalidExpression, check, matches
from agents.notify.routes import NotifyConfig, choose, router, whom
from schemas.base import Matcher, Severity, to_ms

MONDAY_NOON = to_ms(datetime(2026, 3, 2, 12, tzinfo=UTC))
HOUR = 3_600_000
HOOK = {"type": "webhook", "name": "hook", "url": "https://hooks.example.com/flux"}
PAGER = {"type": "pagerduty", "name": "pager", "secret": "env:PAGERDUTY_KEY"}


def a_config(**values: Any) -> NotifyConfig:
    return NotifyConfig.model_validate({"receivers": [{"type": "console", "name": "console"}, HOOK, PAGER], **values})


def told(
    config: NotifyConfig, severity: Severity = Severity.P3, service: str = "checkout", now: int = MONDAY_NOON, **labels: str
) -> tuple[str, ...]:
    return whom(config, severity=severity, service=service, environment="production", owner="payments", labels=labels, now=now)


def test_without_any_configuration_the_console_is_told() -> None:
    assert told(NotifyConfig()) == ("console",)


def test_the_first_route_that_fits_decides() -> None:
    config = a_config(
        routes=[
            {"matchers": ['service=~"check.*"'], "severities": ["P1"], "receivers": ["pager"]},
            {"matchers": ["owner=payments"], "receivers": ["hook"]},
            {"receivers": ["console"]},
        ]
    )
    assert told(config, Severity.P1) == ("pager",)
    assert told(config, Severity.P2) == ("hook",)
    assert router(config)(severity=Severity.P2, service="x", environment="", owner="other", labels={}, now=0) == ("console",)


def test_a_route_that_continues_adds_to_those_below_and_names_itself() -> None:
    config = a_config(routes=[{"name": "all", "receivers": ["console", "hook"], "continue": True}, {"receivers": ["pager", "hook"]}])
    chosen = choose(config, severity=Severity.P2, service="", environment="", owner="", labels={}, now=0)
    assert chosen.receivers == ("console", "hook", "pager") and chosen.routes == ("all", "route 2")


def test_where_no_route_fits_the_default_is_told() -> None:
    config = a_config(routes=[{"matchers": ["team=none"], "receivers": ["hook"]}], default=["pager"])
    assert told(config, team="some") == ("pager",)


@pytest.mark.parametrize(("hours_later", "receiver"), [(0, "hook"), (6, "pager"), (5 * 24, "pager"), (24, "hook")])
def test_a_route_with_hours_holds_only_then(hours_later: int, receiver: str) -> None:
    hours = {"from": "09:00", "to": "17:00", "days": ["mon", "tue"], "timezone": "UTC"}
    config = a_config(routes=[{"hours": hours, "receivers": ["hook"]}, {"receivers": ["pager"]}])
    assert told(config, now=MONDAY_NOON + hours_later * HOUR) == (receiver,)


def test_hours_over_midnight_belong_to_the_day_they_began() -> None:
    hours = {"from": "22:00", "to": "06:00", "days": ["mon"], "timezone": "Europe/Berlin"}
    config = a_config(routes=[{"hours": hours, "receivers": ["hook"]}], default=["pager"])
    tuesday_one = MONDAY_NOON + 12 * HOUR  # 01:00 in Berlin
    assert told(config, now=tuesday_one) == ("hook",)
    assert told(config, now=tuesday_one - 24 * HOUR) == ("pager",)


def test_the_backup_is_another_receiver() -> None:
    assert a_config().backup_for("console") == "hook"
    assert a_config(backup="pager").backup_for("hook") == "pager"
    assert a_config(backup="pager").backup_for("pager") == "console"
    assert NotifyConfig().backup_for("console") is None


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"receivers": [HOOK | {"secret": "hunter2"}]}, "a secret may not stand in the file"),
        ({"receivers": [HOOK | {"url": "https://u:p@example.com/"}]}, "carries a password"),
        ({"receivers": [HOOK | {"url": "ftp://example.com/"}]}, "no URL that can be posted to"),
        ({"receivers": [HOOK | {"url": "http://169.254.169.254/latest"}]}, "private address"),
        ({"receivers": [HOOK | {"url": "http://[::1]:80/"}]}, "private address"),
        ({"receivers": [HOOK | {"url": "http://localhost/"}]}, "private address"),
        ({"receivers": []}, "there is no receiver"),
        ({"receivers": [HOOK, HOOK]}, "two receivers are called hook"),
        ({"receivers": [{"type": "slack", "name": "s"}]}, "neither an incoming webhook nor a bot"),
        ({"routes": [{"receivers": ["nobody"]}]}, "which there is not"),
        ({"routes": [{"receivers": []}]}, "at least 1"),
        ({"routes": [{"matchers": ["service=~(x"], "receivers": ["hook"]}]}, "not a valid RE2 expression"),
        ({"routes": [{"matchers": ["service"], "receivers": ["hook"]}]}, "is no matcher"),
        ({"routes": [{"hours": {"from": "9:00", "to": "17:00", "timezone": "Mars/Olympus"}, "receivers": ["hook"]}]}, "time"),
        ({"public_url": "javascript:alert(1)"}, "pattern"),
    ],
)
def test_a_wrong_configuration_is_refused_with_the_fault(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as caught:
        a_config(**values)
    assert "hunter2" not in str(caught.value)


def test_the_policy_knows_each_receivers_patience() -> None:
    config = NotifyConfig.model_validate({"receivers": [HOOK | {"timeout_s": 3}]})
    assert config.policy().patience("hook", 0) == 3_000 + 15_000


@pytest.mark.parametrize(
    ("op", "value", "found"),
    [
        ("=", "pay", True),
        ("=", "PAY", False),
        ("!=", "pay", False),
        ("=~", "p.*", True),
        ("=~", "p", False),
        ("!~", "p", True),
        ("!~", "p..", False),
    ],
)
def test_expressions_are_anchored_at_both_ends(op: str, value: str, found: bool) -> None:
    assert matches([Matcher(name="team", op=op, value=value)], labels={"team": "pay"}, fields={}) is found


def test_an_absent_label_is_empty_and_fields_come_first() -> None:
    assert matches([Matcher(name="gone", op="=", value="")], labels={}, fields={})
    assert matches([Matcher(name="service", value="a")], labels={"service": "b"}, fields={"service": "a"})


def test_an_expression_that_would_hang_other_engines_is_quick_and_a_bad_one_is_named() -> None:
    assert not matches([Matcher(name="a", op="=~", value="(x+x+)+y")], labels={"a": "x" * 4000}, fields={})
    with pytest.raises(InvalidExpression, match=r"\(\?<="):
        check([Matcher(name="a", op="!~", value="(?<=x)y")])
