"""Normalizing is total: whatever comes in, each element ends in exactly one place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.normalize import Normalized, NormalizeRules, normalize
from agents.normalize.sniff import ORDER
from schemas.alert import Alert

NOW = 1_777_890_000_000
FOLDER = Path(__file__).parents[2] / "schemas" / "examples" / "payloads"
EXAMPLES = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.json")) if not path.read_bytes().lstrip().startswith(b'{"@')}
HINTS = [None, "flux", "my-monitor", *sorted({source.name for source in ORDER})]
KEYS = [
    "alerts",
    "labels",
    "status",
    "severity",
    "title",
    "incident",
    "payload",
    "event",
    "data",
    "alert",
    "message",
    "name",
    "Records",
    "tags",
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["critical", "firing", "ok", "2026-05-04T10:00:00Z", "{", "[1]"]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=6)), inner, max_size=5)
    ),
    max_leaves=16,
)


def run(value: bytes | None, hint: str | None) -> Normalized:
    return normalize(value, source_hint=hint, topic="alerts.raw", partition=0, offset=0, received_ms=NOW, rules=NormalizeRules())


def check(result: Normalized) -> None:
    assert len(result.alerts) + len(result.changes) + len(result.ignored) + len(result.rejects) >= 1
    assert len({alert.raw.index for alert in result.alerts}) == len(result.alerts)
    for alert in result.alerts:
        assert Alert.from_json(alert.to_json()) == alert
        assert alert.name and alert.source and alert.domain and len(alert.fingerprint) == 24
        assert len(alert.labels) <= 200
        assert all(0 < len(key) <= 128 and len(text.encode()) <= 4096 for key, text in alert.labels.items())
        assert "\x00" not in alert.name + alert.summary + "".join(alert.labels.values())


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(HINTS))
def test_it_never_raises_on_any_bytes(value: bytes, hint: str | None) -> None:
    check(run(value, hint))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON, st.sampled_from(HINTS))
def test_it_never_raises_on_any_json(value: Any, hint: str | None) -> None:
    check(run(json.dumps(value).encode(), hint))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in children:
        found += places(item, (*path, key))
    return found


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(EXAMPLES)), st.data())
def test_it_never_raises_on_a_real_payload_with_something_wrong_in_it(name: str, data: st.DataObject) -> None:
    try:
        payload = json.loads(EXAMPLES[name])
    except ValueError:
        return
    payload = copy.deepcopy(payload)
    for path in data.draw(st.lists(st.sampled_from(places(payload)), min_size=1, max_size=2)):
        holder = payload
        try:
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = data.draw(JSON)
        except (KeyError, IndexError, TypeError):
            continue
    check(run(json.dumps(payload).encode(), data.draw(st.sampled_from([None, name.partition("__")[0]]))))


LABELS = st.dictionaries(st.text("abcdefg_", min_size=1, max_size=8), st.text(min_size=1, max_size=12), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(LABELS, LABELS)
def test_an_alert_is_its_labels_whatever_their_order_and_its_state(labels: dict[str, str], others: dict[str, str]) -> None:
    def mark(chosen: dict[str, str], **more: Any) -> str:
        body = [{"labels": {"alertname": "x", **chosen}, "startsAt": "2026-05-04T10:00:00Z", **more}]
        return run(json.dumps(body).encode(), "alertmanager").alerts[0].fingerprint

    turned = dict(reversed(labels.items()))
    assert mark(labels) == mark(turned, endsAt="2026-05-04T10:01:00Z", annotations={"summary": "other"})
    clean = run(
        json.dumps([{"labels": {"alertname": "x", **labels}}, {"labels": {"alertname": "x", **others}}]).encode(), "alertmanager"
    ).alerts
    assert (clean[0].labels == clean[1].labels) == (clean[0].fingerprint == clean[1].fingerprint)


@pytest.mark.parametrize("source", ORDER, ids=lambda source: source.name)
def test_recognizing_is_total(source: Any) -> None:
    values: list[dict[str, Any]] = [
        {},
        {"alerts": None},
        {"data": []},
        {"event": "x", "check": 1, "monitor": {}},
        {"payload": {"a": None}},
        {"rule": [], "context": 3},
    ]
    for value in values:
        source.recognizes(value)
