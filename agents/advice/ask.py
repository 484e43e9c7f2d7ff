"""When a model is asked about an incident, and what: the question is made of what the stages know, and of nothing else."""

from __future__ import annotations

from hashlib import blake2b

from agents.advice.config import AdviceConfig
from agents.advice.rows import AdviceRow
from agents.case import Turn
from agents.enrich import changes_of
from agents.features import incident_features
from agents.rows import ALERTS, AlertRow, IncidentRow
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


def worse(before: str, now: str) -> bool:
    """Whether an incident is about more than it was: more urgent, or alerts of a name that was not in it."""
    old, new = before.split("\x1f"), now.split("\x1f")
    return new[0] < old[0] or not set(new[1:]) <= set(old[1:])


def worth(turn: Turn, row: IncidentRow, known: AdviceRow | None, config: AdviceConfig) -> str:
    """`ask`, `later` (ask when `ask_again_s` is over) or `no`."""
    if known is None:
        return "ask" if Severity(row.severity) in config.severities else "no"
    if (
        (known.waiting and turn.now <= known.late_until)
        or known.overruled
        or known.asks >= config.asks_per_incident
        or not worse(known.about, about(turn, row))
    ):
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
    """The opener first, then the newest of each other name."""
    told: list[AskedAlert] = []
    names: set[str] = set()
    if turn.alert is not None and turn.alert.name == row.name:
        told.append(from_alert(turn.alert))
        names.add(turn.alert.name)
    for key in [*row.members[:1], *reversed(row.members[1:])]:
        member = ALERTS.get(turn.state, key)
        if member is None or member.name in names:
            continue
        opener = member.name == row.name
        told.append(from_row(member, dict(row.labels) if opener else {}, described if opener else ""))
        names.add(member.name)
        if len(told) >= ALERTS_TOLD:
            break
    return told


def from_row(member: AlertRow, labels: dict[str, str], described: str) -> AskedAlert:
    return AskedAlert(
        name=member.name, service=member.service, environment=member.environment, source=member.source, summary=member.summary,
        description=described, labels=labels,
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
