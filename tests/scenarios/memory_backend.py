"""The alert lane without a broker: intake, decide and a receiver double on the in-memory runner."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import BaseModel

from agents.advice.config import AdviceConfig
from agents.case import NO_ADVICE, World
from agents.noise.rules import NoiseRules
from agents.normalize import NormalizeRules
from agents.notify.policy import DeliveryPolicy
from pipeline.decide.alerts import AlertsProcessor, dead_delivery
from pipeline.decide.effects import Deliveries
from pipeline.decide.intake import IntakeProcessor
from pipeline.decide.world import WorldView
from pipeline.engine.memory import MemoryRunner
from pipeline.engine.processor import Context, Record
from schemas.advice import Advice, AdviceRequest
from schemas.base import from_ms
from schemas.decision import Decision
from schemas.effect import Delivery, Receipt
from schemas.incident import Incident
from schemas.topics import BY_NAME

REFERENCE = ("topology", "runbooks", "rules", "silences", "models")


class MemoryTables:
    """Reference tables that a test fills."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, BaseModel]] = {name: {} for name in REFERENCE}
        self.versions = dict.fromkeys(REFERENCE, 0)

    def put(self, topic: str, key: str, value: bytes) -> None:
        model = BY_NAME[topic].value
        assert model is not None
        if value:
            self.tables[topic][key] = model.model_validate_json(value)
        else:
            self.tables[topic].pop(key, None)
        self.versions[topic] += 1

    def table(self, topic: str) -> Mapping[str, BaseModel]:
        return self.tables[topic]

    def version(self, topic: str) -> int:
        return self.versions[topic]


class ModelDouble:
    """Answers each question at once, late or not at all, as the test wants; `say` makes the answer from the question."""

    name = "advise"
    inputs = ("effects.advice",)
    changelog = "intake.state"

    def __init__(self) -> None:
        self.say: Callable[[AdviceRequest], Advice | str | None] = lambda request: None
        self.after_ms = 0
        self.asked: list[tuple[int, AdviceRequest]] = []

    def process(self, record: Record, context: Context) -> None:
        request = AdviceRequest.from_json(record.value or b"")
        self.asked.append((context.now, request))
        context.put(request.effect_id.encode(), record.value or b"")
        context.at(context.now + self.after_ms, "answer", request.effect_id)

    def fire(self, name: str, key: str, due: int, context: Context) -> None:
        request = AdviceRequest.from_json(context.get(key.encode()) or b"")
        said = self.say(request)
        if said is None:
            return
        answer = said if isinstance(said, Advice) else None
        receipt = Receipt(
            effect="advice", effect_id=key, attempt=1, incident_id=request.incident_id, domain=request.domain, at=from_ms(context.now),
            status="failed" if answer is None else "done", detail="" if answer else str(said), advice=answer,
        )  # fmt: skip
        context.emit("receipts", request.domain.encode(), receipt.to_json())

    def failed(self, record: Record, error: BaseException, context: Context) -> None:
        raise error


class ReceiverDouble:
    """Answers each delivery at once, as the test wants."""

    name = "act"
    inputs = ("effects.delivery",)
    changelog = "intake.state"

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}
        self.taken: list[tuple[int, Delivery]] = []
        self.attempts: list[tuple[int, Delivery]] = []

    def process(self, record: Record, context: Context) -> None:
        delivery = Delivery.from_json(record.value or b"")
        status = self.refused.get(delivery.receiver, "done")
        self.attempts.append((context.now, delivery))
        if status == "silent":
            return
        if status == "done":
            self.taken.append((context.now, delivery))
        receipt = Receipt(
            effect_id=delivery.effect_id, attempt=delivery.attempt, receiver=delivery.receiver, incident_id=delivery.incident.incident_id,
            domain=delivery.incident.domain, status=status, at=from_ms(context.now),
        )  # fmt: skip
        context.emit("receipts", delivery.incident.domain.encode(), receipt.to_json())

    def fire(self, name: str, key: str, due: int, context: Context) -> None:
        raise AssertionError("no timers here")

    def failed(self, record: Record, error: BaseException, context: Context) -> None:
        raise error


def whom_of(names: Mapping[str, tuple[str, ...]]):  # type: ignore[no-untyped-def]
    def whom(*, severity, service, environment, owner, labels, now):  # type: ignore[no-untyped-def]
        return names.get(service, names.get("*", ("oncall",)))

    return whom


class MemoryBackend:
    def __init__(
        self,
        rules: NoiseRules | None = None,
        routes: Mapping[str, tuple[str, ...]] | None = None,
        backups: Mapping[str, str] | None = None,
        advice: AdviceConfig = NO_ADVICE,
    ) -> None:
        self.tables = MemoryTables()
        self.problems: list[tuple[str, str]] = []
        backup = (backups or {}).get
        self.view = WorldView(
            rules or NoiseRules(),
            whom_of(routes or {}),
            backup,
            self.tables,
            lambda what, error: self.problems.append((what, error)),
            advice,
        )
        self.model = ModelDouble()
        self.double = ReceiverDouble()
        self.processor = AlertsProcessor(self.view, Deliveries(DeliveryPolicy(), dead_delivery))
        intake = IntakeProcessor(NormalizeRules(), "flux.alerts.raw")
        self.runner = MemoryRunner(intake, self.processor, self.double, self.model, before_batch=self.view.refresh)
        self.start = self.runner.now

    @property
    def world(self) -> World:
        return self.view()

    def send_raw(self, payload: bytes, source: str) -> None:
        self.runner.send("alerts.raw", None, payload, [("source", source.encode())])

    def send(self, topic: str, key: str, value: bytes) -> None:
        if topic in REFERENCE:
            self.tables.put(topic, key, value)
        else:
            self.runner.send(topic, key, value)

    def advance(self, to_ms: int) -> None:
        self.runner.advance(to_ms)

    def refuse(self, receiver: str, status: str | None) -> None:
        if status is None:
            self.double.refused.pop(receiver, None)
        else:
            self.double.refused[receiver] = status

    def told(self) -> list[tuple[int, Delivery]]:
        return self.double.taken

    def decisions(self) -> list[Decision]:
        return [Decision.from_json(record.value or b"") for record in self.runner.records("decisions")]

    def incidents(self) -> list[Incident]:
        return [Incident.from_json(record.value or b"") for record in self.runner.records("incidents.triaged")]
