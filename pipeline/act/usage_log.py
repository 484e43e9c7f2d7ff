"""Writes the topic `usage`: one partition, so that all who read it read the same order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from pipeline.act.clients import RETRY_S, make_producer
from pipeline.act.lane import briefly
from pipeline.settings import Settings
from schemas.topics import full_name
from schemas.usage import Usage

LOG = structlog.get_logger("advise")
TOPIC, PARTITION = "usage", 0
QUEUE = 10_000
"""Records of some 500 bytes that wait for Kafka: 5 MB."""
START_S = 15.0
Entry = tuple[Usage, asyncio.Future[None] | None]


class UsageLog:
    """What is put here is written in the order in which it came, however long Kafka is away. Of one event loop."""

    def __init__(self, settings: Settings, dropped: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self._topic = full_name(settings.topic_prefix, TOPIC)
        self._alerts = full_name(settings.topic_prefix, "alerts.raw")
        self._dropped = dropped
        self._queue: asyncio.Queue[Entry] = asyncio.Queue(QUEUE)
        self._producer: Any = None
        self._task: asyncio.Task[None] | None = None
        self._in_hand = 0
        self.connected = self._closed = False

    def start(self) -> None:
        """Returns at once; connects beside."""
        self._task = asyncio.create_task(self._work())

    def put(self, usage: Usage) -> bool:
        """Write it some time; False, and counted, when too many wait already."""
        return self._enqueue((usage, None))

    async def write(self, usage: Usage, within_s: float) -> bool:
        """Write it; whether Kafka had it in that time. When not it is tried on."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._enqueue((usage, done)):
            return False
        return bool((await asyncio.wait([done], timeout=within_s))[0])

    async def send(self, usage: Usage) -> None:
        """Past the queue, at once. Raises KafkaError; cancelled or failed, it may be written all the same."""
        if not self.connected:
            raise KafkaError("Kafka is not connected")
        await self._producer.send_and_wait(self._topic, usage.to_json(), key=usage.provider.encode(), partition=PARTITION)

    async def alert(self, payload: bytes) -> None:
        """A raw alert of our own. Raises KafkaError; a retry may help."""
        if not self.connected:
            raise KafkaError("Kafka is not connected")
        await self._producer.send_and_wait(self._alerts, payload, key=b"flux-ai", headers=[("source", b"flux")])

    async def close(self, within_s: float) -> None:
        """Write what waits, at most that long; what is left then is counted and logged."""
        if self._task is None:
            return
        if self.connected:
            await briefly(self._queue.join(), within_s)
        self._closed = True
        await ended([self._task])
        left = self._queue.qsize() + self._in_hand
        for _ in range(left):
            self._dropped()
        if left:
            LOG.error("records of usage were not written; their reservations count until the day is over", count=left)
        if self._producer is not None:
            await briefly(self._producer.stop(), within_s)

    def _enqueue(self, entry: Entry) -> bool:
        try:
            self._queue.put_nowait(entry)
        except asyncio.QueueFull:
            self._dropped()
            return False
        return True

    async def _work(self) -> None:
        await self._connect()
        while not self._closed:
            usage, done = await self._queue.get()
            self._in_hand = 1  # still so at the end where this task was cancelled in the middle
            try:
                await self._keep_sending(usage)
                self._in_hand = 0
                if done is not None and not done.done():
                    done.set_result(None)
            finally:
                self._queue.task_done()

    async def _keep_sending(self, usage: Usage) -> None:
        said = False
        while True:
            try:
                return await self.send(usage)
            except KafkaError as error:
                if not error.retriable:
                    self._dropped()
                    LOG.error("a record of usage cannot be written", usage_id=usage.usage_id, kind=usage.kind, error=repr(error))
                    return
                if not said:
                    LOG.warning("Kafka does not take usage; trying on", error=repr(error))
                    said = True
                await asyncio.sleep(RETRY_S)

    async def _connect(self) -> None:
        said = ""
        while not self.connected and not self._closed:
            self._producer = make_producer(self._settings, "usage")
            try:
                await asyncio.wait_for(self._producer.start(), START_S)
                self.connected = True
            except (KafkaError, OSError, TimeoutError) as error:
                if said != (said := type(error).__name__):
                    LOG.warning("usage cannot be written yet", error=repr(error))
                await briefly(self._producer.stop(), RETRY_S)
                await asyncio.sleep(RETRY_S)


async def ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel them and wait a second. `asyncio.wait_for` of 3.11 can swallow a cancellation, so their loops look at a flag too."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=1.0)
