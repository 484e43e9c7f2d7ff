"""Each receiver against a real HTTP server: what it sends, and what it makes of the answer."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from agents.notify.receivers import Receiver as ReceiverConfig
from agents.notify.webhook import is_genuine
from pipeline.act import guard
from pipeline.act.desk import Desk, Outcome
from pipeline.act.receivers.build import build
from pipeline.act.receivers.console import Console
from pipeline.act.receivers.http import retry_after_ms
from pipeline.settings import SettingsError
from schemas.effect import Delivery, Transition
from tests.fakes.receivers import Answer, FakeReceiver, Line
from tests.notify.build import a_delivery

ENVIRON = {"KEY": "s3cret-key", "TOKEN": "xoxb-tok"}
CONFIG: TypeAdapter[ReceiverConfig] = TypeAdapter(ReceiverConfig)


@pytest.fixture
def fake() -> Iterator[FakeReceiver]:
    with FakeReceiver() as server:
        yield server


def a_receiver(fake: FakeReceiver, **values: Any) -> ReceiverConfig:
    return CONFIG.validate_python({"name": "r", "type": "webhook", "url": fake.url, "allow_private": True, "timeout_s": 2} | values)


def attempt(config: ReceiverConfig, delivery: Delivery | None = None, environ: dict[str, str] | None = None) -> Outcome:
    async def once() -> Outcome:
        receiver = build(config, ENVIRON | (environ or {}), "https://flux.example")
        try:
            return await Desk("r", receiver, config.timeout_s, 1).attempt(delivery or a_delivery())
        finally:
            await receiver.close()

    return asyncio.run(once())


def test_a_webhook_is_signed_and_carries_its_key(fake: FakeReceiver) -> None:
    assert attempt(a_receiver(fake, secret="env:KEY")).status == "done"
    (hit,) = fake.hits
    headers = {name.lower(): value for name, value in hit.headers.items()}
    genuine = is_genuine(b"s3cret-key", headers["x-flux-timestamp"], headers["x-flux-signature"], hit.body, now_s=int(time.time()))
    assert genuine and headers["idempotency-key"] == "e1" and headers["host"].startswith("127.0.0.1:")
    assert hit.json["incident"]["incident_id"] == "inc-1" and hit.json["link"] == "https://flux.example/incidents/inc-1"


def test_slack_gets_blocks_by_incoming_webhook_whose_url_is_a_secret(fake: FakeReceiver) -> None:
    config = a_receiver(fake, type="slack", url="env:SLACK_URL")
    assert attempt(config, environ={"SLACK_URL": fake.url}).status == "done"
    assert fake.hits[0].json["blocks"][0]["type"] == "header" and fake.hits[0].path == "/hook"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"ok": True, "ts": "12.3"}, "done"),
        ({"ok": False, "error": "ratelimited"}, "failed"),
        ({"ok": False, "error": "invalid_auth"}, "rejected"),
        ([], "rejected"),
    ],
)
def test_the_slack_api_answers_200_whatever_happened(fake: FakeReceiver, answer: Any, status: str) -> None:
    fake.behave(Answer(body=json.dumps(answer).encode()))
    outcome = attempt(a_receiver(fake, type="slack", secret="env:TOKEN", channel="C1"))
    assert outcome.status == status
    assert fake.hits[0].headers["Authorization"] == "Bearer xoxb-tok" and fake.hits[0].json["channel"] == "C1"
    assert outcome.external_id == ("12.3" if status == "done" else "")


def test_pagerduty_gets_its_routing_key_and_the_incident_as_dedup_key(fake: FakeReceiver) -> None:
    fake.behave(Answer(202, b'{"status":"success"}'))
    outcome = attempt(a_receiver(fake, type="pagerduty", secret="env:KEY"), a_delivery(transition=Transition.RESOLVED))
    assert outcome == Outcome("done", external_id="inc-1")
    assert fake.hits[0].json == {"routing_key": "s3cret-key", "event_action": "resolve", "dedup_key": "inc-1"}


def test_flux_notify_is_posted_below_its_base_url(fake: FakeReceiver) -> None:
    assert attempt(a_receiver(fake, type="flux_notify", secret="env:KEY")).status == "done"
    assert fake.hits[0].path == "/hook/api/v1/notifications" and fake.hits[0].headers["Authorization"] == "Bearer s3cret-key"


@pytest.mark.parametrize(
    ("answer", "status", "retry_after_ms"),
    [
        (Answer(204, b""), "done", None),
        (Answer(500), "failed", None),
        (Answer(503, headers={"Retry-After": "7"}), "failed", 7000),
        (Answer(429, headers={"Retry-After": "1"}), "failed", 1000),
        (Answer(400), "rejected", None),
        (Answer(401), "rejected", None),
        (Answer(404), "rejected", None),
        (Answer(302, headers={"Location": "http://127.0.0.1:1/"}), "rejected", None),
        (Answer(line=Line.DROPS), "failed", None),
        (Answer(line=Line.DROPS_AFTER), "failed", None),
    ],
)
def test_what_an_answer_means(fake: FakeReceiver, answer: Answer, status: str, retry_after_ms: int | None) -> None:
    fake.behave(answer)
    outcome = attempt(a_receiver(fake))
    assert (outcome.status, outcome.retry_after_ms) == (status, retry_after_ms), outcome.detail
    assert len(fake.attempts) == 1, "a redirect was followed, or an attempt was made twice"


@pytest.mark.parametrize("answer", [Answer(line=Line.HANGS), Answer(delay_s=5), Answer(body=b"x" * 100, drip_s=0.1)])
def test_a_receiver_that_takes_too_long_fails_in_time(fake: FakeReceiver, answer: Answer) -> None:
    fake.behave(answer)
    began = time.monotonic()
    assert attempt(a_receiver(fake, timeout_s=0.5)).status == "failed"
    assert time.monotonic() - began < 1.5


def test_a_receiver_that_is_not_there_fails() -> None:
    fake = FakeReceiver().start()
    fake.stop()
    outcome = attempt(a_receiver(fake))
    assert outcome.status == "failed" and "not reachable" in outcome.detail


def test_an_endless_answer_is_not_read_to_its_end(fake: FakeReceiver) -> None:
    fake.behave(Answer(200, b"x" * 8_000_000))
    assert attempt(a_receiver(fake)).status == "done"


def test_a_secret_that_the_receiver_echoes_is_blanked_out(fake: FakeReceiver) -> None:
    fake.behave(Answer(400, b"bad routing key s3cret-key\x1b[31m\r\n"))
    outcome = attempt(a_receiver(fake, type="pagerduty", secret="env:KEY"))
    assert outcome == Outcome("rejected", "answered 400: bad routing key ***")


@pytest.mark.parametrize(
    "hosts", [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:192.168.0.1"], ["fe80::1"], ["64:ff9b::a00:1"], ["100.64.0.1"]]
)
def test_a_name_that_leads_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch, hosts: list[str]) -> None:
    monkeypatch.setattr(guard, "look_up", lambda host: hosts)
    config = CONFIG.validate_python({"name": "r", "type": "webhook", "url": "http://hooks.example.com:9/x", "timeout_s": 2})
    outcome = attempt(config)
    assert outcome.status == "rejected" and "private address" in outcome.detail


def test_the_connection_goes_to_the_address_that_was_checked(fake: FakeReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look_up(host: str) -> list[str]:
        looked.append(host)
        return ["127.0.0.1"]

    monkeypatch.setattr(guard, "look_up", look_up)
    url = fake.url.replace("127.0.0.1", "hooks.example.com")
    assert attempt(a_receiver(fake, url=url)).status == "done"
    assert looked == ["hooks.example.com"] and fake.hits[0].headers["Host"].startswith("hooks.example.com:")


def test_the_next_address_is_tried_when_the_first_does_not_answer(fake: FakeReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "look_up", lambda host: ["::1", "127.0.0.1"])
    assert attempt(a_receiver(fake, url=fake.url.replace("127.0.0.1", "hooks.example.com"))).status == "done"


def test_a_name_that_cannot_be_resolved_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str) -> list[str]:
        raise OSError(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(guard, "look_up", look_up)
    config = CONFIG.validate_python({"name": "r", "type": "webhook", "url": "http://hooks.example.com/", "timeout_s": 2})
    outcome = attempt(config)
    assert outcome.status == "failed" and "cannot be resolved" in outcome.detail


def test_a_resolver_that_hangs_costs_one_attempt_its_time_and_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str) -> list[str]:
        time.sleep(1)
        return ["127.0.0.1"]

    monkeypatch.setattr(guard, "look_up", look_up)
    config = CONFIG.validate_python({"name": "r", "type": "webhook", "url": "http://hooks.example.com/", "timeout_s": 0.3})
    began = time.monotonic()
    assert attempt(config).status == "failed"
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize(
    ("values", "environ", "said"),
    [
        ({"secret": "env:NOT_SET"}, {}, "NOT_SET: is not set"),
        ({"secret": "file:/nowhere/secret"}, {}, "cannot be read"),
        ({"secret": "env:BAD"}, {"BAD": "two\nlines"}, "control characters"),
        ({"url": "env:HOOK"}, {"HOOK": "ftp://x"}, "no URL that can be posted to"),
        ({"url": "env:HOOK", "allow_private": False}, {"HOOK": "http://10.0.0.1/"}, "private address"),
    ],
)
def test_a_secret_that_is_not_there_stops_the_start(fake: FakeReceiver, values: dict[str, Any], environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        build(a_receiver(fake, **values), environ, "")


def test_a_secret_may_be_in_a_file(fake: FakeReceiver, tmp_path: Any) -> None:
    path = tmp_path / "key"
    path.write_text("s3cret-key\n")
    assert attempt(a_receiver(fake, type="flux_notify", secret=f"file:{path}")).status == "done"
    assert fake.hits[0].headers["Authorization"] == "Bearer s3cret-key"


def test_the_console_writes_one_line_and_survives_a_closed_terminal() -> None:
    out = io.StringIO()
    config = CONFIG.validate_python({"name": "c", "type": "console"})
    assert config.type == "console"

    async def both() -> tuple[Outcome, Outcome]:
        desk = Desk("c", Console(config, out), 1, 1)
        first = await desk.attempt(a_delivery())
        text.append(out.getvalue())
        out.close()
        return first, await desk.attempt(a_delivery())

    text: list[str] = []
    first, second = asyncio.run(both())
    assert first.status == "done" and text[0].count("\n") == 1 and "HighErrorRate" in text[0]
    assert second.status == "failed"


def test_retry_after_may_be_seconds_or_a_date() -> None:
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert retry_after_ms("120") == 120_000
    assert retry_after_ms("Mon, 02 Mar 2026 12:01:00 GMT", now) == 60_000
    assert retry_after_ms("soon") is None and retry_after_ms("") is None
    assert retry_after_ms("9" * 300) == 86_400_000
