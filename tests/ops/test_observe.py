"""Observers: what a lane tells becomes a metric with the commit, and not before."""

from __future__ import annotations

from typing import Any

from agents.case import Case, End
from agents.reasons import Why
from pipeline.health import Health
from pipeline.metrics import build
from pipeline.observe import DecideCounts, EngineObserver, RecordObserver
from schemas.alert import Alert
from schemas.base import from_ms
from schemas.decision import Outcome

RAW = {"topic": "flux.alerts.raw", "partition": 0, "offset": 0}


def event(kind: str = "alert") -> Case:
    times: dict[str, Any] = {"received_at": from_ms(1_000), "deadline": from_ms(16_000)}
    alert = {
        "kind": kind,
        "alert_id": "a",
        "fingerprint": "f",
        "source": "flux",
        "name": "n",
        "domain": "d",
        "status": "firing",
        "raw": RAW,
    }
    return Case(alert=Alert.model_validate({**alert, **times}), row=None)


END = End(Outcome.NOTIFIED, Why.PAGED, "paged")


def value(metrics: Any, name: str, **labels: str) -> float | None:
    found: float | None = metrics.registry.get_sample_value(name, labels)
    return found


def test_an_event_without_its_decision_is_unaccounted() -> None:
    metrics = build(process=False)
    observer = EngineObserver(metrics, "decide")
    counts = DecideCounts(observer.counts)
    counts(event(), END, 1_500)
    counts(event("notice"), END, 1_500)
    observer.processed("alerts", 3)
    observer.transaction(0.01)
    assert value(metrics, "flux_unaccounted_events", lane="decide") == 1
    assert value(metrics, "flux_decisions_total", outcome="notified", reason="paged") == 1
    assert value(metrics, "flux_batch_events_sum", lane="decide") == 3


def test_a_batch_that_was_aborted_and_done_again_counts_once() -> None:
    metrics = build(process=False)
    observer = EngineObserver(metrics, "decide")
    counts = DecideCounts(observer.counts)
    counts(event(), END, 1_500)
    observer.aborted("a broker left")
    assert value(metrics, "flux_decisions_total", outcome="notified", reason="paged") is None
    counts(event(), END, 1_600)
    observer.processed("alerts", 1)
    observer.transaction(0.01)
    assert value(metrics, "flux_decisions_total", outcome="notified", reason="paged") == 1
    assert value(metrics, "flux_unaccounted_events", lane="decide") == 0
    assert value(metrics, "flux_transactions_total", lane="decide", result="aborted") == 1


def test_a_partition_that_moved_away_shows_no_lag_here() -> None:
    metrics = build(process=False)
    observer = EngineObserver(metrics, "intake")
    observer.lag("alerts.raw", 2, 40, 1.5)
    assert value(metrics, "flux_lag_seconds", lane="intake", topic="alerts.raw", partition="2") == 1.5
    observer.revoked(2)
    assert value(metrics, "flux_lag_seconds", lane="intake", topic="alerts.raw", partition="2") is None


def test_the_record_lane_is_ready_while_its_database_answers() -> None:
    metrics = build(process=False)
    health = Health(metrics, "record")
    health.started()
    observer = RecordObserver(metrics, health)
    observer.ready(False, "connection refused")
    assert health.missing == {"postgres": "connection refused"}
    observer.ready(True, "")
    observer.stored("decisions", 7)
    assert health.missing == {}
    assert value(metrics, "flux_record_connected") == 1
    assert value(metrics, "flux_record_rows_total", table="decisions") == 7
