"""The processor around the stages: records, failures, bad reference data."""

from __future__ import annotations

import json

import pytest

from agents.noise.rules import NoiseRules
from pipeline.decide import alerts as alerts_module
from pipeline.decide import life
from schemas.alert import Alert, RawCoordinates
from schemas.base import AlertStatus, Matcher, Severity, from_ms
from schemas.decision import Decision
from schemas.silence import Silence
from tests.scenarios.conftest import BACKUPS, ROUTES
from tests.scenarios.memory_backend import MemoryBackend


def backend(rules: NoiseRules | None = None) -> MemoryBackend:
    return MemoryBackend(rules, routes=ROUTES, backups=BACKUPS)


def fire(to: MemoryBackend, name: str = "Down", severity: str = "critical", **more: object) -> None:
    payload = {"name": name, "status": "firing", "service": "checkout", "environment": "production", "source_severity": severity, **more}
    to.send_raw(json.dumps(payload).encode(), "flux")


def test_a_decision_has_what_consumers_rely_on() -> None:
    lane = backend()
    fire(lane)
    raw = json.loads(lane.runner.records("decisions")[0].value or b"")
    words = "schema alert_id fingerprint source name service domain status severity outcome reason incident_id stages received_at"
    promised = {*words.split(), "decided_at", "deadline", "raw", "sequence"}
    assert promised <= raw.keys()
    assert raw["raw"] == {"topic": "flux.alerts.raw", "partition": 0, "offset": 0, "index": 0}
    assert {"code", "text", "facts"} <= raw["reason"].keys()
    decision = Decision.from_json(json.dumps(raw))
    assert (decision.deadline - decision.received_at).total_seconds() == 15


def test_a_stage_that_raises_is_dead_lettered_and_the_alert_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(case: object, turn: object) -> None:
        raise ZeroDivisionError("stage is broken")

    monkeypatch.setattr(alerts_module, "decide", broken)
    lane = backend()
    fire(lane)
    (decision,) = lane.decisions()
    assert (decision.outcome, decision.reason.code) == ("notified", "stage_failed")
    assert [one.transition for _, one in lane.told()] == ["fired"]
    (dead,) = lane.runner.records("dead_letters")
    headers = dict(dead.headers)
    assert headers["stage"] == b"decide" and headers["topic"] == b"alerts" and b"ZeroDivisionError" in headers["error"]
    assert b"broken" in headers["traceback"]


def test_an_alert_whose_every_repeat_raises_pages_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(case: object, turn: object) -> None:
        raise ZeroDivisionError("stage is broken")

    monkeypatch.setattr(alerts_module, "decide", broken)
    lane = backend()
    for _ in range(5):
        fire(lane, severity="warning")
    fire(lane, severity="critical")
    assert [(one.transition, one.incident.severity) for _, one in lane.told()] == [("fired", "P3"), ("fired", "P1")]
    assert [one.outcome for one in lane.decisions()] == ["notified", *["grouped"] * 4, "notified"]


def test_bytes_on_the_alerts_topic_that_are_no_alert_are_dead_lettered_and_stop_nothing() -> None:
    lane = backend()
    lane.send("alerts", "x", b"\xff\x00nonsense")
    fire(lane)
    assert len(lane.runner.records("dead_letters")) == 1
    assert len(lane.decisions()) == 1


def test_a_silence_with_a_bad_expression_is_reported_and_silences_nothing() -> None:
    lane = backend()
    now = from_ms(lane.start)
    bad = Silence(
        silence_id="bad",
        matchers=[Matcher(name="service", op="=~", value="(")],
        owner="ann",
        reason="typo",
        starts_at=now,
        ends_at=now.replace(year=2100),
    )
    lane.send("silences", "bad", bad.to_json())
    fire(lane)
    assert [one.outcome for one in lane.decisions()] == ["notified"]
    assert lane.problems and lane.problems[0][0] == "bad"


def test_with_suppression_off_what_would_be_suppressed_is_told_and_written_down() -> None:
    lane = backend(NoiseRules(suppression_enabled=False))
    fire(lane, severity="warning", environment="staging")
    (decision,) = lane.decisions()
    assert decision.outcome == "notified"
    assert decision.would_suppress is not None and decision.would_suppress.code == "non_production"
    assert len(lane.told()) == 1


def test_with_suppression_off_a_flap_and_a_transient_are_told_and_written_down() -> None:
    lane = backend(NoiseRules(suppression_enabled=False))
    for cycle in range(5):
        lane.advance(lane.start + cycle * 20_000)
        fire(lane, severity="warning")
        lane.advance(lane.start + cycle * 20_000 + 5_000)
        fire(lane, severity="warning", status="resolved")
    assert [one.transition for _, one in lane.told()] == ["fired", "resolved"] * 5
    would = [one.would_suppress.code if one.would_suppress else "" for one in lane.decisions()]
    assert would == ["", "transient"] * 4 + ["flap", "transient"]


def test_with_suppression_off_a_swapped_pair_is_told_once_as_both() -> None:
    lane = backend(NoiseRules(suppression_enabled=False))
    times = {"started_at": from_ms(lane.start - 60_000).isoformat(), "ended_at": from_ms(lane.start - 1_000).isoformat()}
    fire(lane, severity="warning", status="resolved", **times)
    fire(lane, severity="warning", started_at=times["started_at"])
    lane.advance(lane.start + 600_000)
    assert [one.transition for _, one in lane.told()] == ["fired_and_resolved"]
    assert lane.incidents()[-1].status == "resolved"


def test_the_good_of_a_batch_is_kept_and_each_bad_one_is_named() -> None:
    lane = backend()
    good = [{"status": "firing", "labels": {"alertname": f"A{n}", "severity": "warning", "instance": f"h{n}"}} for n in range(61)]
    bad: list[object] = [None, {"status": "firing"}, {"status": "firing", "labels": {"alertname": "T"}, "startsAt": "NaN"}]
    payload = {"version": "4", "status": "firing", "receiver": "flux", "alerts": [*good[:30], *bad, *good[30:]]}
    lane.send_raw(json.dumps(payload).encode(), "alertmanager")
    dead = [dict(record.headers) for record in lane.runner.records("dead_letters")]
    assert len(lane.decisions()) + len(dead) == 64
    assert len(lane.decisions()) >= 61
    assert {int(headers["index"]) for headers in dead} <= {30, 31, 32}
    assert len({one.raw.index for one in lane.decisions()}) == len(lane.decisions())


def test_the_first_revision_is_one_and_none_is_left_out() -> None:
    lane = backend()
    fire(lane)
    lane.advance(lane.start + 400_000)
    assert [one.revision for one in lane.incidents()] == list(range(1, len(lane.incidents()) + 1))
    assert lane.told()[0][1].incident.revision == 1


def test_in_shadow_what_would_have_been_told_is_written_down_as_that() -> None:
    lane = backend()
    lane.processor.deliveries.shadow = True
    fire(lane)
    assert [one.reason for one in lane.incidents()[-1].notified] == ["shadow_fired"]


def test_a_timer_that_raises_does_not_take_the_page_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(turn: object, name: str, key: str, due: int) -> None:
        if name in ("hold", "release"):
            raise ZeroDivisionError("timer is broken")

    monkeypatch.setattr(life, "fire", broken)
    lane = backend()
    fire(lane, "Held", severity="warning")
    fire(lane, "Staged", severity="warning", environment="staging")
    lane.advance(lane.start + 31_000)
    assert sorted(one.incident.title for _, one in lane.told()) == ["Held on checkout", "Staged on checkout"]
    assert len(lane.runner.records("dead_letters")) == 2


def test_one_key_of_a_source_in_two_domains_is_two_alerts() -> None:
    lane = backend()
    for number, domain in enumerate(("east", "west")):
        alert = Alert(
            alert_id=f"a{number}", fingerprint="alias-db-1", source="opsgenie", name="db-1 is down", domain=domain,
            status=AlertStatus.FIRING, severity=Severity.P1, received_at=from_ms(lane.start), deadline=from_ms(lane.start + 15_000),
            raw=RawCoordinates(topic="flux.alerts.raw", partition=0, offset=number),
        )  # fmt: skip
        lane.send("alerts", domain, alert.to_json())
    assert [one.outcome for one in lane.decisions()] == ["notified", "notified"]
    assert {one.alerts[0].fingerprint for one in lane.incidents()} == {"alias-db-1"}
