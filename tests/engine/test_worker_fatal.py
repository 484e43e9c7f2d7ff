"""How `run` ends: with FatalEngineError whatever the cause, or quietly when told to stop."""

from __future__ import annotations

import threading
import time

import pytest

from pipeline.engine.faults import Faults
from pipeline.engine.processor import Context, Record
from pipeline.engine.worker import EngineSettings, FatalEngineError, Worker
from tests.engine.toy import Toy, alert
from tests.kafka.engine_rig import produce


class Hopeless(Toy):
    def failed(self, record: Record, error: BaseException, context: Context) -> None:
        raise RuntimeError("nor can it be dead-lettered")


def test_a_failed_that_raises_stops_the_worker(embedded_topics: str, prefix: str) -> None:
    produce(embedded_topics, prefix + "alerts", alert(1, do="raise"))
    worker = Worker(Hopeless(), EngineSettings(embedded_topics, prefix, 0))
    with pytest.raises(FatalEngineError, match="nor can it be dead-lettered"):
        worker.run(threading.Event())
    assert not worker.healthy() and not worker.ready()


def test_a_before_batch_that_raises_stops_the_worker(embedded_topics: str, prefix: str) -> None:
    def broken() -> None:
        raise OSError("no reference data")

    produce(embedded_topics, prefix + "alerts", alert(1))
    worker = Worker(Toy(), EngineSettings(embedded_topics, prefix, 0), before_batch=broken)
    with pytest.raises(FatalEngineError, match="OSError: no reference data"):
        worker.run(threading.Event())


def test_a_worker_leaves_quickly_when_told_to(embedded_topics: str, prefix: str) -> None:
    worker, stop = Worker(Toy(), EngineSettings(embedded_topics, prefix, 0)), threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    ends = time.monotonic() + 20
    while not worker.ready() and time.monotonic() < ends:
        time.sleep(0.02)
    assert worker.ready()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_worker_that_waits_for_a_broker_can_be_stopped(prefix: str) -> None:
    worker, stop = Worker(Toy(), EngineSettings("127.0.0.1:1", prefix, 0, call_seconds=0.5)), threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    time.sleep(0.2)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert not worker.ready()


def test_a_fault_point_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_FAULT", "before_comit:0.5")
    with pytest.raises(ValueError, match="before_comit"):
        Faults.from_environment()
