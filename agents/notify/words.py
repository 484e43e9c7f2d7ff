"""What a message says, for all formats: safe text, the headline, links.

Text of alerts is data. It leaves here without control characters, escape sequences and direction marks, and bounded in length;
what a format would obey beyond that (Slack's `<!channel>`) is the format's own business.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from schemas.base import Moment
from schemas.effect import Delivery, Transition
from schemas.incident import Incident, IncidentAlert

ESCAPES = re.compile(r"(?:\x1b\[|\x9b)[0-9;?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]?")
"""Sequences that a terminal obeys (ECMA-48): CSI, OSC up to its end, and the short ones."""
JOINERS = "\u200c\u200d"
"""Invisible, but parts of words in several scripts and of emoji."""
BREAKS = frozenset("\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
LISTED_ALERTS = 5
RUNBOOKS = 3

SAID = {
    Transition.FIRED: "Firing",
    Transition.UPDATED: "Update",
    Transition.ESCALATED: "Escalated",
    Transition.ACKNOWLEDGED: "Acknowledged",
    Transition.RESOLVED: "Resolved",
    Transition.FIRED_AND_RESOLVED: "Fired and resolved",
    Transition.REMINDED: "Reminder",
    Transition.FLAPPING: "Flapping",
    Transition.FLAPPING_ENDED: "Flapping ended",
}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request to a receiver: POST `body` with `headers`. `path` is appended to the receiver's base URL."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    path: str = ""


def clean(text: str, limit: int) -> str:
    """At most `limit` characters of `text` on one line: no escape sequence, control, direction or surrogate character."""
    text = ESCAPES.sub("", text[: limit * 4])
    kept = "".join(_kept(letter) for letter in text)
    return cut(" ".join(kept.split()), limit)


def _kept(letter: str) -> str:
    if letter in BREAKS:
        return " "
    if letter in JOINERS or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn"):
        return letter
    return ""


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def headline(delivery: Delivery, limit: int) -> str:
    """`P1 Firing: HighErrorRate on checkout`"""
    incident = delivery.incident
    return clean(f"{incident.severity.value} {SAID[delivery.transition]}: {incident.title or incident.service}", limit)


def at(moment: Moment) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def alert_line(alert: IncidentAlert, limit: int) -> str:
    times = f" ({alert.count} times)" if alert.count > 1 else ""
    service = f" on {alert.service}" if alert.service else ""
    return clean(f"{alert.severity.value} {alert.name}{service}: {alert.status}{times}", limit)


def alert_lines(incident: Incident, limit: int) -> list[str]:
    """The newest few alerts, and how many more there are."""
    newest = sorted(incident.alerts, key=lambda alert: alert.last_at, reverse=True)[:LISTED_ALERTS]
    lines = [alert_line(alert, limit) for alert in newest]
    more = max(incident.alert_count, len(incident.alerts)) - len(newest)
    return [*lines, f"and {more} more"] if more > 0 else lines


def lasted(incident: Incident) -> str:
    """`4 min 10 s`, from opening to resolve; empty while it is open."""
    if incident.resolved_at is None:
        return ""
    seconds = max(0, round((incident.resolved_at - incident.opened_at).total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{n} {unit}" for n, unit in parts if n)[:40] or "0 s"


def safe_url(url: str, limit: int = 2000) -> str:
    """A link that can be shown: http or https, no password, nothing that ends it early. Empty when `url` is none."""
    if len(url) > limit or any(ord(letter) < 33 or letter in '<>|"`\\^{}' for letter in url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.hostname and parts.username is None else ""


def incident_link(public_url: str, incident_id: str) -> str:
    return f"{public_url.rstrip('/')}/incidents/{quote(incident_id, safe='')}" if public_url else ""
