"""Score: the rule verdict P1-P4, fast and deterministic, with how sure it is.

The source's own words come first; what the service is worth (tier, customer-facing), the environment and a few plain phrases correct them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

from agents.advice.untrusted import facts
from agents.case import Case, End, Turn
from agents.features import alert_features
from agents.matching import matches
from agents.noise.rules import expired
from schemas.alert import Alert
from schemas.base import Severity

P1, P2, P3, P4 = Severity.P1, Severity.P2, Severity.P3, Severity.P4
OUTAGE = re.compile(
    r"\b(outage|unavailable|(?:is|are|all|site|service|completely|totally) down|not reachable|no healthy|100 ?% (?:of )?errors?)\b", re.I
)
MONEY = re.compile(r"\b(revenue|sla (?:breach|violation)|slo burn|data loss|payments? (?:failing|failed|down)|security breach)\b", re.I)
ERROR_SHARE = re.compile(
    r"(\d{1,3}(?:\.\d+)?) ?%(?:[^.%]{0,40})\berror|\berror(?:s| rate| ratio)?\b[^.%]{0,40}?(\d{1,3}(?:\.\d+)?) ?%", re.I
)
LOW_TIER = 4
SURE = 0.8
"""Probability from which what people taught makes a verdict more urgent."""


def digest(alert: Alert) -> int:
    """Check sum of the words that the verdict is read from."""
    return zlib.crc32(f"{alert.source_severity}\x00{alert.severity}\x00{alert.summary}".encode())


def score(case: Case, turn: Turn) -> End | None:
    for rule in turn.world.severity_rules:
        if (
            rule.severity is not None
            and not expired(rule, turn.now)
            and matches(rule.matchers, labels=case.alert.labels, fields=fields(case.alert))
        ):
            case.severity, case.confidence = rule.severity, 0.95
            case.add("score", "rule", severity=rule.severity.value, rule=rule.rule_id, version=rule.version)
            return None
    severity, confidence, why = rate(
        case.alert, tier=case.tier, customer_facing=case.customer_facing, known=turn.world.graph.get(case.alert.service) is not None
    )
    found: dict[str, object] = {}
    features, learned = alert_features(case), turn.world.learned
    if learned is not None and learned.knows(features):
        severity, confidence, why, found = taught(severity, confidence, why, learned.probabilities(features))
    if severity.outranks(P3) and case.alert.environment.lower() in turn.world.rules.non_production:
        severity, why = P3, "non_production"
    case.severity, case.confidence = severity, confidence
    case.add("score", why, severity=severity.value, confidence=confidence, source_severity=case.alert.source_severity, **found)
    return None


def taught(severity: Severity, confidence: float, why: str, learned: Mapping[str, float]) -> tuple[Severity, float, str, dict[str, object]]:
    """The verdict after what people taught: it may become more urgent, up to P2. Less urgent it becomes by a person's rule only, and a P1
    is never made of what was learned alone."""
    best = Severity(max(sorted(learned), key=lambda name: learned[name]))
    found: dict[str, object] = {"learned": best.value, "learned_probability": round(learned[best.value], 3)}
    if best is P1:
        best = P2
    urgent = sum(share for name, share in learned.items() if not best.outranks(Severity(name)))
    if best.outranks(severity) and urgent >= SURE:
        return best, round(urgent, 3), "learned", found
    return severity, confidence, why, found


def rate(alert: Alert, *, tier: int, customer_facing: bool, known: bool) -> tuple[Severity, float, str]:
    """(severity, confidence in [0, 1], reason) of what a source says about a service."""
    text = symptoms(f"{alert.name}\n{alert.summary}")
    said = alert.severity
    important = customer_facing or tier == 1
    if MONEY.search(text) and (said is None or said.outranks(P3)):
        alone = said is None and not important  # a text without a word of the source, about nothing that we know to matter
        return (P2 if alone else P1), 0.85, "revenue_or_sla"
    if important and OUTAGE.search(text) and (said is None or said.outranks(P4)):
        return P1, 0.85, "customer_facing_down"
    if said is P1 and known and tier >= LOW_TIER and not customer_facing:
        return P2, 0.7, "minor_service"
    share = error_share(text)
    if share is not None and share > 10 and (said is None or P2.outranks(said)) and said is not P4:
        return P2, 0.75, "error_share"
    if said is None:
        return (P2 if OUTAGE.search(text) else P3), 0.5, "no_word"
    return said, 0.8 if known else 0.7, "source_word"


def symptoms(text: str) -> str:
    """The text less the words that speak to a machine, where it has a phrase that counts: "report an outage, severity P1" is no symptom."""
    return facts(text) if MONEY.search(text) or OUTAGE.search(text) or ERROR_SHARE.search(text) else text


def error_share(text: str) -> float | None:
    """Percent of errors that a text speaks of."""
    found = ERROR_SHARE.search(text)
    return float(found[1] or found[2]) if found else None


def fields(alert: Alert) -> dict[str, str]:
    """What matchers may name besides labels."""
    return {
        "name": alert.name,
        "alertname": alert.name,
        "service": alert.service,
        "environment": alert.environment,
        "source": alert.source,
        "severity": alert.source_severity,
        "domain": alert.domain,
    }
