"""The learn lane on a broker: labels in, snapshots out, the same after a restart and beside a second learner."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agents.learned import Classifier, likeliest
from pipeline.learn.lane import LearnFailed, publish
from pipeline.learn.promote import Learners
from pipeline.settings import Settings
from schemas.learning import Snapshot
from tests.learn.conftest import Room, until, versions
from tests.learn.samples import START, labels, runbook_label


def expected(count: int, more: int = 0) -> list[Snapshot]:
    learners, stream = Learners(), [*labels(count), *labels(more, first=count, seed=2)]
    return [made for offset, one in enumerate(stream) if (made := learners.take(offset, one)[0]) is not None]


def test_labels_become_snapshots_and_a_restart_or_a_second_learner_adds_none(room: Room) -> None:
    room.say(labels(95))
    with room.learning() as health:
        until(lambda: room.read() == 95, "all labels are read")
        assert health.missing == {}
    first = room.published()
    assert first == expected(95)
    assert len(first) == 2
    with room.learning(), room.learning():
        until(lambda: room.read() == 285, "who starts again reads all labels again")
        assert room.published() == first
        room.say(labels(65, first=95, seed=2))
        until(lambda: room.read() == 415, "two learners read all labels")
    last = room.published()
    assert list(dict.fromkeys(one.to_json() for one in last)) == [one.to_json() for one in expected(95, 65)]  # the same twice is the same
    classifier = Classifier.from_snapshot(last[-1])
    assert classifier is not None
    right = [likeliest(classifier.probabilities(one.features)) == one.severity for one in labels(50, seed=8)]
    assert sum(right) >= 45


def test_what_is_no_label_is_reported_and_passed_over(room: Room) -> None:
    good = list(labels(40))
    (empty,) = labels(1, first=500)
    poison = [b"\xff\xfe", b"{}", b'{"kind": "severity"}', empty.model_copy(update={"severity": None}).to_json(), b"[" * 5000]
    room.say([*good[:20], *poison, *good[20:], *(runbook_label(100 + n, "rb-disk", False) for n in range(10))])
    with room.learning():
        until(lambda: room.read() == 55, "all records are read")
    assert room.skipped() == len(poison)
    made, books = room.published()
    assert versions([made, books]) == [("severity", 35), ("runbook", 55)]
    learners = Learners()
    offsets = [*range(20), *range(25, 45)]
    found = [one for offset, label in zip(offsets, good, strict=True) if (one := learners.take(offset, label)[0]) is not None]
    assert [made] == found


def test_a_person_puts_a_snapshot_into_use_while_the_lane_runs(room: Room) -> None:
    made = expected(35)[0].model_copy(update={"by": "ada", "version": 40})
    with room.learning():
        room.say(labels(25))
        until(lambda: room.read() == 25, "labels are read")
        publish(room.settings, made)
        room.say(labels(35, first=25, seed=5))
        until(lambda: room.read() == 60, "labels are read")
    assert room.published() == [made]  # only 20 labels since


def test_without_a_label_river_is_not_imported() -> None:
    """It takes some 80 MB, and most installations never correct anything."""
    code = (
        "import sys, pipeline.learn.lane, pipeline.cli.learning, agents.learned; sys.exit('river' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_snapshot_that_nobody_acknowledges_ends_the_process() -> None:
    settings = Settings(brokers="127.0.0.1:1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.learn.lane.PUBLISH_S", 0.3)
        with pytest.raises(LearnFailed, match="not acknowledged"):
            publish(settings, Snapshot(name="severity", version=1, content={}, at=START))
