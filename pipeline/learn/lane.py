"""`run_learn`: follows the topic `labels` from its start, and publishes a snapshot on `models` when one is better than what is in use.

It keeps nothing of its own: the labels are its state, and what is in use is on `models`. A restart reads both and goes on where it was.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from pydantic import ValidationError

from pipeline.broker.reference import Reference
from pipeline.broker.topics import BrokersUnavailable
from pipeline.engine.errors import FatalEngineError
from pipeline.health import Health
from pipeline.learn.promote import Learners
from pipeline.metrics import Metrics
from pipeline.settings import Settings
from schemas.learning import Label, Snapshot
from schemas.topics import full_name

LOG = structlog.get_logger("learn")
LANE, LABELS, MODELS = "learn", "labels", "models"
POLL_S = 0.5
BATCH = 500
LOAD_S = 4.0
"""One try at reading the snapshots: SIGTERM may have to wait for it."""
PUBLISH_S = 10.0


class LearnFailed(FatalEngineError):
    """Only a new process helps: it reads the labels again and comes to the same point."""


def run_learn(settings: Settings, stop: threading.Event, health: Health, metrics: Metrics) -> None:
    """Learns until `stop` is set, then returns within about 5 s. Waits for a broker that is away.

    One process is enough; more of them publish the same. Raises LearnFailed when the process should end and be started again.
    """
    lane = LearnLane(settings, stop, health, metrics)
    try:
        lane.run()
    finally:
        lane.close()


class LearnLane:
    """One thread. Memory: river (some 80 MB) from the first label on, weights of a few MB, the last 200 labels."""

    def __init__(self, settings: Settings, stop: threading.Event, health: Health, metrics: Metrics) -> None:
        self._settings, self._stop, self._health, self._metrics = settings, stop, health, metrics
        self._topic = full_name(settings.topic_prefix, LABELS)
        self._learners = Learners()
        self._snapshots = self._reference()
        self._seen: dict[str, Snapshot] = {}
        self._passed_over = self._learners.passed_over
        self._next = 0
        self._away = False
        self._consumer = Consumer(
            {
                **settings.kafka_client(),
                "group.id": f"{settings.topic_prefix}{LANE}",  # never joined; a name that the printed access rights cover
                "client.id": f"{LANE}-{settings.slot}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "topic.metadata.refresh.interval.ms": 10_000,
                "log_level": 2,
                "fetch.wait.max.ms": 200,
            }
        )

    def run(self) -> None:
        self._health.started()
        self._health.waits("snapshots", "reading what is in use")
        if not self._load(self._snapshots):
            return
        self._follow_snapshots()
        self._health.has("snapshots")
        with suppress(KafkaException):  # without it the topic is found all the same, half a second later
            self._consumer.list_topics(self._topic, timeout=1.0)
        # From the start every time: the model is a fold over all labels, and they are few.
        self._consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
        while not self._stop.is_set():
            self._health.turn()
            if self._snapshots.poll():
                self._follow_snapshots()
            first = self._consumer.poll(POLL_S)
            if first is not None:  # what has come with it is there at once; to ask for a batch outright would wait until it is full
                for message in (first, *self._consumer.consume(BATCH, 0)):
                    self._hear(message)
                self._tell_passed_over()
            self._tell_lag()

    def close(self) -> None:
        self._consumer.close()
        self._snapshots.close()

    def _hear(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            self._stumble(error)
            return
        offset, value = int(message.offset() or 0), message.value()
        if value:
            self._learn(offset, value)
        self._next = offset + 1
        self._metrics.events.of(LANE, LABELS).inc()

    def _learn(self, offset: int, value: bytes) -> None:
        try:
            made, verdict = self._learners.take(offset, Label.from_json(value))
        except (ValidationError, ValueError) as why:
            self._metrics.failures.of(LANE).inc()
            LOG.error("a label cannot be learned from and is passed over", offset=offset, why=first_line(why))
            return
        if verdict is not None and verdict.candidate:
            LOG.info("candidate compared", offset=offset, better=verdict.better, reason=verdict.reason)
        if made is not None:
            self._publish(made)

    def _publish(self, made: Snapshot) -> None:
        """Unless somebody was faster: the snapshots are read anew, so that an older one never replaces a newer."""
        latest = self._reference()
        try:
            if not self._load(latest):
                return
            there = latest.table(MODELS).get(made.name)
        finally:
            latest.close()
        if isinstance(there, Snapshot) and there.version >= made.version:
            LOG.info("a snapshot is there already", name=made.name, version=there.version)
            self._learners.use({made.name: there})
            return
        publish(self._settings, made)
        LOG.info("snapshot promoted", name=made.name, version=made.version, labels=made.labels, replaced=made.replaced)

    def _follow_snapshots(self) -> None:
        """Only what has changed on the topic: what this lane promoted is in use before the topic says so."""
        table: dict[str, Snapshot] = dict(self._snapshots.table(MODELS))
        self._learners.use({name: one for name, one in table.items() if one is not self._seen.get(name)})
        self._seen = table

    def _reference(self) -> Reference:
        return Reference(self._settings.brokers, self._settings.topic_prefix, (MODELS,), client=self._settings.kafka_client())

    def _load(self, reference: Reference) -> bool:
        """False when stopped before."""
        while not self._stop.is_set():
            try:
                reference.load(timeout=LOAD_S)
                return True
            except BrokersUnavailable as error:
                self._health.turn()
                LOG.warning("snapshots not readable yet", why=str(error))
                self._stop.wait(1)
        return False

    def _stumble(self, error: KafkaError) -> None:
        if error.fatal():
            raise LearnFailed(f"{error.name()}: {error.str()}")
        self._away = True
        self._health.waits("kafka", f"{error.name()}: {error.str()}"[:200])
        LOG.warning("labels not readable for now", error=error.name(), text=error.str())

    def _tell_passed_over(self) -> None:
        if (now := self._learners.passed_over) != self._passed_over:
            self._passed_over = now
            LOG.info("labels that do not count", **now)

    def _tell_lag(self) -> None:
        """Of a broker that was away this is also how it is known to be back: an idle topic says nothing."""
        place = TopicPartition(self._topic, 0)
        try:
            _, end = self._consumer.get_watermark_offsets(place, timeout=1.0, cached=not self._away)
        except KafkaException:
            return  # not known yet, or still away
        if self._away:
            self._away = False
            self._health.has("kafka")
        if end >= 0:
            self._metrics.lag_messages.of(LANE, LABELS, "0").set(max(end - self._next, 0))


def publish(settings: Settings, made: Snapshot) -> None:
    """Put a snapshot on `models`, acknowledged by all replicas; perhaps twice, which is the same as once.

    Raises LearnFailed when that does not succeed in 10 s.
    """
    failed: list[str] = []

    def delivered(error: KafkaError | None, _: Any) -> None:
        if error is not None:
            failed.append(error.str())

    producer = Producer(
        settings.kafka_client()
        | {
            "acks": "all",
            "message.timeout.ms": int(PUBLISH_S * 1000),
            "log_level": 0,
            "compression.type": "lz4",
        }
        | {"message.max.bytes": 2_000_000}
    )
    producer.produce(full_name(settings.topic_prefix, MODELS), made.to_json(), made.name.encode(), on_delivery=delivered)
    if producer.flush(PUBLISH_S + 2) or failed:
        raise LearnFailed(f"the snapshot {made.name} {made.version} was not acknowledged: {failed[0] if failed else 'no answer'}")


def first_line(error: Exception) -> str:
    """Of a validation error without the value that was wrong."""
    if isinstance(error, ValidationError):
        item = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return f"{'.'.join(map(str, item['loc']))}: {item['msg']}"[:300]
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
