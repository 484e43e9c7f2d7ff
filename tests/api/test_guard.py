"""Who may call."""

from __future__ import annotations

import pytest

from pipeline.api.guard import MAX_REQUESTS, Guard, is_loopback
from pipeline.api.parts import Parts
from tests.api.fakes import Door, FakeKafka

TOKEN = "a-token-of-some-length"


def test_with_a_token_only_its_holders_get_in(door: Door, parts: Parts, broker: FakeKafka) -> None:
    parts.token = TOKEN
    body = {"name": "x", "status": "firing"}
    answer = door.post("/api/v1/alerts/flux", json=body)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert TOKEN not in answer.text
    for wrong in ("Bearer", "Bearer nope", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
        assert door.post("/api/v1/alerts/flux", json=body, headers={"authorization": wrong}).status_code == 401
    assert door.get("/api/v1/incidents").status_code == 401
    assert broker.sent == []
    assert door.post("/api/v1/alerts/flux", json=body, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 202
    assert door.post("/api/v1/alerts/flux", json=body, headers={"x-api-token": TOKEN}).status_code == 202


def test_the_workers_own_pages_are_open(door: Door, parts: Parts) -> None:
    parts.token = TOKEN
    parts.health.started()
    for path in ("/metrics", "/health", "/ready", "/docs", "/openapi.json"):
        assert door.get(path).status_code == 200, path


def test_without_a_token_a_page_of_another_site_cannot_act(door: Door, broker: FakeKafka) -> None:
    body = {"name": "x", "status": "firing"}
    assert door.post("/api/v1/alerts/flux", json=body, headers={"origin": "http://evil.example"}).status_code == 403
    assert broker.sent == []
    assert door.post("/api/v1/alerts/flux", json=body, headers={"origin": "http://localhost"}).status_code == 202


def test_more_requests_than_can_be_handled_are_told_to_come_back(parts: Parts) -> None:
    async def nothing(*_: object) -> None:
        raise AssertionError("not reached")

    guard = Guard(nothing, parts)
    guard.running = MAX_REQUESTS + 1
    refused = guard.refusal({"type": "http", "path": "/api/v1/alerts/x", "method": "POST", "headers": []})
    assert refused is not None and refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert guard.refusal({"type": "http", "path": "/health", "method": "GET", "headers": []}) is None


def test_a_fault_of_ours_is_a_500_without_its_details(door: Door, broker: FakeKafka) -> None:
    broker.trouble = ZeroDivisionError("secret detail")
    answer = door.post("/api/v1/alerts/flux", json={"name": "x"})
    assert answer.status_code == 500
    assert "secret detail" not in answer.text


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("db", False)])
def test_loopback_is_told_from_the_rest(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
