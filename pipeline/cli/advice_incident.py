"""Questions about an incident that is known, and about an anomaly, asked on demand."""

from __future__ import annotations

import json
import sys
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.common import Exit, Refusal, now

if TYPE_CHECKING:
    from pipeline.known import Known
    from schemas.advice import AdviceRequest, AdviceTask, AskedAlert, Question, ServiceCard
    from schemas.decision import Decision
    from schemas.incident import Incident

ALERTS = 5
TIMELINE = 20


def incident_request(task: AdviceTask, incident: Incident, decisions: Sequence[Decision], known: Known) -> AdviceRequest:
    """The question of a task about an incident as it is now. `decisions`: those of its alert events, oldest first."""
    from schemas.advice import Candidate, Question

    rule = incident.advice.rule_severity if incident.advice else incident.severity
    question = Question(
        task=task,
        incident_id=incident.incident_id,
        title=incident.title,
        rule_severity=rule,
        floor=known.config.advice.floor(rule),
        alerts=alerts_of(incident, decisions),
        alert_count=incident.alert_count or len(incident.alerts),
        service=card(incident.service, known),
        timeline=[f"{one.at:%Y-%m-%d %H:%M} {one.what} ({one.by})" for one in incident.timeline[-TIMELINE:]],
        candidates=[Candidate(id=one.id, title=one.title, score=one.score, text=" ".join(one.steps)) for one in incident.runbooks],
        facts=facts_of(incident, decisions),
    )
    return request_of(question, incident.domain, incident.revision)


def request_of(question: Question, domain: str = "", revision: int = 0) -> AdviceRequest:
    """Its times are set when it is asked."""
    from schemas.advice import AdviceRequest

    moment = now()
    return AdviceRequest(
        effect_id=uuid.uuid4().hex,
        incident_id=question.incident_id,
        domain=domain,
        revision=revision,
        question=question,
        asked_at=moment,
        deadline=moment + timedelta(seconds=60),
        late_until=moment + timedelta(seconds=60),
    )


def alerts_of(incident: Incident, decisions: Sequence[Decision]) -> list[AskedAlert]:
    """One of each name: the newest event that fired, in its source's words."""
    from schemas.advice import AskedAlert

    newest = {one.name: one for one in decisions if one.status.value == "firing"}
    told = [
        AskedAlert(name=one.name, service=one.service, environment=one.environment, source=one.source, summary=one.summary)
        for one in newest.values()
    ]
    rest = [AskedAlert(name=one.name, service=one.service) for one in incident.alerts if one.name not in newest]
    return (told + rest)[:ALERTS]


def facts_of(incident: Incident, decisions: Sequence[Decision]) -> dict[str, Any]:
    """What a rule against noise would be judged by."""
    fired = Counter(one.name for one in decisions if one.status.value == "firing")
    facts: dict[str, Any] = {"events": len(decisions), "status": incident.status.value, "people_told": len(incident.notified)}
    facts |= {f"fired {name}": times for name, times in fired.most_common(5)}
    facts["acknowledged"] = bool(incident.acknowledged_by)
    if incident.resolved_at is not None:
        facts["open_minutes"] = round((incident.resolved_at - incident.opened_at).total_seconds() / 60)
    return facts


def card(service: str, known: Known) -> ServiceCard | None:
    from schemas.advice import ServiceCard
    from schemas.topology import Service

    found = known.tables.table("topology").get(service)
    if not isinstance(found, Service):
        return None
    return ServiceCard(
        service=service, owner=found.owner, tier=found.tier, customer_facing=found.customer_facing, depends_on=found.depends_on[:10]
    )


def anomaly_request(file: Path, known: Known) -> AdviceRequest:
    """From a JSON object of facts, or else from a payload whose numbers are the facts. Refuses what is neither."""
    from pipeline.cli.advice_question import alert_of
    from schemas.advice import AdviceTask, AskedAlert, Question

    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Refusal(Exit.USAGE, f"{file}: {error.strerror or error}.", "Name a file that can be read, or - for standard input.") from None
    try:
        facts = json.loads(data)
    except ValueError:
        facts = None
    if isinstance(facts, dict) and "metric" in facts:
        service = str(facts.pop("service", ""))
        name = str(facts["metric"])
        return request_of(
            Question(
                task=AdviceTask.ANOMALY,
                title=f"{name} of {service}" if service else name,
                alerts=[AskedAlert(name=name, service=service)],
                service=card(service, known),
                facts=facts,
            )
        )
    if str(file) == "-":
        raise Refusal(
            Exit.USAGE, "That is no JSON object with a metric.", 'Write {"service": ..., "metric": ..., "value": ..., "expected": ...}'
        )
    alert = alert_of(file, 0, None, known.config)
    asked = AskedAlert(name=alert.name, service=alert.service, environment=alert.environment, source=alert.source, summary=alert.summary)
    numbers = {name: float(text) for name, text in {**alert.labels, **alert.annotations}.items() if is_number(text)}
    return request_of(
        Question(task=AdviceTask.ANOMALY, title=alert.name, alerts=[asked], service=card(alert.service, known), facts=numbers)
    )


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
