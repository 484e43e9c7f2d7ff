"""The metrics catalogue: what it promises about names, labels and cost."""

from __future__ import annotations

import re

from pipeline import metrics as catalogue
from pipeline.metrics import LaneMetrics, build


def samples(text: bytes) -> dict[str, float]:
    lines = (line for line in text.decode().splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_every_name_follows_the_pattern() -> None:
    for name in catalogue.names():
        assert re.fullmatch(r"flux(_[a-z]+)+", name), name


def test_a_batch_shows_only_after_its_flush() -> None:
    metrics = build(process=False)
    lane = LaneMetrics(metrics, "decide")
    lane.decided("notified", "paged", received_ms=1_000, decided_ms=1_040, deadline_ms=16_000)
    lane.dead_letter("normalize", "not_json")
    assert 'flux_decisions_total{outcome="notified",reason="paged"}' not in samples(metrics.text())
    lane.flush()
    seen = samples(metrics.text())
    assert seen['flux_decisions_total{outcome="notified",reason="paged"}'] == 1
    assert seen['flux_dead_letters_total{reason="not_json",stage="normalize"}'] == 1
    assert seen["flux_verdict_seconds_count"] == 1
    assert seen['flux_verdict_seconds_bucket{le="0.025"}'] == 0
    assert seen['flux_verdict_seconds_bucket{le="0.05"}'] == 1
    assert seen["flux_deadline_misses_total"] == 0


def test_an_aborted_batch_leaves_no_trace() -> None:
    metrics = build(process=False)
    lane = LaneMetrics(metrics, "decide")
    lane.decided("notified", "paged", 0, 20_000, 15_000)
    lane.discard()
    lane.flush()
    assert samples(metrics.text())["flux_verdict_seconds_count"] == 0


def test_a_verdict_after_its_deadline_is_a_miss() -> None:
    metrics = build(process=False)
    lane = LaneMetrics(metrics, "decide")
    lane.decided("notified", "paged", 0, 15_001, 15_000)
    lane.decided("notified", "paged", 0, 15_000, 15_000)
    lane.flush()
    assert samples(metrics.text())["flux_deadline_misses_total"] == 1


def test_labels_out_of_bounds_are_counted_together() -> None:
    metrics = build(process=False)
    for n in range(catalogue.MAX_SERIES + 50):
        metrics.dead_letters.of("normalize", f"reason-{n}").inc()
    seen = samples(metrics.text())
    assert seen['flux_dead_letters_total{reason="other",stage="other"}'] == 50
    assert len([name for name in seen if name.startswith("flux_dead_letters_total")]) == catalogue.MAX_SERIES + 1
