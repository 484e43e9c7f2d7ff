"""Bringing a task's state back, in slices, so that the tasks that run already are not held up.

The order is what makes it right: first the committed offsets (the broker waits for a transaction in doubt before it tells them),
*then* the end of the changelog, from a call that fails while a leader is away, then the changelog read committed up to that end.
Whatever could still commit lies below it, so an open transaction is waited for. A call that answers "empty" when it means "don't know"
would lose the state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.engine.ends import Ends
from pipeline.engine.observer import Observer
from pipeline.engine.settings import EngineSettings
from pipeline.engine.task import Phase, Task
from schemas.topics import full_name

LOG = structlog.get_logger("engine")
SLICE_RECORDS = 5000
SLICE_SECONDS = 0.02
BACK_OFF_SECONDS = 0.25
"""Pause after a failed call, so that a leaderless partition does not keep the others waiting."""


class Restorer:
    """`step` moves every task that does not run one phase on.

    `inputs` is the consumer whose partitions the tasks read; they are paused until the task has its place.
    """

    def __init__(
        self,
        settings: EngineSettings,
        processor: str,
        changelog: str,
        inputs: Consumer,
        ends: Ends,
        observer: Observer,
        on_error: Callable[[object], None],
    ) -> None:
        self._settings = settings
        self._prefix = settings.prefix
        self._changelog = full_name(settings.prefix, changelog)
        self._inputs = inputs
        self._ends = ends
        self._observer = observer
        self._reader = Consumer(settings.restore_consumer(processor, on_error))
        self._loading: dict[int, Task] = {}
        self._not_before = 0.0

    @property
    def loading(self) -> bool:
        """Whether a changelog is being read."""
        return bool(self._loading)

    def step(self, tasks: Iterable[Task], others_run: bool) -> None:
        """One slice of work. Waits a moment for records only when no other task runs."""
        now = time.monotonic()
        if now >= self._not_before:
            try:
                self._ask_committed([task for task in tasks if task.phase is Phase.NEW])
                for task in tasks:
                    if task.phase is Phase.MEASURING:
                        self._measure(task)
            except KafkaException as error:
                LOG.warning("restore waits", changelog=self._changelog, why=str(error.args[0]))
                self._not_before = now + BACK_OFF_SECONDS
        if self._loading:
            self._load(0.0 if others_run else SLICE_SECONDS)
        for task in tasks:
            if task.phase is Phase.PLACING:
                self._place(task)

    def forget(self, partitions: Iterable[int]) -> None:
        """These tasks are gone or begin again: stop reading for them."""
        gone = [partition for partition in partitions if self._loading.pop(partition, None) is not None]
        if gone:
            self._reader.incremental_unassign([TopicPartition(self._changelog, partition) for partition in gone])

    def close(self) -> None:
        self._reader.close()

    def _ask_committed(self, tasks: list[Task]) -> None:
        if not tasks:
            return
        names = {full_name(self._prefix, topic): topic for topic in tasks[0].inputs}
        asked = [TopicPartition(full, task.partition) for task in tasks for full in names]
        by_partition = {task.partition: task for task in tasks}
        failed = set()
        for answer in self._inputs.committed(asked, timeout=self._settings.call_seconds):
            if answer.error is not None:
                failed.add(answer.partition)
                LOG.warning("committed offsets not told", topic=answer.topic, partition=answer.partition, why=answer.error.str())
            elif answer.offset >= 0:
                by_partition[answer.partition].committed_offsets[names[answer.topic]] = answer.offset
        for task in tasks:
            if task.partition not in failed:
                task.phase = Phase.MEASURING

    def _measure(self, task: Task) -> None:
        first, task.target = self._ends.watermarks(self._changelog, task.partition)
        if first == task.target:
            self._loaded(task)
            return
        self._reader.incremental_assign([TopicPartition(self._changelog, task.partition, first)])
        self._loading[task.partition] = task
        task.phase = Phase.LOADING

    def _load(self, wait: float) -> None:
        messages: list[Any] = self._reader.consume(SLICE_RECORDS, wait)  # its types call every field optional
        for message in messages:
            task = self._loading.get(message.partition())
            if task is None:
                continue
            error = message.error()
            if error is None:
                task.store.load(message.key(), message.value())
            elif error.code() != KafkaError._PARTITION_EOF:
                LOG.warning("changelog not readable", partition=message.partition(), why=error.str())
            elif message.offset() >= task.target:  # else an open transaction lies below the end: wait for it
                self.forget([task.partition])
                self._loaded(task)

    def _loaded(self, task: Task) -> None:
        task.store.loaded()
        task.phase = Phase.PLACING

    def _place(self, task: Task) -> None:
        """Set the inputs to where the state says it has read, and let them flow."""
        try:
            if not task.positions:
                task.positions = self._positions(task)
            for topic, offset in task.positions.items():
                self._inputs.seek(TopicPartition(full_name(self._prefix, topic), task.partition, offset))
            self._inputs.resume([TopicPartition(full_name(self._prefix, topic), task.partition) for topic in task.inputs])
        except KafkaException as error:
            LOG.debug("inputs not placed yet", partition=task.partition, why=str(error.args[0]))  # right after an assignment; tried again
            return
        task.set_back()
        task.phase = Phase.RUNNING
        seconds = time.monotonic() - task.assigned_at
        self._observer.restored(task.partition, len(task.store.rows), seconds)
        LOG.info("task runs", partition=task.partition, rows=len(task.store.rows), positions=task.positions, seconds=round(seconds, 3))

    def _positions(self, task: Task) -> dict[str, int]:
        stored = task.stored_positions()
        positions = {}
        for topic in task.inputs:
            first, end = self._ends.watermarks(full_name(self._prefix, topic), task.partition)
            position = stored.get(topic, task.committed_offsets.get(topic, first))
            if position > end:
                # The topic was made anew, or lost its tail: to read it all again repeats, to wait for the old offset would lose.
                LOG.error("input ends before the position of the state", topic=topic, partition=task.partition, position=position, end=end)
                position = first
            elif position < first:
                LOG.error(
                    "records were deleted before they were read", topic=topic, partition=task.partition, position=position, first=first
                )
                position = first
            positions[topic] = position
        return positions
