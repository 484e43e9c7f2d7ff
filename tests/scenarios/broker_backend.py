"""The alert lane on a broker, on virtual time: the real engine's workers stepped in this thread, with a receiver double beside them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from agents.noise.rules import NoiseRules
from agents.normalize import NormalizeRules
from agents.notify.policy import DeliveryPolicy
from pipeline.decide.alerts import AlertsProcessor, dead_delivery
from pipeline.decide.effects import Deliveries
from pipeline.decide.intake import IntakeProcessor
from pipeline.decide.world import WorldView
from pipeline.engine.context import StepContext
from pipeline.engine.observer import Silent
from pipeline.engine.processor import Processor, Record
from pipeline.engine.settings import EngineSettings, epoch_ms
from pipeline.engine.store import LATEST_DUE
from pipeline.engine.worker import Worker
from schemas.base import from_ms
from schemas.decision import Decision
from schemas.effect import Delivery, Receipt
from schemas.incident import Incident
from schemas.topics import BY_NAME
from tests.scenarios.memory_backend import REFERENCE, MemoryTables, whom_of

PATIENCE_S = 30.0


class Counted(Silent):
    """Counts what a worker has read and what its processor has written."""

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        self.name, self.inputs, self.changelog = processor.name, processor.inputs, processor.changelog
        self.read: Counter[str] = Counter()
        self.wrote: Counter[str] = Counter()

    def processed(self, topic: str, count: int) -> None:
        self.read[topic] += count

    def process(self, record: Record, context: StepContext) -> None:
        self.processor.process(record, context)
        self.wrote.update(output[0] for output in context.emits)

    def fire(self, name: str, key: str, due: int, context: StepContext) -> None:
        self.processor.fire(name, key, due, context)
        self.wrote.update(output[0] for output in context.emits)

    def failed(self, *arguments: object) -> None:
        if len(arguments) == 3:
            raise AssertionError(f"a stage raised: {arguments[1]!r}") from arguments[1]  # type: ignore[misc]


class BrokerBackend:
    """`bootstrap` has the catalogue's topics, with one partition each, under `prefix`."""

    def __init__(self, bootstrap: str, prefix: str, routes: Mapping[str, tuple[str, ...]], backups: Mapping[str, str]) -> None:
        self.prefix = prefix
        self.start = self.now = epoch_ms()
        self.tables = MemoryTables()
        self.view = WorldView(NoiseRules(), whom_of(routes), backups.get, self.tables, lambda what, error: None)
        self.refused: dict[str, str] = {}
        self.taken: list[tuple[int, Delivery]] = []
        self.acted = 0
        self.sent: Counter[str] = Counter()
        intake = IntakeProcessor(NormalizeRules(), f"{prefix}alerts.raw")
        decide = AlertsProcessor(self.view, Deliveries(DeliveryPolicy(), dead_delivery))
        self.intake, self.decide = Counted(intake), Counted(decide)
        settings = EngineSettings(brokers=bootstrap, prefix=prefix, slot=0, batch_ms=2, end_check_ms=0)
        self.workers = [
            Worker(counted, settings, counted, clock=lambda: self.now, before_batch=self.view.refresh)  # type: ignore[arg-type]
            for counted in (self.intake, self.decide)
        ]
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
        self.readers = {name: self.reader(bootstrap, name) for name in ("effects.delivery", "decisions", "incidents.triaged")}
        self.kept: dict[str, list[bytes]] = {name: [] for name in self.readers}
        self.until(lambda: all(worker.ready() and worker.state().assigned for worker in self.workers), "the workers are ready")

    def reader(self, bootstrap: str, name: str) -> Consumer:
        consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"{self.prefix}look",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
            }
        )
        consumer.assign([TopicPartition(self.prefix + name, 0, 0)])
        return consumer

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        for consumer in self.readers.values():
            consumer.close()

    # -- what happens ---------------------------------------------------------------------------------------------------------------

    def send_raw(self, payload: bytes, source: str) -> None:
        self.produce("alerts.raw", None, payload, [("source", source.encode())])

    def send(self, topic: str, key: str, value: bytes) -> None:
        if topic in REFERENCE:
            self.tables.put(topic, key, value)
            self.view.refresh()
        else:
            self.produce(topic, key.encode(), value, [])

    def produce(self, topic: str, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        assert BY_NAME[topic]
        self.producer.produce(self.prefix + topic, value, key, timestamp=self.now, headers=headers)  # type: ignore[arg-type]
        self.producer.flush(10)
        self.sent[topic] += 1
        self.settle()

    def advance(self, to_ms: int) -> None:
        """Timer by timer, so that each is seen at its own time."""
        while True:
            due = min((task.store.next_due for worker in self.workers for task in worker._tasks.values()), default=LATEST_DUE + 1)
            if due > to_ms:
                break
            self.now = max(self.now, due)
            self.until(
                lambda due=due: all(task.store.next_due > due for worker in self.workers for task in worker._tasks.values()),
                f"timer at {due}",
            )
            self.settle()
        self.now = max(self.now, to_ms)

    def refuse(self, receiver: str, status: str | None) -> None:
        if status is None:
            self.refused.pop(receiver, None)
        else:
            self.refused[receiver] = status

    # -- until all is quiet -----------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        self.until(self.quiet, "all is read")

    def quiet(self) -> bool:
        wrote, read = self.intake.wrote, self.decide.read
        return (
            self.intake.read["alerts.raw"] == self.sent["alerts.raw"]
            and read["alerts"] == wrote["alerts"]
            and read["changes"] == wrote["changes"] + self.sent["changes"]
            and read["feedback"] == self.sent["feedback"]
            and self.acted == self.decide.wrote["effects.delivery"]
            and read["receipts"] == self.sent["receipts"]
        )

    def until(self, there: object, what: str) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not there():  # type: ignore[operator]
            for worker in self.workers:
                worker.step()
            self.act()
            if time.monotonic() > ends:
                raise TimeoutError(
                    f"{what}: not within {PATIENCE_S} s; sent {self.sent}, intake {self.intake.read} {self.intake.wrote}, "
                    f"decide {self.decide.read}"
                )

    def act(self) -> None:
        for value in self.take("effects.delivery"):
            delivery = Delivery.from_json(value)
            self.acted += 1
            status = self.refused.get(delivery.receiver, "done")
            if status == "silent":
                continue
            if status == "done":
                self.taken.append((self.now, delivery))
            incident = delivery.incident
            receipt = Receipt(
                effect_id=delivery.effect_id, attempt=delivery.attempt, receiver=delivery.receiver, incident_id=incident.incident_id,
                domain=incident.domain, status=status, at=from_ms(self.now),
            )  # fmt: skip
            self.producer.produce(f"{self.prefix}receipts", receipt.to_json(), incident.domain.encode(), timestamp=self.now)
            self.sent["receipts"] += 1
        self.producer.flush(10)

    def take(self, name: str) -> list[bytes]:
        """What has newly come to a topic; all of it is kept too."""
        new: list[bytes] = []
        for message in self.readers[name].consume(500, 0.001):
            error = message.error()
            if error is None:
                new.append(message.value() or b"")
            elif error.code() != KafkaError._PARTITION_EOF:
                raise AssertionError(error)
        self.kept[name] += new
        return new

    def all(self, name: str, count: int) -> list[bytes]:
        ends = time.monotonic() + PATIENCE_S
        while len(self.kept[name]) < count and time.monotonic() < ends:
            self.take(name)
        assert len(self.kept[name]) == count, f"{name}: {len(self.kept[name])} of {count}"
        return self.kept[name]

    # -- what came of it --------------------------------------------------------------------------------------------------------------

    def told(self) -> list[tuple[int, Delivery]]:
        return self.taken

    def decisions(self) -> list[Decision]:
        return [Decision.from_json(value) for value in self.all("decisions", self.decide.wrote["decisions"])]

    def incidents(self) -> list[Incident]:
        return [Incident.from_json(value) for value in self.all("incidents.triaged", self.decide.wrote["incidents.triaged"])]
