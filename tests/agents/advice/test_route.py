from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agents.advice.route import choose, why
from schemas.advice import AdviceTask, AskedAlert, Question, ServiceCard
from schemas.base import Matcher, Severity
from schemas.routing import RoutingRule

ALL = {"ollama": True, "openai": False, "claude": False}


def rule(rule_id: str, providers: list[str], **more: Any) -> RoutingRule:
    return RoutingRule.model_validate({"rule_id": rule_id, "providers": providers, "reason": f"because of {rule_id}", **more})


def question(task: AdviceTask = AdviceTask.TRIAGE, severity: Severity = Severity.P2, **more: Any) -> Question:
    alert = AskedAlert(name="HighErrorRate", service="checkout", environment="prod", source="prometheus", labels={"team": "pay"})
    return Question(task=task, rule_severity=severity, alerts=[alert], **more)


def test_without_a_rule_the_chain_of_the_task_is_asked() -> None:
    route = choose([], question(), available=ALL)
    assert (route.providers, route.rule_id) == (("ollama", "openai", "claude"), "default")
    assert choose([], question(AdviceTask.ANOMALY), available=ALL).providers == ("claude", "openai", "ollama")


def test_providers_that_are_not_set_up_are_passed_over_and_said_so() -> None:
    route = choose([], question(), available={"claude": False})
    assert route.providers == ("claude",)
    assert route.passed_over == {"ollama": "it is not set up", "openai": "it is not set up"}
    assert choose([], question(), available={"ollama": True}, forbidden=["claude"]).passed_over == {
        "openai": "it is not set up",
        "claude": "not allowed: AI_LOCAL_ONLY",
    }
    nobody = choose([], question(), available={})
    assert nobody.providers == () and "no provider" in nobody.reason


def test_the_first_rule_by_order_then_id_that_fits_decides() -> None:
    rules = [rule("b", ["claude"], order=5), rule("z", ["openai"], order=1, task="anomaly"), rule("a", ["ollama"], order=5)]
    route = choose(rules, question(), available=ALL)
    assert (route.rule_id, route.providers, route.reason) == ("a", ("ollama",), "because of a")
    assert choose(rules, question(AdviceTask.ANOMALY), available=ALL).rule_id == "z"


def test_severities_are_those_of_the_rules() -> None:
    rules = [rule("p1", ["claude"], severities=["P1"])]
    assert choose(rules, question(severity=Severity.P1), available=ALL).rule_id == "p1"
    assert choose(rules, question(severity=Severity.P2), available=ALL).rule_id == "default"


@pytest.mark.parametrize(
    ("name", "op", "value", "fits"),
    [
        ("service", "=", "checkout", True),
        ("environment", "=~", "prod|staging", True),
        ("name", "=", "HighErrorRate", True),
        ("source", "!=", "prometheus", False),
        ("team", "=", "pay", True),
        ("team", "!~", "pa.", False),
        ("absent", "=", "", True),
    ],
)
def test_matchers_look_at_the_openers_fields_and_labels(name: str, op: str, value: str, fits: bool) -> None:
    rules = [rule("m", ["claude"], matchers=[Matcher(name=name, op=op, value=value)])]
    assert (choose(rules, question(), available=ALL).rule_id == "m") is fits


def test_a_rule_for_this_network_only_passes_over_the_others() -> None:
    route = choose([rule("private", ["claude", "ollama"], local_only=True)], question(), available=ALL)
    assert route.providers == ("ollama",)
    assert route.passed_over == {"claude": "rule private allows only providers in this network"}


def test_an_empty_list_asks_nobody() -> None:
    route = choose([rule("quiet", [])], question(), available=ALL)
    assert (route.providers, route.rule_id, route.reason) == ((), "quiet", "rule quiet asks nobody: because of quiet")


def test_a_rule_none_of_whose_providers_can_be_asked_does_not_fall_through() -> None:
    route = choose([rule("only", ["claude"]), rule("zlast", ["ollama"])], question(), available={"ollama": True})
    assert (route.providers, route.rule_id) == ((), "only")
    assert "no provider of rule only can be asked" in route.reason


def test_a_rule_with_a_bad_expression_is_left_out_and_reported() -> None:
    rules = [rule("bad", [], order=1, matchers=[Matcher(name="service", op="=~", value="(")]), rule("good", ["ollama"], order=2)]
    route = choose(rules, question(), available=ALL)
    assert route.rule_id == "good"
    assert list(route.left_out) == ["bad"] and "not a valid RE2 expression" in route.left_out["bad"]


def test_the_dry_run_says_of_each_rule_why_it_does_not_fit() -> None:
    rules = [
        rule("later", ["ollama"], order=9),
        rule("task", [], order=1, task="handover"),
        rule("severity", [], order=2, severities=["P1"]),
        rule("matcher", [], order=3, matchers=[Matcher(name="service", op="=", value="orders")]),
        rule("decides", ["claude"], order=4),
    ]
    said = [(one.rule.rule_id, one.decides, one.why_not) for one in why(rules, question())]
    assert said == [
        ("task", False, "it is for handover, this is triage"),
        ("severity", False, "it is for P1, the rules say P2"),
        ("matcher", False, "service is 'checkout', it wants = 'orders'"),
        ("decides", True, ""),
        ("later", False, ""),
    ]


def test_a_question_without_alerts_is_routed_too() -> None:
    bare = Question(task=AdviceTask.NOISE_RULE, incident_id="i", rule_severity=Severity.P3, title=str(datetime(2026, 1, 1, tzinfo=UTC)))
    assert choose([rule("m", [], matchers=[Matcher(name="service", value="x")])], bare, available=ALL).rule_id == "default"


PAYMENTS = AskedAlert(name="Declined", service="payments", labels={"team": "pay"})
CHECKOUT = AskedAlert(name="HighErrorRate", service="checkout", labels={"team": "shop"})


def private(op: str = "=", value: str = "payments", name: str = "service", **more: Any) -> RoutingRule:
    return rule("private", ["ollama"], order=50, local_only=True, matchers=[Matcher(name=name, op=op, value=value)], **more)


def about(*alerts: AskedAlert, **more: Any) -> Question:
    return Question(task=AdviceTask.TRIAGE, rule_severity=Severity.P2, alerts=list(alerts), **more)


def test_a_private_rule_whose_expression_is_broken_keeps_everything_in_this_network() -> None:
    for rules in ([private("=~", "(")], [private("=~", "("), rule("cloud", ["claude", "ollama"], order=1)]):
        route = choose(rules, about(CHECKOUT), available=ALL)
        assert route.providers == ("ollama",)
        assert "rule private cannot be used" in route.reason and "rule private cannot be used" in route.passed_over["claude"]
    assert choose([private("=~", "(", task="handover")], about(CHECKOUT), available=ALL).providers == ("ollama", "openai", "claude")
    assert choose([private("=~", "(")], about(CHECKOUT), available={"claude": False}).providers == ()
    said = why([private("=~", "(")], about(CHECKOUT))[0]
    assert not said.fits and "not a valid RE2" in said.why_not and "cannot be used" in said.limits


def test_a_private_rule_holds_for_a_question_of_which_any_alert_fits_it() -> None:
    assert choose([private()], about(CHECKOUT, PAYMENTS), available=ALL).providers == ("ollama",)
    assert choose([private()], about(CHECKOUT), available=ALL).providers == ("ollama", "openai", "claude")
    first = rule("cloud", ["claude", "ollama"], order=1)
    for alerts in ((CHECKOUT, PAYMENTS), (PAYMENTS, CHECKOUT)):
        route = choose([private(), first], about(*alerts), available=ALL)
        assert (route.rule_id, route.providers) == ("cloud", ("ollama",))
        assert route.reason == "because of cloud; rule private allows only providers in this network"
        assert route.passed_over == {"claude": "rule private allows only providers in this network"}
    assert choose([first, private()], about(CHECKOUT), available=ALL).providers == ("claude", "ollama")


def test_other_rules_look_at_the_opener_only() -> None:
    others = [rule("pay", ["claude"], matchers=[Matcher(name="service", value="payments")])]
    assert choose(others, about(CHECKOUT, PAYMENTS), available=ALL).rule_id == "default"


def test_all_matchers_of_a_private_rule_must_fit_the_same_alert() -> None:
    both = rule("x", ["ollama"], local_only=True, matchers=[Matcher(name="service", value="payments"), Matcher(name="team", value="shop")])
    assert choose([both], about(CHECKOUT, PAYMENTS), available=ALL).rule_id == "default"


def test_what_is_told_without_labels_may_be_what_a_private_rule_on_labels_is_for() -> None:
    bare = AskedAlert(name="Declined", service="payments")
    by_label = private(name="team", value="pay")
    route = choose([by_label], about(CHECKOUT, bare), available=ALL)
    assert (route.rule_id, route.providers) == ("default", ("ollama",)) and "without labels" in route.reason
    assert choose([by_label], about(CHECKOUT), available=ALL).providers == ("ollama", "openai", "claude")
    assert choose([private()], about(service=None), available=ALL).providers == ("ollama",)


def test_the_owner_of_a_private_rule_is_the_services() -> None:
    card = ServiceCard(service="payments", owner="bank")
    by_owner = private(name="owner", value="bank")
    assert choose([by_owner], about(PAYMENTS, CHECKOUT, service=card), available=ALL).providers == ("ollama",)
    assert choose([by_owner], about(CHECKOUT, service=ServiceCard(service="checkout", owner="shop")), available=ALL).rule_id == "default"
