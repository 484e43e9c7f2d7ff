"""Reference data: compacted topics read whole into tables, and kept up to date without blocking."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from pydantic import BaseModel, ValidationError

from pipeline.broker.topics import BrokersUnavailable
from schemas.topics import BY_NAME, full_name

LOG = structlog.get_logger("reference")
CALL_SECONDS = 5.0
POLL_RECORDS = 1000
PROBLEMS_KEPT = 100


@dataclass(frozen=True)
class BadRecord:
    """A record that is not what its topic carries; the last good one of its key is kept."""

    topic: str
    key: str
    offset: int
    error: str


class Reference:
    """Tables of the `topics` (short names of compacted topics with a value model), keyed by record key.

    `load` once, then `poll` as a worker's `before_batch`. `version` is the highest offset taken in plus one: it grows with each record,
    so whoever derives something from a table can tell whether it has changed. Not thread-safe.
    """

    def __init__(
        self,
        brokers: str,
        prefix: str,
        topics: Iterable[str],
        *,
        client: Mapping[str, str] | None = None,
        on_problem: Callable[[BadRecord], None] | None = None,
    ) -> None:
        self.problems: list[BadRecord] = []
        """The latest records that could not be read, at most a hundred; `problem_count` counts them all."""
        self.problem_count = 0
        self._models: dict[str, type[BaseModel]] = {}
        for topic in topics:
            model = BY_NAME[topic].value
            if model is None or not BY_NAME[topic].compacted:
                raise ValueError(f"{topic} is not a compacted topic with a value model")
            self._models[topic] = model
        self._short = {full_name(prefix, topic): topic for topic in self._models}
        self._tables: dict[str, dict[str, BaseModel]] = {topic: {} for topic in self._models}
        self._versions: dict[str, dict[int, int]] = {topic: {} for topic in self._models}
        self._waiting: dict[tuple[str, int], int] = {}
        self._on_problem = on_problem
        self._consumer = Consumer(
            {
                "log_level": 0,
                **(client or {}),
                "bootstrap.servers": brokers,
                "group.id": f"{prefix}reference",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 100,
            }
        )

    def load(self, timeout: float = 30.0) -> None:
        """Read every topic from its start to the end it has now. Raises BrokersUnavailable when that takes longer; a retry may help."""
        ends = time.monotonic() + timeout
        partitions = self._partitions(timeout)
        self._waiting = {(each.topic, each.partition): self._end(each, ends) for each in partitions}
        self._consumer.assign(partitions)
        while self._waiting:
            self._take(0.05)
            if time.monotonic() > ends:
                missing = sorted({self._short[topic] for topic, _ in self._waiting})
                raise BrokersUnavailable(f"reference data were not read within {timeout:.0f} s: {', '.join(missing)}")

    def poll(self) -> bool:
        """Take in what is new, without waiting. Whether a table changed."""
        return self._take(0)

    def table(self, topic: str) -> Mapping[str, Any]:
        """A live view: record key to parsed model of the topic's value type. It changes only inside `load` and `poll`."""
        return MappingProxyType(self._tables[topic])

    def version(self, topic: str) -> int:
        """How far the topic has been read: grows with each record, 0 before the first."""
        return sum(self._versions[topic].values())

    def close(self) -> None:
        self._consumer.close()

    def _partitions(self, timeout: float) -> list[TopicPartition]:
        try:
            found = self._consumer.list_topics(timeout=timeout).topics
        except KafkaException as error:
            raise BrokersUnavailable(f"no Kafka broker answered within {timeout:.0f} s: {error.args[0].str()}") from error
        missing = [full for full in self._short if full not in found]
        if missing:
            raise BrokersUnavailable(f"topics do not exist: {', '.join(missing)}; run `fluxai topics apply`")
        return [TopicPartition(full, number, 0) for full in self._short for number in found[full].partitions]

    def _end(self, partition: TopicPartition, ends: float) -> int:
        while True:
            try:
                marks = self._consumer.get_watermark_offsets(partition, timeout=CALL_SECONDS)
                if marks is not None and marks[1] >= 0:
                    return int(marks[1])
                why = "no answer"
            except KafkaException as error:
                why = error.args[0].str()
            if time.monotonic() > ends:
                raise BrokersUnavailable(f"the end of {partition.topic} is not known: {why}")
            time.sleep(0.1)

    def _take(self, wait: float) -> bool:
        changed = False
        messages: list[Any] = self._consumer.consume(POLL_RECORDS, wait)  # its types call every field optional
        for message in messages:
            error = message.error()
            if error is None:
                changed = self._put(message) or changed
            elif error.code() == KafkaError._PARTITION_EOF:
                place = (message.topic(), message.partition())
                if message.offset() >= self._waiting.get(place, 0):
                    self._waiting.pop(place, None)
            else:
                LOG.warning("reference data not readable for now", error=error.str())
        return changed

    def _put(self, message: Any) -> bool:
        topic, key, value = self._short[message.topic()], (message.key() or b"").decode(errors="replace"), message.value()
        self._versions[topic][message.partition()] = message.offset() + 1
        table = self._tables[topic]
        if not value:
            return table.pop(key, None) is not None
        try:
            table[key] = self._models[topic].model_validate_json(value)
        except ValidationError as error:
            self._report(BadRecord(topic, key, message.offset(), str(error)))
            return False
        return True

    def _report(self, bad: BadRecord) -> None:
        self.problem_count += 1
        self.problems = [*self.problems[1 - PROBLEMS_KEPT :], bad]
        LOG.error("bad reference record", topic=bad.topic, key=bad.key, offset=bad.offset, error=bad.error)
        if self._on_problem is not None:
            self._on_problem(bad)
