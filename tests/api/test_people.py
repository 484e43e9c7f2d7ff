"""Acknowledgements from the API and from Slack, silences, and what is read back."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from pipeline.api.parts import Parts
from pipeline.api.people import signed
from schemas.base import from_ms
from schemas.feedback import Feedback
from schemas.incident import Incident
from tests.api.fakes import NOW, Door, FakeHistory, FakeKafka

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


def incident(incident_id: str, domain: str = "eu-1") -> Incident:
    moment = from_ms(NOW)
    return Incident.model_validate(
        {
            "incident_id": incident_id, "revision": 1, "domain": domain, "status": "open", "severity": "P1", "service": "db", "title": "t",
            "summary": "s", "confidence": 1, "provenance": "rules", "alerts": [], "opened_at": moment, "updated_at": moment,
            "deadline": moment + timedelta(seconds=15),
        }
    )  # fmt: skip


def feedback(broker: FakeKafka) -> list[Feedback]:
    return [Feedback.from_json(one.value or b"") for one in broker.sent if one.topic == "feedback"]


def test_an_acknowledgement_goes_to_the_incidents_domain(door: Door, broker: FakeKafka, history: FakeHistory) -> None:
    history.known["i1"] = incident("i1")
    answer = door.post("/api/v1/incidents/i1/ack", json={"by": "ada\u202e", "comment": "mine"})
    assert answer.status_code == 202
    (said,) = feedback(broker)
    assert (said.kind, said.incident_id, said.domain, said.by, said.comment) == ("acknowledge", "i1", "eu-1", "ada", "mine")
    assert broker.sent[0].key == b"eu-1"
    assert door.post("/api/v1/incidents/i1/ack").status_code == 202


def test_an_unknown_incident_is_404_and_nothing_is_sent(door: Door, broker: FakeKafka) -> None:
    assert door.post("/api/v1/incidents/nope/ack", json={}).status_code == 404
    assert broker.sent == []


def test_while_the_history_is_away_an_acknowledgement_reaches_every_partition(door: Door, broker: FakeKafka, history: FakeHistory) -> None:
    history.away = True
    assert door.post("/api/v1/incidents/i1/ack", json={"by": "ada"}).status_code == 202
    assert len(feedback(broker)) == 3
    assert len({one.feedback_id for one in feedback(broker)}) == 1


def press(client: Door, action: str, value: str, *, secret: str = SECRET, age_s: int = 0, spoil: bool = False) -> Any:
    payload = {"type": "block_actions", "user": {"username": "ada"}, "actions": [{"action_id": action, "value": value}]}
    body = urlencode({"payload": json.dumps(payload)}).encode()
    stamp = str(NOW // 1000 - age_s)
    signature = "v0=" + hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": signature, "content-type": "application/x-www-form-urlencoded"}
    return client.post("/api/v1/slack/actions", content=body + b"&x=1" if spoil else body, headers=headers)


def test_a_signed_button_in_slack_acknowledges(door: Door, parts: Parts, broker: FakeKafka, history: FakeHistory) -> None:
    parts.slack_secret, parts.token = SECRET, "a token that Slack does not have"
    history.known["i1"] = incident("i1")
    answer = press(door, "flux_acknowledge", "i1")
    assert answer.status_code == 200
    (said,) = feedback(broker)
    assert (said.by, said.incident_id) == ("slack:ada", "i1")
    assert press(door, "flux_view", "i1").json() == {"heard": []}


@pytest.mark.parametrize(
    "wrong",
    [{"secret": "another"}, {"age_s": 301}, {"age_s": -301}, {"spoil": True}],
    ids=["another secret", "too old", "from the future", "another body"],
)
def test_what_slack_did_not_sign_is_not_heard(door: Door, parts: Parts, broker: FakeKafka, history: FakeHistory, wrong: Any) -> None:
    parts.slack_secret = SECRET
    history.known["i1"] = incident("i1")
    assert press(door, "flux_acknowledge", "i1", **wrong).status_code == 401
    assert broker.sent == []


def test_the_signature_is_slacks() -> None:
    """The example of Slack's documentation."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA"
        b"&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
        b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    assert signed(SECRET, headers, body, 1531420618)


def test_without_its_secret_slack_is_not_there(door: Door) -> None:
    assert press(door, "flux_acknowledge", "i1").status_code == 404


SILENCE = {"matchers": [{"name": "service", "value": "db"}], "owner": "ada", "reason": "migration"}


def test_a_silence_is_made_listed_and_ended_early(door: Door, broker: FakeKafka, parts: Parts) -> None:
    made = door.post("/api/v1/silences", json={**SILENCE, "duration_s": 3600})
    assert made.status_code == 201
    name = made.json()["silence_id"]
    assert broker.sent[0].key == name.encode()
    assert [one["silence_id"] for one in door.get("/api/v1/silences").json()["silences"]] == [name]
    parts.now = lambda: NOW + 60_000
    assert door.delete(f"/api/v1/silences/{name}").status_code == 204
    assert door.get("/api/v1/silences").json() == {"silences": []}
    (ended,) = door.get("/api/v1/silences", params={"ended": True}).json()["silences"]
    assert ended["ends_at"] == from_ms(NOW + 60_000).isoformat().replace("+00:00", "Z")
    assert ended["owner"] == "ada"
    assert door.delete("/api/v1/silences/nope").status_code == 404


def test_a_silence_that_has_not_begun_can_be_ended(door: Door) -> None:
    starts = from_ms(NOW + 3_600_000).isoformat()
    name = door.post("/api/v1/silences", json={**SILENCE, "starts_at": starts, "duration_s": 60}).json()["silence_id"]
    assert door.delete(f"/api/v1/silences/{name}").status_code == 204
    assert door.get("/api/v1/silences").json() == {"silences": []}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"duration_s": 0},
        {"duration_s": 400 * 86_400},
        {"ends_at": "2020-01-01T00:00:00Z"},
        {"duration_s": 60, "owner": " "},
        {"duration_s": 60, "matchers": []},
        {"duration_s": 60, "matchers": [{"name": "a", "op": "=~", "value": "("}]},
    ],
    ids=["no end", "no length", "too long", "past", "no owner", "no matchers", "bad expression"],
)
def test_a_silence_that_cannot_hold_is_refused(door: Door, broker: FakeKafka, wrong: dict[str, Any]) -> None:
    answer = door.post("/api/v1/silences", json={**SILENCE, **wrong})
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert broker.sent == []


def test_incidents_are_read_from_the_history_that_answers(door: Door, history: FakeHistory) -> None:
    history.known["i1"] = incident("i1")
    assert door.get("/api/v1/incidents", params={"open": True}).json()["incidents"][0]["incident_id"] == "i1"
    detail = door.get("/api/v1/incidents/i1").json()
    assert (detail["source"], detail["incident"]["domain"], detail["decisions"]) == ("a dictionary", "eu-1", [])
    assert door.get("/api/v1/incidents/i2").status_code == 404
    assert door.get("/api/v1/explain/a1").status_code == 404
    history.away = True
    answer = door.get("/api/v1/incidents/i1")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
