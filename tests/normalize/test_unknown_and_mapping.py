"""Sources that nobody knows, and those a user describes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agents.normalize import FieldMapping, Normalized, NormalizeRules, RejectReason, normalize
from agents.normalize.lines import lines
from schemas.alert import Alert

NOW = 1_777_890_000_000


def run(value: Any, hint: str | None = None, **mappings: FieldMapping) -> Normalized:
    rules = NormalizeRules(mappings=mappings)
    return normalize(json.dumps(value).encode(), source_hint=hint, topic="alerts.raw", partition=0, offset=0, received_ms=NOW, rules=rules)


def one(value: Any, hint: str | None = None, **mappings: FieldMapping) -> Alert:
    return run(value, hint, **mappings).alerts[0]


def test_an_unknown_body_becomes_an_alert_with_what_can_be_read_from_it() -> None:
    found = one(
        {
            "Alert Name": "Queue is long",
            "State": "PROBLEM",
            "Prio": "",
            "alert": {"severity": "major"},
            "app": "mailer",
            "env": "prod",
            "createdAt": 1777888800,
        }
    )
    assert (found.source, found.name, found.service, found.environment) == ("unknown", "Queue is long", "mailer", "prod")
    assert (found.status, found.source_severity, found.severity) == ("firing", "major", "P2")
    assert found.started_at is not None and found.started_at.year == 2026


def test_a_header_that_names_an_unknown_source_names_the_alerts_source() -> None:
    assert one({"title": "x is down"}, "My Monitor").source == "my_monitor"


@pytest.mark.parametrize("nothing", [{"retries": 3}, {}, {"status": "ok", "uptime": 5}, {"TESTING": True}], ids=str)
def test_an_object_without_title_severity_or_trouble_is_ignored(nothing: Any) -> None:
    result = run(nothing)
    assert len(result.ignored) == 1 and not result.alerts and not result.rejects


@pytest.mark.parametrize("scalar", [1, "text", None, True], ids=str)
def test_a_json_scalar_is_rejected(scalar: Any) -> None:
    assert run(scalar).rejects[0].reason is RejectReason.NOT_AN_ALERT


def test_a_list_of_unknown_alerts_is_one_alert_an_element() -> None:
    result = run([{"title": "A is down"}, None, {"title": "B is down"}])
    assert [(found.name, found.raw.index) for found in result.alerts] == [("A is down", 0), ("B is down", 2)]
    assert result.rejects[0].index == 1


def test_a_wrong_hint_does_not_hide_what_the_payload_is() -> None:
    body = {"labels": {"alertname": "x"}, "startsAt": "2026-05-04T10:00:00Z"}
    assert one(body, "datadog").source == "alertmanager"


def test_our_own_format_is_strict_where_the_header_names_it() -> None:
    assert run({"status": "firing"}, "flux").rejects[0].reason is RejectReason.MISSING_NAME
    assert run({"name": "x", "status": "on"}, "flux").rejects[0].reason is RejectReason.BAD_STATUS
    assert run({"name": "x", "status": "firing", "started_at": "soon"}, "flux").rejects[0].reason is RejectReason.BAD_TIME


MAPPING = FieldMapping(
    name=["check.title"],
    each="items",
    status=["state"],
    severity=["check.prio"],
    service=["tags.service"],
    key=["check.id"],
    label_objects=["tags"],
    status_words={"Broken": "firing", "fine": "resolved"},
    severity_words={"1": "P1"},
)
BODY = {
    "items": [
        {"check": {"title": "A", "prio": 1, "id": 5}, "state": "broken", "tags": {"service": "s", "team": "t"}},
        {"check": {"title": "B", "id": 6}, "state": "FINE"},
        None,
    ]
}


def test_a_users_mapping_reads_his_webhook() -> None:
    result = run(BODY, "mine", mine=MAPPING)
    first, second = result.alerts
    assert (first.source, first.name, first.service, first.status, first.severity, first.labels) == (
        "mine",
        "A",
        "s",
        "firing",
        "P1",
        {"service": "s", "team": "t"},
    )
    assert (second.name, second.status) == ("B", "resolved")
    assert first.fingerprint != second.fingerprint
    assert [(reject.index, reject.reason) for reject in result.rejects] == [(2, RejectReason.NULL_ELEMENT)]


def test_a_mapped_payload_without_a_name_says_where_it_was_sought() -> None:
    reject = run({"items": [{"check": {}}]}, "mine", mine=MAPPING).rejects[0]
    assert reject.reason is RejectReason.MISSING_NAME and "check.title" in reject.error


def test_a_mapping_with_a_wrong_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="sevrity"):
        FieldMapping.model_validate({"name": "a", "sevrity": "b"})


def test_a_file_may_hold_a_document_a_line() -> None:
    data = b'{"title": "A is down"}\n\n{"retries": 1}\n{"title": \n'
    found = lines("dir/file.jsonl", data, NormalizeRules(), received_ms=NOW)
    assert [line["file"] for line in found] == ["file.jsonl"] * 3
    assert found[0]["name"] == "A is down" and "ignored" in found[1] and found[2]["dead_letter"].startswith("not_json")


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    assert "dead_letter" in lines("x.json", b"", NormalizeRules(), received_ms=NOW)[0]
