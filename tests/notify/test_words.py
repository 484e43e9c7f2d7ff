"""What messages say, and that text of alerts cannot act where it is shown."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.notify import console, flux_notify, pagerduty, slack, webhook
from agents.notify.words import clean, safe_url
from schemas.base import Severity, from_ms
from schemas.effect import Delivery, Transition
from schemas.incident import IncidentAlert, IncidentStatus
from schemas.runbook import RunbookMatch
from tests.notify.build import NOW, a_delivery, an_incident

HOSTILE = "<!channel> <@U123> <https://evil.example|click> @here & \x1b[31mred\x1b]0;title\x07 \x9b2J\u202egnp.exe\x00\r\nP1 faked"


def hostile_delivery(**changes: Any) -> Delivery:
    """Every text that comes from outside is hostile, and long."""
    text = HOSTILE + "x" * 9000
    at = from_ms(NOW)
    alert = IncidentAlert(fingerprint="f", name=text, service=text, severity=Severity.P1, status="firing", count=3, first_at=at, last_at=at)
    runbook = RunbookMatch(id="r", title=text, score=0.5, url="javascript:alert(1)", steps=[text] * 40)
    incident = an_incident(
        title=text,
        summary=text,
        service=text,
        environment=text,
        acknowledged_by=text,
        alerts=[alert] * 50,
        alert_count=900,
        runbooks=[runbook] * 5,
    )
    return a_delivery(incident=incident, **changes)


def decoded(body: bytes) -> Any:
    return json.loads(body)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def mrkdwn_texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        here = [value["text"]] if value.get("type") == "mrkdwn" else []
        return here + [text for item in value.values() for text in mrkdwn_texts(item)]
    return [text for item in value for text in mrkdwn_texts(item)] if isinstance(value, list) else []


def test_a_slack_message_has_its_parts_in_order() -> None:
    incident = an_incident(runbooks=[RunbookMatch(id="r1", title="Restart it", score=0.8, url="https://wiki.example/r1", steps=["Look"])])
    body = decoded(slack.message(a_delivery(incident=incident), public_url="https://flux.example").body)
    kinds = [block["type"] for block in body["blocks"]]
    assert kinds == ["header", "section", "section", "section", "section", "actions", "context"]
    assert body["blocks"][0]["text"]["text"] == "P2 Firing: HighErrorRate on checkout"
    named = [field["text"].split("\n")[0] for field in body["blocks"][2]["fields"]]
    assert named == ["*Severity*", "*Service*", "*Environment*", "*Confidence*", "*Detected*"]
    assert "<https://wiki.example/r1|Restart it> (80%)" in body["blocks"][4]["text"]["text"]
    view, acknowledge = body["blocks"][5]["elements"]
    assert (view["text"]["text"], acknowledge["text"]["text"]) == ("View", "Acknowledge")
    assert view["url"] == "https://flux.example/incidents/inc-1" and acknowledge["value"] == "inc-1"


def test_a_resolved_incident_has_nothing_to_acknowledge() -> None:
    incident = an_incident(status=IncidentStatus.RESOLVED, resolved_at=from_ms(NOW + 250_000))
    body = decoded(slack.message(a_delivery(incident=incident, transition=Transition.RESOLVED)).body)
    actions = next(block for block in body["blocks"] if block["type"] == "actions")
    assert [button["text"]["text"] for button in actions["elements"]] == ["View"]
    assert "4 min 10 s" in json.dumps(body)


def test_hostile_text_cannot_act_in_slack() -> None:
    body = decoded(slack.message(hostile_delivery(), channel="C1").body)
    for text in [body["text"], *mrkdwn_texts(body["blocks"])]:
        assert "<" not in text and "@here" not in text, text[:200]
    assert body["link_names"] is False


def test_slacks_limits_hold_for_the_longest_texts() -> None:
    body = decoded(slack.message(hostile_delivery()).body)
    assert len(body["blocks"]) <= 50 and len(body["text"]) <= 4000
    for block in body["blocks"]:
        if block["type"] == "header":
            assert len(block["text"]["text"]) <= 150
        if block["type"] == "section" and "text" in block:
            assert 0 < len(block["text"]["text"]) <= 3000
        for field in block.get("fields", []):
            assert len(field["text"]) <= 2000
        assert len(block.get("fields", [])) <= 10


@pytest.mark.parametrize(
    ("transition", "action"),
    [
        (Transition.FIRED, "trigger"),
        (Transition.ESCALATED, "trigger"),
        (Transition.ACKNOWLEDGED, "acknowledge"),
        (Transition.RESOLVED, "resolve"),
        (Transition.FIRED_AND_RESOLVED, "resolve"),
    ],
)
def test_every_pagerduty_event_of_an_incident_has_its_id_as_dedup_key(transition: Transition, action: str) -> None:
    body = decoded(pagerduty.event(a_delivery(transition=transition), routing_key="R" * 32).body)
    assert (body["event_action"], body["dedup_key"], body["routing_key"]) == (action, "inc-1", "R" * 32)
    assert ("payload" in body) is (action == "trigger")


@pytest.mark.parametrize(("severity", "word"), [("P1", "critical"), ("P2", "error"), ("P3", "warning"), ("P4", "info")])
def test_our_severities_are_pagerdutys(severity: str, word: str) -> None:
    body = decoded(pagerduty.event(a_delivery(incident=an_incident(severity=severity)), routing_key="k").body)
    assert body["payload"]["severity"] == word and body["payload"]["custom_details"]["severity"] == severity


def test_pagerdutys_limits_hold_for_the_longest_texts() -> None:
    out = pagerduty.event(hostile_delivery(), routing_key="k", public_url="https://flux.example")
    body = decoded(out.body)
    assert len(body["payload"]["summary"]) <= 1024 and len(out.body) < 512 * 1024
    assert [link["href"] for link in body["links"]] == ["https://flux.example/incidents/inc-1"], "a javascript link was passed on"
    assert len(pagerduty.dedup_key(an_incident(incident_id="i" * 400))) <= 255


def test_a_webhook_carries_the_whole_incident_and_its_transition() -> None:
    delivery = a_delivery(transition=Transition.ESCALATED, attempt=3)
    out = webhook.request(delivery, now=NOW)
    body = decoded(out.body)
    assert (body["schema"], body["transition"], body["attempt"], body["effect_id"]) == (1, "escalated", 3, "e1")
    assert body["incident"]["schema"] == 1 and body["incident"]["incident_id"] == "inc-1"
    assert out.headers["Idempotency-Key"] == "e1" and "X-Flux-Signature" not in out.headers


def test_a_signature_holds_for_its_body_time_and_key_only() -> None:
    out = webhook.request(a_delivery(), now=NOW, secret=b"key")
    stamp, signed = out.headers["X-Flux-Timestamp"], out.headers["X-Flux-Signature"]
    now_s = NOW // 1000
    assert webhook.is_genuine(b"key", stamp, signed, out.body, now_s=now_s + 200)
    assert not webhook.is_genuine(b"other", stamp, signed, out.body, now_s=now_s)
    assert not webhook.is_genuine(b"key", stamp, signed, out.body + b" ", now_s=now_s)
    assert not webhook.is_genuine(b"key", str(now_s + 1), signed, out.body, now_s=now_s)
    assert not webhook.is_genuine(b"key", stamp, signed, out.body, now_s=now_s + 301)
    assert not webhook.is_genuine(b"key", "٣", "sha256=é", out.body, now_s=now_s)


def test_flux_notify_gets_type_key_and_token() -> None:
    out = flux_notify.notification(a_delivery(), token="t0ken")
    body = decoded(out.body)
    assert out.path == "/api/v1/notifications" and out.headers["Authorization"] == "Bearer t0ken"
    assert (body["type"], body["idempotency_key"], body["severity"]) == ("incident.fired", "e1", "P2")
    assert len(decoded(flux_notify.notification(hostile_delivery()).body)["body"]) <= 4000


def test_the_console_line_says_what_where_and_how_bad() -> None:
    line = console.line(a_delivery())
    assert "P2 Firing: HighErrorRate on checkout" in line and "inc-1" in line and "1 alert |" in line
    assert "\n" not in console.as_json(hostile_delivery())


def test_hostile_text_cannot_act_on_a_terminal_or_forge_a_line() -> None:
    line = console.line(hostile_delivery())
    assert not any(unicodedata.category(letter) in ("Cc", "Cf") for letter in line)
    assert "[31m" not in line and "2J" not in line and "title" not in line


@given(st.text(alphabet=st.characters(), max_size=300), st.integers(1, 80))
def test_cleaned_text_is_bounded_printable_and_stays_as_it_is(text: str, limit: int) -> None:
    once = clean(text, limit)
    assert len(once) <= limit and clean(once, limit) == once
    assert "\n" not in once and not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in once)
    once.encode()


@given(st.text(max_size=200), st.integers(1, 100))
def test_escaped_text_is_bounded_and_never_ends_within_an_entity(text: str, limit: int) -> None:
    escaped = slack.mrkdwn(text, limit)
    assert len(escaped) <= limit and "<" not in escaped and ">" not in escaped
    assert "&" not in escaped.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://a.example/x?y=1&z", True),
        ("javascript:alert(1)", False),
        ("https://a.example/|<!here>", False),
        ("https://u:p@a.example/", False),
        ("https://a.example/ b", False),
        ("https://[::1", False),
        ("//a.example", False),
    ],
)
def test_only_links_that_can_be_shown_are_shown(url: str, kept: bool) -> None:
    assert safe_url(url) == (url if kept else "")
