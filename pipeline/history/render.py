"""An explanation on a terminal. Every text is set as text: nothing in an alert can be read as markup or as a control sequence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.history.asked import asked_line, weighed
from pipeline.history.explain import (
    DeadLetterExplanation,
    DecisionExplanation,
    Explanation,
    IncidentExplanation,
    IncidentFacts,
    clock,
    printable,
)

SEVERITY_STYLES = {"P1": "bold red", "P2": "bold yellow", "P3": "cyan", "P4": "dim"}


def render_explanation(explanation: Explanation) -> RenderableType:
    if isinstance(explanation, DeadLetterExplanation):
        return render_dead_letter(explanation)
    if isinstance(explanation, IncidentExplanation):
        return render_incident(explanation)
    return render_decision(explanation)


def render_decision(it: DecisionExplanation) -> RenderableType:
    arrived, verdict = it.arrived, it.verdict
    where = ", ".join(part for part in (arrived.service, arrived.environment) if part)
    late = "" if verdict.in_time else ", LATE"
    lines = [
        ("arrived", f"{clock(arrived.received_at)} from {arrived.source}, {arrived.raw}"),
        ("alert", f"{arrived.name} {arrived.status}{f' on {where}' if where else ''}"),
        ("summary", arrived.summary),
        ("verdict", f"{verdict.severity} after {verdict.took_ms} ms{late}"),
        ("outcome", it.outcome.value),
        ("reason", f"{it.reason.code}: {it.reason.text}{facts(it.reason.facts)}"),
        ("how it ended", it.ending),
        ("would tell", ", ".join(it.would_notify)),
        ("would suppress", f"{it.would_suppress.code}: {it.would_suppress.text}" if it.would_suppress else ""),
    ]
    parts: list[RenderableType] = [title(it.id, it.answer, SEVERITY_STYLES.get(verdict.severity, "bold")), pairs(lines)]
    if it.stages:
        parts += [heading("stages"), pairs((stage.name, f"{stage.reason}{facts(stage.facts)}") for stage in it.stages)]
    if it.incident is not None:
        parts += [heading(f"incident {it.incident.incident_id}"), pairs(incident_lines(it.incident))]
    return Group(*parts, Text(f"read from {it.read_from}", style="dim"))


def render_incident(it: IncidentExplanation) -> RenderableType:
    parts: list[RenderableType] = [
        title(it.id, it.answer, SEVERITY_STYLES.get(it.incident.severity, "bold")),
        pairs([*incident_lines(it.incident), ("summary", it.summary), ("alerts", ", ".join(it.alerts))]),
    ]
    if it.timeline:
        parts += [heading("what happened"), pairs((clock(one.at), f"{one.what} ({one.by})") for one in it.timeline)]
    return Group(*parts, Text(f"read from {it.read_from}", style="dim"))


def incident_lines(incident: IncidentFacts) -> Iterable[tuple[str, str]]:
    yield "title", incident.title
    yield "state", f"{incident.status}, {incident.severity}, revision {incident.revision}, opened {clock(incident.opened_at)}"
    if incident.parent:
        yield "explained by", incident.parent
    if incident.silence is not None:
        yield "nobody told", f"{incident.silence.code}: {incident.silence.text}"
    if incident.acknowledged_by:
        yield "acknowledged by", incident.acknowledged_by
    if incident.resolved_at is not None:
        yield "resolved", f"{clock(incident.resolved_at)} by {incident.resolved_by or 'unknown'}"
    for told in incident.told:
        yield "told", f"{told.receiver} at {clock(told.at)}: {told.reason}, attempt {told.attempt}"
    for attempt in incident.attempts:
        if attempt.status != "done":
            yield attempt.status, f"{attempt.receiver} at {clock(attempt.at)}, attempt {attempt.attempt}: {attempt.detail}"
    if incident.advice is not None:
        yield "model", weighed(incident.advice)
    for answer in incident.asked:
        yield "asked", asked_line(answer)


def render_dead_letter(it: DeadLetterExplanation) -> RenderableType:
    lines = [
        ("set aside", f"{clock(it.set_aside_at)} by {it.stage}"),
        ("reason", f"{it.reason}: {it.error}"),
        ("read at", it.read_at),
        ("kept at", f"{it.kept_at}, {it.size} bytes"),
        ("headers", ", ".join(f"{name}={value}" for name, value in it.headers.items())),
        ("begins", it.preview),
        ("put it back", it.redrive),
    ]
    return Group(title(it.id, it.answer, "bold magenta"), pairs(lines), Text(f"read from {it.read_from}", style="dim"))


def title(name: str, answer: str, style: str) -> Text:
    return Text.assemble((printable(name), style), "  ", printable(answer))


def heading(words: str) -> Text:
    return Text(printable(words), style="bold")


def pairs(lines: Iterable[tuple[str, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, words in lines:
        if words:
            table.add_row(Text(printable(name)), Text(printable(words)))
    return Padding(table, (0, 0, 0, 2), expand=False)


def facts(found: Mapping[str, Any]) -> str:
    if not found:
        return ""
    return " (" + ", ".join(f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in found.items()) + ")"
