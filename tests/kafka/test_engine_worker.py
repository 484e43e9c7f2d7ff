"""What the worker does on a real broker when it shares the work, is replaced, aborts, waits, or is refused."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from pipeline.broker import topics
from pipeline.engine.errors import AbortNeeded
from pipeline.engine.observer import Silent
from pipeline.engine.processor import Context, Record
from pipeline.engine.settings import epoch_ms
from pipeline.engine.transaction import Transactions
from pipeline.engine.worker import EngineSettings, FatalEngineError, Worker
from tests.engine.toy import Toy, alert
from tests.kafka.engine_rig import Tap, produce, turn, turn_for

pytestmark = pytest.mark.kafka


class Notes(Silent):
    def __init__(self) -> None:
        self.rows: dict[int, int] = {}
        self.aborts: list[str] = []
        self.failures: list[str] = []

    def restored(self, partition: int, keys: int, seconds: float) -> None:
        self.rows[partition] = keys

    def revoked(self, partition: int) -> None:
        self.rows.pop(partition, None)

    def aborted(self, reason: str) -> None:
        self.aborts.append(reason)

    def failed(self, topic: str, error: Exception) -> None:
        self.failures.append(str(error))


class Wide(Toy):
    """Reads four inputs, as the decide lane does."""

    inputs = ("alerts", "receipts", "feedback", "changes")


@pytest.fixture
def toy_topics(kafka: str, prefix: str) -> str:
    topics.apply(kafka, prefix, names=["alerts", "receipts", "feedback", "changes", "decisions", "dead_letters", "decide.state"])
    return kafka


@pytest.fixture
def worker(toy_topics: str, prefix: str) -> Iterator[Worker]:
    worker = Worker(Toy(), EngineSettings(toy_topics, prefix, 0), Notes())
    yield worker
    worker.close()


def notes(worker: Worker) -> Notes:
    assert isinstance(worker._observer, Notes)
    return worker._observer


def partitions_of(worker: Worker) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for each in worker._inputs.assignment():
        found.setdefault(each.topic, set()).add(each.partition)
    return found


def test_two_workers_share_the_partitions_and_each_has_the_same_ones_of_every_input(toy_topics: str, prefix: str) -> None:
    workers = [Worker(Wide(), EngineSettings(toy_topics, prefix, slot), Notes()) for slot in (0, 1)]
    turn(workers, lambda: all(worker.ready() and worker.state().assigned == 3 for worker in workers))
    shares = [partitions_of(worker) for worker in workers]
    for share in shares:
        assert set(share) == {prefix + topic for topic in Wide.inputs}
        assert len({frozenset(numbers) for numbers in share.values()}) == 1
    alerts = prefix + "alerts"
    assert shares[0][alerts] | shares[1][alerts] == set(range(6))
    assert shares[0][alerts] & shares[1][alerts] == set()
    for worker in workers:
        worker.close()


def test_a_second_process_with_the_same_slot_ends_the_first(toy_topics: str, prefix: str) -> None:
    produce(toy_topics, prefix + "alerts", alert(1))
    first, second = (Worker(Toy(), EngineSettings(toy_topics, prefix, 0), Notes()) for _ in range(2))
    with Tap(toy_topics, prefix + "decisions") as out:
        turn([first], out.has(1))
        turn([second], second.ready)
        produce(toy_topics, prefix + "alerts", alert(2))
        with pytest.raises(FatalEngineError):
            turn_for(first, 10)
        turn([second], out.has(2))
        assert [(body["id"], body["number"]) for body in out.seen()] == [(1, 1), (2, 2)]
    first.close()
    second.close()


@pytest.mark.parametrize("call", ["send_offsets", "commit"], ids=["before the commit", "in the commit"])
def test_an_aborted_batch_is_done_again_as_if_for_the_first_time(
    worker: Worker, toy_topics: str, prefix: str, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = getattr(Transactions, call), []

    def fails_twice(self: Transactions, *arguments: object) -> None:
        calls.append(call)
        if len(calls) in (2, 3):
            self.committing = call == "commit"
            raise AbortNeeded("a test")
        real(self, *arguments)

    monkeypatch.setattr(Transactions, call, fails_twice)
    with Tap(toy_topics, prefix + "decisions") as out:
        produce(toy_topics, prefix + "alerts", alert(1))
        turn([worker], out.has(1))
        produce(toy_topics, prefix + "alerts", alert(2), alert(3, do="hold"), alert(4))
        turn([worker], out.has(4))
        turn_for(worker, 0.3)
        assert sorted((body["id"], body["number"]) for body in out.seen()) == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert notes(worker).aborts == ["a test", "a test"]


def test_restore_waits_for_a_transaction_that_is_still_open_on_the_changelog(worker: Worker, toy_topics: str, prefix: str) -> None:
    writer = Producer({"bootstrap.servers": toy_topics, "transactional.id": f"{prefix}other", "log_level": 0})
    writer.init_transactions(10)
    writer.begin_transaction()
    writer.produce(prefix + "decide.state", b"41", b"count|a", partition_of(toy_topics, prefix, "a"))
    writer.flush(10)
    turn([worker], lambda: len(notes(worker).rows) == 5)
    turn_for(worker, 0.5)
    assert len(notes(worker).rows) == 5
    writer.commit_transaction(10)
    turn([worker], worker.ready)
    produce(toy_topics, prefix + "alerts", alert(1))
    with Tap(toy_topics, prefix + "decisions") as out:
        turn([worker], out.has(1))
        assert out.seen()[0]["number"] == 42


def test_a_timer_waits_while_an_open_transaction_may_yet_bring_its_cancel(toy_topics: str, prefix: str) -> None:
    now = [epoch_ms() + 10_000]  # ahead of the broker, so that the receipt is stamped before the timer is due
    worker = Worker(Toy(), EngineSettings(toy_topics, prefix, 0), clock=lambda: now[0])
    with Tap(toy_topics, prefix + "decisions") as out:
        produce(toy_topics, prefix + "alerts", alert(1, do="hold"))
        turn([worker], lambda: any(task.store.timers() for task in worker._tasks.values()))
        writer = Producer({"bootstrap.servers": toy_topics, "transactional.id": f"{prefix}other", "log_level": 0})
        writer.init_transactions(10)
        writer.begin_transaction()
        writer.produce(prefix + "receipts", alert(1), b"a", partition_of(toy_topics, prefix, "a"))
        writer.flush(10)
        now[0] += 60_000
        turn_for(worker, 0.5)
        assert out.seen() == []
        writer.commit_transaction(10)
        turn([worker], out.has(1))
        assert out.seen()[0]["headers"] == {"by": b"receipt"}
    worker.close()


def partition_of(brokers: str, prefix: str, key: str) -> int:
    """Where a key goes."""
    found: list[int] = []
    producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", "log_level": 0})
    producer.produce(prefix + "feedback", b"{}", key, on_delivery=lambda _, message: found.append(message.partition() or 0))
    producer.flush(10)
    return found[0]


class Bulky(Toy):
    """Sends on as many random bytes as a record's `do` says: what the broker makes of them, it cannot compress away."""

    def process(self, record: Record, context: Context) -> None:
        body = json.loads(record.value or b"")
        value = json.dumps({"id": body["id"], "pad": os.urandom(int(body["do"])).hex()}).encode()
        context.emit("decisions", record.key, value)


def test_an_output_that_the_broker_refuses_fails_its_record_and_no_other(kafka: str, prefix: str) -> None:
    topics.apply(kafka, prefix, names=["alerts", "receipts", "dead_letters", "decide.state"])
    narrow = NewTopic(prefix + "decisions", 6, 1, config={"max.message.bytes": "20000"})
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([narrow])[prefix + "decisions"].result()
    time.sleep(0.3)
    produce(kafka, prefix + "alerts", *(alert(what, do="20000" if what in (7, 30) else "10") for what in range(50)))
    observer = Notes()
    worker = Worker(Bulky(), EngineSettings(kafka, prefix, 0), observer)
    with Tap(kafka, prefix + "decisions") as out, Tap(kafka, prefix + "dead_letters") as dead:
        turn([worker], lambda: len(out.seen()) >= 48 and len(dead.seen()) >= 2, seconds=40)
        assert [body["id"] for body in out.seen()] == [what for what in range(50) if what not in (7, 30)]
        assert sorted(body["id"] for body in dead.seen()) == [7, 30]
    assert all("too large" in failure for failure in observer.failures)
    worker.close()


def test_a_position_beyond_the_end_of_an_input_reads_it_from_the_start(worker: Worker, toy_topics: str, prefix: str) -> None:
    partition = partition_of(toy_topics, prefix, "a")
    writer = Producer({"bootstrap.servers": toy_topics, "log_level": 0})
    writer.produce(prefix + "decide.state", b"1000", b"\x00Palerts", partition)
    writer.flush(10)
    produce(toy_topics, prefix + "alerts", alert(1))
    with Tap(toy_topics, prefix + "decisions") as out:
        turn([worker], out.has(1))


def test_a_changelog_whose_end_is_not_told_is_not_taken_for_empty(worker: Worker, toy_topics: str, prefix: str) -> None:
    turn([worker], worker.ready)
    real = worker._ends._consumer

    class Leaderless:
        def get_watermark_offsets(self, *unused: object, **also: object) -> tuple[int, int]:
            return (0, -1001)

        def close(self) -> None:
            real.close()

    worker._ends._consumer = Leaderless()  # type: ignore[assignment]
    with pytest.raises(KafkaException):
        worker._ends.watermarks(prefix + "decide.state", 0)
    worker._begin_again(worker._tasks[0])
    turn_for(worker, 0.5)
    assert not worker.ready()
    worker._ends._consumer = real
    turn([worker], worker.ready)
    assert TopicPartition(prefix + "alerts", 0) in worker._inputs.assignment()
