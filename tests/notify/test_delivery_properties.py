"""Any sequence of words, receipts and delays: the promises of the delivery row hold."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agents.notify.delivery import DeliveryRow, Step, on_receipt, on_timer, tell
from agents.notify.merge import CLOSING
from agents.notify.policy import DeliveryPolicy
from agents.state import Store
from schemas.base import Severity, to_ms
from schemas.effect import Delivery, Receipt, Transition
from schemas.incident import IncidentStatus
from tests.notify.build import an_incident, receipt_for

POLICY = DeliveryPolicy()
STORE = Store("delivery", DeliveryRow)
WORDS = st.sampled_from([word for word in Transition if word is not Transition.FIRED_AND_RESOLVED])
START = 1_750_000_000_000


@dataclass
class Seen:
    delivery: Delivery
    answered: bool = False


class OneReceiver(RuleBasedStateMachine):
    """Plays decide and a receiver that does anything at all."""

    @initialize()
    def begin(self) -> None:
        self.row: DeliveryRow | None = None
        self.now = START
        self.revision = 0
        self.asks: list[Seen] = []
        self.attempts: dict[str, int] = {}
        self.timers: set[int] = set()
        self.wanted: Transition | None = None
        self.lost = False
        self.alarms = 0
        self.pages = 0
        self.burning = False  # a fire was asked for, and no end was confirmed since

    def take(self, step: Step) -> None:
        data: dict[bytes, bytes] = {}
        STORE.put(Bytes(data), "k", step.row)  # the row survives its encoding
        self.row = STORE.get(Bytes(data), "k")
        assert self.row == step.row
        if step.timer is not None:
            self.timers.add(step.timer)
        if step.ask is not None:
            overlap = [seen for seen in self.asks[-5:] if not seen.answered and to_ms(seen.delivery.deadline) > self.now]
            assert not overlap, "two attempts are outstanding"
            assert step.ask.attempt == 1 + self.attempts.get(step.ask.effect_id, 0)
            self.attempts[step.ask.effect_id] = step.ask.attempt
            self.asks.append(Seen(step.ask))
            self.burning = self.burning or step.ask.transition not in CLOSING
        if step.told is not None and Transition(step.told.reason) in CLOSING and step.row.idle:
            self.burning = False
        self.alarms += step.undeliverable
        self.lost = self.lost or step.gave_up or step.rejected
        assert (step.dropped is not None) == (step.gave_up or step.rejected)

    @rule(word=WORDS, severity=st.sampled_from([Severity.P1, Severity.P3]))
    def something_is_to_be_told(self, word: Transition, severity: Severity) -> None:
        self.revision += 1
        status = IncidentStatus.RESOLVED if word is Transition.RESOLVED else IncidentStatus.OPEN
        incident = an_incident(revision=self.revision, severity=severity, status=status)
        self.wanted, self.lost = word, False
        self.pages += word not in CLOSING
        step = tell(self.row, receiver="slack", transition=word, incident=incident, now=self.now, policy=POLICY)
        if word is Transition.RESOLVED and self.burning:
            assert not step.row.idle, "a resolve that must be told was dropped"
        self.take(step)

    @rule(
        data=st.data(),
        status=st.sampled_from(["done", "failed", "rejected", "deferred"]),
        retry_after=st.sampled_from([None, 0, 5_000, 10**12]),
    )
    def a_receipt_comes(self, data: st.DataObject, status: str, retry_after: int | None) -> None:
        if not self.asks or self.row is None:
            return
        seen = self.asks[-1] if data.draw(st.booleans()) else data.draw(st.sampled_from(self.asks))
        self.answer(seen, receipt_for(seen.delivery, status, at=self.now, retry_after_ms=retry_after))

    def answer(self, seen: Seen, receipt: Receipt) -> None:
        assert self.row is not None
        latest = seen is self.asks[-1]
        seen.answered = seen.answered or latest
        if receipt.status == "done":
            for other in self.asks:  # a late `done` of an older attempt ends the newer one as well
                other.answered = other.answered or other.delivery.effect_id == receipt.effect_id
        self.take(on_receipt(self.row, receipt, self.now, POLICY))

    @rule(delay=st.sampled_from([0, 500, 3_000, 30_000, 100_000, 3_600_000, 30 * 3_600_000]))
    def time_passes(self, delay: int) -> None:
        self.run_until(self.now + delay)

    def run_until(self, until: int) -> None:
        while self.row is not None and (ready := [due for due in self.timers if due <= until]):
            due = min(ready)
            self.timers.discard(due)
            self.now = max(self.now, due)
            self.take(on_timer(self.row, due, self.now, POLICY))
        self.now = max(self.now, until)

    @invariant()
    def what_is_wanted_has_a_timer(self) -> None:
        if self.row is not None and self.row.current is not None:
            assert any(due <= self.row.current.due for due in self.timers), "nothing would ever wake this row"

    @invariant()
    def nothing_waits_behind_nothing(self) -> None:
        if self.row is not None and self.row.pending is not None:
            assert self.row.current is not None and self.row.current.outstanding

    @invariant()
    def a_page_raises_at_most_one_alarm(self) -> None:
        assert self.alarms <= self.pages

    def teardown(self) -> None:
        """Once the receiver is well, the last word is told, and the row is idle and small."""
        if self.row is None:
            return
        for _ in range(60):
            if self.row.idle:
                break
            current = self.row.current
            assert current is not None
            if current.outstanding:
                self.answer(self.asks[-1], receipt_for(self.asks[-1].delivery, "done", at=self.now))
            else:
                self.run_until(current.due)
        assert self.row.idle, "the row never came to rest"
        if self.lost:
            return
        assert len(kept(self.row)) < 150
        if self.wanted is Transition.RESOLVED:
            assert not self.row.open_there and not self.row.unsure, "the end was never told"
        else:
            assert self.asks[-1].delivery.incident.revision == self.revision, "the last word was never told"


class Bytes:
    def __init__(self, data: dict[bytes, bytes]) -> None:
        self.data = data

    def get(self, key: bytes) -> bytes | None:
        return self.data.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.data[key] = value

    def delete(self, key: bytes) -> None:
        self.data.pop(key, None)


def kept(row: DeliveryRow) -> bytes:
    data: dict[bytes, bytes] = {}
    STORE.put(Bytes(data), "k", row)
    return data[b"delivery|k"]


TestOneReceiver = OneReceiver.TestCase
TestOneReceiver.settings = settings(max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
