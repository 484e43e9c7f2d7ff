"""The lane's Kafka clients: what is read and written, and what a failure means."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from pipeline.engine.errors import FatalEngineError
from pipeline.settings import Settings
from schemas.effect import Receipt
from schemas.topics import full_name

LOG = structlog.get_logger("act")
RECEIPTS, DEAD_LETTERS = "receipts", "dead_letters"
RETRY_S = 0.5
CUT_BYTES = 900_000
"""Of a dead letter whose headers make it larger than its topic takes."""


class ActFailed(FatalEngineError):
    """Only a new process helps: exit 3."""


def make_consumer(settings: Settings, lane: str) -> Any:
    """Of the lane's group, not yet started or subscribed. Static membership by slot: a killed worker takes its partitions again at once."""
    group = f"{settings.topic_prefix}{lane}"
    return AIOKafkaConsumer(
        group_id=group,
        group_instance_id=f"{group}-{settings.slot}",
        client_id=f"{lane}-{settings.slot}",
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=1_000,
        max_poll_interval_ms=120_000,
        rebalance_timeout_ms=10_000,
        fetch_max_wait_ms=100,
        request_timeout_ms=15_000,
        metadata_max_age_ms=60_000,
        check_crcs=not settings.embedded_broker,
        **settings.aiokafka_client(),
    )


def make_producer(settings: Settings, lane: str) -> Any:
    """Idempotent, acks of all; not yet started."""
    return AIOKafkaProducer(
        client_id=f"{lane}-{settings.slot}",
        acks="all",
        enable_idempotence=True,
        max_request_size=2_000_000,
        request_timeout_ms=15_000,
        **settings.aiokafka_client(),
    )


class Outbox:
    """Writes receipts and dead letters of one lane, and waits until Kafka has them, however long it is away."""

    def __init__(self, producer: Any, prefix: str, lane: str, topic: str) -> None:
        """`topic`: the short name of what the lane reads."""
        self._producer = producer
        self._prefix = prefix
        self._lane = lane
        self._topic = topic

    async def receipt(self, receipt: Receipt) -> None:
        """Raises ActFailed."""
        await self._write(RECEIPTS, receipt.domain.encode(), receipt.to_json(), [])

    async def dead_letter(self, record: ConsumerRecord, reason: str, error: str) -> None:
        """The original bytes, and in headers where they came from. Raises ActFailed."""
        about = {
            "stage": self._lane,
            "reason": reason,
            "error": error[:2000],
            "topic": self._topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
        }
        headers = [*((name, value) for name, value in record.headers if name not in about)]
        headers += [(name, str(value).encode()) for name, value in about.items()]
        try:
            await self._write(DEAD_LETTERS, record.key or self._lane.encode(), record.value, headers)
        except MessageSizeTooLargeError:
            await self._write(
                DEAD_LETTERS, self._lane.encode(), (record.value or b"")[:CUT_BYTES], [*headers[-len(about) :], ("cut", b"true")]
            )

    async def _write(self, topic: str, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> None:
        said = False
        while True:
            try:
                await self._producer.send_and_wait(full_name(self._prefix, topic), value, key=key, headers=list(headers))
            except MessageSizeTooLargeError:
                raise
            except KafkaError as error:
                if not error.retriable:
                    raise ActFailed(f"{topic} cannot be written: {error!r}") from error
                if not said:
                    LOG.warning("Kafka does not take what is written; trying on", topic=topic, error=repr(error))
                    said = True
                await asyncio.sleep(RETRY_S)
            else:
                return
