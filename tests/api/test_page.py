"""The page that links in messages lead to."""

from __future__ import annotations

import base64

import pytest

from pipeline.api.parts import Parts
from schemas.base import Reason, Severity, from_ms
from schemas.effect import Receipt
from schemas.feedback import Feedback
from schemas.incident import AdviceStatus, Incident, IncidentAdvice, IncidentStatus
from schemas.runbook import RunbookMatch
from tests.api.fakes import NOW, Door, FakeHistory, FakeKafka
from tests.api.test_people import incident

EVIL = "<script>alert(1)</script>\"'\u202e"
ANSWER = {
    "effect_id": "e1", "effect": "advice", "attempt": 1, "domain": "eu-1", "incident_id": "i1", "status": "done", "at": from_ms(NOW),
    "advice": {
        "provider": "ollama", "model": EVIL, "prompt": "triage@1", "severity": "P1", "confidence": 0.91, "summary": "worse", "took_ms": 812,
    },
}  # fmt: skip
TOKEN = "a-token-of-some-length"


def basic(password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()}


def test_what_a_source_sent_is_shown_as_text(door: Door, history: FakeHistory) -> None:
    bad = RunbookMatch(id="r", title=EVIL, score=1, url="javascript:alert(1)", steps=[EVIL])
    change = {"title": EVIL, "summary": EVIL, "service": EVIL, "parent": EVIL, "runbooks": [bad]}
    history.known["i1"] = incident("i1").model_copy(update=change)
    answer = door.get("/incidents/i1")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "&lt;script&gt;" in answer.text
    for never in ("<script", "javascript:", "\u202e"):
        assert never not in answer.text


def test_what_a_model_said_is_marked_as_such_and_shown_as_text(door: Door, history: FakeHistory) -> None:
    said = IncidentAdvice(
        status=AdviceStatus.ADOPTED,
        reason=Reason(code="raised", text=EVIL),
        severity=Severity.P1,
        rule_severity=Severity.P3,
        needs_review=True,
        confidence=0.91,
        provider="ollama",
        model=EVIL,
        prompt="triage@1",
        cost_usd=0.0002,
        took_ms=812,
        summary="It gets worse. " + EVIL,
    )
    summary = f"38% errors. {said.model}: {said.summary}"
    history.known["i1"] = incident("i1").model_copy(update={"severity": Severity.P2, "advice": said, "summary": summary})
    history.answers = [Receipt.model_validate(ANSWER)]
    page = door.get("/incidents/i1").text
    for words in (
        "<p>38% errors.</p>",
        "<b>Written by a language model, not by a person</b>",
        "<h2>Facts</h2>",
        "a language model said P1, 91% sure",
        "P3: shown as P2, pages go by the rules",
        "P1, 91% sure",
        "should review",
        "$0.0002",
    ):
        assert words in page, words
    assert "<script" not in page and "\u202e" not in page
    history.known["i1"] = incident("i1")
    assert "Language model" not in door.get("/incidents/i1").text


def test_the_button_acknowledges_and_leads_back(door: Door, broker: FakeKafka, history: FakeHistory) -> None:
    history.known["i1"] = incident("i1")
    assert 'action="/incidents/i1/ack"' in door.get("/incidents/i1").text
    answer = door.post("/incidents/i1/ack", data={"by": "ada"}, headers={"origin": "http://localhost"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/i1?heard=1&since=1")
    said = Feedback.from_json(broker.sent[0].value or b"")
    assert (said.kind, said.incident_id, said.by) == ("acknowledge", "i1", "ada")
    after = door.get(answer.headers["location"]).text
    assert "on its way" in after and '<meta http-equiv="refresh" content="3;url=/incidents/i1">' in after
    assert 'id="acknowledge"' not in after
    history.known["i1"] = incident("i1").model_copy(update={"revision": 2})
    after = door.get(answer.headers["location"]).text
    assert "was heard: revision 2" in after and "refresh" not in after


def test_who_gives_no_name_is_refused_with_words(door: Door, broker: FakeKafka, history: FakeHistory) -> None:
    history.known["i1"] = incident("i1")
    for path, told in (("ack", {}), ("feedback", {"say": "severity P2"})):
        answer = door.post(f"/incidents/i1/{path}", data={"by": " \u202e "} | told, headers={"origin": "http://localhost"})
        assert answer.status_code == 422 and "say who you are" in answer.text
    assert broker.sent == []


def test_the_page_after_a_word_waits_for_the_revision_that_has_it(
    door: Door, history: FakeHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.api.page.WAIT_S", 2.0)
    looks = 0

    def revised(incident_id: str) -> Incident:
        nonlocal looks
        looks += 1
        return incident(incident_id).model_copy(update={"revision": 1 if looks < 5 else 2})

    monkeypatch.setattr(history, "incident", revised)
    answer = door.post("/incidents/i1/feedback", data={"by": "ada", "say": "severity P2"}, headers={"origin": "http://localhost"})
    assert looks == 5 and "was heard: revision 2" in door.get(answer.headers["location"]).text


def test_an_incident_that_has_ended_has_no_button(door: Door, history: FakeHistory) -> None:
    history.known["i1"] = incident("i1").model_copy(update={"status": IncidentStatus.RESOLVED})
    answer = door.get("/incidents/i1")
    assert answer.status_code == 200
    assert 'id="acknowledge"' not in answer.text


def test_an_unknown_incident_is_404_and_while_the_history_is_away_the_button_stays(door: Door, history: FakeHistory) -> None:
    assert door.get("/incidents/nope").status_code == 404
    history.away = True
    answer = door.get("/incidents/i1")
    assert answer.status_code == 503
    assert "<form" in answer.text


def test_with_a_token_the_browser_asks_for_it_and_other_sites_still_cannot_act(
    door: Door, parts: Parts, broker: FakeKafka, history: FakeHistory
) -> None:
    parts.token = TOKEN
    history.known["i1"] = incident("i1")
    refused = door.get("/incidents/i1")
    assert (refused.status_code, refused.headers["www-authenticate"].split()[0]) == (401, "Basic")
    assert door.get("/incidents/i1", headers=basic("wrong")).status_code == 401
    assert door.get("/incidents/i1", headers={"authorization": "Basic ?!"}).status_code == 401
    assert door.get("/incidents/i1", headers=basic(TOKEN)).status_code == 200
    assert door.get("/api/v1/incidents", headers=basic(TOKEN)).status_code == 401
    evil = basic(TOKEN) | {"origin": "http://evil.example"}
    assert door.post("/incidents/i1/ack", data={"by": "eve"}, headers=evil).status_code == 403
    assert broker.sent == []
    assert door.post("/incidents/i1/ack", data={"by": "ada"}, headers=basic(TOKEN)).status_code == 303
