"""Which providers are asked about a question: the first rule that fits decides, else the chain of the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agents.advice.config import CHAINS
from agents.matching import InvalidExpression, check, matches
from schemas.advice import Question
from schemas.base import Matcher
from schemas.routing import RoutingRule

DEFAULT = "default"
"""Stands for the id of a rule where none fits."""


@dataclass(frozen=True, slots=True)
class Route:
    """`providers` are asked in turn. `passed_over`: provider to why it is not. `left_out`: rule to why it cannot be used."""

    providers: tuple[str, ...]
    rule_id: str
    reason: str
    passed_over: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fit:
    """What came of one rule: `decides` for the first that fits; `why_not` is empty where it fits."""

    rule: RoutingRule
    fits: bool
    decides: bool
    why_not: str


def choose(rules: Sequence[RoutingRule], question: Question, *, available: Mapping[str, bool]) -> Route:
    """`rules` in any order. `available`: each provider that may be asked, and whether what it is sent stays in this network."""
    fits = why(rules, question)
    left_out = {one.rule.rule_id: one.why_not for one in fits if not usable(one.rule)}
    for one in fits:
        if one.decides:
            return along(one.rule, available, left_out)
    chain = CHAINS[question.task]
    passed_over = {name: "it is not set up" for name in chain if name not in available}
    providers = tuple(name for name in chain if name in available)
    reason = (
        f"no rule fits: the chain of {question.task.value}" if providers else f"no provider of the chain of {question.task.value} is set up"
    )
    return Route(providers, DEFAULT, reason, passed_over, left_out)


def along(rule: RoutingRule, available: Mapping[str, bool], left_out: Mapping[str, str]) -> Route:
    if not rule.providers:
        return Route((), rule.rule_id, f"rule {rule.rule_id} asks nobody: {rule.reason}", {}, left_out)
    providers: list[str] = []
    passed_over: dict[str, str] = {}
    for name in dict.fromkeys(rule.providers):
        if name not in available:
            passed_over[name] = "it is not set up"
        elif rule.local_only and not available[name]:
            passed_over[name] = f"rule {rule.rule_id} allows only providers in this network"
        else:
            providers.append(name)
    reason = rule.reason if providers else f"no provider of rule {rule.rule_id} can be asked ({rule.reason})"
    return Route(tuple(providers), rule.rule_id, reason, passed_over, left_out)


def why(rules: Sequence[RoutingRule], question: Question) -> list[Fit]:
    """Each rule in the order in which they are looked at, and why it does not fit; rules after the one that decides may fit too."""
    decided = False
    result = []
    for rule in sorted(rules, key=lambda one: (one.order, one.rule_id)):
        reason = why_not(rule, question)
        result.append(Fit(rule, not reason, not reason and not decided, reason))
        decided = decided or not reason
    return result


def usable(rule: RoutingRule) -> bool:
    """Whether its expressions compile; one whose do not never fits."""
    return not unusable(rule.matchers)


def unusable(matchers: Sequence[Matcher]) -> str:
    try:
        check(matchers)
    except InvalidExpression as error:
        return str(error)
    return ""


def why_not(rule: RoutingRule, question: Question) -> str:
    """Empty where the rule fits."""
    if broken := unusable(rule.matchers):
        return broken
    if rule.task is not None and rule.task is not question.task:
        return f"it is for {rule.task.value}, this is {question.task.value}"
    if rule.severities and question.rule_severity not in rule.severities:
        return f"it is for {', '.join(rule.severities)}, the rules say {question.rule_severity.value}"
    labels, fields = described(question)
    for matcher in rule.matchers:
        if not matches([matcher], labels=labels, fields=fields):
            value = fields.get(matcher.name) or labels.get(matcher.name, "")
            return f"{matcher.name} is {value!r}, it wants {matcher.op} {matcher.value!r}"
    return ""


def described(question: Question) -> tuple[dict[str, str], dict[str, str]]:
    """The opener's labels, and what matchers may name besides them."""
    if not question.alerts:
        return {}, {}
    opener = question.alerts[0]
    return opener.labels, {
        "name": opener.name,
        "alertname": opener.name,
        "service": opener.service,
        "environment": opener.environment,
        "source": opener.source,
        "severity": opener.source_severity,
        "owner": question.service.owner if question.service is not None else "",
    }
