"""A bare loop to measure against, as a process of its own: consume a batch, write one record for each, one transaction. It decides nothing
and keeps nothing. Its last line is JSON: how many records it took in how many seconds, and its CPU time."""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

from confluent_kafka import Consumer, Producer

from benchmarks.machine import cpu_seconds
from pipeline.engine.settings import EngineSettings


def run(brokers: str, source: str, sink: str, size: int, count: int) -> dict[str, float]:
    settings = EngineSettings(brokers, "bare.", 0)  # librdkafka's settings are the engine's, so that only the loop differs
    reader = Consumer(settings.input_consumer("bare", _ignore) | {"enable.partition.eof": False})
    writer = Producer(settings.producer("bare", _ignore))
    writer.init_transactions(30)
    reader.subscribe([source])
    done, began, used = 0, 0.0, 0.0
    while done < count:
        messages: list[Any] = [one for one in reader.consume(settings.batch_events, settings.batch_ms / 1000) if one.error() is None]
        if not messages:
            continue
        if not began:  # joining the group is not counted, nor is the first batch
            began, used, done = time.monotonic(), cpu_seconds(os.getpid()), -len(messages)
            count -= len(messages)
        writer.begin_transaction()
        for message in messages:
            value = message.value()  # passed on, so that it compresses as well or badly as what the workers write
            writer.produce(sink, (value * (size // len(value) + 1))[:size], message.key())
        writer.send_offsets_to_transaction(reader.position(reader.assignment()), reader.consumer_group_metadata(), 10)
        writer.commit_transaction(10)
        done += len(messages)
    took = time.monotonic() - began
    cpu = cpu_seconds(os.getpid()) - used
    reader.close()
    return {"records": done, "seconds": took, "cpu_seconds": cpu}


def _ignore(error: object) -> None:
    """Connections come and go while a benchmark starts."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Consume, write, commit; nothing else.")
    parser.add_argument("brokers")
    parser.add_argument("source")
    parser.add_argument("sink")
    parser.add_argument("size", type=int, help="bytes of each record written")
    parser.add_argument("count", type=int, help="records to take")
    options = parser.parse_args()
    print(json.dumps(run(options.brokers, options.source, options.sink, options.size, options.count)), flush=True)


if __name__ == "__main__":
    main()
