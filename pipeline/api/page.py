"""`/incidents/{id}`, where the links in messages lead: a page without scripts that says what happened, with a button to acknowledge."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from html import escape
from typing import Any
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from agents.notify.words import at, safe_url
from pipeline.api.answers import Said
from pipeline.api.body import read_body
from pipeline.api.parts import Parts
from pipeline.api.people import IncidentId, say, visible
from pipeline.history.asked import answer_entry, became, money, rules_summary
from pipeline.history.base import ENDED, HistoryUnavailable
from schemas.base import Severity
from schemas.effect import Receipt
from schemas.incident import AdviceStatus, Incident, TimelineEntry
from schemas.runbook import RunbookMatch

FORM_BYTES = 16_384
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color-scheme:light dark;overflow-wrap:anywhere}
table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}th,td b{overflow-wrap:normal}
td{min-width:2rem}
section,form{margin:1.5rem 0}
input,button{font:inherit;padding:.3rem .6rem;max-width:100%;box-sizing:border-box;margin:.1rem 0}
p.note{border-left:.3rem solid;padding-left:.7rem}p.model{border-left:.3rem dashed;padding-left:.7rem}
@media(max-width:40rem){td,th{padding-right:.6rem}}"""
WAIT_S, LOOK_S = 2.0, 0.1
"""After a word was heard its next revision is waited for, so that the page that follows shows it."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def routes(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/incidents", include_in_schema=False)

    @router.get("/{incident_id}")
    async def show(incident_id: IncidentId, heard: str = "", since: int = -1) -> HTMLResponse:
        """`heard`: a form of this page was; `since`: the revision that it was filled in on."""
        try:
            source, (incident, answers) = await parts.archive.ask(
                lambda history: (history.incident(incident_id), history.advice_of(incident_id))
            )
        except HistoryUnavailable as error:
            return html(
                page(incident_id, f"<h1>{text(incident_id)}</h1>{paragraph(f'Its history is away: {error}')}{button(incident_id)}"), 503
            )
        if incident is None:
            return html(page("Not found", f"<h1>No incident {text(incident_id)}</h1><p>Looked in {text(source)}.</p>"), 404)
        note, again = "", False
        if heard:
            what, again = "word" if heard == "word" else "acknowledgement", since >= 0 and incident.revision <= since
            follows = " This page looks again in 3 s." if again else ""
            note = f"Your {what} is on its way.{follows}" if since < 0 or again else f"Your {what} was heard: revision {incident.revision}."
        shown = body(incident, source, note, answers)
        return html(page(f"{incident.severity.value} {incident.title}", shown, incident_path(incident_id) if again else ""))

    @router.post("/{incident_id}/ack")
    async def acknowledge(incident_id: IncidentId, request: Request) -> Response:
        form = await fields(parts, request)
        return await heard(incident_id, {"kind": "acknowledge", "by": form.get("by", "")}, "1")

    @router.post("/{incident_id}/feedback")
    async def feedback(incident_id: IncidentId, request: Request) -> Response:
        """The pressed button says what: `severity P2`, `runbook_wrong ID`, `false_positive`."""
        form = await fields(parts, request)
        kind, _, value = form.get("say", "").partition(" ")
        name = "severity" if kind == "severity" else "runbook_id"
        told = {"kind": kind, "by": form.get("by", ""), "comment": form.get("comment", ""), name: value or None}
        return await heard(incident_id, told, "word")

    async def heard(incident_id: str, told: dict[str, Any], what: str) -> Response:
        by = visible(told["by"])[:200]
        if not by:
            raise HTTPException(422, "say who you are: the field `your name` is empty")
        try:
            said = Said.model_validate(told | {"by": by})
        except ValidationError as error:
            raise HTTPException(422, f"this form was not understood: {error.errors()[0]['msg']}") from None
        before = await revision(parts, incident_id)
        await say(parts, incident_id, said)
        if before is None:
            return RedirectResponse(f"{incident_path(incident_id)}?heard={what}", 303)
        await revised(parts, incident_id, before)
        return RedirectResponse(f"{incident_path(incident_id)}?heard={what}&since={before}", 303)

    return router


async def revised(parts: Parts, incident_id: str, before: int) -> None:
    """Returns when there is a revision after `before`, or after WAIT_S."""
    with suppress(TimeoutError):
        async with asyncio.timeout(WAIT_S):
            for _ in range(round(WAIT_S / LOOK_S)):
                if await revision(parts, incident_id) not in (before, None):
                    return
                await asyncio.sleep(LOOK_S)


async def revision(parts: Parts, incident_id: str) -> int | None:
    """None where it is not known, or the history is away."""
    try:
        async with asyncio.timeout(WAIT_S):
            _, incident = await parts.archive.ask(lambda history: history.incident(incident_id))
    except (HistoryUnavailable, TimeoutError):
        return None
    return None if incident is None else incident.revision


def incident_path(incident_id: str) -> str:
    return f"/incidents/{quote(incident_id, safe='')}"


async def fields(parts: Parts, request: Request) -> dict[str, str]:
    """The first value of each field of a form."""
    read = await read_body(request.stream().__aiter__(), parts.budget, gzip=False, limit=FORM_BYTES)
    parts.budget.give(len(read.data))
    if not read.whole:
        raise HTTPException(413, "the form is too large")
    return {name: values[0].strip() for name, values in parse_qs(read.data.decode("utf-8", "replace"), max_num_fields=20).items()}


def html(content: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(content, status, HEADERS)


def text(value: object) -> str:
    """As text and nothing else: whatever a source sent cannot become markup, nor hide or turn what stands beside it."""
    return escape(visible(str(value)))


def paragraph(words: str) -> str:
    return f'<p class="note">{text(words)}</p>'


def page(title: str, content: str, then: str = "") -> str:
    """`then`: a path that the browser opens by itself after 3 s, once: that page has no such order."""
    again = f'<meta http-equiv="refresh" content="3;url={escape(then)}">' if then else ""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{text(title)}</title>{again}'
    head += f"<style>{STYLE}</style>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{content}</body></html>'


def table(rows: Iterable[Iterable[str]], head: Iterable[str] = ()) -> str:
    """Cells are markup already."""
    first = "".join(f"<th>{cell}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{f'<tr>{first}</tr>' if first else ''}{lines}</table>"


def button(incident_id: str) -> str:
    action = f"{incident_path(incident_id)}/ack"
    who = '<input name="by" maxlength="200" placeholder="your name" aria-label="your name" required>'
    return f'<form id="acknowledge" method="post" action="{escape(action)}">{who} <button>Acknowledge</button></form>'


def judge(incident: Incident) -> str:
    """A form that says what the machine got wrong or right. The severity that it has is offered too: that it was right is worth knowing."""
    who = '<input name="by" maxlength="200" placeholder="your name" aria-label="your name" required>'
    why = '<input name="comment" maxlength="2000" placeholder="why (may stay empty)" aria-label="why">'
    rows = [("It was", "".join(press(f"severity {one.value}", one.value) for one in Severity))]
    rows += [
        (f"Runbook {text(one.title)} was", press(f"runbook_right {one.id}", "right") + press(f"runbook_wrong {one.id}", "wrong"))
        for one in incident.runbooks
    ]
    action = escape(f"{incident_path(incident.incident_id)}/feedback")
    return f'<h2>What was it in truth?</h2><form id="feedback" method="post" action="{action}">{who} {why}{table(rows)}</form>'


def press(say: str, label: str) -> str:
    return f'<button name="say" value="{escape(say)}">{text(label)}</button> '


def body(incident: Incident, source: str, note: str, answers: Iterable[Receipt]) -> str:
    facts = [("Incident", incident.incident_id), ("Status", incident.status.value), ("Service", incident.service or "unknown")]
    facts += [("Environment", incident.environment)] if incident.environment else []
    facts += [("Opened", at(incident.opened_at))]
    facts += [("Acknowledged", f"{at(incident.acknowledged_at)} by {incident.acknowledged_by}")] if incident.acknowledged_at else []
    facts += [("Ended", f"{at(incident.resolved_at)} by {incident.resolved_by or 'its alerts'}")] if incident.resolved_at else []
    facts += [("Nobody was told", incident.silence.text or incident.silence.code)] if incident.silence else []
    waits = incident.status not in ENDED and incident.acknowledged_at is None
    return "".join(
        (
            f"<h1>{text(incident.severity.value)} {text(incident.title)}</h1>",
            paragraph(note) if note else "",
            summary(incident),
            button(incident.incident_id) if waits and not note.endswith("in 3 s.") else "",
            model_said(incident),
            "<h2>Facts</h2>",
            table((f"<b>{name}</b>", text(value)) for name, value in facts),
            explained_by(incident),
            *map(runbook, incident.runbooks),
            judge(incident),
            "<h2>Alerts</h2>",
            table(
                (
                    (text(one.severity.value), text(one.name), text(one.service), text(one.status), str(one.count))
                    for one in incident.alerts
                ),
                ("", "alert", "service", "status", "times"),
            ),
            "<h2>Told</h2>" if incident.notified else "",
            table((at(one.at), text(one.receiver), text(one.reason)) for one in incident.notified),
            "<h2>What happened</h2>",
            table((at(one.at), text(one.what), text(one.by)) for one in happened(incident, answers)),
            f"<p><small>Revision {incident.revision}, read from {text(source)}.</small></p>",
        )
    )


def model_said(incident: Incident) -> str:
    """What a language model has to do with what stands above; marked, because it may be wrong. Empty where none was asked."""
    advice = incident.advice
    if advice is None:
        return ""
    shown = incident.severity is not advice.rule_severity
    severities = f"shown as {incident.severity.value}, " if shown else ""
    facts = [("The rules say", f"{advice.rule_severity.value}: {severities}pages go by the rules")]
    if advice.severity is not None:
        sure = f", {advice.confidence:.0%} sure" if advice.confidence is not None else ""
        facts.append(("The model says", f"{advice.severity.value}{sure}"))
    facts.append(("What became of it", f"{became(advice)}: {advice.reason.text or advice.reason.code}"))
    if advice.provider:
        facts.append(("Model", f"{advice.provider}/{advice.model}, {advice.prompt}, {advice.took_ms} ms, {money(advice.cost_usd)}"))
    review = "A person should review this verdict." if advice.needs_review else ""
    return (
        '<section id="model"><h2>Language model</h2>'
        + (paragraph(review) if review else "")
        + table((f"<b>{name}</b>", text(value)) for name, value in facts)
        + "</section>"
    )


def summary(incident: Incident) -> str:
    """What the rules say, and apart from it, marked, what a model added."""
    advice = incident.advice
    facts = f"<p>{text(rules_summary(incident))}</p>"
    if advice is None or not advice.summary:
        return facts
    return (
        facts + f'<p class="model"><b>Written by a language model, not by a person</b> ({text(advice.model)}): {text(advice.summary)}</p>'
    )


def happened(incident: Incident, answers: Iterable[Receipt]) -> list[TimelineEntry]:
    """The timeline with the answers of models in it. What nobody may see yet (shadow) is not in it."""
    known = [answer_entry(one) for one in answers] if incident.advice is not None else []
    if incident.advice is not None and incident.advice.status is AdviceStatus.MISSING and not known:
        missing = f"no model answered: {incident.advice.reason.text}"
        known = [TimelineEntry(at=min(incident.deadline, incident.updated_at), what=missing, by="decide")]
    return sorted([*incident.timeline, *known], key=lambda one: one.at)


def explained_by(incident: Incident) -> str:
    if incident.parent is None:
        return ""
    return f'<p>Explained by <a href="{escape(incident_path(incident.parent))}">{text(incident.parent)}</a></p>'


def runbook(match: RunbookMatch) -> str:
    url = safe_url(match.url)
    title = f'<a href="{escape(url)}" rel="noreferrer">{text(match.title)}</a>' if url else text(match.title)
    return f"<h2>Runbook: {title} ({match.score:.0%})</h2><ol>{''.join(f'<li>{text(step)}</li>' for step in match.steps)}</ol>"
