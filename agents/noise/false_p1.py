"""Repeat-offender false P1s: held back only by an explicit rule that has an owner, an end and a daily cap."""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.matching import matches
from agents.noise.rules import DAY, expired
from agents.reasons import Why
from agents.rows import CAPS, AlertRow, CapRow
from agents.score import fields
from schemas.base import Severity, to_ms
from schemas.decision import Outcome


def false_p1(case: Case, turn: Turn) -> End | None:
    if case.severity is not Severity.P1:
        return None
    for rule in turn.world.false_p1:
        if (
            rule.ends_at is None
            or expired(rule, turn.now)
            or not matches(rule.matchers, labels=case.alert.labels, fields=fields(case.alert))
        ):
            continue
        today = turn.now // DAY
        row = CAPS.get(turn.state, rule.rule_id)
        used = row.used if row is not None and row.day == today else 0
        already = used > 0 and held_by(case.row, rule.rule_id)
        if used >= rule.daily_cap and not already:
            case.add("false_p1", "cap_reached", rule=rule.rule_id, used=used, daily_cap=rule.daily_cap)
            continue
        used += 0 if already else 1
        CAPS.put(turn.state, rule.rule_id, CapRow(today, used))
        text = f"known false P1 ({used} of {rule.daily_cap} today), rule of {rule.owner} until {rule.ends_at:%Y-%m-%d}: {rule.reason}"
        facts = {"rule": rule.rule_id, "version": rule.version, "owner": rule.owner, "used": used, "daily_cap": rule.daily_cap}
        return End(Outcome.SUPPRESSED, Why.FALSE_P1, text, facts, until=min((today + 1) * DAY, to_ms(rule.ends_at)), by=rule.rule_id)
    return None


def held_by(row: AlertRow | None, rule_id: str) -> bool:
    """Whether the rule holds the alert back already: judged again, it is not counted again."""
    return row is not None and row.firing and row.suppressed == Why.FALSE_P1 and row.suppressed_by == rule_id
