"""A task by itself: the order in which it takes its inputs, and when its timers may fire."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.engine.context import Output, Stepper
from pipeline.engine.processor import Record
from pipeline.engine.store import TaskStore
from pipeline.engine.task import Budget, Task
from schemas.topics import BY_NAME
from tests.engine.toy import HOLD_MS, Toy, alert

NOW = 1_000_000
LIMITS: Mapping[str, int] = {topic.name: topic.max_message_bytes for topic in BY_NAME.values()}


class Rig:
    """A running task of the toy lane; `order` is what its processor saw, `out` what it sent."""

    def __init__(self) -> None:
        self.order: list[tuple[str, int]] = []
        self.out: list[Output] = []
        outer = self

        class Watched(Toy):
            def process(self, record: Record, context: object) -> None:
                outer.order.append((record.topic, record.offset))
                super().process(record, context)  # type: ignore[arg-type]

        stepper = Stepper(Watched(), TaskStore(), 0, LIMITS, self.out.append, lambda record, error: None)
        self.task = Task(0, Toy.inputs, stepper)
        self.task.positions = dict.fromkeys(Toy.inputs, 0)

    def read(self, *records: Record) -> None:
        arrived: dict[str, list[Record]] = {}
        for record in records:
            arrived.setdefault(record.topic, []).append(record)
        self.task.take(arrived)

    def work(self, events: int = 100, now: int = NOW) -> int:
        self.task.begin()
        return self.task.work(now, Budget(events, 10**9, 60)) + self.task.fire_due(now)


def record(topic: str, offset: int, stamp: int, what: int = 0, do: str = "pass") -> Record:
    return Record(topic, 0, offset, stamp, b"a", alert(what, do=do))


def test_inputs_are_interleaved_by_time_and_each_keeps_its_order() -> None:
    rig = Rig()
    rig.read(*(record("alerts", n, 100 + n) for n in range(3)), record("receipts", 0, 101), record("receipts", 1, 90))
    rig.work()
    assert rig.order == [("alerts", 0), ("alerts", 1), ("receipts", 0), ("receipts", 1), ("alerts", 2)]


def test_a_budget_leaves_the_rest_for_later_and_the_positions_say_where() -> None:
    rig = Rig()
    rig.read(*(record("alerts", n, 100 + n) for n in range(5)))
    rig.work(events=2)
    assert rig.task.positions == {"alerts": 2, "receipts": 0}
    assert dict(rig.task.processed()) == {"alerts": 2}
    rig.task.committed()
    rig.work()
    assert rig.task.positions == {"alerts": 5, "receipts": 0}
    assert dict(rig.task.processed()) == {"alerts": 3}


def test_a_timer_waits_for_every_input() -> None:
    rig = Rig()
    rig.read(record("alerts", 0, 100, 1, "hold"))
    rig.work(now=100)
    due = 100 + HOLD_MS
    rig.read(record("alerts", 1, due + 50))
    assert rig.work(now=due + 60) == 0  # receipts may still hold something older
    rig.task.marks["receipts"] = due
    assert rig.work(now=due + 60) == 1


def test_a_timer_fires_before_the_first_record_of_a_later_time() -> None:
    rig = Rig()
    rig.read(record("alerts", 0, 100, 1, "hold"))
    rig.work(now=100)
    due = 100 + HOLD_MS
    rig.read(record("receipts", 0, due - 1, 9), record("alerts", 1, due), record("receipts", 1, due + 1, 1))
    assert rig.work(now=due) == 1
    assert [dict(headers) for _, _, _, headers, _ in rig.out] == [{"by": b"timer"}, {}]


def test_a_timer_does_not_fire_before_the_clock_says_so() -> None:
    rig = Rig()
    rig.read(record("alerts", 0, 100, 1, "hold"))
    rig.work(now=100)
    rig.task.marks = dict.fromkeys(Toy.inputs, 10**9)
    assert rig.work(now=100 + HOLD_MS - 1) == 0
    assert rig.work(now=100 + HOLD_MS) == 1


def test_a_rollback_restores_rows_positions_and_marks() -> None:
    rig = Rig()
    rig.read(record("alerts", 0, 100, 1))
    rig.work()
    rig.task.write_positions()
    rig.task.committed()
    rows, marks = dict(rig.task.store.rows), dict(rig.task.marks)
    rig.read(record("alerts", 1, 200, 2), record("alerts", 2, 300, 3, "hold"))
    rig.work(events=1)
    rig.task.write_positions()
    rig.task.rollback()
    assert (rig.task.store.rows, rig.task.positions, rig.task.marks) == (rows, {"alerts": 1, "receipts": 0}, marks)
    assert rig.task.pending == []


def test_markers_of_transactions_do_not_hide_the_end() -> None:
    rig = Rig()
    rig.read(record("alerts", 0, 100, 1))
    assert not rig.task.reached_end("alerts", 1)
    rig.work()
    assert rig.task.reached_end("alerts", 1)
    assert not rig.task.reached_end("alerts", 2)
    rig.task.seen_ends["alerts"] = 2  # the consumer skipped a marker and said that this is the end
    assert rig.task.reached_end("alerts", 2)
    rig.task.set_back()
    assert not rig.task.reached_end("alerts", 2)


def test_the_state_knows_its_positions() -> None:
    rig = Rig()
    rig.read(record("alerts", 41, 100, 1))
    rig.work()
    rig.task.write_positions()
    assert rig.task.stored_positions() == {"alerts": 42}
