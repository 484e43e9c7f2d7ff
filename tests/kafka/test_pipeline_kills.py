"""The alert lane as real processes, killed again and again under load: what comes out is what would have come out."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.engine.faults import POINTS
from tests.faults.campaign import differences, play, replay

KILLS = 20
SECONDS = 22.0
RATE = 15.0


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_twenty_kills_of_all_lanes_change_nothing_that_a_consumer_or_a_person_sees(kafka: str, prefix: str, tmp_path: Path) -> None:
    killed = play(kafka, prefix, tmp_path / "killed", seed=7, kills=KILLS, seconds=SECONDS, rate=RATE)
    print(killed.as_json())
    print(killed.log[-4000:] if killed.report.wrong else "")
    assert killed.report.wrong[:10] == []
    assert killed.kills["kill"] >= KILLS and any(killed.kills.get(point) for point in POINTS)
    assert set(killed.exits) <= {0} and set(killed.statuses) == {0}
    counts = killed.report.counts
    assert min(counts["dead_letters"], counts["changes"], counts["acknowledged"], counts["told"]) > 0
    assert counts["told"] < counts["episodes"]
    undisturbed = replay(kafka, prefix + "again.", tmp_path / "undisturbed", killed)
    assert undisturbed.report.wrong[:10] == []
    assert differences(killed, undisturbed)[:10] == []
    assert len(killed.report.outcomes) > 0.9 * counts["events"]
