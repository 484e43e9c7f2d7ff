"""The record lane: from the topics to PostgreSQL, never on the way of a page.

Positions live in the database, in the transaction of the rows they stand for; the consumer group only shares out partitions.
While PostgreSQL is away the lane holds no records: partitions are paused, and reading begins again at the stored positions.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception_type, stop_when_event_set, wait_random_exponential

from pipeline.history.reading import read_record
from pipeline.record.migrate import migrate
from pipeline.record.patience import Patience
from pipeline.record.rows import TOPICS, Row, to_row, when_recorded
from pipeline.record.settings import LaneFailed, RecordObserver, RecordSettings, cluster_name
from pipeline.record.store import Moved, Step, Store, TablePartition
from schemas.topics import full_name

HOUSE_EVERY_S = 3600.0
LAG_ASKED_EVERY_S = 3.0
BATCH_S = 0.25
SLICE = 250
BATCH_RECORDS = 2_000
BATCH_BYTES = 16_000_000
"""A batch ends with the slice that takes it over. A slice comes out of the client's queue of 8 MB, so the sum bounds the memory."""
log = structlog.get_logger(__name__)


def run_record(settings: RecordSettings, stop: threading.Event, observer: RecordObserver) -> None:
    """Stores until `stop` is set, then returns within about 5 s. Waits for a database or a broker that is away.

    Raises LaneFailed when the process should end and be started again.
    """
    with Patience(stop) as patience:
        lane = RecordLane(settings, stop, observer, patience)
        try:
            lane.run()
        finally:
            lane.close()


class RecordLane:
    """One consumer and one database session, driven by one thread."""

    def __init__(self, settings: RecordSettings, stop: threading.Event, observer: RecordObserver, patience: Patience) -> None:
        self._settings = settings
        self._stop = stop
        self._observer = observer
        self._patience = patience
        self._short = {full_name(settings.topic_prefix, name): name for name in TOPICS}
        self._consumer = Consumer(settings.consumer())
        self._owned: list[TopicPartition] | None = None
        """None while the group has not said."""
        self._placed = False
        """Whether the consumer stands where the database says."""
        self._next: dict[TablePartition, int] = {}
        self._store: Store | None = None
        self._cluster = ""
        self._house_due = 0.0
        self._lag_due = 0.0
        self._said = ""

    def run(self) -> None:
        self._observer.ready(False, "starting")
        self._consumer.subscribe(list(self._short), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)
        while not self._stop.is_set():
            try:
                self._flow(self._reach_database())
            except RetryError:
                return  # stopped while waiting
            except psycopg.Error as error:
                self._away(error)

    def close(self) -> None:
        self._end_session()
        self._consumer.close()
        self._observer.ready(False, "stopped")

    def _flow(self, store: Store) -> None:
        while not self._stop.is_set():
            self._observer.turned()
            if time.monotonic() >= self._house_due:
                self._keep_house(store)
            if not self._placed and self._owned is not None:
                self._place(store, self._owned)
            batch = self._take()
            if batch:
                self._keep(store, batch)
            self._report_lag()

    def _reach_database(self) -> Store:
        """A new session, waited for with growing pauses. Raises RetryError when stopped meanwhile."""
        attempts = Retrying(
            retry=retry_if_exception_type((psycopg.Error, KafkaException)),
            wait=wait_random_exponential(multiplier=0.2, max=self._settings.longest_wait_s),
            stop=stop_when_event_set(self._stop),
            sleep=self._idle,
            before_sleep=self._before_wait,
        )
        return attempts(self._open)

    def _open(self) -> Store:
        if not self._cluster:
            cluster_id = self._settings.cluster_id or self._consumer.list_topics(timeout=5).cluster_id or "unnamed"
            self._cluster = cluster_name(cluster_id, self._settings.topic_prefix)
        applied = migrate(self._settings.postgres_url)
        if applied:
            log.info("record_migrated", migrations=applied)
        self._store = Store.open(self._settings.postgres_url, self._cluster)
        self._house_due = 0.0
        return self._store

    def _idle(self, seconds: float) -> None:
        """Waits, and keeps the group membership meanwhile. Partitions are paused, so no record comes."""
        until = time.monotonic() + seconds
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
            self._observer.turned()
            message = self._consumer.poll(min(0.2, left))
            if message is not None and (error := message.error()) is not None:
                self._heard(error)
            self._report_lag(ask=True)

    def _before_wait(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None:
            self._away(error)

    def _away(self, error: BaseException) -> None:
        self._end_session()
        self._placed = False
        if self._owned:
            self._consumer.pause(self._owned)
        who = "Kafka" if isinstance(error, KafkaException) else "PostgreSQL"
        reason = f"{who}: {first_line(error)}"
        self._observer.ready(False, reason)
        if reason != self._said:
            self._said = reason
            log.warning("record_waits", reason=reason)

    def _end_session(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._owned = partitions
        self._placed = False
        consumer.assign([TopicPartition(p.topic, p.partition, OFFSET_BEGINNING) for p in partitions])
        consumer.pause(partitions)

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._owned = None
        self._placed = False
        self._observer.ready(False, "waiting for partitions")

    def _place(self, store: Store, partitions: Sequence[TopicPartition]) -> None:
        """Goes where the database says: behind the last record stored, or to the beginning of a partition it does not know."""
        with self._patience.watching(store.connection):
            positions = store.positions()
        self._next = {}
        targets = []
        for owned in partitions:
            offset = positions.get((self._short[owned.topic], owned.partition))
            targets.append(TopicPartition(owned.topic, owned.partition, OFFSET_BEGINNING if offset is None else offset))
            if offset is not None:
                self._next[self._short[owned.topic], owned.partition] = offset
        if targets:
            self._consumer.assign(targets)
            self._consumer.resume(targets)
        self._placed = True
        self._said = ""
        self._observer.ready(True, f"{len(targets)} partitions")

    def _take(self) -> list[Message]:
        """The next batch; empty when nothing came, or when partitions moved meanwhile."""
        batch: list[Message] = []
        size = 0
        until = time.monotonic() + BATCH_S
        while len(batch) < BATCH_RECORDS and size < BATCH_BYTES and (left := until - time.monotonic()) > 0:
            for message in self._consumer.consume(SLICE, timeout=min(left, 0.05)):
                if (error := message.error()) is not None:
                    self._heard(error)
                else:
                    batch.append(message)
                    size += len(message)
            if not self._placed:
                return []
        return batch

    def _heard(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:
            raise LaneFailed(f"{error.name()}: {error.str()}")
        log.warning("record_consumer_error", error=error.name(), text=error.str())

    def _keep(self, store: Store, batch: Sequence[Message]) -> None:
        now = datetime.now(UTC)
        began = time.monotonic()
        rows, steps = self._rows(batch, now)
        try:
            with self._patience.watching(store.connection):
                stored = store.write(rows, steps, now)
        except Moved:
            log.warning("record_positions_moved")
            self._placed = False
            return
        self._next.update({place: step.next_offset for place, step in steps.items()})
        self._observer.transaction(time.monotonic() - began, len(batch))
        for table, count in stored.rows.items():
            self._observer.stored(table, count)
        if stored.dropped:
            self._observer.dropped(stored.dropped)
        self._tell_kafka(steps)

    def _rows(self, batch: Sequence[Message], now: datetime) -> tuple[list[Row], dict[TablePartition, Step]]:
        rows: list[Row] = []
        steps: dict[TablePartition, Step] = {}
        oldest = now - self._settings.history
        for message in batch:
            record = read_record(message, self._short)
            place = (record.topic, record.partition)
            steps[place] = Step(self._next.get(place), record.offset + 1)
            recorded_at = when_recorded(record, now)
            row = to_row(self._cluster, record, recorded_at) if recorded_at > oldest else None
            if row is not None:
                rows.append(row)
        return rows, steps

    def _tell_kafka(self, steps: dict[TablePartition, Step]) -> None:
        """For the tools that show a group's lag; nothing here reads these offsets."""
        prefix = self._settings.topic_prefix
        offsets = [TopicPartition(full_name(prefix, topic), partition, step.next_offset) for (topic, partition), step in steps.items()]
        self._consumer.commit(offsets=offsets, asynchronous=True)

    def _keep_house(self, store: Store) -> None:
        try:
            with self._patience.watching(store.connection):
                gone = store.keep_house(datetime.now(UTC), self._settings.history)
        except psycopg.errors.LockNotAvailable as error:
            log.warning("record_house_waits", reason=first_line(error))
            gone = 0
        if gone:
            log.info("record_history_ended", tables=gone)
        self._house_due = time.monotonic() + HOUSE_EVERY_S

    def _report_lag(self, ask: bool = False) -> None:
        """Records between what is stored and the end. `ask` the broker for the end: of a paused partition the client hears nothing."""
        if time.monotonic() < self._lag_due:
            return
        self._lag_due = time.monotonic() + (LAG_ASKED_EVERY_S if ask else 1.0)
        for owned in self._owned or []:
            topic = self._short[owned.topic]
            try:
                low, end = self._consumer.get_watermark_offsets(owned, cached=not ask, timeout=1.0)
            except KafkaException as error:
                log.warning("record_lag_unknown", reason=first_line(error))
                return
            stored = self._next.get((topic, owned.partition), max(low, 0))
            self._observer.lag(topic, owned.partition, max(end - stored, 0))


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
