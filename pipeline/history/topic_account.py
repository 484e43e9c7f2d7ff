"""The account kept up to date from the topics, for the console and for the closing line of a run."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

import structlog
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition
from pydantic import ValidationError

from pipeline.engine.processor import Record
from pipeline.history.account import Account, Ledger
from pipeline.history.base import DeadLetter, HistoryUnavailable
from pipeline.history.reading import CALL_S, read_record
from schemas.decision import Decision
from schemas.incident import Incident
from schemas.topics import full_name

READ = ("alerts.raw", "decisions", "incidents.triaged", "dead_letters")
Event = Decision | Incident | DeadLetter
log = structlog.get_logger(__name__)


class TopicAccount:
    """Reads the topics as they grow and adds up. One thread only; close it at the end.

    `holds_no_alert(record)` says of a raw record that nothing in it asks for a decision (a change, a subscription's
    confirmation); without it such records stay among the unaccounted.
    """

    def __init__(
        self,
        kafka: Mapping[str, str],
        prefix: str = "flux.",
        *,
        from_now: bool = False,
        holds_no_alert: Callable[[Record], bool] | None = None,
    ) -> None:
        """`from_now`: leave out what the topics hold already. Raises HistoryUnavailable when the brokers do not answer."""
        self._short = {full_name(prefix, name): name for name in READ}
        self._holds_no_alert = holds_no_alert
        self._ledger = Ledger(prefix)
        self._ended: set[tuple[str, int]] = set()
        self._consumer = Consumer(
            {
                **kafka,
                "group.id": f"{prefix}account-{uuid.uuid4().hex[:8]}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.queue.backoff.ms": 20,
                "queued.max.messages.kbytes": 16_384,
            }
        )
        try:
            self._assign(OFFSET_END if from_now else OFFSET_BEGINNING)
        except KafkaException as error:
            self._consumer.close()
            raise HistoryUnavailable(f"Kafka: {error.args[0].str()}") from error

    def update(self, timeout_s: float = 0.2, most: int = 2000) -> list[Event]:
        """Takes in up to `most` new records, waiting at most `timeout_s`; returns the decisions, revisions and dead letters among them."""
        events: list[Event] = []
        for message in self._consumer.consume(most, timeout=timeout_s):
            error = message.error()
            if error is None:
                event = self._take(message)
                if event is not None:
                    events.append(event)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ended.add((str(message.topic()), message.partition() or 0))
            elif error.fatal():
                raise HistoryUnavailable(f"Kafka: {error.str()}")
        return events

    @property
    def caught_up(self) -> bool:
        """Whether the end of every partition has been reached once and nothing has come since."""
        return len(self._ended) == len(self._partitions)

    def account(self) -> Account:
        return self._ledger.account()

    def close(self) -> None:
        self._consumer.close()

    def _assign(self, start: int) -> None:
        self._partitions = []
        for name in self._short:
            about = self._consumer.list_topics(name, timeout=CALL_S).topics[name]
            if about.error is not None:
                raise KafkaException(about.error)
            self._partitions += [TopicPartition(name, partition, start) for partition in about.partitions]
        if start == OFFSET_END:
            # As numbers: what comes before the first fetch must not be passed over.
            for partition in self._partitions:
                _, partition.offset = self._consumer.get_watermark_offsets(partition, timeout=CALL_S)
        self._consumer.assign(self._partitions)

    def _take(self, message: Message) -> Event | None:
        record = read_record(message, self._short)
        self._ended.discard((str(message.topic()), record.partition))
        if record.topic == "alerts.raw":
            self._ledger.raw(record.partition, record.offset)
            if self._holds_no_alert is not None and self._holds_no_alert(record):
                self._ledger.set_aside(record.partition, record.offset)
            return None
        if record.topic == "dead_letters":
            letter = DeadLetter.from_record(record)
            self._ledger.dead_letter(letter)
            return letter
        try:
            if record.topic == "decisions":
                decision = Decision.from_json(record.value or b"")
                self._ledger.decision(decision)
                return decision
            incident = Incident.from_json(record.value or b"")
        except ValidationError as error:
            log.warning("account_unreadable", topic=record.topic, partition=record.partition, offset=record.offset, error=str(error)[:300])
            return None
        self._ledger.incident(incident)
        return incident
