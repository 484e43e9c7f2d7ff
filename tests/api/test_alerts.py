"""`POST /api/v1/alerts/{source}`: what is kept, and what the sender is told."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from agents.normalize import Normalized, NormalizeRules
from pipeline.api.body import BODY_BYTES, HEAD_BYTES, RECORD_BYTES
from pipeline.api.parts import Parts
from pipeline.api.publish import Coordinates, TooLargeForKafka, Unavailable
from pipeline.api.server import as_intake_does
from pipeline.api.split import split
from tests.api.fakes import NOW, Door, FakeKafka

PATH = "/api/v1/alerts/alertmanager"


def group(*alerts: Any) -> dict[str, Any]:
    return {
        "version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "flux", "groupLabels": {}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "http://am", "alerts": list(alerts),
    }  # fmt: skip


def alert(name: str, **more: Any) -> dict[str, Any]:
    return {
        "status": "firing", "labels": {"alertname": name, "service": "db"}, "annotations": {}, "startsAt": "2025-11-24T15:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "", **more,
    }  # fmt: skip


def test_the_bytes_are_kept_as_they_came_under_the_source_of_the_path(door: Door, broker: FakeKafka) -> None:
    body = b'{"name":  "disk",\n "status": "firing"}'
    answer = door.post("/api/v1/alerts/Flux", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 202
    assert answer.json()["coordinates"] == {"topic": "flux.alerts.raw", "partition": 0, "offset": 0}
    (sent,) = broker.sent
    assert (sent.topic, sent.value) == ("alerts.raw", body)
    assert sent.headers == {"source": b"flux", "via": b"http", "content-type": b"application/json"}


def test_one_bad_alert_in_64_costs_only_itself(door: Door, broker: FakeKafka) -> None:
    alerts: list[Any] = [alert(f"A{n}") for n in range(64)]
    alerts[17] = None
    answer = door.post(PATH, json=group(*alerts))
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 63
    assert [(one["index"], one["reason"]) for one in answer.json()["rejected"]] == [(17, "null_element")]
    assert len(set(answer.json()["alert_ids"])) == 63
    assert len(broker.sent) == 1


def test_unreadable_bytes_are_kept_for_the_dead_letter_and_refused(door: Door, broker: FakeKafka) -> None:
    answer = door.post(PATH, content=b"{not json")
    assert answer.status_code == 422
    assert answer.json()["rejected"][0]["reason"] == "not_json"
    assert answer.json()["coordinates"]["offset"] == 0
    assert broker.sent[0].value == b"{not json"


def test_an_alert_over_256_kib_is_413_and_kept_whole(door: Door, broker: FakeKafka) -> None:
    body = json.dumps({"name": "x", "status": "firing", "summary": "a" * HEAD_BYTES}).encode()
    answer = door.post("/api/v1/alerts/flux", content=body)
    assert answer.status_code == 413
    assert "262144" in answer.json()["error"]
    assert broker.sent[0].value == body


@pytest.mark.parametrize("size", [RECORD_BYTES + 1, BODY_BYTES + 1], ids=["over a record", "over a body"])
def test_of_a_body_that_no_record_holds_the_beginning_is_kept(door: Door, broker: FakeKafka, size: int) -> None:
    answer = door.post("/api/v1/alerts/flux", content=b"x" * size)
    assert answer.status_code == 413
    assert broker.sent[0].value == b"x" * HEAD_BYTES
    assert broker.sent[0].headers["truncated"] == str(HEAD_BYTES).encode()


def test_a_storm_larger_than_a_record_is_cut_and_none_is_lost(door: Door, broker: FakeKafka) -> None:
    alerts: list[Any] = [alert(f"A{n}", annotations={"description": "y" * 900}) for n in range(2000)]
    alerts[1500] = alert("huge", annotations={"description": "z" * (HEAD_BYTES + 1)})
    alerts[1900] = None
    answer = door.post(PATH, json=group(*alerts))
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1998
    assert [(one["index"], one["reason"]) for one in answer.json()["rejected"]] == [(1500, "too_large"), (1900, "null_element")]
    assert len(answer.json()["pieces"]) == len(broker.sent)
    assert all(len(one.value or b"") <= RECORD_BYTES for one in broker.sent)
    kept = [
        one["labels"]["alertname"]
        for sent in broker.sent
        if "truncated" not in sent.headers
        for one in json.loads(sent.value or b"")["alerts"]
        if one
    ]
    assert kept == [f"A{n}" for n in range(2000) if n not in (1500, 1900)]


def test_pieces_keep_the_payload_around_the_list() -> None:
    pieces = split(json.dumps(group(*(alert(f"A{n}") for n in range(10)))).encode(), limit=1000)
    assert pieces is not None and len(pieces) > 1
    for piece in pieces:
        assert len(piece.data) <= 1000
        assert {**json.loads(piece.data), "alerts": []} == group()
    assert split(b'{"name": "no list"}') is None
    assert split(b"[" * 100_000) is None


def test_gzip_is_taken_and_a_bomb_is_not(door: Door, broker: FakeKafka) -> None:
    body = json.dumps(group(alert("A"))).encode()
    packed = {"content-encoding": "gzip"}
    assert door.post(PATH, content=gzip.compress(body), headers=packed).status_code == 202
    assert broker.sent[0].value == body
    bomb = gzip.compress(b" " * (64 * BODY_BYTES), compresslevel=1)
    assert door.post(PATH, content=bomb, headers=packed).status_code == 413
    assert door.post(PATH, content=body, headers=packed).status_code == 400
    assert door.post(PATH, content=gzip.compress(body)[:-9], headers=packed).status_code == 400


def test_a_body_or_method_of_the_wrong_kind_is_told_so(door: Door, broker: FakeKafka) -> None:
    assert door.post(PATH, content=b"x", headers={"content-encoding": "br"}).status_code == 415
    assert door.post(PATH, content=b"x", headers={"content-type": "multipart/form-data; boundary=x"}).status_code == 415
    assert door.get(PATH).status_code == 405
    assert door.post("/api/v1/alerts/a%20b", json={}).status_code == 422
    assert broker.sent == []


def test_while_kafka_is_away_the_sender_is_told_to_come_back(door: Door, broker: FakeKafka) -> None:
    broker.trouble = Unavailable("Kafka did not acknowledge the record (_MSG_TIMED_OUT)", 5)
    answer = door.post(PATH, json=group(alert("A")))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    broker.trouble = TooLargeForKafka("message size too large")
    assert door.post(PATH, json=group(alert("A"))).status_code == 413


def test_no_more_bodies_are_held_than_the_budget_allows(door: Door, parts: Parts) -> None:
    parts.budget.limit = 100
    answer = door.post(PATH, json=group(alert("A")))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    parts.budget.limit = 100_000
    assert door.post(PATH, json=group(alert("A"))).status_code == 202
    assert parts.budget.held == 0


def test_a_fault_in_normalize_still_keeps_the_record(door: Door, broker: FakeKafka, parts: Parts) -> None:
    def broken(body: bytes, source: str, where: Coordinates) -> Normalized:
        raise ZeroDivisionError

    parts.normalize = broken
    answer = door.post(PATH, json=group(alert("A")))
    assert answer.status_code == 422
    assert answer.json()["rejected"][0]["reason"] == "normalize_failed"
    assert len(broker.sent) == 1


def test_what_was_answered_is_counted(door: Door, parts: Parts) -> None:
    door.post(PATH, json=group(alert("A"), None))
    text = door.get("/metrics").text
    assert 'flux_http_alerts_total{result="accepted"} 1.0' in text
    assert 'flux_http_alerts_total{result="rejected"} 1.0' in text
    assert 'flux_http_requests_total{code="202",route="/api/v1/alerts/{source}"} 1.0' in text


def test_the_answer_is_what_intake_will_decide(parts: Parts, door: Door, broker: FakeKafka) -> None:
    answer = door.post(PATH, json=group(alert("A"), alert("B")))
    where = answer.json()["coordinates"]
    assert broker.sent[0].value is not None
    read = as_intake_does(NormalizeRules())(broker.sent[0].value, "alertmanager", Coordinates(**where, timestamp=NOW))
    assert [one.alert_id for one in read.alerts] == answer.json()["alert_ids"]
