"""When a model is asked about an incident, and what: the question is made of what the stages know, and of nothing else."""

from __future__ import annotations

from hashlib import blake2b

from agents.advice.config import AdviceConfig
from agents.advice.rows import AdviceRow
from agents.case import Turn
from agents.enrich import changes_of
from agents.features import incident_features
from agents.rows import ALERTS, AlertRow, IncidentRow, alert_key
from agents.triage import said_change
from schemas.advice import AdviceTask, AskedAlert, Candidate, Question, ServiceCard
from schemas.alert import Alert
from schemas.base import Severity, from_ms

ALERTS_TOLD = 5
NAMES = 12
LABELS = 30
ANNOTATIONS = 10
DESCRIPTION = 600
FIELD = 500
NEIGHBOURS = 10
BOOK = 400
DESCRIBING = ("description", "message", "summary")
"""Annotations that describe; the first that is there and is not the summary itself."""


def about(turn: Turn, row: IncidentRow) -> str:
    """What a question would be about, as text: its severity and the names of its newest alerts. More of either is worth asking again."""
    names = sorted({member.name for key in row.members[-NAMES:] if (member := ALERTS.get(turn.state, key)) is not None})
    return "\x1f".join([row.severity, *names])


def rose(before: str, now: str) -> bool:
    """Whether an incident is more urgent than the question about it said."""
    return now.split("\x1f")[0] < before.split("\x1f")[0]


def grew(before: str, now: str) -> bool:
    """Whether it has alerts of a name that the question about it did not have."""
    return not set(now.split("\x1f")[1:]) <= set(before.split("\x1f")[1:])


def worth(turn: Turn, row: IncidentRow, known: AdviceRow | None, config: AdviceConfig) -> str:
    """`ask`, `later` (when `ask_again_s` is over) or `no`.

    A severity that rose is asked about at once, and the older question no longer counts; that happens three times at most.
    """
    if known is None or not known.asks:
        return "ask" if Severity(row.severity) in config.severities and not (known and known.overruled) else "no"
    if known.overruled:
        return "no"
    now = about(turn, row)
    if rose(known.about, now):
        return "ask"
    if known.asks >= config.asks_per_incident or not grew(known.about, now):
        return "no"
    return "ask" if turn.now - known.asked_at >= round(config.ask_again_s * 1000) else "later"


def effect_id(row: IncidentRow, asks: int) -> str:
    return blake2b(f"advice\x1f{row.incident_id}\x1f{asks}".encode(), digest_size=16).hexdigest()


def question(turn: Turn, row: IncidentRow, *, config: AdviceConfig, described: str = "", task: AdviceTask = AdviceTask.TRIAGE) -> Question:
    """All that is known of an incident, bounded. `described`: the opener's description, where this turn is not about the opener."""
    rule = Severity(row.severity)
    return Question(
        task=task,
        incident_id=row.incident_id,
        title=row.title,
        rule_severity=rule,
        floor=config.floor(rule),
        learned=learned(turn, row),
        alerts=asked_alerts(turn, row, described),
        alert_count=row.total,
        service=card(turn, row.service),
        changes=[said_change(change) for change in changes_of(turn, row.domain, row.service)],
        history=history(turn, row),
        timeline=[what for _, what, _ in row.timeline[-8:]],
        candidates=[Candidate(id=one[0], title=one[1], score=one[2], text=" ".join(one[4])[:BOOK]) for one in row.runbooks],
    )


def learned(turn: Turn, row: IncidentRow) -> dict[str, float] | None:
    return (turn.world.learned.probabilities(incident_features(turn, row)) or None) if turn.world.learned is not None else None


def card(turn: Turn, name: str) -> ServiceCard | None:
    service = turn.world.graph.get(name)
    if service is None:
        return None
    users = sorted(other.name for other in turn.world.graph.users(name))[:NEIGHBOURS]
    return ServiceCard(
        service=name, owner=service.owner, tier=service.tier, customer_facing=service.customer_facing,
        depends_on=service.depends_on[:NEIGHBOURS], used_by=users,
    )  # fmt: skip


def history(turn: Turn, row: IncidentRow) -> list[str]:
    """What happened before, in our words."""
    told = []
    for key in row.members[:ALERTS_TOLD]:
        member = ALERTS.get(turn.state, key)
        if member is not None and member.fires > 1:
            last = f", last resolved {from_ms(member.resolved_at):%Y-%m-%d}" if member.resolved_at else ""
            told.append(f"An alert of this incident has fired {member.fires} times{last}.")
    return told


def asked_alerts(turn: Turn, row: IncidentRow, described: str) -> list[AskedAlert]:
    """The opener first, then this turn's alert, then the newest of each other name. Of those others only name and service are told: which
    labels they have is not known any more, and a route that keeps some text in this network goes by labels."""
    opener = ALERTS.get(turn.state, row.opener)
    told = [from_opener(row, opener, turn.alert, described)]
    names = {told[0].name}
    if turn.alert is not None and turn.alert.name not in names:
        told.append(from_alert(turn.alert))
        names.add(turn.alert.name)
    for key in reversed(row.members):
        member = ALERTS.get(turn.state, key)
        if len(told) >= ALERTS_TOLD:
            break
        if member is None or member.name in names:
            continue
        told.append(AskedAlert(name=member.name, service=member.service, environment=member.environment, source=member.source))
        names.add(member.name)
    return told


def from_opener(row: IncidentRow, opener: AlertRow | None, alert: Alert | None, described: str) -> AskedAlert:
    if alert is not None and alert_key(alert.fingerprint, alert.domain) == row.opener:
        return from_alert(alert)
    return AskedAlert(
        name=row.name, service=row.opened_on, environment=row.environment, source=row.source, source_severity=row.source_severity,
        summary=opener.summary if opener is not None else "", description=described, labels=dict(row.labels),
    )  # fmt: skip


def from_alert(alert: Alert) -> AskedAlert:
    annotations = {name: text[:FIELD] for name, text in alert.annotations.items() if name not in DESCRIBING}
    return AskedAlert(
        name=alert.name,
        service=alert.service,
        environment=alert.environment,
        source=alert.source,
        source_severity=alert.source_severity,
        summary=alert.summary[:FIELD],
        description=description(alert),
        labels={name: text[:FIELD] for name, text in list(alert.labels.items())[:LABELS]},
        annotations=dict(list(annotations.items())[:ANNOTATIONS]),
    )


def description(alert: Alert) -> str:
    """What the source says beyond the summary."""
    found = (alert.annotations.get(name, "") for name in DESCRIBING)
    return next((text[:DESCRIPTION] for text in found if text and text != alert.summary), "")
