"""What the lanes tell about themselves, put into metrics: one observer for each kind of lane, each with the lane's own protocol.

An engine lane's processor counts as it decides and its worker tells of the commit: what was counted becomes visible with the commit, and
is forgotten with an abort.
"""

from __future__ import annotations

from agents.case import Case, End
from agents.normalize import Normalized
from pipeline.health import Health
from pipeline.metrics import LaneMetrics, Metrics
from schemas.base import to_ms
from schemas.incident import IncidentAdvice


class IntakeCounts:
    """`IntakeProcessor(seen=...)`: what became of each raw record."""

    def __init__(self, counts: LaneMetrics) -> None:
        self._counts = counts

    def __call__(self, source: str, found: Normalized) -> None:
        for reject in found.rejects:
            self._counts.dead_letter("intake", reject.reason.value)


class DecideCounts:
    """`AlertsProcessor(decided=...)`: outcome, reason and times of each decision. Notices of intake's own have no decision."""

    def __init__(self, counts: LaneMetrics) -> None:
        self._counts = counts

    def __call__(self, case: Case, end: End, now: int) -> None:
        alert = case.alert
        if alert.kind == "notice":
            self._counts.accounted(1)
        else:
            self._counts.decided(end.outcome.value, end.why.value, to_ms(alert.received_at), now, to_ms(alert.deadline))

    def advised(self, advice: IncidentAdvice) -> None:
        """What became of a question to a model."""
        self._counts.advised(advice.status.value, advice.reason.code)


class EngineObserver:
    """For `pipeline.engine.observer.Observer`, on any lane that runs on the engine."""

    def __init__(self, metrics: Metrics, lane: str) -> None:
        self.metrics = metrics
        self.lane = lane
        self.counts = LaneMetrics(metrics, lane)
        self._places: dict[int, set[str]] = {}
        self._batch = 0
        # A series that is there from the start at 0 shows its first step as an increase.
        metrics.failures.of(lane)
        metrics.transactions.of(lane, "committed")
        metrics.transactions.of(lane, "aborted")

    def processed(self, topic: str, count: int) -> None:
        self._batch += count
        self.metrics.events.of(self.lane, topic).inc(count)
        if topic == "alerts":
            self.counts.read(count)

    def fired(self, count: int) -> None:
        self.metrics.timers.of(self.lane).inc(count)

    def failed(self, topic: str, error: Exception) -> None:
        self.metrics.failures.of(self.lane).inc()
        self.counts.dead_letter(self.lane, "normalize_failed" if self.lane == "intake" else "stage_failed")

    def transaction(self, seconds: float) -> None:
        self.metrics.transactions.of(self.lane, "committed").inc()
        self.metrics.transaction_seconds.of(self.lane).observe(seconds)
        self.metrics.batch_events.of(self.lane).observe(self._batch)
        self._batch = 0
        self.counts.flush()

    def aborted(self, reason: str) -> None:
        self.metrics.transactions.of(self.lane, "aborted").inc()
        self._batch = 0
        self.counts.discard()

    def restored(self, partition: int, keys: int, seconds: float) -> None:
        self.metrics.restore_seconds.of(self.lane).observe(seconds)
        self.metrics.restored_rows.of(self.lane).inc(keys)

    def lag(self, topic: str, partition: int, messages: int, seconds: float) -> None:
        self._places.setdefault(partition, set()).add(topic)
        self.metrics.lag_messages.of(self.lane, topic, str(partition)).set(messages)
        self.metrics.lag_seconds.of(self.lane, topic, str(partition)).set(seconds)

    def revoked(self, partition: int) -> None:
        """Another worker shows this partition from now on."""
        for topic in self._places.pop(partition, set()):
            self.metrics.lag_messages.remove(self.lane, topic, str(partition))
            self.metrics.lag_seconds.remove(self.lane, topic, str(partition))


class RecordObserver:
    """For `pipeline.record.settings.RecordObserver`."""

    lane = "record"

    def __init__(self, metrics: Metrics, health: Health) -> None:
        self.metrics = metrics
        self.health = health

    def ready(self, ready: bool, reason: str) -> None:
        self.metrics.record_connected.set(1 if ready else 0)
        if ready:
            self.health.has("postgres")
        else:
            self.health.waits("postgres", reason)

    def stored(self, table: str, rows: int) -> None:
        self.metrics.record_rows.of(table).inc(rows)

    def dropped(self, rows: int) -> None:
        self.metrics.record_rows.of("dropped").inc(rows)

    def transaction(self, seconds: float, records: int) -> None:
        self.metrics.transactions.of(self.lane, "committed").inc()
        self.metrics.transaction_seconds.of(self.lane).observe(seconds)
        self.metrics.batch_events.of(self.lane).observe(records)

    def turned(self) -> None:
        self.health.turn()

    def lag(self, topic: str, partition: int, records: int) -> None:
        self.metrics.lag_messages.of(self.lane, topic, str(partition)).set(records)
