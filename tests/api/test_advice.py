"""Providers and routing rules over HTTP, and what models said about an incident."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from pipeline.history.usage import Spent
from tests.api.fakes import Door, FakeHistory, FakeKafka
from tests.api.test_people import incident
from tests.record.samples import answer

FIRING = (Path(__file__).parents[2] / "schemas/examples/payloads/alertmanager__firing.json").read_bytes()
RULE: dict[str, Any] = {
    "providers": ["ollama"],
    "matchers": [{"name": "service", "op": "=", "value": "payments"}],
    "local_only": True,
    "reason": "card data stays here",
    "owner": "ada",
}


def test_providers_are_told_without_secrets_and_the_budget_where_history_answers(door: Door, history: FakeHistory) -> None:
    history.spent = [Spent(date(2026, 11, 24), "claude", "claude-haiku-5-5", 3, 0, 0, 0, 1.25, 0.0, 1, 1, 0, 1)]
    found = door.get("/api/v1/providers").json()
    assert [(one["name"], one["set_up"]) for one in found["providers"]] == [("ollama", True), ("openai", False), ("claude", False)]
    assert found["providers"][0]["url"] == "http://127.0.0.1:11434"
    assert (found["budget"]["spent_usd"], found["budget"]["left_usd"]) == (1.25, 3.75)
    history.away = True
    assert door.get("/api/v1/providers").json()["budget"] is None


def test_a_rule_is_put_read_tried_dry_and_deleted(door: Door, broker: FakeKafka) -> None:
    assert door.put("/api/v1/advice/routes/payments", json=RULE).status_code == 200
    assert broker.sent[-1].key == b"payments"
    assert [one["rule_id"] for one in door.get("/api/v1/advice/routes").json()["rules"]] == ["payments"]
    assert door.get("/api/v1/advice/routes/payments").json()["owner"] == "ada"
    dry = door.post("/api/v1/advice/routes/test?source=alertmanager", content=FIRING).json()
    assert (dry["rule_id"], dry["providers"], dry["severity"], dry["but"]) == ("payments", ["ollama"], "P1", "")
    other = door.post("/api/v1/advice/routes/test?source=alertmanager&index=1", content=FIRING).json()
    assert other["rule_id"] == "default" and "service is 'search'" in other["looked_at"][0]["why_not"]
    assert door.delete("/api/v1/advice/routes/payments").status_code == 204
    assert (broker.sent[-1].key, broker.sent[-1].value) == (b"payments", None)
    assert door.delete("/api/v1/advice/routes/payments").status_code == 404
    assert door.get("/api/v1/advice/routes/payments").status_code == 404


def test_a_rule_that_cannot_work_is_refused_with_the_fix(door: Door, broker: FakeKafka) -> None:
    for name in ("gpt", "scripted"):
        unknown = door.put("/api/v1/advice/routes/x", json=RULE | {"providers": [name]})
        assert unknown.status_code == 422 and f"no provider {name}: use ollama, openai, claude" in unknown.json()["error"]
    broken = door.put("/api/v1/advice/routes/x", json=RULE | {"matchers": [{"name": "a", "op": "=~", "value": "("}]})
    assert broken.status_code == 422 and "RE2" in broken.json()["error"]
    assert door.put("/api/v1/advice/routes/x", json=RULE | {"reason": ""}).status_code == 422
    assert broker.sent == []


def test_a_dry_run_of_what_is_no_alert_says_why(door: Door) -> None:
    answer = door.post("/api/v1/advice/routes/test", content=b"{")
    assert answer.status_code == 422 and "holds 0 alerts" in answer.json()["error"]


def test_an_incident_comes_with_what_models_said(door: Door, history: FakeHistory) -> None:

    history.known["i1"], history.answers = incident("i1"), [answer(1)]
    found = door.get("/api/v1/incidents/i1").json()
    assert found["advice"][0]["advice"]["model"] == "llama3.1:8b"
