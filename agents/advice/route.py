"""Which providers are asked about a question: the first rule that fits decides, else the chain of the task.

A rule that is `local_only` is a limit besides: wherever it stands in the order, it holds for a question of which any alert fits it. Where
that cannot be told, since its expression is broken or an alert is told without its labels, it holds too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agents.advice.config import CHAINS
from agents.matching import InvalidExpression, check, matches
from schemas.advice import AdviceTask, AskedAlert, Question
from schemas.base import Matcher
from schemas.routing import RoutingRule

DEFAULT = "default"
"""Stands for the id of a rule where none fits."""
NOT_SET_UP = "it is not set up"
NOT_ALLOWED = "not allowed: AI_LOCAL_ONLY"


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
    """What came of one rule: `decides` for the first that fits; `why_not` is empty where it fits. `limits`: why it keeps the question
    in this network, empty where it does not."""

    rule: RoutingRule
    fits: bool
    decides: bool
    why_not: str
    limits: str = ""


def choose(rules: Sequence[RoutingRule], question: Question, *, available: Mapping[str, bool], forbidden: Collection[str] = ()) -> Route:
    """`rules` in any order. `available`: each provider that may be asked, and whether what it is sent stays in this network.
    `forbidden`: those that are set up and that local-only mode lets nobody ask."""
    route = chosen(rules, question, available)
    passed_over = {name: NOT_ALLOWED if name in forbidden else why for name, why in route.passed_over.items()}
    return replace(route, passed_over=passed_over)


def chosen(rules: Sequence[RoutingRule], question: Question, available: Mapping[str, bool]) -> Route:
    fits = why(rules, question)
    left_out = {one.rule.rule_id: one.why_not for one in fits if not usable(one.rule)}
    limit = next((one.limits for one in fits if one.limits), "")
    for one in fits:
        if one.decides:
            return along(one.rule, available, left_out, limit)
    chain = CHAINS[question.task]
    providers, passed_over = allowed(chain, available, limit)
    reason = f"no rule fits: the chain of {question.task.value}"
    if not providers:
        reason = f"no provider of the chain of {question.task.value} can be asked"
    return Route(providers, DEFAULT, limited(reason, limit), passed_over, left_out)


def along(rule: RoutingRule, available: Mapping[str, bool], left_out: Mapping[str, str], limit: str) -> Route:
    if not rule.providers:
        return Route((), rule.rule_id, f"rule {rule.rule_id} asks nobody: {rule.reason}", {}, left_out)
    if rule.local_only:
        limit = f"rule {rule.rule_id} allows only providers in this network"
    providers, passed_over = allowed(rule.providers, available, limit)
    reason = rule.reason if providers else f"no provider of rule {rule.rule_id} can be asked ({rule.reason})"
    return Route(providers, rule.rule_id, reason if rule.local_only else limited(reason, limit), passed_over, left_out)


def allowed(names: Sequence[str], available: Mapping[str, bool], limit: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Those that may be asked, and why the others may not. `limit`: why only those in this network may; empty where all may."""
    passed_over = {name: limit if name in available else NOT_SET_UP for name in names if not available.get(name, False)}
    if not limit:
        passed_over = {name: why for name, why in passed_over.items() if name not in available}
    return tuple(name for name in dict.fromkeys(names) if name not in passed_over), passed_over


def limited(reason: str, limit: str) -> str:
    return f"{reason}; {limit}" if limit else reason


def why(rules: Sequence[RoutingRule], question: Question) -> list[Fit]:
    """Each rule in the order in which they are looked at, and why it does not fit; rules after the one that decides may fit too."""
    decided = False
    result = []
    for rule in sorted(rules, key=lambda one: (one.order, one.rule_id)):
        reason = why_not(rule, question)
        result.append(Fit(rule, not reason, not reason and not decided, reason, limits(rule, question, fits=not reason)))
        decided = decided or not reason
    return result


def limits(rule: RoutingRule, question: Question, *, fits: bool) -> str:
    """Why `rule` keeps `question` in this network, empty where it does not."""
    if not rule.local_only:
        return ""
    if fits:
        return f"rule {rule.rule_id} allows only providers in this network"
    if meant(rule, question):
        return ""
    if unusable(rule.matchers):
        return f"rule {rule.rule_id} cannot be used and is for providers in this network only: no other is asked until it is corrected"
    if not question.alerts or any(may_fit(rule, question, alert) for alert in question.alerts):
        return f"rule {rule.rule_id} allows only providers in this network, and what is told without labels may be what it is for"
    return ""


def may_fit(rule: RoutingRule, question: Question, alert: AskedAlert) -> bool:
    """Whether `rule` looks at labels of an alert that is told without any, as those of an older incident are, and all else fits."""
    looks = any(matcher.name not in FIELDS for matcher in rule.matchers)
    return looks and not alert.labels and not misfit(rule.matchers, question, alert, told_only=True)


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
    """Empty where the rule fits: the opener, or any alert where the rule is for providers in this network only."""
    if broken := unusable(rule.matchers):
        return broken
    if reason := meant(rule, question):
        return reason
    whys = [misfit(rule.matchers, question, alert) for alert in (question.alerts if rule.local_only else question.alerts[:1])]
    if not whys:
        return misfit(rule.matchers, question, AskedAlert(name=""))
    return whys[0] if all(whys) else ""


def meant(rule: RoutingRule, question: Question) -> str:
    """Empty where the rule is for this task and severity."""
    if rule.task is not None and rule.task is not question.task:
        return f"it is for {rule.task.value}, this is {question.task.value}"
    if rule.severities and question.rule_severity not in rule.severities:
        return f"it is for {', '.join(rule.severities)}, the rules say {question.rule_severity.value}"
    return ""


def misfit(matchers: Sequence[Matcher], question: Question, alert: AskedAlert, *, told_only: bool = False) -> str:
    """Which matcher `alert` does not fit. `told_only`: those on labels are not looked at."""
    fields = described(question, alert)
    for matcher in matchers:
        if told_only and matcher.name not in FIELDS:
            continue
        if not matches([matcher], labels=alert.labels, fields=fields):
            value = fields.get(matcher.name) or alert.labels.get(matcher.name, "")
            return f"{matcher.name} is {value!r}, it wants {matcher.op} {matcher.value!r}"
    return ""


def described(question: Question, alert: AskedAlert) -> dict[str, str]:
    """What matchers may name besides the alert's labels. The owner is that of the question's service, so of its alerts only."""
    card = question.service
    return {
        "name": alert.name,
        "alertname": alert.name,
        "service": alert.service,
        "environment": alert.environment,
        "source": alert.source,
        "severity": alert.source_severity,
        "owner": card.owner if card is not None and (alert.service == card.service or alert in question.alerts[:1]) else "",
    }


FIELDS = frozenset(described(Question(task=AdviceTask.TRIAGE), AskedAlert(name="")))
