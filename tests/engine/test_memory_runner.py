"""A processor on virtual time, without a broker: steps, failures, timers."""

from __future__ import annotations

import json

import pytest

from pipeline.engine.memory import MemoryRunner
from pipeline.engine.processor import Context, Record
from tests.engine.toy import HOLD_MS, Toy, alert

START = 1_000_000


def numbers(runner: MemoryRunner) -> list[tuple[int, int]]:
    return [(body["id"], body["number"]) for body in (json.loads(record.value or b"") for record in runner.records("decisions"))]


def test_state_is_carried_from_record_to_record() -> None:
    runner = MemoryRunner(Toy(), start_ms=START)
    for what in (1, 2, 3):
        runner.send("alerts", "a", alert(what))
    assert numbers(runner) == [(1, 1), (2, 2), (3, 3)]
    assert [record.timestamp for record in runner.records("decisions")] == [START] * 3


def test_a_record_that_raises_leaves_no_trace_but_what_failed_asked_for() -> None:
    runner = MemoryRunner(Toy(), start_ms=START)
    runner.send("alerts", "a", alert(1))
    runner.send("alerts", "a", alert(2, do="raise"))
    runner.send("alerts", "a", alert(3))
    assert numbers(runner) == [(1, 1), (3, 2)]
    (dead,) = runner.records("dead_letters")
    assert dead.value == alert(2, do="raise")
    assert dict(dead.headers) == {"error": b"asked to raise", "offset": b"1"}
    assert [str(error) for _, error in runner.failures] == ["asked to raise"]


def test_an_output_over_the_topics_limit_fails_that_record_only() -> None:
    runner = MemoryRunner(Toy())
    runner.send("alerts", "a", alert(1, do="large"))
    runner.send("alerts", "a", alert(2))
    assert numbers(runner) == [(2, 1)]
    assert "over its limit" in dict(runner.records("dead_letters")[0].headers)["error"].decode()


def test_a_timer_fires_at_its_time_and_not_before() -> None:
    runner = MemoryRunner(Toy(), start_ms=START)
    runner.send("alerts", "a", alert(1, do="hold"))
    assert runner.next_due() == START + HOLD_MS
    assert runner.advance(START + HOLD_MS - 1) == 0
    assert numbers(runner) == []
    assert runner.advance(START + 10 * HOLD_MS) == 1
    assert [record.timestamp for record in runner.records("decisions")] == [START + HOLD_MS]
    assert runner.next_due() is None


def test_a_record_at_the_due_time_comes_after_the_timer() -> None:
    runner = MemoryRunner(Toy(), start_ms=START)
    runner.send("alerts", "a", alert(1, do="hold"))
    runner.advance(START + HOLD_MS)
    runner.send("receipts", "a", alert(1))
    assert [dict(record.headers) for record in runner.records("decisions")] == [{"by": b"timer"}]


def test_a_receipt_in_time_wins_over_the_timer() -> None:
    runner = MemoryRunner(Toy(), start_ms=START)
    runner.send("alerts", "a", alert(1, do="hold"))
    runner.send("receipts", "a", alert(1))
    runner.advance(START + HOLD_MS)
    assert [dict(record.headers) for record in runner.records("decisions")] == [{"by": b"receipt"}]


def test_a_timer_that_raises_is_told_to_failed_and_gone() -> None:
    runner = MemoryRunner(Toy(), start_ms=START)
    runner.send("alerts", "a", alert(666, do="hold"))
    runner.advance(START + HOLD_MS)
    (dead,) = runner.records("dead_letters")
    assert (dead.key, dead.value, dict(dead.headers)["offset"]) == (b"release|666", None, b"-1")
    assert runner.next_due() is None


def test_the_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        MemoryRunner(Toy(), start_ms=START).advance(START - 1)


def test_a_delivered_record_keeps_its_coordinates() -> None:
    runner = MemoryRunner(Toy(), start_ms=START)
    runner.deliver(Record("alerts", 4, 77, START + 5, b"a", alert(1, do="raise")))
    assert runner.now == START + 5
    assert dict(runner.records("dead_letters")[0].headers)["offset"] == b"77"


class Relay:
    """Reads what Toy emits and answers it, so that the two run in a ring."""

    name = "relay"
    inputs = ("decisions",)
    changelog = "intake.state"

    def process(self, record: Record, context: Context) -> None:
        context.at(context.now + 50, "echo", (record.value or b"").decode())

    def fire(self, name: str, key: str, due: int, context: Context) -> None:
        context.emit("feedback", None, key.encode())

    def failed(self, record: Record, error: BaseException, context: Context) -> None:
        raise error


def test_what_one_processor_emits_is_the_input_of_the_next_and_timers_of_all_fire_in_order() -> None:
    runner = MemoryRunner(Toy(), Relay(), start_ms=START)
    runner.send("alerts", "a", alert(1, do="hold"))
    runner.send("alerts", "b", alert(2, "b"))
    runner.advance(START + 1000)
    stamps = [(json.loads(record.value or b"")["id"], record.timestamp - START) for record in runner.records("feedback")]
    assert stamps == [(2, 50), (1, HOLD_MS + 50)]


def test_keys_of_the_engine_and_unknown_topics_fail_the_step() -> None:
    class Rude(Toy):
        def process(self, record: Record, context: Context) -> None:
            if record.key == b"row":
                context.put(b"\x00Palerts", b"1")
            context.emit("no.such.topic", None, b"")

        def failed(self, record: Record, error: BaseException, context: Context) -> None:
            pass

    runner = MemoryRunner(Rude())
    runner.send("alerts", "row", b"{}")
    runner.send("alerts", "topic", b"{}")
    assert [type(error) for _, error in runner.failures] == [ValueError, KeyError]
