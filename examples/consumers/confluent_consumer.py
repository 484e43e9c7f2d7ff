"""Read `incidents.triaged` with confluent-kafka: each newest revision is printed as one JSON line.

    FLUX_KAFKA_BROKERS=localhost:9092 python confluent_consumer.py --group my-app

Needs only confluent-kafka. What it is careful about is explained in docs/consumers.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import traceback
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer

BROKERS = os.environ.get("FLUX_KAFKA_BROKERS", "localhost:9092")
PREFIX = os.environ.get("FLUX_TOPIC_PREFIX", "flux.")

newest: dict[str, int] = {}  # a real consumer keeps this beside its data: UPDATE ... WHERE revision < the new one


def handle(incident: dict[str, Any]) -> None:
    if incident["revision"] <= newest.get(incident["incident_id"], 0):
        return  # a repeat after a restart, or older than what we have
    newest[incident["incident_id"]] = incident["revision"]
    print(json.dumps({field: incident[field] for field in ("incident_id", "revision", "severity", "title")}), flush=True)


def set_aside(producer: Producer, group: str, message: Message, error: Exception) -> None:
    """Write the message to the dead letters, or raise: then it is not committed, and comes again."""
    facts = {
        "stage": f"consumer.{group}",
        "reason": "handler_failed",
        "error": f"{type(error).__name__}: {error}"[:2000],
        "traceback": "".join(traceback.format_exception(error))[-4000:],
        "topic": str(message.topic()),
        "partition": str(message.partition()),
        "offset": str(message.offset()),
        "timestamp": str(message.timestamp()[1]),
    }
    failures: list[Any] = []
    producer.produce(
        f"{PREFIX}dead_letters", message.value(), group, headers=list(facts.items()), on_delivery=lambda failed, _: failures.append(failed)
    )
    producer.flush(30)
    if failures != [None]:
        raise KafkaException(*failures)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--group", default="example-confluent")
    parser.add_argument("--stop-after", type=int, default=0, metavar="N", help="leave after N messages (default: never)")
    parser.add_argument("--stop-when-idle", type=float, default=0, metavar="SECONDS", help="leave so long after the last message")
    options = parser.parse_args()
    consumer = Consumer(
        {
            "bootstrap.servers": BROKERS,
            "group.id": options.group,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",  # where a new group begins; `latest` for only what is to come
            "enable.auto.commit": True,  # of what is stored, every 5 s, when partitions are taken away, and at close
            "enable.auto.offset.store": False,  # stored below, once it is handled
        }
    )
    producer = Producer({"bootstrap.servers": BROKERS, "acks": "all"})
    consumer.subscribe([f"{PREFIX}incidents.triaged"])
    count, last = 0, math.inf
    try:
        while not 0 < options.stop_after <= count:
            message = consumer.poll(0.5)
            if message is None:
                if 0 < options.stop_when_idle < time.monotonic() - last:
                    return
                continue
            failure = message.error()
            if failure is not None:
                if failure.fatal():
                    raise KafkaException(failure)
                print(f"{failure}; going on", file=sys.stderr)
                continue
            try:
                handle(json.loads(message.value() or b""))
            except Exception as error:  # a handler retries by itself what a retry helps; what it gives up on is kept
                set_aside(producer, options.group, message, error)
            consumer.store_offsets(message)
            count, last = count + 1, time.monotonic()
    finally:
        consumer.close()  # commits what is stored and leaves the group


if __name__ == "__main__":
    main()
