"""Below significance: a rule that a person owns says from which value a metric is worth a page. Never for a P1."""

from __future__ import annotations

import math

from agents.case import Case, End, Turn
from agents.matching import matches
from agents.noise.rules import expired
from agents.reasons import Why
from agents.score import fields
from schemas.alert import Alert
from schemas.base import Severity
from schemas.decision import Outcome
from schemas.rule import Rule


def significance(case: Case, turn: Turn) -> End | None:
    if case.severity is Severity.P1:
        return None
    for rule in turn.world.significance:
        value = measured(case.alert, rule)
        if value is None or rule.threshold is None or value >= rule.threshold or expired(rule, turn.now):
            continue
        if matches(rule.matchers, labels=case.alert.labels, fields=fields(case.alert)):
            text = f"{rule.metric} is {value:g}, below {rule.threshold:g}: {rule.reason} ({rule.owner})"
            facts = {"rule": rule.rule_id, "version": rule.version, "value": value, "threshold": rule.threshold, "owner": rule.owner}
            return End(Outcome.SUPPRESSED, Why.INSIGNIFICANT, text, facts, by=rule.rule_id)
    return None


def measured(alert: Alert, rule: Rule) -> float | None:
    """The alert's own value of the rule's metric; None when it carries none."""
    word = alert.annotations.get(rule.metric) or alert.labels.get(rule.metric)
    try:
        value = float(word.strip().rstrip("%")) if word else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
