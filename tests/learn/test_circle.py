"""All the way round: people correct incidents, decide makes labels, the lane on a broker learns, and decide knows better next time."""

from __future__ import annotations

import json

from agents.advice.config import AdviceConfig
from schemas.base import Severity, from_ms
from schemas.feedback import Feedback
from schemas.incident import Incident
from schemas.learning import Label
from tests.learn.conftest import Room, until
from tests.scenarios.memory_backend import MemoryBackend

P1, P2, P4 = Severity.P1, Severity.P2, Severity.P4
TRUTH = {"CertificateExpires": P1, "PodRestarts": P4, "BackupLate": P4, "ReplicaLags": P2, "QuotaNear": P4}
"""Their source calls all of them a warning."""


def fire(decide: MemoryBackend, name: str, service: str) -> Incident:
    payload = {"name": name, "status": "firing", "service": service, "source_severity": "warning", "summary": f"{name} of {service}"}
    decide.send_raw(json.dumps(payload).encode(), "flux")
    decide.advance(decide.runner.now + 600_000)  # so that the next one is no part of it
    return next(one for one in reversed(decide.incidents()) if one.service == service)


def say(decide: MemoryBackend, incident: Incident, severity: Severity) -> None:
    told = {
        "incident_id": incident.incident_id,
        "domain": incident.domain,
        "by": f"person {int(incident.service.rpartition('-')[2]) % 3}",
        "at": from_ms(decide.runner.now),
    }
    said = Feedback.model_validate({"feedback_id": f"f-{incident.incident_id}", "kind": "severity", "severity": severity, **told})
    decide.send("feedback", incident.domain, said.to_json())


def learned(decide: MemoryBackend) -> dict[str, float] | None:
    """What the newest question to a model says of the classifier."""
    return decide.model.asked[-1][1].question.learned


def test_what_people_corrected_is_known_the_next_time(room: Room) -> None:
    decide = MemoryBackend(advice=AdviceConfig())
    for number in range(30):
        name = sorted(TRUTH)[number % 5]
        say(decide, fire(decide, name, f"service-{number}"), TRUTH[name])
    assert learned(decide) is None
    room.say(record.value or b"" for record in decide.runner.records("labels"))
    with room.learning():
        until(lambda: room.read() == 30, "all labels are read")
    (made,) = room.published()
    decide.tables.put("models", made.name, made.to_json())

    incident = fire(decide, "CertificateExpires", "service-98")
    found = learned(decide)
    assert found is not None and found["P1"] > 0.5
    assert incident.severity is Severity.P2  # more urgent than its source says, and never a P1 by what was learned alone
    fire(decide, "PodRestarts", "service-99")
    assert (learned(decide) or {})["P4"] > 0.5
    say(decide, incident, Severity.P1)
    label = Label.from_json(decide.runner.records("labels")[-1].value or b"")
    assert label.learned == found
    assert decide.problems == [] and decide.runner.failures == []
