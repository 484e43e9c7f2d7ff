"""Writes incident revisions as the decide lane does, in transactions, of which every tenth is aborted and then done again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.base import Severity, from_ms
from schemas.incident import Incident, IncidentStatus

PARTITIONS = 2
INCIDENTS = 60
TRANSACTION_SIZE = 10
ABORTED = "never happened"
"""Title of what was aborted. Only the title differs from what was committed later under the same incident and revision."""

Revision = tuple[str, int, str]
"""Incident id, revision, title."""


@dataclass(frozen=True)
class Written:
    prefix: str
    topic: str
    committed: list[Revision]
    aborted: int

    @property
    def environment(self) -> dict[str, str]:
        return {"FLUX_TOPIC_PREFIX": self.prefix}


def incident(number: int, revision: int, title: str) -> Incident:
    at = from_ms(1_773_000_000_000 + revision * 1000)
    return Incident(
        incident_id=f"inc-{number:03d}",
        revision=revision,
        domain=f"domain-{number % 7}",
        status=IncidentStatus.OPEN,
        severity=Severity.P3,
        service=f"service-{number}",
        title=title,
        summary="A service answers slowly. " * 4,
        confidence=0.8,
        provenance="rules",
        alerts=[],
        opened_at=at,
        updated_at=at,
        deadline=at,
    )


def create_topic(bootstrap: str, name: str, config: dict[str, str] | None = None) -> None:
    topic = NewTopic(name, num_partitions=PARTITIONS, replication_factor=1, config=config or {})
    admin = AdminClient({"bootstrap.servers": bootstrap})  # kept until the answer: its end cancels what it was asked
    admin.create_topics([topic])[name].result(30)


def write_revisions(bootstrap: str, prefix: str, transactions: int) -> Written:
    """About 10 % of the records are aborted, the last transaction among them, so that markers and aborted records end each topic."""
    topic = f"{prefix}incidents.triaged"
    create_topic(bootstrap, topic)
    create_topic(bootstrap, f"{prefix}dead_letters")
    producer = Producer(
        {"bootstrap.servers": bootstrap, "transactional.id": f"{prefix}writer", "partitioner": "murmur2_random", "retry.backoff.ms": 5}
    )
    producer.init_transactions(30)
    sequence, aborted = 0, 0
    committed: list[Revision] = []
    for number in range(transactions):
        batch = [(step % INCIDENTS, step // INCIDENTS + 1) for step in range(sequence, sequence + TRANSACTION_SIZE)]
        last = number == transactions - 1
        if number % 10 == 4 or last:
            _transaction(producer, topic, [incident(*which, ABORTED) for which in batch], commit=False)
            aborted += len(batch)
        if last:
            break
        done = [incident(*which, f"revision {which[1]}") for which in batch]
        _transaction(producer, topic, done, commit=True)
        committed += [(one.incident_id, one.revision, one.title) for one in done]
        sequence += TRANSACTION_SIZE
    return Written(prefix, topic, committed, aborted)


def _transaction(producer: Producer, topic: str, batch: list[Incident], *, commit: bool) -> None:
    producer.begin_transaction()
    for one in batch:
        producer.produce(topic, one.to_json(), one.domain.encode())
    if commit:
        producer.commit_transaction(30)
    else:
        producer.flush(30)  # aborting drops what is still queued here, and it must reach the log
        producer.abort_transaction(30)


def read_all(bootstrap: str, topic: str, config: dict[str, str] | None = None) -> Iterator[Any]:
    """Every record from the beginning to the end of the topic, read by a client that shares nothing with what is tested."""
    settings = {"bootstrap.servers": bootstrap, "group.id": "checker", "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer(settings | (config or {}))
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    ended = 0
    try:
        while ended < PARTITIONS:
            message = consumer.poll(30)
            assert message is not None, f"nothing from {topic} in 30 s"
            error = message.error()
            if error is None:
                yield message
            else:
                assert error.name() == "_PARTITION_EOF", error
                ended += 1
    finally:
        consumer.close()


def committed_and_end(bootstrap: str, group: str, topic: str) -> list[tuple[int, int]]:
    """For each partition: the group's committed offset and the end of the log (past the last marker)."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
    try:
        partitions = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        committed = consumer.committed(partitions, timeout=30)
        ends = [consumer.get_watermark_offsets(partition, timeout=30)[1] for partition in partitions]
        return [(at.offset, end) for at, end in zip(committed, ends, strict=True)]
    finally:
        consumer.close()
