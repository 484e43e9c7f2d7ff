"""Limits, bad elements and what one of them costs the others: nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.normalize import Normalized, NormalizeRules, RejectReason, normalize

NOW = 1_777_890_000_000


def run(value: bytes | str | Any, hint: str | None = None, received_ms: int = NOW, offset: int = 7) -> Normalized:
    if not isinstance(value, bytes):
        value = (value if isinstance(value, str) else json.dumps(value)).encode()
    return normalize(
        value, source_hint=hint, topic="alerts.raw", partition=3, offset=offset, received_ms=received_ms, rules=NormalizeRules()
    )


def alert(number: int, **more: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "Bulk", "instance": f"host-{number}", "severity": "warning"},
        "annotations": {"summary": "s"},
        "startsAt": "2026-05-04T10:00:00Z",
        **more,
    }


def webhook(alerts: list[Any]) -> dict[str, Any]:
    return {"version": "4", "groupKey": "{}", "status": "firing", "groupLabels": {}, "commonLabels": {}, "alerts": alerts}


BAD_ELEMENTS: list[tuple[str, str, RejectReason]] = [
    (
        "a missing label set",
        '{"status": "firing", "annotations": {"summary": "s"}, "startsAt": "2026-05-04T10:00:00Z"}',
        RejectReason.MISSING_LABELS,
    ),
    ("an empty label set", '{"status": "firing", "labels": {}}', RejectReason.MISSING_LABELS),
    ("a null element", "null", RejectReason.NULL_ELEMENT),
    ("a text element", '"alert"', RejectReason.NOT_AN_ALERT),
    ("a NaN time", '{"status": "firing", "labels": {"alertname": "x"}, "startsAt": NaN}', RejectReason.NOT_FINITE),
    ("a time that says NaN", '{"status": "firing", "labels": {"alertname": "x"}, "startsAt": "NaN"}', RejectReason.BAD_TIME),
    ("an infinite value", '{"status": "firing", "labels": {"alertname": "x"}, "value": 1e999}', RejectReason.NOT_FINITE),
    (
        "an integer over 64 bits",
        '{"status": "firing", "labels": {"alertname": "x", "n": 123456789012345678901234}}',
        RejectReason.INTEGER_TOO_LARGE,
    ),
    ("201 labels", json.dumps({"labels": {f"l{n}": "v" for n in range(201)}}), RejectReason.TOO_MANY_LABELS),
    ("a long label key", json.dumps({"labels": {"k" * 129: "v"}}), RejectReason.LABEL_KEY_TOO_LONG),
    ("a long label value", json.dumps({"labels": {"alertname": "v" * 4097}}), RejectReason.LABEL_VALUE_TOO_LONG),
    (
        "a label value of many bytes",
        json.dumps({"labels": {"alertname": "ü" * 2049}}, ensure_ascii=False),
        RejectReason.LABEL_VALUE_TOO_LONG,
    ),
    ("an element that is too deep", '{"labels": {"alertname": "x"}, "more": ' + "[" * 40 + "]" * 40 + "}", RejectReason.TOO_DEEP),
    (
        "an element that is too large",
        json.dumps({"labels": {"alertname": "x"}, "annotations": {"d": "x" * 300_000}}),
        RejectReason.TOO_LARGE,
    ),
]


@pytest.mark.parametrize(("bad", "reason"), [row[1:] for row in BAD_ELEMENTS], ids=[row[0] for row in BAD_ELEMENTS])
@pytest.mark.parametrize("posted", [False, True], ids=["webhook", "api"])
def test_one_bad_alert_in_a_batch_of_64_costs_nothing_but_itself(bad: str, reason: RejectReason, posted: bool) -> None:
    good = [json.dumps(alert(number)) for number in range(64)]
    elements = "[" + ",".join([*good[:20], bad, *good[20:]]) + "]"
    body = elements if posted else json.dumps(webhook([]))[:-1].replace('"alerts": []', f'"alerts": {elements}') + "}"
    result = run(body, "alertmanager")
    assert [found.labels["instance"] for found in result.alerts] == [f"host-{number}" for number in range(64)]
    assert [(reject.index, reject.reason) for reject in result.rejects] == [(20, reason)]
    assert [found.raw.index for found in result.alerts] == [*range(20), *range(21, 65)]
    assert len({found.alert_id for found in result.alerts}) == 64


def test_a_numeric_label_value_is_kept_as_text() -> None:
    result = run(webhook([alert(1, labels={"alertname": "x", "port": 9090, "ratio": 0.5, "on": True, "empty": "", "none": None})]))
    assert result.alerts[0].labels == {"alertname": "x", "port": "9090", "ratio": "0.5", "on": "true"}


WHOLE: list[tuple[str, bytes | None, RejectReason]] = [
    ("no value", None, RejectReason.EMPTY),
    ("no bytes", b"", RejectReason.EMPTY),
    ("blanks", b" \n ", RejectReason.EMPTY),
    ("broken JSON", b'{"alerts": [', RejectReason.NOT_JSON),
    ("bytes that are no text", b'{"name": "\xff\xfe"}', RejectReason.NOT_UTF8),
    ("a scalar", b"42", RejectReason.NOT_AN_ALERT),
    ("deep brackets", b"[" * 100_000, RejectReason.TOO_DEEP),
    ("two MiB", b'{"name": "' + b"x" * 2_097_152 + b'"}', RejectReason.TOO_LARGE),
    (
        "over 256 KiB",
        b'{"name": "x", "status": "firing", "source_severity": "", "summary": "' + b"x" * 270_000 + b'"}',
        RejectReason.TOO_LARGE,
    ),
]


@pytest.mark.parametrize(("value", "reason"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE])
def test_what_cannot_be_read_is_rejected_with_its_reason(value: bytes | None, reason: RejectReason) -> None:
    result = normalize(value, source_hint=None, topic="t", partition=0, offset=0, received_ms=NOW, rules=NormalizeRules())
    assert [(reject.index, reject.reason) for reject in result.rejects] == [(None, reason)]
    assert not result.alerts and not result.changes and not result.ignored


def test_a_depth_of_32_passes_and_33_does_not() -> None:
    def nested(depth: int) -> str:
        return '{"name": "x", "status": "firing", "source_severity": "p1", "more": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"

    assert len(run(nested(32)).alerts) == 1
    assert run(nested(33)).rejects[0].reason is RejectReason.TOO_DEEP


def test_texts_are_nfc_and_without_control_characters() -> None:
    name = "Cafe\u0301\x00 \x1b[31mis\r\ndown\u202e"
    found = run(
        {"name": name, "status": "firing", "source_severity": "p1", "labels": {"a": "x\x07y\nz"}, "annotations": {"d": "one\ntwo\x00"}}
    ).alerts[0]
    assert found.name == "Café [31mis down"
    assert found.labels["a"] == "xy z"
    assert found.annotations["d"] == "one\ntwo"


def test_a_lone_surrogate_does_not_cost_the_alert() -> None:
    found = run(b'{"name": "x\\ud800y", "status": "firing", "source_severity": "p1"}').alerts[0]
    assert found.name == "xy"
    found.to_json()


def test_secrets_are_not_copied_into_annotations() -> None:
    body = {
        "title": "x is down",
        "severity": "high",
        "Authorization": "Bearer abc",
        "headers": {"x": "y"},
        "api_key": "k",
        "password": "p",
        "note": "kept",
    }
    written = run(body).alerts[0].to_json().decode()
    assert "Bearer" not in written and '"k"' not in written and '"p"' not in written and "kept" in written


def test_long_annotations_are_cut_and_flagged_not_refused() -> None:
    found = run(webhook([alert(1, annotations={"description": "x" * 10_000})])).alerts[0]
    assert len(found.annotations["description"]) == 4096
    assert "annotations_cut" in found.flags


def test_a_redelivery_has_the_same_alert_id_and_another_record_another() -> None:
    first, again, other = run(webhook([alert(1)])), run(webhook([alert(1)])), run(webhook([alert(1)]), offset=8)
    assert first.alerts[0].alert_id == again.alerts[0].alert_id != other.alerts[0].alert_id
    assert len(first.alerts[0].alert_id) == 17 and first.alerts[0].alert_id[0] == "a"


def test_the_domain_is_a_label_else_the_environment_else_default() -> None:
    def domain(**labels: str) -> str:
        return run(webhook([alert(1, labels={"alertname": "x", **labels})])).alerts[0].domain

    assert domain(tenant="t1", cluster="c1", env="prod") == "c1"
    assert domain(tenant="t1", env="prod") == "t1"
    assert domain(env="prod") == "prod"
    assert domain() == "default"


def test_a_time_a_day_from_the_brokers_is_flagged_and_kept() -> None:
    near, far = run(webhook([alert(1, startsAt="2026-05-04T09:00:00Z")])), run(webhook([alert(1, startsAt="2025-05-04T09:00:00Z")]))
    assert "source_clock_skew" not in near.alerts[0].flags
    assert "source_clock_skew" in far.alerts[0].flags
    assert far.alerts[0].started_at is not None and far.alerts[0].started_at.year == 2025


def test_an_end_in_the_future_of_a_firing_alert_is_no_end() -> None:
    found = run([alert(1, endsAt="2026-05-04T11:00:00Z", status=None)], received_ms=1_777_888_900_000).alerts[0]
    assert found.status == "firing" and found.ended_at is None
