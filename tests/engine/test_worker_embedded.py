"""The worker on the embedded broker, on a clock that the test holds."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pipeline.broker.embedded import EmbeddedBroker
from pipeline.engine.observer import Silent
from pipeline.engine.worker import EngineSettings, FatalEngineError, Worker
from tests.engine.toy import HOLD_MS, Toy, alert
from tests.kafka.engine_rig import Tap, produce, turn, turn_for

START = 1_700_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


class Notes(Silent):
    """An observer that writes down."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.timers = 0
        self.restored_rows = -1
        self.failures: list[str] = []
        self.lags: dict[tuple[str, int], tuple[int, float]] = {}

    def processed(self, topic: str, count: int) -> None:
        self.done[topic] = self.done.get(topic, 0) + count

    def fired(self, count: int) -> None:
        self.timers += count

    def failed(self, topic: str, error: Exception) -> None:
        self.failures.append(str(error))

    def restored(self, partition: int, keys: int, seconds: float) -> None:
        self.restored_rows = max(self.restored_rows, keys)

    def lag(self, topic: str, partition: int, messages: int, seconds: float) -> None:
        self.lags[topic, partition] = (messages, seconds)


class Lane:
    """Workers of the toy lane and a tap on what comes out."""

    def __init__(self, brokers: str, prefix: str) -> None:
        self.brokers, self.prefix, self.clock, self.notes = brokers, prefix, Clock(), Notes()
        self.out = Tap(brokers, prefix + "decisions")
        self.worker = self.new_worker()

    def new_worker(self) -> Worker:
        settings = EngineSettings(self.brokers, self.prefix, 0, batch_ms=5, end_check_ms=1)
        return Worker(Toy(), settings, self.notes, self.clock)

    def restart(self) -> None:
        self.worker.close()
        self.worker = self.new_worker()

    def send(self, topic: str, *values: bytes, at: int | None = None) -> None:
        produce(self.brokers, self.prefix + topic, *values, timestamp=at if at is not None else self.clock.now)

    def until_out(self, count: int) -> list[tuple[int, int]]:
        turn([self.worker], self.out.has(count))
        return [(body["id"], body["number"]) for body in self.out.seen()]


@pytest.fixture
def lane(embedded_topics: str, prefix: str) -> Iterator[Lane]:
    lane = Lane(embedded_topics, prefix)
    yield lane
    lane.worker.close()
    lane.out.__exit__()


def test_records_are_processed_and_counted(lane: Lane) -> None:
    lane.send("alerts", alert(1), alert(2), alert(3, do="raise"))
    assert lane.until_out(2) == [(1, 1), (2, 2)]
    turn([lane.worker], lambda: lane.notes.done.get("alerts") == 3)
    assert lane.notes.failures == ["asked to raise"]
    assert lane.worker.ready() and lane.worker.healthy()


def test_a_restart_goes_on_where_it_was_though_this_broker_forgets_offsets_of_transactions(lane: Lane) -> None:
    lane.send("alerts", alert(1), alert(2))
    lane.until_out(2)
    lane.restart()
    lane.send("alerts", alert(3))
    assert lane.until_out(3) == [(1, 1), (2, 2), (3, 3)]
    turn_for(lane.worker, 0.2)
    assert len(lane.out.seen()) == 3


def test_a_timer_waits_for_the_clock_and_fires_once(lane: Lane) -> None:
    lane.send("alerts", alert(1, do="hold"))
    turn([lane.worker], lambda: lane.notes.done.get("alerts") == 1)
    lane.clock.now += HOLD_MS - 1
    turn_for(lane.worker, 0.2)
    assert lane.out.seen() == []
    lane.clock.now += 1
    lane.until_out(1)
    assert lane.out.seen()[0]["headers"] == {"by": b"timer"}
    lane.clock.now += 10 * HOLD_MS
    turn_for(lane.worker, 0.2)
    assert lane.notes.timers == 1


def test_a_timer_that_fell_due_while_the_worker_was_away_reads_what_came_in_first(lane: Lane) -> None:
    lane.send("alerts", alert(1, do="hold"))
    turn([lane.worker], lambda: lane.notes.done.get("alerts") == 1)
    lane.worker.close()
    lane.send("receipts", alert(1), at=START + HOLD_MS // 2)
    lane.clock.now += 100 * HOLD_MS
    lane.worker = lane.new_worker()
    lane.until_out(1)
    assert lane.out.seen()[0]["headers"] == {"by": b"receipt"}
    turn([lane.worker], lambda: lane.notes.timers == 1)


def test_a_timer_fires_before_a_record_of_a_later_time_although_both_were_read_at_once(lane: Lane) -> None:
    lane.send("alerts", alert(1, do="hold"))
    turn([lane.worker], lambda: lane.notes.done.get("alerts") == 1)
    lane.worker.close()
    lane.send("alerts", alert(2), at=START + HOLD_MS + 1)
    lane.send("receipts", alert(1), at=START + HOLD_MS + 2)
    lane.clock.now += 100 * HOLD_MS
    lane.worker = lane.new_worker()
    lane.until_out(2)
    assert {body["id"]: body["headers"] for body in lane.out.seen()}[1] == {"by": b"timer"}


def test_inputs_are_taken_in_order_of_time_not_of_topic(lane: Lane) -> None:
    lane.send("receipts", alert(9), at=START)
    lane.send("alerts", *(alert(what) for what in range(1, 9)), at=START + 1)
    lane.send("alerts", alert(9, do="hold"), at=START + 2)
    lane.clock.now += 10
    lane.until_out(9)
    assert lane.out.seen()[-1]["headers"] == {}  # the receipt was there first, so nothing was held


def test_a_batch_over_its_bounds_goes_on_in_the_next_transaction(embedded_topics: str, prefix: str) -> None:
    produce(embedded_topics, prefix + "alerts", *(alert(what) for what in range(100)))
    settings = EngineSettings(embedded_topics, prefix, 0, batch_ms=5, batch_bytes=len(alert(10)) * 10)
    worker = Worker(Toy(), settings)
    turns: list[int] = []
    with Tap(embedded_topics, prefix + "decisions") as out:
        ends = time.monotonic() + 20
        while sum(turns) < 100 and time.monotonic() < ends:
            turns.append(worker.step())
        assert max(turns) <= 12
        assert sum(turns) == 100
        turn([worker], out.has(100))
        assert [body["number"] for body in out.seen()] == list(range(1, 101))
    worker.close()


def test_lag_is_told_for_each_input(lane: Lane) -> None:
    lane.send("alerts", alert(1))
    lane.until_out(1)
    turn_for(lane.worker, 1.2)
    turn([lane.worker], lambda: len(lane.notes.lags) == 12)
    assert set(lane.notes.lags.values()) == {(0, 0.0)}


def test_before_batch_is_called_when_there_is_work_and_only_then(embedded_topics: str, prefix: str) -> None:
    calls = []
    worker = Worker(Toy(), EngineSettings(embedded_topics, prefix, 0, batch_ms=5), before_batch=lambda: calls.append(1))
    turn([worker], worker.ready)
    turn_for(worker, 0.2)
    assert calls == []
    produce(embedded_topics, prefix + "alerts", alert(1))
    turn([worker], lambda: bool(calls))
    worker.close()


def test_a_partition_beyond_those_of_another_input_is_refused(embedded_broker: EmbeddedBroker, prefix: str) -> None:
    embedded_broker.create_topics(prefix, {"alerts": 3, "receipts": 2, "decisions": 1, "decide.state": 3})
    worker = Worker(Toy(), EngineSettings(embedded_broker.bootstrap, prefix, 0, batch_ms=5))
    with pytest.raises(FatalEngineError, match=r"partition 2 was assigned of \['alerts'\] only"):
        turn_for(worker, 10)
    worker.close()
