"""Alerts: the processor that decides. Reads alert events, receipts, feedback and changes of a domain in order; writes decisions, incident
revisions and effects."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from agents.case import Case, End, Turn, World
from agents.correlate import own_receivers
from agents.enrich import remember_change
from agents.incidents import keep
from agents.noise.rules import HOUR, MINUTE
from agents.rows import ALERTS, SEQUENCE, Counter, alert_key
from agents.score import digest, rate
from pipeline.decide import life, questions
from pipeline.decide.effects import Deliveries
from pipeline.decide.failopen import tell_anyway, timer_failed
from pipeline.decide.labels import label
from pipeline.decide.messages import decision_json, publish
from pipeline.engine.processor import Context, Record
from pipeline.stages import decide
from schemas.alert import Alert
from schemas.base import to_ms
from schemas.change import Change
from schemas.decision import Outcome
from schemas.effect import Delivery, Receipt
from schemas.feedback import Feedback
from schemas.incident import IncidentAdvice


class Decided(Protocol):
    """Who hears of decisions, for metrics."""

    def __call__(self, case: Case, end: End, now: int) -> None: ...

    def advised(self, advice: IncidentAdvice) -> None: ...


class AlertsProcessor:
    """`world()` gives rules and reference data as of now; `decided` hears of each decision, for metrics."""

    name = "decide"
    inputs = ("alerts", "receipts", "feedback", "changes")
    changelog = "decide.state"

    def __init__(self, world: Callable[[], World], deliveries: Deliveries, decided: Decided | None = None) -> None:
        self.world = world
        self.deliveries = deliveries
        self.decided = decided

    # -- the engine's side ----------------------------------------------------------------------------------------------------------

    def process(self, record: Record, context: Context) -> None:
        value = record.value or b""
        if record.topic == "alerts":
            self.alert(Alert.from_json(value), context)
        elif record.topic == "receipts":
            turn, receipt = self.turn(context, "receipt"), Receipt.from_json(value)
            if receipt.effect == "advice":
                questions.receipt(turn, receipt)
            else:
                self.deliveries.receipt(turn, context, receipt)
            self.close(turn, context)
        elif record.topic == "feedback":
            feedback = Feedback.from_json(value)
            turn = self.turn(context, feedback.feedback_id)
            taught = label(turn, feedback)
            if taught is not None:
                context.emit("labels", taught.label_id.encode(), taught.to_json())
            life.hear(turn, feedback)
            self.close(turn, context)
        elif record.topic == "changes":
            change = Change.from_json(value)
            title = change.title or change.kind
            remember_change(
                self.turn(context, change.change_id), domain=change.domain, service=change.service, at=to_ms(change.happened_at),
                kind=change.kind, title=title, version=change.version,
            )  # fmt: skip

    def fire(self, name: str, key: str, due: int, context: Context) -> None:
        turn = self.turn(context, f"{name}|{key}")
        if name == "delivery":
            self.deliveries.timer(turn, context, key, due)
        elif name in (questions.DUE, questions.AGAIN):
            questions.timer(turn, context, name, key, due)
        elif name == "purge" and not self.deliveries.forget(turn, key):
            context.at(due + HOUR, name, key)
        else:
            life.fire(turn, name, key, due)
        self.close(turn, context)

    def failed(self, record: Record, error: BaseException, context: Context) -> None:
        """Dead-letter the record with its traceback, and page it from its rule verdict: unsure means tell."""
        trace = "".join(traceback.format_exception(error))[-4000:]
        dead_letter(context, record, stage=self.name, reason="stage_failed", error=f"{type(error).__name__}: {error}", trace=trace)
        if record.topic == self.changelog and record.offset < 0:
            self.timer_failed(record, error, context)
        if record.topic != "alerts":
            return
        try:
            alert = Alert.from_json(record.value or b"")
        except ValueError:
            return
        self.fail_open(alert, error, context)

    def timer_failed(self, record: Record, error: BaseException, context: Context) -> None:
        """The engine hands a timer that raised as a record of the changelog at offset -1, key `name|key`."""
        name, _, key = (record.key or b"").decode().partition("|")
        if name == "delivery":
            context.at(context.now + MINUTE, name, key)
            return
        turn = self.turn(context, f"{name}|{key}")
        timer_failed(turn, name, key, error)
        self.close(turn, context)

    # -- one event ------------------------------------------------------------------------------------------------------------------

    def alert(self, alert: Alert, context: Context) -> None:
        turn = self.turn(context, alert.alert_id)
        turn.alert = alert
        case = Case(alert=alert, row=ALERTS.get(context, alert_key(alert.fingerprint, alert.domain)))
        end = decide(case, turn)
        self.write(case, end, turn, context)
        self.close(turn, context)

    def write(self, case: Case, end: End, turn: Turn, context: Context) -> None:
        if case.alert.kind == "notice":
            if self.decided is not None:
                self.decided(case, end, turn.now)  # an event that rightly has no decision record is accounted for
            return
        counter = SEQUENCE.get(context, "") or Counter()
        counter.n += 1
        SEQUENCE.put(context, "", counter)
        would: tuple[str, ...] = ()
        if end.outcome in (Outcome.SUPPRESSED, Outcome.OPEN):
            would = own_receivers(case, turn)
        context.emit("decisions", case.alert.domain.encode(), decision_json(case, end, turn, counter.n, would))
        if self.decided is not None:
            self.decided(case, end, turn.now)

    def fail_open(self, alert: Alert, error: BaseException, context: Context) -> None:
        """A firing alert whose stages raised is told as an incident of its own; a resolve is only dead-lettered."""
        turn = self.turn(context, alert.alert_id)
        try:
            row = ALERTS.get(context, alert_key(alert.fingerprint, alert.domain))
        except msgspec.MsgspecError:
            row = None  # it may be what failed; the dead letter has the traceback
        case = Case(alert=alert, row=row, digest=digest(alert))
        case.severity, case.confidence, _ = rate(alert, tier=3, customer_facing=False, known=False)
        end = tell_anyway(case, turn, error)
        self.write(case, end, turn, context)
        self.close(turn, context)

    # -- a turn ---------------------------------------------------------------------------------------------------------------------

    def turn(self, context: Context, caused_by: str) -> Turn:
        return Turn(now=context.now, state=context, world=self.world(), at=context.at, caused_by=caused_by)

    def close(self, turn: Turn, context: Context) -> None:
        """Carry out what the turn asked for: tell, publish, keep."""
        if turn.tells:
            self.deliveries.carry_out(turn, context)
        questions.consider(turn, context)
        for incident_id in sorted(turn.publish):
            row = turn.touched[incident_id]
            message = publish(row, turn)
            context.emit("incidents.triaged", row.domain.encode(), message.to_json())
            if incident_id in turn.advised and message.advice is not None and self.decided is not None:
                self.decided.advised(message.advice)
        if turn.touched:
            keep(turn)


def dead_letter(
    context: Context, record: Record, *, stage: str, reason: str, error: str, trace: str = "", index: int | None = None
) -> None:
    """Set a record aside: its own bytes, and in headers what went wrong and where it came from."""
    headers: list[tuple[str, bytes]] = [*(one for one in record.headers if one[0] not in RESERVED)]
    about: dict[str, Any] = {
        "stage": stage, "reason": reason, "error": error[:2000], "topic": record.topic, "partition": record.partition,
        "offset": record.offset, "timestamp": record.timestamp, "index": index, "traceback": trace or None,
    }  # fmt: skip
    headers += [(name, str(value).encode()) for name, value in about.items() if value is not None]
    source = next((value for name, value in record.headers if name == "source"), record.key)
    context.emit("dead_letters", source, record.value, headers)


RESERVED = ("stage", "reason", "error", "topic", "partition", "offset", "timestamp", "index", "traceback")


def dead_delivery(context: Context, delivery: Delivery, reason: str, error: str) -> None:
    """A message that no receiver will take: set aside whole."""
    headers = [("stage", b"act"), ("reason", reason.encode()), ("error", error[:2000].encode()), ("receiver", delivery.receiver.encode())]
    context.emit("dead_letters", delivery.receiver.encode(), delivery.to_json(), headers)
