"""Triage from rules, context and history: title, one-paragraph summary and runbooks of an incident. No model is asked here."""

from __future__ import annotations

from agents.case import Case, Turn
from agents.features import alert_features
from agents.learned import DOUBT_PRIOR
from agents.rows import AlertRow, IncidentRow
from agents.runbooks import FLOOR
from schemas.base import from_ms
from schemas.runbook import RunbookMatch

TITLE = 200
SUMMARY = 1000


def title_of(row: AlertRow) -> str:
    return (f"{row.name} on {row.service}" if row.service and row.service not in row.name else row.name)[:TITLE]


def summarize(case: Case, row: AlertRow) -> str:
    """What happens, to whom it matters, what changed, and whether it has happened before."""
    alert = case.alert
    where = ", ".join(
        part
        for part in (
            alert.environment,
            f"tier {case.tier}" if case.owner or case.customer_facing else "",
            "customer-facing" if case.customer_facing else "",
        )
        if part
    )
    sentences = [f"{row.name} fires on {row.service or 'an unnamed service'}" + (f" ({where})" if where else "") + "."]
    if alert.summary and alert.summary != row.name:
        sentences.append(alert.summary.rstrip(".") + ".")
    for name, _reason, facts in case.stages:
        if name == "enrich":
            sentences += [said_change(change) for change in facts.get("changes", [])[:2]]
    if row.fires > 1:
        last = f", last resolved {from_ms(row.resolved_at):%Y-%m-%d %H:%M} UTC" if row.resolved_at else ""
        sentences.append(f"It has fired {row.fires} times{last}.")
    if case.owner:
        sentences.append(f"Owner: {case.owner}.")
    return " ".join(sentences)[:SUMMARY]


def said_change(change: dict[str, object]) -> str:
    what = " ".join(str(change[part]) for part in ("kind", "title", "version") if change.get(part))
    return f"{round(float(str(change['seconds_before'])) / 60)} min earlier: {what} ({change['service']})."


def incident_runbooks(case: Case, turn: Turn, row: AlertRow) -> list[tuple[str, str, float, str, list[str]]]:
    hint = next((case.alert.annotations[key] for key in ("runbook_url", "runbook", "runbookUrl") if case.alert.annotations.get(key)), "")
    learned, features = turn.world.learned, alert_features(case)
    found = turn.world.runbooks.match(
        name=row.name, service=row.service, text=f"{case.alert.summary} {case.alert.annotations.get('description', '')}", hint=hint
    )
    trusted = [(one, one.score if learned is None else lessened(one.score, learned.runbook_wrong(features, one.id))) for one in found]
    kept = sorted(((one, score) for one, score in trusted if score >= FLOOR), key=lambda item: (-item[1], item[0].id))
    return [(one.id, one.title, score, one.url, one.steps) for one, score in kept]


def lessened(score: float, wrong: float) -> float:
    """A score after what people said of the runbook: it falls as far as `wrong` is above what holds where nobody said anything."""
    return round(score * min(1.0, (1 - wrong) / (1 - DOUBT_PRIOR)), 3)


def runbook_matches(row: IncidentRow) -> list[RunbookMatch]:
    return [RunbookMatch(id=one[0], title=one[1], score=one[2], url=one[3], steps=one[4]) for one in row.runbooks]
