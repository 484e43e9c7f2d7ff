"""A Slack message in blocks. Limits: header 150, section 3,000, a field 2,000, button value 2,000, 50 blocks."""

from __future__ import annotations

import json
from typing import Any

from agents.notify.merge import is_over
from agents.notify.words import RUNBOOKS, Outgoing, alert_lines, at, clean, headline, incident_link, lasted, safe_url
from schemas.effect import Delivery
from schemas.incident import Incident

HEADER, SECTION, VALUE, TEXT, LINK = 150, 3000, 2000, 1000, 500
"""Three runbooks of a link, a title (200) and a first step (250) stay below SECTION, so no link is ever cut."""
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def message(delivery: Delivery, *, public_url: str = "", channel: str = "") -> Outgoing:
    """For an incoming webhook, or for chat.postMessage when `channel` is given."""
    body: dict[str, Any] = {
        "text": mrkdwn(f"{headline(delivery, 300)}. {delivery.incident.summary}", TEXT),
        "blocks": blocks(delivery, public_url),
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if channel:
        body |= {"channel": channel, "link_names": False}
    return Outgoing(json.dumps(body, ensure_ascii=False).encode(), {"Content-Type": "application/json; charset=utf-8"})


def blocks(delivery: Delivery, public_url: str) -> list[dict[str, Any]]:
    incident = delivery.incident
    found: list[dict[str, Any]] = [
        {"type": "header", "text": plain(headline(delivery, HEADER))},
        {"type": "section", "text": plain(clean(incident.summary or incident.title or "No summary.", SECTION))},
        {"type": "section", "fields": fields(incident)},
    ]
    if lines := alert_lines(incident, 200):
        found.append(section("*Alerts*\n" + "\n".join(f"• {mrkdwn(line, 400)}" for line in lines)))
    if incident.runbooks:
        found.append(section("*Runbooks*\n" + "\n".join(runbooks(incident))))
    elif not is_over(incident):
        found.append(section("*Runbooks*\nNo runbook fits."))
    found.append({"type": "actions", "elements": buttons(incident, public_url)})
    found.append({"type": "context", "elements": [plain(clean(f"{incident.incident_id} · revision {incident.revision}", 300))]})
    return found


def fields(incident: Incident) -> list[dict[str, Any]]:
    pairs = [
        ("Severity", incident.severity.value),
        ("Service", incident.service or "unknown"),
        ("Environment", incident.environment or "unknown"),
        ("Confidence", f"{incident.confidence:.0%} ({incident.provenance}{', degraded' if incident.degraded else ''})"),
        ("Detected", at(incident.opened_at)),
    ]
    if incident.resolved_at is not None:
        pairs.append(("Resolved", f"{at(incident.resolved_at)}, after {lasted(incident)}"))
    if incident.acknowledged_by:
        pairs.append(("Acknowledged by", incident.acknowledged_by))
    return [{"type": "mrkdwn", "text": f"*{name}*\n{mrkdwn(value, 300)}", "verbatim": True} for name, value in pairs]


def runbooks(incident: Incident) -> list[str]:
    lines = []
    for number, runbook in enumerate(incident.runbooks[:RUNBOOKS], 1):
        title = mrkdwn(runbook.title or runbook.id, 200)
        url = safe_url(runbook.url).replace("&", "&amp;")
        link = f"<{url}|{title}>" if 0 < len(url) <= LINK else title
        first = f"\n    {mrkdwn('1. ' + runbook.steps[0], 250)}" if runbook.steps else ""
        lines.append(f"{number}. {link} ({runbook.score:.0%}){first}")
    return lines


def buttons(incident: Incident, public_url: str) -> list[dict[str, Any]]:
    """View, and Acknowledge while there is something to acknowledge. Without a public URL they need Slack's interactivity."""
    value = incident.incident_id[:VALUE]
    link = incident_link(public_url, incident.incident_id)
    view: dict[str, Any] = {"type": "button", "action_id": "flux_view", "text": plain("View"), "value": value}
    acknowledge: dict[str, Any] = {
        "type": "button",
        "action_id": "flux_acknowledge",
        "text": plain("Acknowledge"),
        "style": "primary",
        "value": value,
    }
    if link:
        view["url"], acknowledge["url"] = link, f"{link}#acknowledge"
    return [view] if is_over(incident) or incident.acknowledged_at is not None else [view, acknowledge]


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:SECTION], "verbatim": True}}


def plain(text: str) -> dict[str, Any]:
    """Text that Slack does not read: no mentions, no links, no emoji names."""
    return {"type": "plain_text", "text": text, "emoji": False}


def mrkdwn(text: str, limit: int) -> str:
    """`text` as data within mrkdwn, at most `limit` characters with the escapes: no mention, channel call or link can come of it."""
    text = clean(text, limit).replace("@", "@\u2060")
    kept, length = [], 0
    for letter in text:
        piece = ENTITIES.get(letter, letter)
        if length + len(piece) > limit:
            break
        kept.append(piece)
        length += len(piece)
    return "".join(kept)
