"""What people say was wrong or right: by API, by Slack and on the incident's page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.api.parts import Parts
from schemas.incident import IncidentStatus
from schemas.runbook import RunbookMatch
from tests.api.fakes import Door, FakeHistory, FakeKafka
from tests.api.test_people import SECRET, feedback, incident, press

EVIL = "\"><script>alert('x')</script>"


@pytest.fixture(autouse=True)
def known(history: FakeHistory) -> None:
    books = [RunbookMatch(id="rb-disk", title="Disk", score=0.9), RunbookMatch(id=EVIL, title=EVIL, score=0.1)]
    history.known["i1"] = incident("i1").model_copy(update={"runbooks": books})


def say(door: Door, **told: Any) -> Any:
    return door.post("/api/v1/incidents/i1/feedback", json=told)


def test_a_corrected_severity_goes_to_the_incidents_domain(door: Door, broker: FakeKafka) -> None:
    answer = say(door, kind="severity", severity="P2", by="ada", comment="customers did not notice\u202e")
    assert answer.status_code == 202
    (said,) = feedback(broker)
    assert (said.kind, said.severity, said.runbook_id, said.by, said.comment) == ("severity", "P2", None, "ada", "customers did not notice")
    assert (broker.sent[0].key, answer.json()["feedback_id"]) == (b"eu-1", said.feedback_id)


@pytest.mark.parametrize("kind", ["runbook_wrong", "runbook_right"])
def test_a_word_on_a_runbook_names_it(door: Door, broker: FakeKafka, kind: str) -> None:
    assert say(door, kind=kind, runbook_id="rb-disk", by="ada").status_code == 202
    (said,) = feedback(broker)
    assert (said.kind, said.runbook_id, said.severity) == (kind, "rb-disk", None)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"kind": "severity"}, "needs `severity`"),
        ({"kind": "severity", "severity": "P7"}, "P1"),
        ({"kind": "severity", "severity": "P1", "runbook_id": "rb-disk"}, "no other kind has it"),
        ({"kind": "resolve", "severity": "P1"}, "no other kind has it"),
        ({"kind": "runbook_wrong"}, "need `runbook_id`"),
        ({"kind": "runbook_wrong", "runbook_id": "x" * 201}, "200"),
        ({"kind": "runbook_wrong", "runbook_id": "rb-net"}, "was not given the runbook 'rb-net'; it was given: rb-disk"),
        ({"kind": "suppress"}, "kind"),
        ({"severity": "P1"}, "kind"),
    ],
    ids=[
        "no severity",
        "no such severity",
        "two things",
        "severity of a resolve",
        "no runbook",
        "too long",
        "not proposed",
        "kind",
        "none",
    ],
)
def test_what_says_nothing_clear_is_refused_with_the_reason(door: Door, broker: FakeKafka, told: dict[str, Any], words: str) -> None:
    answer = say(door, by="ada", **told)
    assert answer.status_code == 422
    assert words in answer.text
    assert broker.sent == []


def test_a_runbook_that_was_not_proposed_can_have_been_the_right_one(door: Door, broker: FakeKafka) -> None:
    assert say(door, kind="runbook_right", runbook_id="rb-net").status_code == 202
    assert feedback(broker)[0].runbook_id == "rb-net"


def test_an_unknown_incident_is_404(door: Door, broker: FakeKafka) -> None:
    assert door.post("/api/v1/incidents/nope/feedback", json={"kind": "severity", "severity": "P2"}).status_code == 404
    assert broker.sent == []


def test_while_the_history_is_away_a_correction_reaches_every_partition(door: Door, broker: FakeKafka, history: FakeHistory) -> None:
    history.away = True
    assert say(door, kind="severity", severity="P2").status_code == 202
    assert len(feedback(broker)) == 3
    assert len({one.feedback_id for one in feedback(broker)}) == 1


def test_a_button_in_slack_may_say_what_was_wrong(door: Door, parts: Parts, broker: FakeKafka) -> None:
    parts.slack_secret = SECRET
    press(door, "flux_severity", json.dumps({"incident_id": "i1", "domain": "eu-1", "severity": "P3"}))
    press(door, "flux_runbook_wrong", json.dumps({"incident_id": "i1", "runbook_id": "rb-disk"}))
    assert [(one.kind, one.severity, one.runbook_id, one.by) for one in feedback(broker)] == [
        ("severity", "P3", None, "slack:ada"),
        ("runbook_wrong", None, "rb-disk", "slack:ada"),
    ]
    for value in ("i1", json.dumps({"incident_id": "i1", "severity": "P9"}), "{", json.dumps({"severity": "P1"})):
        assert press(door, "flux_severity", value).json() == {"heard": []}


def test_the_page_asks_what_it_was_also_when_it_is_over(door: Door, broker: FakeKafka, history: FakeHistory) -> None:
    history.known["i1"] = history.known["i1"].model_copy(update={"status": IncidentStatus.RESOLVED})
    page = door.get("/incidents/i1").text
    assert 'action="/incidents/i1/feedback"' in page
    for value in ("severity P1", "severity P4", "runbook_wrong rb-disk", "runbook_right rb-disk"):
        assert f'value="{value}"' in page
    assert "<script" not in page
    here = {"origin": "http://localhost"}
    answer = door.post("/incidents/i1/feedback", data={"by": "ada", "comment": "late", "say": f"runbook_wrong {EVIL}"}, headers=here)
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/i1?heard=word&since=1")
    assert "Your word is on its way" in door.get("/incidents/i1?heard=word&since=1").text
    door.post("/incidents/i1/feedback", data={"by": "bo", "say": "severity P3"}, headers=here)
    assert [(one.kind, one.runbook_id, one.severity, one.by, one.comment) for one in feedback(broker)] == [
        ("runbook_wrong", EVIL, None, "ada", "late"),
        ("severity", None, "P3", "bo", ""),
    ]


@pytest.mark.parametrize("form", [{}, {"say": "severity"}, {"say": "severity P9"}, {"say": "nonsense"}, {"say": "acknowledge P1"}])
def test_a_form_that_says_nothing_is_refused(door: Door, broker: FakeKafka, form: dict[str, str]) -> None:
    assert door.post("/incidents/i1/feedback", data={"by": "ada"} | form, headers={"origin": "http://localhost"}).status_code == 422
    assert broker.sent == []


def test_a_page_of_another_site_cannot_teach(door: Door, broker: FakeKafka) -> None:
    answer = door.post("/incidents/i1/feedback", data={"by": "x", "say": "severity P4"}, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403
    assert broker.sent == []
