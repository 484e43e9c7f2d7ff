"""The ledger of paid calls over Kafka: a reservation is written, read back in the order of the log, and granted where the budget allows it.

The topic has one partition and every worker folds it the same way (`agents/advice/budget.py`), so workers that never talk to each other
cannot overspend together. Without Kafka there is no paid call. What was reserved and never settled counts until the day is over.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Collection
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from agents.advice.budget import DAY_MS, STAYS, Budget, Exceeded
from agents.advice.config import AdviceConfig
from pipeline.act.clients import RETRY_S
from pipeline.act.lane import briefly
from pipeline.act.providers.base import Failure, ProviderError
from pipeline.act.usage_log import PARTITION, START_S, TOPIC, UsageLog, ended
from pipeline.settings import Settings
from schemas.base import from_ms
from schemas.topics import full_name
from schemas.usage import Usage

LOG = structlog.get_logger("advise")
RESERVE_S, SETTLE_S = 2.0, 1.0
MOST_PENDING = 256
"""Reservations under way, or given up and not seen yet: with Kafka away no more pile up."""
FORGET_S = 60.0
"""A reservation that was given up is not written any more after this: the producer has given it up too."""
LOOK_S, BEGIN_LOOK_S = 1.0, 0.05
SLACK_MS = 5_000
"""Between our clock and the broker's, when a period ends."""
UNSEEN = 10_000
"""Records read where the broker cannot say which are recent."""
ALERT = "AdviceBudgetExceeded"


class KafkaLedger:
    """Of one event loop. `told` hears each second what is left of the day, in USD, and which limits (`hour`, `day`) are used up."""

    def __init__(
        self,
        settings: Settings,
        config: AdviceConfig,
        log: UsageLog,
        *,
        told: Callable[[float, Collection[str]], None] = lambda left_usd, exceeded: None,
        reserve_s: float = RESERVE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._config = config
        self._log = log
        self._show = told
        self._reserve_s = reserve_s
        self._clock = clock
        self.worker = f"{STAYS}{settings.slot}"
        self._place = TopicPartition(full_name(settings.topic_prefix, TOPIC), PARTITION)
        self._budget = self._empty()
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._given_up: dict[str, float] = {}
        self._told: set[tuple[str, str]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._reading = self._closed = self._begun = False

    def start(self) -> None:
        """Returns at once; reads beside."""
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._look())]

    async def begun(self, within_s: float) -> None:
        """Wait for the log after a start. Where it goes away later nobody waits: another provider may answer."""
        for _ in range(int(within_s / BEGIN_LOOK_S)):
            self._begun = self._begun or self.ready
            if self._begun:
                return
            await asyncio.sleep(BEGIN_LOOK_S)

    async def reserve(self, provider: str, model: str, task: str, incident_id: str, usd: float) -> str:
        """The id of the call, which may now spend up to `usd`. Raises ProviderError BUDGET: then nothing may be asked."""
        refusal = self._budget.refusal(usd, self._now_ms())
        if refusal is not None and refusal.period.name in self._budget.exceeded:
            # The log knows already that this period is used up: a record more would change nothing.
            raise ProviderError(Failure.BUDGET, refusal.why, asked=False)
        if not self.ready or len(self._waiting) + len(self._given_up) >= MOST_PENDING:
            raise away()
        usage = self._usage("reserve", uuid.uuid4().hex, provider, model, task, incident_id, usd)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[usage.usage_id] = answer
        try:
            async with asyncio.timeout(self._reserve_s):
                await self._log.send(usage)
                refused = await answer
        except (TimeoutError, KafkaError):
            self._give_up(usage, answer)
            raise away() from None
        except asyncio.CancelledError:
            self._give_up(usage, answer)
            raise
        finally:
            self._waiting.pop(usage.usage_id, None)
        if refused:
            self._log.put(unspent(usage, self._now_ms()))
            raise ProviderError(Failure.BUDGET, refused, asked=False)
        return usage.usage_id

    async def settle(self, usage_id: str, usage: Usage) -> None:
        """What the call really cost. Waits at most a second for Kafka; when it has not got it by then it is written later."""
        settled = usage.model_copy(update={"usage_id": usage_id, "kind": "settle", "worker": self.worker})
        if not await self._log.write(settled, SETTLE_S):
            LOG.warning("a paid call is not settled yet; its reservation counts until it is", usage_id=usage_id)

    @property
    def ready(self) -> bool:
        """The log is read to its end and can be written: reservations are answered."""
        return self._reading and self._log.connected

    @property
    def left_usd(self) -> float:
        return self._budget.left_usd(self._now_ms())

    async def close(self) -> None:
        self._closed = True
        await ended(self._tasks)

    # -- reservations ---------------------------------------------------------------------------------------------------------------

    def _give_up(self, usage: Usage, answer: asyncio.Future[str]) -> None:
        """Nobody waits for it any more. Where it is or may yet be written, nothing was spent under it."""
        if answer.done() and not answer.cancelled():
            self._log.put(unspent(usage, self._now_ms()))
        else:
            self._given_up[usage.usage_id] = time.monotonic() + FORGET_S

    def _seen(self, usage: Usage, refused: str) -> None:
        """One of our reservations was read back; `refused` says why it is denied, empty where it is granted."""
        answer = self._waiting.get(usage.usage_id)
        if answer is not None and not answer.done():
            answer.set_result(refused)
        elif self._given_up.pop(usage.usage_id, None) is not None:
            self._log.put(unspent(usage, self._now_ms()))

    def _usage(self, kind: str, usage_id: str, provider: str, model: str, task: str, incident_id: str, usd: float) -> Usage:
        values = {"usage_id": usage_id, "kind": kind, "provider": provider, "model": model, "task": task, "incident_id": incident_id}
        return Usage.model_validate(values | {"worker": self.worker, "cost_usd": usd, "at": from_ms(self._now_ms())})

    def _empty(self) -> Budget:
        return Budget(self._config.budget, self._config.analyses_per_hour)

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)

    # -- the log --------------------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        said = ""
        while not self._closed:
            consumer: Any = AIOKafkaConsumer(
                client_id=f"ledger-{self._settings.slot}",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=250,
                request_timeout_ms=15_000,
                metadata_max_age_ms=60_000,
                check_crcs=not self._settings.embedded_broker,
                **self._settings.aiokafka_client(),
            )
            try:
                await asyncio.wait_for(consumer.start(), START_S)
                await self._follow(consumer)
            except (KafkaError, OSError, TimeoutError) as error:
                if said != (said := type(error).__name__):
                    LOG.warning("the ledger of spending cannot be read; nothing paid is asked", error=repr(error))
            finally:
                self._reading = False
                await briefly(consumer.stop(), RETRY_S)
            await asyncio.sleep(RETRY_S)

    async def _follow(self, consumer: Any) -> None:
        """From the start of yesterday on. Raises KafkaError."""
        consumer.assign([self._place])
        consumer.seek(self._place, await self._begin(consumer))
        budget = self._empty()
        caught_up = (await consumer.end_offsets([self._place]))[self._place]
        while not self._closed:
            if not self._reading and await consumer.position(self._place) >= caught_up:
                self._budget, self._reading = budget, True
            found = await consumer.getmany(timeout_ms=1000, max_records=2000)
            for record in found.get(self._place, ()):
                self._take(record, budget)

    async def _begin(self, consumer: Any) -> int:
        end = (await consumer.end_offsets([self._place]))[self._place]
        since = (self._now_ms() // DAY_MS - 1) * DAY_MS
        found = (await consumer.offsets_for_times({self._place: since}))[self._place]
        if found is not None:
            return int(found.offset)
        first = (await consumer.beginning_offsets([self._place]))[self._place]
        return max(int(first), int(end) - UNSEEN)

    def _take(self, record: ConsumerRecord, budget: Budget) -> None:
        try:
            usage = Usage.from_json(record.value or b"")
        except ValidationError:
            LOG.error("a record of usage cannot be read and is passed over", offset=record.offset)
            return
        granted = budget.apply(usage, record.timestamp)
        if granted is not None and usage.worker == self.worker:
            self._seen(usage, "" if granted else budget.why)

    # -- what people are told -------------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            now, now_ms = time.monotonic(), self._now_ms()
            self._given_up = {name: until for name, until in self._given_up.items() if until > now}
            exceeded = list(self._budget.exceeded.values())
            self._show(self.left_usd, {one.period.kind for one in exceeded if now_ms < one.period.ends_ms})
            for one in exceeded:
                if one.worker == self.worker:
                    await self._tell(one)

    async def _tell(self, one: Exceeded) -> None:
        """The alert, once in this process's life; after a restart again, which changes nothing where it is known already."""
        over = self._now_ms() - one.period.ends_ms - SLACK_MS
        if over > DAY_MS:
            return
        status = "resolved" if over > 0 else "firing"
        if (one.period.name, status) in self._told:
            return
        try:
            await asyncio.wait_for(self._log.alert(alert(one, status)), SETTLE_S)
        except (KafkaError, TimeoutError) as error:
            LOG.warning("the alert about the budget was not written yet", error=repr(error))
        else:
            self._told.add((one.period.name, status))


def away() -> ProviderError:
    return ProviderError(Failure.BUDGET, "the ledger of spending did not answer, so nothing that costs money is asked", asked=False)


def unspent(reserved: Usage, now_ms: int) -> Usage:
    """Closes a reservation under which nothing was sent."""
    return reserved.model_copy(
        update={"kind": "settle", "cost_usd": 0.0, "asked": False, "outcome": Failure.BUDGET.value, "at": from_ms(now_ms)}
    )


def alert(one: Exceeded, status: str) -> bytes:
    """In our own raw format. The same labels when it fires and when it is over, so that both are one alert."""
    return json.dumps(
        {
            "name": ALERT,
            "status": status,
            "service": "flux-ai",
            "source_severity": "warning",
            "labels": {"period": one.period.name, "limit": one.period.kind},
            "summary": f"Paid models are not asked any more: {one.why}",
        }
    ).encode()
