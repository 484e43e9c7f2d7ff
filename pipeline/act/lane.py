"""The act lane's loop: reads effects of one topic, hands them to a dispatcher, commits below what is in hand; stateless, at least once.

Offsets are committed only below what Kafka has a receipt for, so a kill at any moment repeats an attempt and loses none. It runs twice:
for deliveries (`deliver_lane.py`) and for questions to models (`advise_lane.py`), each with a group and a dispatcher of its own.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from pipeline.act.clients import ActFailed, Outbox, make_consumer, make_producer
from pipeline.act.observer import LaneObserver
from pipeline.act.offsets import Offsets, Place
from pipeline.health import Health
from pipeline.settings import Settings
from schemas.topics import full_name

LOG = structlog.get_logger("act")
Result = TypeVar("Result")
Effect = TypeVar("Effect")
Taken = TypeVar("Taken", contravariant=True)


@dataclass(frozen=True)
class Times:
    """Seconds. Leaving takes at most `drain` + 4 * `part`: below the 10 s after which a supervisor kills."""

    poll: float = 0.2
    commit_every: float = 0.2
    look_every: float = 5.0
    stuck_after: float = 90.0
    """Effects wait and none has moved for this long: the client is stuck. Longer than the longest attempt (60 s)."""
    quiet: float = 0.5
    call: float = 5.0
    drain: float = 4.5
    part: float = 0.8
    start: float = 30.0


BATCH = 100


class Dispatch(Protocol[Taken]):
    """Brings effects to an end. Only the loop's own thread calls it; nothing in it blocks."""

    failure: BaseException | None
    """Why the lane must end: only a new process helps."""
    settled: int
    """Effects brought to an end since the start."""

    def offer(self, place: Place, effect: Taken, /) -> None:
        """Take one effect; `place` is already known to the offsets, and is settled once Kafka has the receipt."""

    def launch(self, quiet: Set[int] | None = None) -> None:
        """A turn of the loop has passed. `quiet` are the partitions that have been read to their end; None means all."""

    async def drain(self, timeout: float) -> int:
        """Wait for what runs, at most `timeout` seconds, then cancel the rest; answers how many were cancelled."""


@dataclass(frozen=True)
class Work(Generic[Effect]):
    """What one instance of the lane does."""

    lane: str
    """Names its group, its clients and the stage of its dead letters: `act`, `advise`."""
    topic: str
    decode: Callable[[bytes], Effect]
    """Raises ValidationError for bytes that are no such effect: those become dead letters."""
    dispatcher: Callable[[Outbox, Offsets], Dispatch[Effect]]
    in_hand: int
    """Effects read and not settled. Beyond it reading waits for Kafka to take receipts."""


async def briefly(work: Awaitable[Result], timeout: float) -> Result | None:
    """The result, or None when it took too long or Kafka refused: for calls whose failure changes nothing."""
    try:
        return await asyncio.wait_for(work, timeout)
    except (TimeoutError, KafkaError) as error:
        LOG.info("a call was given up", error=repr(error))
        return None
    except asyncio.CancelledError:
        # aiokafka's stop waits for tasks that it has cancelled: that is their end, not ours, and must not hide why we leave.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return None


class ActLane(ConsumerRebalanceListener, Generic[Effect]):  # type: ignore[misc]  # the library has no types
    """`run` until `stop`, then leave within 8 s. Waits for a Kafka that is away."""

    def __init__(
        self, settings: Settings, work: Work[Effect], observer: LaneObserver, health: Health, stop: threading.Event, times: Times
    ) -> None:
        self._settings = settings
        self._work = work
        self._observer = observer
        self._health = health
        self._stop = stop
        self._times = times
        self._topic = full_name(settings.topic_prefix, work.topic)
        self._offsets = Offsets()
        self._consumer: Any = None
        self._producer: Any = None
        self._seen: dict[int, float] = {}
        self._generation = 0
        self._moved = time.monotonic()
        self._settled_before = 0
        self._commit_due = 0.0
        self._look_due = 0.0

    async def run(self) -> None:
        """Raises ActFailed when only a new process helps."""
        self._health.waits("kafka", "not connected")
        self._health.started()
        if not await self._connect():
            return
        outbox = Outbox(self._producer, self._settings.topic_prefix, self._work.lane, self._work.topic)
        dispatcher = self._work.dispatcher(outbox, self._offsets)
        self._moved = time.monotonic()
        try:
            while not self._stop.is_set():
                await self._turn(dispatcher, outbox)
        finally:
            await self._leave(dispatcher)

    async def _turn(self, dispatcher: Dispatch[Effect], outbox: Outbox) -> None:
        self._health.turn()
        if self._offsets.in_hand >= self._work.in_hand:
            dispatcher.launch()
            await asyncio.sleep(self._times.poll / 4)
        else:
            batch = await self._poll()
            for record in batch:
                await self._take(record, dispatcher, outbox)
            dispatcher.launch(self._quiet(batch))
            if batch:
                self._moved = time.monotonic()
        if dispatcher.failure is not None:
            raise dispatcher.failure
        if dispatcher.settled != self._settled_before:
            self._settled_before, self._moved = dispatcher.settled, time.monotonic()
        await self._keep_house()

    async def _poll(self) -> list[ConsumerRecord]:
        """The next records. A poll that hangs, as aiokafka's can while the group is rebalanced, is tried again."""
        try:
            return await asyncio.wait_for(self._read(), self._times.call)
        except TimeoutError:
            return []
        except KafkaError as error:
            if not error.retriable:
                raise ActFailed(f"{self._work.topic} cannot be read: {error!r}") from error
            LOG.warning("effects cannot be read now", topic=self._work.topic, error=repr(error))
            await asyncio.sleep(self._times.poll)
            return []

    async def _read(self) -> list[ConsumerRecord]:
        found = await self._consumer.getmany(timeout_ms=round(self._times.poll * 1000), max_records=BATCH)
        records = [record for some in found.values() for record in some]
        for record in records:  # in the same step in which the position moved past them, or a commit could fall between
            self._offsets.taken(Place(record.partition, record.offset), record.timestamp)
        return records

    def _quiet(self, batch: list[ConsumerRecord]) -> set[int]:
        """Partitions that have been read to their end, as far as can be seen: nothing came for a few fetches."""
        now = time.monotonic()
        self._seen.update({record.partition: now for record in batch})
        if len(batch) >= BATCH:
            return set()
        assigned = {one.partition for one in self._consumer.assignment()}
        return {one for one in assigned if now - self._seen.setdefault(one, now) > self._times.quiet}

    async def _take(self, record: ConsumerRecord, dispatcher: Dispatch[Effect], outbox: Outbox) -> None:
        place = Place(record.partition, record.offset)
        try:
            effect = self._work.decode(record.value or b"")
        except ValidationError as error:
            said = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'value'}: {one['msg']}" for one in error.errors(include_url=False)[:5])
            place_of = {"topic": self._work.topic, "partition": record.partition, "offset": record.offset}
            LOG.error("an effect cannot be read; it is a dead letter now", **place_of, error=said)
            await outbox.dead_letter(record, "unreadable", said)
            self._observer.dead_letter("unreadable")
            self._offsets.settled([place])
            return
        dispatcher.offer(place, effect)

    # -- looking after it -----------------------------------------------------------------------------------------------------------

    async def _keep_house(self) -> None:
        now = time.monotonic()
        if now >= self._commit_due:
            self._commit_due = now + self._times.commit_every
            await self._commit(self._times.call)
        if now >= self._look_due:
            self._look_due = now + self._times.look_every
            await self._look()
        if time.monotonic() - self._moved > self._times.stuck_after:
            raise ActFailed(f"effects wait and none has moved for {self._times.stuck_after:g} s")

    async def _commit(self, timeout: float) -> None:
        generation = self._generation
        for one in self._consumer.assignment():
            position = await briefly(self._consumer.position(one), self._times.poll)
            if generation != self._generation:
                return  # the position may be of a time when this partition was ours before
            if position is not None:
                self._offsets.read_to(one.partition, position)
        offsets = self._offsets.to_commit()
        if not offsets:
            return
        try:
            named = {TopicPartition(self._topic, partition): offset for partition, offset in offsets.items()}
            await asyncio.wait_for(self._consumer.commit(named), timeout)
        except (TimeoutError, KafkaError) as error:
            LOG.info("not committed; tried again", error=repr(error))
            return
        self._offsets.committed(offsets)

    async def _look(self) -> None:
        """Is anything waiting? Only an answer from the broker that nothing is counts as rest."""
        assigned = self._consumer.assignment()
        ends = await briefly(self._consumer.end_offsets(list(assigned)), self._times.call) if assigned else {}
        if ends is None:
            self._health.waits("kafka", "the broker does not answer")
            return
        self._health.has("kafka")
        behind = 0
        for one, end in ends.items():
            messages = max(0, end - (self._offsets.position(one.partition) or 0))
            oldest = self._offsets.oldest(one.partition)
            self._observer.lag(one.partition, messages, 0.0 if oldest is None else max(0.0, time.time() - oldest / 1000))
            behind += messages
        if not behind and not self._offsets.in_hand:
            self._moved = time.monotonic()

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        partitions = [one.partition for one in revoked]
        if partitions:
            await self._commit(self._times.poll * 5)
            self._generation += 1
            self._offsets.forget(partitions)
            for partition in partitions:
                self._seen.pop(partition, None)
                self._observer.revoked(partition)

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        LOG.info("partitions assigned", partitions=sorted(one.partition for one in assigned))

    # -- coming and going -----------------------------------------------------------------------------------------------------------

    async def _connect(self) -> bool:
        """Start the clients, waiting for Kafka; False when stopped before."""
        while not self._stop.is_set():
            self._health.turn()
            self._consumer = make_consumer(self._settings, self._work.lane)
            self._producer = make_producer(self._settings, self._work.lane)
            starting = asyncio.create_task(self._start())
            due = time.monotonic() + self._times.start
            while not starting.done() and not self._stop.is_set() and time.monotonic() < due:
                await asyncio.wait([starting], timeout=self._times.poll)
            starting.cancel()
            (outcome,) = await asyncio.gather(starting, return_exceptions=True)
            if outcome is None:
                self._health.has("kafka")
                return True
            await self._stop_clients()
            if not isinstance(outcome, KafkaError | OSError | asyncio.CancelledError):
                raise outcome
            if not self._stop.is_set():
                LOG.warning("Kafka is not reachable yet", error=repr(outcome))
                await asyncio.sleep(min(1.0, self._times.poll * 5))
        return False

    async def _start(self) -> None:
        await self._producer.start()
        await self._consumer.start()
        self._consumer.subscribe([self._topic], listener=self)

    async def _leave(self, dispatcher: Dispatch[Effect]) -> None:
        left = await dispatcher.drain(self._times.drain)
        if left:
            LOG.warning("attempts were broken off; they are made again", count=left)
        await self._commit(self._times.part)
        await self._stop_clients()

    async def _stop_clients(self) -> None:
        await briefly(self._consumer.stop(), self._times.part)
        await briefly(self._producer.stop(), self._times.part)
