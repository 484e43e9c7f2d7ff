"""The loop of an exactly-once worker: consume, decide, one transaction.

Everything a batch leads to (outputs, changed rows with the timers among them, positions, offsets) is in one transaction: it happens whole
or not at all. The steps themselves are the processor's; see `task.py` for time, `restore.py` for what comes before the first batch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.engine import faults
from pipeline.engine.context import Output, Stepper
from pipeline.engine.ends import Ends
from pipeline.engine.errors import AbortNeeded, FatalEngineError, OutputRefused, Stopped
from pipeline.engine.observer import Observer, Silent
from pipeline.engine.processor import Processor, Record
from pipeline.engine.restore import Restorer
from pipeline.engine.settings import EngineSettings, epoch_ms
from pipeline.engine.store import TaskStore
from pipeline.engine.task import Budget, Task
from pipeline.engine.transaction import Transactions
from pipeline.engine.watchdog import Stopwatch, Watchdog
from schemas.topics import BY_NAME, full_name

__all__ = ["EngineSettings", "FatalEngineError", "Worker", "WorkerState"]

LOG = structlog.get_logger("engine")
STALLED_SECONDS = 60.0
LAG_SECONDS = 1.0
ABORTS_IN_A_ROW = 20
LONGEST_PAUSE = 1.0
QUIET_SECONDS = 10.0


@dataclass(frozen=True)
class WorkerState:
    """How the worker is, for health checks. `idle_seconds` is the age of the last turn of its loop."""

    assigned: int
    running: int
    joined: bool
    idle_seconds: float
    failed: bool


class Worker:
    """One process of a lane. Not thread-safe, but `state`, `healthy` and `ready` may be asked from other threads.

    `clock` gives epoch milliseconds; within a batch time stands still. `before_batch` is called in the loop before a batch is worked on, so
    that reference data can be brought up to date.
    """

    def __init__(
        self,
        processor: Processor,
        settings: EngineSettings,
        observer: Observer | None = None,
        clock: Callable[[], int] = epoch_ms,
        before_batch: Callable[[], None] | None = None,
    ) -> None:
        self._processor = processor
        self._settings = settings
        self._observer: Observer = observer or Silent()
        self._clock = clock
        self._before_batch = before_batch
        self._faults = faults.Faults.from_environment()
        self._full = {name: full_name(settings.prefix, name) for name in BY_NAME}
        self._short = {self._full[name]: name for name in processor.inputs}
        self._limits = {topic.name: topic.max_message_bytes for topic in BY_NAME.values()}
        self._changelog = self._full[processor.changelog]
        self._tasks: dict[int, Task] = {}
        self._stopping = threading.Event()
        self._watch = Stopwatch()
        self._opened = False
        self._joined = False
        self._failure: str | None = None
        self._last_turn = time.monotonic()
        self._now = 0
        self._ends_asked = 0.0
        self._lag_told = 0.0
        self._aborts = 0
        self._batch_limit = settings.batch_events
        self._told: dict[str, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; the transaction in hand is finished first.

        Raises FatalEngineError when only a new process helps, whatever the cause: exit with status 3 then. A call into the client library
        that does not come back ends the process with that status itself.
        """
        self._stopping = stop
        try:
            with Watchdog(self._watch, self._settings.hung_seconds, self._settings.call_seconds + 1, stop):
                while not stop.is_set():
                    self.step()
        except Stopped as pending:
            LOG.warning("stopped with a call pending", call=str(pending))
        except FatalEngineError as error:
            self._failure = str(error)
            raise
        except Exception as error:
            self._failure = str(error)
            raise FatalEngineError(f"{type(error).__name__}: {error}") from error
        finally:
            self.close()

    def step(self) -> int:
        """One turn of the loop: restore a slice, read, decide, commit. How many records and timers were committed.

        Raises FatalEngineError when only a new process helps.
        """
        if not self._opened:
            self._open()  # until the brokers answer or the budget is spent
        self._last_turn = time.monotonic()
        waiting = [task for task in self._tasks.values() if not task.running]
        running = len(waiting) < len(self._tasks)
        if waiting:
            self._restorer.step(waiting, running)
        if not any(task.pending for task in self._tasks.values()):
            self._read(0.0 if self._restorer.loading and not running else self._settings.batch_ms / 1000)
        self._now = now = max(self._now, self._clock())
        self._look_at_ends(now)
        self._tell_lag(now)
        work = [task for task in self._tasks.values() if task.running and (task.pending or task.store.next_due <= min(now, task.watermark))]
        if not work:
            return 0
        if self._before_batch is not None:
            self._before_batch()
        return self._transact(work, now)

    def close(self) -> None:
        """Leave. Static membership keeps the partitions for the session time-out, so that a quick restart moves nothing."""
        if self._opened:
            self._opened = False
            for part in (self._inputs, self._restorer, self._ends, self._transactions):
                try:
                    part.close()
                except KafkaException as error:  # a fenced client says once more that it was; why we leave is known by then
                    LOG.warning("not closed in order", part=type(part).__name__, why=error.args[0].str())

    def state(self) -> WorkerState:
        tasks = list(self._tasks.values())
        idle = time.monotonic() - self._last_turn
        return WorkerState(len(tasks), sum(task.running for task in tasks), self._joined, idle, self._failure is not None)

    def healthy(self) -> bool:
        """Whether the loop turns. A worker that does not should be restarted."""
        state = self.state()
        return not state.failed and state.idle_seconds < STALLED_SECONDS

    def ready(self) -> bool:
        """Whether it is in its group and all its tasks have their state (it may have none, when there are more workers than partitions)."""
        state = self.state()
        return self.healthy() and state.joined and state.running == state.assigned

    def _open(self) -> None:
        name, settings = self._processor.name, self._settings
        self._transactions = Transactions(settings, name, self._client_error, self._stopping.is_set, self._watch)
        self._transactions.open()
        embedded = self._transactions.on_embedded_broker()
        self._inputs = Consumer(settings.input_consumer(name, self._client_error, embedded=embedded))
        self._ends = Ends(settings, name, self._client_error)
        self._restorer = Restorer(settings, name, self._processor.changelog, self._inputs, self._ends, self._observer, self._client_error)
        self._opened = True
        topics = [self._full[topic] for topic in self._processor.inputs]
        self._inputs.subscribe(topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    # Rebalances. These run only inside `consume`, where no transaction is ever open.

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.assign(partitions)
        consumer.pause(partitions)
        inputs = set(self._processor.inputs)
        read: dict[int, set[str]] = {}
        for each in partitions:
            read.setdefault(each.partition, set()).add(self._short[each.topic])
        for partition, topics in read.items():
            if topics != inputs:
                self._failure = (
                    f"partition {partition} was assigned of {sorted(topics)} only, not of {sorted(inputs)}: unequal partition counts?"
                )
                return
            self._tasks[partition] = self._new_task(partition)
        self._joined = True
        LOG.info("assigned", partitions=sorted(read))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = sorted({each.partition for each in partitions})
        for partition in gone:
            self._tasks.pop(partition, None)
            self._observer.revoked(partition)
        self._restorer.forget(gone)
        consumer.unassign()
        LOG.info("revoked", partitions=gone)

    def _new_task(self, partition: int) -> Task:
        stepper = Stepper(self._processor, TaskStore(), partition, self._limits, self._send, self._step_failed)
        return Task(partition, self._processor.inputs, stepper)

    def _begin_again(self, task: Task) -> None:
        """The state is in doubt: drop it and restore."""
        self._inputs.pause([TopicPartition(self._full[topic], task.partition) for topic in task.inputs])
        self._restorer.forget([task.partition])
        self._tasks[task.partition] = self._new_task(task.partition)

    # Reading.

    def _read(self, wait: float) -> None:
        arrived: dict[int, dict[str, list[Record]]] = {}
        tasks, shorts = self._tasks, self._short
        messages: list[Any] = self._inputs.consume(self._settings.batch_events, wait)  # its types call every field optional
        for message in messages:
            if message.error() is not None:
                self._not_a_record(message)
                continue
            topic, partition, offset = shorts[message.topic()], message.partition(), message.offset()
            task = tasks.get(partition)
            if task is None or not task.running or offset < task.positions[topic]:
                continue  # read before the task had its place: it will be read again
            record = Record(topic, partition, offset, message.timestamp()[1], message.key(), message.value(), message.headers() or ())
            arrived.setdefault(partition, {}).setdefault(topic, []).append(record)
        if self._failure is not None:
            raise FatalEngineError(self._failure)
        for partition, by_topic in arrived.items():
            if partition in tasks:
                tasks[partition].take(by_topic)

    def _not_a_record(self, message: Any) -> None:
        error = message.error()
        if error.code() == KafkaError._PARTITION_EOF:
            task = self._tasks.get(message.partition())
            if task is not None and task.running:
                task.seen_ends[self._short[message.topic()]] = message.offset()
        elif error.fatal() or error.code() == KafkaError._FATAL:  # a fenced static member has the code without the flag
            raise FatalEngineError(f"consumer: {error.str()}")
        else:
            self._client_error(error)

    def _client_error(self, error: object) -> None:
        """Librdkafka's news of lost connections and the like: told, but not each second again; it goes on trying."""
        kind, now = error.name() if isinstance(error, KafkaError) else type(error).__name__, time.monotonic()
        if now - self._told.get(kind, -QUIET_SECONDS) >= QUIET_SECONDS:
            self._told[kind] = now
            LOG.warning("client", error=str(error))

    # Time.

    def _look_at_ends(self, now: int) -> None:
        """Ask for the ends of inputs that a due timer hangs on, and mark those that are read to the end as read up to now.

        The clock was read before the question, so a record that is not seen by it is stamped later.
        """
        asking = [
            task for task in self._tasks.values() if task.running and not task.pending and task.watermark < task.store.next_due <= now
        ]
        if not asking or (time.monotonic() - self._ends_asked) * 1000 < self._settings.end_check_ms:
            return
        self._ends_asked = time.monotonic()
        open_inputs = [(task, topic) for task in asking for topic in task.inputs if task.marks[topic] < task.store.next_due]
        try:
            ends = self._ends.latest([(self._full[topic], task.partition) for task, topic in open_inputs])
        except KafkaException as error:
            self._client_error(error.args[0])
            return
        for task, topic in open_inputs:
            end = ends.get((self._full[topic], task.partition))
            if end is not None and task.reached_end(topic, end):
                task.marks[topic] = max(task.marks[topic], now)

    def _tell_lag(self, now: int) -> None:
        if time.monotonic() - self._lag_told < LAG_SECONDS:
            return
        self._lag_told = time.monotonic()
        for task in self._tasks.values():
            if not task.running:
                continue
            for topic in task.inputs:
                marks = self._inputs.get_watermark_offsets(TopicPartition(self._full[topic], task.partition), cached=True)
                end = marks[1] if marks is not None else -1
                behind = max(0, end - max(task.positions[topic], task.seen_ends[topic]))
                age = (now - task.marks[topic]) / 1000 if behind and task.marks[topic] else 0.0
                self._observer.lag(topic, task.partition, behind, max(0.0, age))

    # The transaction.

    def _send(self, output: Output) -> None:
        topic, key, value, headers, stamp = output
        self._transactions.produce(self._full[topic], value, key, timestamp=stamp, headers=headers)

    def _step_failed(self, record: Record, error: Exception) -> None:
        LOG.error("a step raised", topic=record.topic, partition=record.partition, offset=record.offset, exc_info=error)
        self._observer.failed(record.topic, error)

    def _transact(self, tasks: list[Task], now: int) -> int:
        began = time.monotonic()
        budget = Budget(self._batch_limit, self._settings.batch_bytes, self._settings.batch_work_ms / 1000)
        touched: list[Task] = []
        transactions = self._transactions
        fired = 0
        try:
            transactions.begin()
            for task in tasks:
                if budget.spent:
                    break
                task.begin()
                touched.append(task)
                fired += task.work(now, budget) + task.fire_due(now)
            for task in touched:
                self._write_changelog(task)
            self._faults.reach(faults.BEFORE_SEND_OFFSETS, transactions.flush)
            transactions.send_offsets(self._offsets(touched), self._inputs.consumer_group_metadata())
            self._faults.reach(faults.BEFORE_COMMIT)
            transactions.commit()
        except AbortNeeded as error:
            refused = self._look_for_refused(touched) if transactions.refused is not None else None
            self._abort(touched, str(error))
            if refused is not None and refused[0] in self._tasks:
                self._tasks[refused[0]].refused = refused[1:]
            return 0
        self._faults.reach(faults.AFTER_COMMIT)
        self._aborts = 0
        self._batch_limit = min(self._settings.batch_events, 2 * self._batch_limit)
        return self._committed(touched, fired, time.monotonic() - began)

    def _write_changelog(self, task: Task) -> None:
        task.write_positions()
        produce, topic, partition = self._transactions.produce, self._changelog, task.partition
        for key, value in task.store.changes():
            produce(topic, value, key, partition)

    def _offsets(self, tasks: list[Task]) -> list[TopicPartition]:
        moved = [TopicPartition(self._full[topic], task.partition, offset) for task in tasks for topic, offset in task.moved().items()]
        if moved:
            return moved
        task, topic = tasks[0], self._processor.inputs[0]  # only timers fired: any offset will do, the call is the fence
        return [TopicPartition(self._full[topic], task.partition, task.positions[topic])]

    def _committed(self, tasks: list[Task], fired: int, seconds: float) -> int:
        done = 0
        for task in tasks:
            for topic, count in task.processed():
                done += count
                self._observer.processed(topic, count)
            task.committed()
        if fired:
            self._observer.fired(fired)
        self._observer.transaction(seconds)
        return done + fired

    def _look_for_refused(self, tasks: list[Task]) -> tuple[int, str, int, Exception] | None:
        """The broker refuses something of this batch for good: halve the batches until one record stands alone, which is then to fail.

        Returns partition, topic, offset and the error of that record, once it is alone.
        """
        taken = [(task, topic, count) for task in tasks for topic, count in task.processed()]
        total = sum(count for _, _, count in taken)
        self._batch_limit = max(1, total // 2)
        if total != 1:
            return None
        task, topic = next((task, topic) for task, topic, count in taken if count)
        return task.partition, topic, task.last_offset(topic), OutputRefused(self._transactions.refused)

    def _abort(self, tasks: list[Task], reason: str) -> None:
        """Undo in memory and read again; when the commit had been asked for, memory is not to be believed."""
        # A refused record spoils the transaction before its commit is sent, so that one is not in doubt.
        in_doubt = self._transactions.committing and self._transactions.refused is None
        try:
            self._transactions.abort()
        except AbortNeeded as error:
            raise FatalEngineError(f"abort failed twice: {error}") from error
        self._aborts += 1
        self._observer.aborted(reason)
        LOG.warning(
            "transaction aborted", reason=reason, partitions=[task.partition for task in tasks], in_doubt=in_doubt, in_a_row=self._aborts
        )
        if self._aborts > ABORTS_IN_A_ROW:
            raise FatalEngineError(f"{self._aborts} transactions in a row were aborted, the last: {reason}")
        for task in tasks:
            task.rollback()
            if in_doubt or not self._seek_back(task):
                self._begin_again(task)
        time.sleep(min(LONGEST_PAUSE, 0.02 * 2**self._aborts))

    def _seek_back(self, task: Task) -> bool:
        try:
            for topic, offset in task.positions.items():
                self._inputs.seek(TopicPartition(self._full[topic], task.partition, offset))
        except KafkaException as error:
            LOG.warning("inputs not set back", partition=task.partition, why=str(error.args[0]))
            return False
        return True
