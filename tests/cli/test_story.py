"""The story: every payload is what its source would send, and normalizes to what the story means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agents.normalize import NormalizeRules, normalize
from pipeline.cli.runbook_files import read_folder
from pipeline.cli.topology import read_services
from pipeline.config import load_file
from pipeline.story.forms import iso, payload, renewed
from pipeline.story.player import Player
from pipeline.story.script import FOLDER, load_forms, load_samples, load_story
from schemas.alert import Alert

BEGAN = datetime(2026, 5, 1, 12, tzinfo=UTC)


def read(value: bytes, source: str | None, at: datetime = BEGAN) -> list[Alert]:
    rules = NormalizeRules((), "production")
    return normalize(
        value, source_hint=source, topic="alerts.raw", partition=0, offset=0, received_ms=round(at.timestamp() * 1000), rules=rules
    ).alerts


def test_every_alert_of_the_story_is_recognised_and_ends_what_it_began() -> None:
    forms = load_forms()
    for name, alert in load_story().alerts.items():
        form = forms[alert.form]
        (fired,) = read(payload(form, [alert], "firing", [BEGAN], BEGAN), form.source)
        (ended,) = read(
            payload(form, [alert], "resolved", [BEGAN], BEGAN + timedelta(seconds=9)), form.source, BEGAN + timedelta(seconds=9)
        )
        assert (fired.source, fired.service, fired.environment) == (alert.form, alert.service, alert.environment), name
        assert alert.summary in fired.summary, name
        assert (fired.status.value, ended.status.value) == ("firing", "resolved"), name
        assert fired.fingerprint == ended.fingerprint, name
        assert not fired.flags, name


def test_the_story_fits_into_50_seconds_and_sends_each_step_once() -> None:
    story = load_story()
    player = Player(story, load_forms(), BEGAN)
    coarse = [sending for tick in range(60) for sending in player.play(tick)]
    assert story.length_s <= 50
    again = Player(story, load_forms(), BEGAN)
    fine = [sending for tick in range(590) for sending in again.play(tick / 10)]
    assert len(coarse) == len(fine) > 30


def test_after_the_story_it_hums_quietly_and_clears_what_it_fires() -> None:
    player = Player(load_story(), load_forms(), BEGAN, load_samples())
    told = [list(player.play(tick)) for tick in range(3600)]
    hum = [len(sendings) for sendings in told[60:]]
    assert 300 < sum(hum) < 1200
    assert len(player._started) < 8, "no alert burns for ever"


def test_a_deploy_of_the_story_is_a_change() -> None:
    player = Player(load_story(), load_forms(), BEGAN)
    sendings = [sending for tick in range(35) for sending in player.play(tick) if sending.key == "github"]
    rules = NormalizeRules((), "production")
    changes = [
        normalize(one.value, source_hint=None, topic="alerts.raw", partition=0, offset=0, received_ms=0, rules=rules).changes
        for one in sendings
    ]
    assert [(change.service, change.version) for found in changes for change in found] == [("payments", "v2.41.0"), ("payments", "v2.40.9")]


def test_its_reference_data_and_configuration_are_valid() -> None:
    services = {service.name for service in read_services(FOLDER / "topology.yaml")}
    assert {alert.service for alert in load_story().alerts.values()} <= services
    assert all(runbook.steps for runbook in read_folder(FOLDER / "runbooks"))
    assert load_file(FOLDER / "config.yaml").notify.routes


def test_golden_payloads_are_made_current_and_keep_their_distances() -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    old = {
        "startsAt": "2024-01-01T10:00:00Z",
        "endsAt": "2024-01-01T10:05:00.5Z",
        "never": "0001-01-01T00:00:00Z",
        "ms": 1704103200000,
        "n": 42,
    }
    new = renewed(old, now)
    assert new["endsAt"] == iso(now)
    assert new["startsAt"] == iso(now - timedelta(minutes=5, seconds=0.5))
    assert new["never"] == old["never"] and new["n"] == 42
    assert new["ms"] == round((now - timedelta(minutes=5, seconds=0.5)).timestamp() * 1000)
