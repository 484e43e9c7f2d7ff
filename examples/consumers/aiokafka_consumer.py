"""Read `incidents.triaged` with aiokafka: each newest revision is printed as one JSON line.

    FLUX_KAFKA_BROKERS=localhost:9092 python aiokafka_consumer.py --group my-app

Needs only aiokafka[lz4]. What it is careful about is explained in docs/consumers.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import time
import traceback
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import CommitFailedError

BROKERS = os.environ.get("FLUX_KAFKA_BROKERS", "localhost:9092")
PREFIX = os.environ.get("FLUX_TOPIC_PREFIX", "flux.")

newest: dict[str, int] = {}  # a real consumer keeps this beside its data: UPDATE ... WHERE revision < the new one


async def handle(incident: dict[str, Any]) -> None:
    if incident["revision"] <= newest.get(incident["incident_id"], 0):
        return  # a repeat after a restart, or older than what we have
    newest[incident["incident_id"]] = incident["revision"]
    print(json.dumps({field: incident[field] for field in ("incident_id", "revision", "severity", "title")}), flush=True)


async def set_aside(producer: Any, group: str, record: Any, error: Exception) -> None:
    """Write the record to the dead letters, or raise: then it is not committed, and comes again."""
    facts = {
        "stage": f"consumer.{group}",
        "reason": "handler_failed",
        "error": f"{type(error).__name__}: {error}"[:2000],
        "traceback": "".join(traceback.format_exception(error))[-4000:],
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "timestamp": str(record.timestamp),
    }
    headers = [(name, text.encode()) for name, text in facts.items()]
    await producer.send_and_wait(f"{PREFIX}dead_letters", record.value, group.encode(), headers=headers)


async def read(consumer: Any, producer: Any, options: argparse.Namespace) -> None:
    count, last = 0, math.inf
    while not 0 < options.stop_after <= count:
        batches = await consumer.getmany(timeout_ms=500, max_records=500)
        for records in batches.values():
            for record in records:
                try:
                    await handle(json.loads(record.value or b""))
                except Exception as error:  # a handler retries by itself what a retry helps; what it gives up on is kept
                    await set_aside(producer, options.group, record, error)
                count, last = count + 1, time.monotonic()
        try:
            await consumer.commit()  # up to the position: all that getmany gave is handled, and markers are passed
        except CommitFailedError:
            pass  # the partitions went to another member meanwhile, which reads these again
        if 0 < options.stop_when_idle < time.monotonic() - last:
            return


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--group", default="example-aiokafka")
    parser.add_argument("--stop-after", type=int, default=0, metavar="N", help="leave after N messages (default: never)")
    parser.add_argument("--stop-when-idle", type=float, default=0, metavar="SECONDS", help="leave so long after the last message")
    options = parser.parse_args()
    consumer = AIOKafkaConsumer(
        f"{PREFIX}incidents.triaged",
        bootstrap_servers=BROKERS,
        group_id=options.group,
        isolation_level="read_committed",  # its default is read_uncommitted
        auto_offset_reset="earliest",  # where a new group begins; `latest`, its default, for only what is to come
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(bootstrap_servers=BROKERS, acks="all")
    async with consumer, producer:
        await read(consumer, producer, options)


if __name__ == "__main__":
    asyncio.run(main())
