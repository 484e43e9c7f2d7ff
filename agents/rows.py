"""The state of the decide lane: a row an alert, a row an incident, and the indexes between them.

Times are epoch milliseconds of our clock unless the name says `source`. Rows are arrays on the wire: new fields go at the end.
"""

from __future__ import annotations

import msgspec

from agents.state import Store


class AlertRow(msgspec.Struct, array_like=True):
    """One alert (a fingerprint): what it is, its current episode and its past. Key: fingerprint@domain."""

    name: str
    service: str
    environment: str
    domain: str
    source: str
    severity: str
    firing: bool = False
    digest: int = 0
    """Check sum of the words that severity is read from; unchanged words need no new verdict."""
    summary: str = ""
    incident_id: str = ""
    first_at: int = 0
    """Start of the current episode."""
    last_at: int = 0
    count: int = 0
    """Firing events in the current episode."""
    source_started: int = 0
    source_ended: int = 0
    resolved_at: int = 0
    clears: list[int] = []
    """When it cleared, within the flap window."""
    flapping: bool = False
    suppressed: str = ""
    """Reason code while it fires and nobody is told."""
    suppressed_text: str = ""
    recheck_at: int = 0
    fires: int = 0
    """Episodes ever."""
    owner: str = ""
    forget_at: int = 0
    notice: bool = False
    url: str = ""
    suppressed_by: str = ""
    """What suppresses it: id of a silence, a rule or a parent incident."""
    member: bool = False
    """It is counted among the firing of its incident; also while it flaps, and while something holds back that it got worse."""
    unseen_end: bool = False
    """Its newest resolve is of an episode whose fire has not come."""


class HeldRow(msgspec.Struct, array_like=True):
    """What a firing alert said, so that it can be judged again, or told by itself, without a new event. Key: fingerprint@domain."""

    labels: dict[str, str]
    source_severity: str = ""
    figures: dict[str, str] = {}
    """Annotations that are numbers."""


class IncidentRow(msgspec.Struct, array_like=True):
    """One incident; its members are alert rows. Key: incident id."""

    incident_id: str
    domain: str
    service: str
    environment: str
    status: str
    severity: str
    title: str
    summary: str
    confidence: float
    opened_at: int
    deadline: int
    revision: int = 0
    updated_at: int = 0
    resolved_at: int = 0
    acknowledged_at: int = 0
    acknowledged_by: str = ""
    resolved_by: str = ""
    members: list[str] = []
    """Keys of the newest 50 alerts."""
    total: int = 0
    firing: int = 0
    causes: dict[str, int] = {}
    """Services that explain all members, with the hops summed over members."""
    p1_members: list[str] = []
    hold_until: int = 0
    paged_severity: str = ""
    """Severity of the last page asked for; empty: nobody was asked to be told."""
    last_tell_at: int = 0
    update_due: int = 0
    publish_due: int = 0
    receivers: list[str] = []
    """Who was asked to be told."""
    notified: list[tuple[str, int, str, int]] = []
    timeline: list[tuple[int, str, str]] = []
    runbooks: list[tuple[str, str, float, str, list[str]]] = []
    parent: str = ""
    silence_code: str = ""
    silence_text: str = ""
    respond_by: int = 0
    owner: str = ""
    labels: dict[str, str] = {}
    """Labels of the opener, which routes may match."""
    last_join_at: int = 0
    name: str = ""
    """Name of the alert that opened it."""
    page_confirmed: bool = False
    """Somebody has received the newest page."""
    source: str = ""
    source_severity: str = ""
    """The opener's source, and its word."""
    provenance: str = "rules"
    """What the severity of the rules came from: `rules`, or `learned` where people's corrections made it more urgent."""
    opener: str = ""
    """Key of the alert that opened it."""
    opened_on: str = ""
    """The opener's service."""
    ruled: str = ""
    """What the rules said, once a person has said something else."""


class Refs(msgspec.Struct, array_like=True):
    """Ids of open incidents, newest last."""

    ids: list[str] = []


class ChangesRow(msgspec.Struct, array_like=True):
    """The newest changes of a service: (when, kind, title, version). Key: domain|service."""

    items: list[tuple[int, str, str, str]] = []


class CapRow(msgspec.Struct, array_like=True):
    """How often a rule held back a P1 on a day. Key: rule id."""

    day: int = 0
    used: int = 0


class Counter(msgspec.Struct, array_like=True):
    n: int = 0


def alert_key(fingerprint: str, domain: str) -> str:
    """Key of an alert's row. A source with keys of its own may use one key in two domains: those are two alerts."""
    return f"{fingerprint}@{domain}"


def fingerprint_of(key: str) -> str:
    return key.split("@", 1)[0]


ALERTS = Store("alert", AlertRow)
HELD = Store("held", HeldRow)
INCIDENTS = Store("incident", IncidentRow)
CAUSES = Store("cause", Refs)
"""Open incidents that a service explains. Key: domain|service."""
OPEN_P1 = Store("p1", Refs)
"""Open incidents with a P1 that fires on a service. Key: domain|service."""
CHANGES = Store("change", ChangesRow)
CAPS = Store("cap", CapRow)
CLOSED_MARK = b"closed|"
"""Prefix of the mark of an incident that a person resolved while its alerts still fired; followed by the incident id."""
UNCOUNTED = b"uncounted|"
"""Prefix of the mark of an incident whose repeats are not yet on its published revision; followed by the incident id."""
SEQUENCE = Store("sequence", Counter)
