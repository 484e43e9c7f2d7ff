"""The lane on the embedded broker: from effects to receivers and receipts, whatever one receiver does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from agents.notify.routes import NotifyConfig
from pipeline.act.clients import ActFailed
from pipeline.act.deliver_lane import make_desks, run_act
from pipeline.act.lane import Times, briefly
from pipeline.health import Health
from pipeline.metrics import Metrics, build
from pipeline.settings import Mode, Settings
from schemas.base import from_ms
from schemas.effect import Delivery, Receipt
from tests.fakes.receivers import Answer, FakeReceiver, Line
from tests.notify.build import a_delivery, an_incident


@pytest.fixture
def hook() -> Iterator[FakeReceiver]:
    with FakeReceiver() as server:
        yield server


@pytest.fixture
def other() -> Iterator[FakeReceiver]:
    with FakeReceiver() as server:
        yield server


class Rig:
    """One lane in a thread, and the topics on both sides of it."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.settings = Settings(brokers=bootstrap, topic_prefix=prefix)
        self.metrics: Metrics = build(process=False)
        self.health = Health(self.metrics, "act")
        self._producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 0})

    def put(self, value: bytes | None, key: str = "k") -> None:
        self._producer.produce(f"{self.settings.topic_prefix}effects.delivery", value, key=key.encode())
        assert self._producer.flush(10) == 0

    def ask(self, receiver: str, incident: str, attempt: int = 1) -> Delivery:
        due = from_ms(round(time.time() * 1000) + 30_000)
        content = an_incident(incident_id=incident)
        delivery = a_delivery(incident=content, receiver=receiver, effect_id=f"{incident}|{receiver}", attempt=attempt, deadline=due)
        self.put(delivery.to_json(), incident)
        return delivery

    def read(self, topic: str, enough: Callable[[list[Any]], bool], timeout: float = 10) -> list[Any]:
        """Records of a topic from its beginning until there are enough."""
        consumer = Consumer({"bootstrap.servers": self.settings.brokers, "group.id": "test", "enable.auto.commit": False})
        name = f"{self.settings.topic_prefix}{topic}"
        found: list[Any] = []
        try:
            consumer.assign(
                [TopicPartition(name, partition, 0) for partition in consumer.list_topics(name, timeout=5).topics[name].partitions]
            )
            due = time.monotonic() + timeout
            while not enough(found) and time.monotonic() < due:
                record = consumer.poll(0.1)
                if record is not None and record.error() is None:
                    found.append(record)
        finally:
            consumer.close()
        assert enough(found), f"{len(found)} records on {topic} after {timeout} s"
        return found

    def receipts(self, count: int) -> dict[str, Receipt]:
        records = self.read("receipts", lambda found: len(found) >= count)
        return {receipt.effect_id: receipt for receipt in (Receipt.from_json(record.value()) for record in records)}


@contextmanager
def running(rig: Rig, config: NotifyConfig, times: Times | None = None) -> Iterator[list[BaseException]]:
    """The lane runs within; it must leave in time. Answers what it raised."""
    stop, raised = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            asyncio.run(run_act(rig.settings, config, rig.metrics, rig.health, stop, environ={}, times=times))
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="lane")
    thread.start()
    try:
        yield raised
    finally:
        stop.set()
        thread.join(9)
        assert not thread.is_alive(), "the lane did not leave within 9 s"


@pytest.fixture
def rig(embedded_topics: str, prefix: str) -> Rig:
    return Rig(embedded_topics, prefix)


def a_config(hook: FakeReceiver, other: FakeReceiver | None = None, **values: Any) -> NotifyConfig:
    receivers = [{"type": "webhook", "name": "hook", "url": hook.url, "allow_private": True, "timeout_s": 1} | values]
    if other is not None:
        receivers.append({"type": "webhook", "name": "other", "url": other.url, "allow_private": True, "timeout_s": 1})
    return NotifyConfig.model_validate({"receivers": receivers})


def test_a_delivery_is_sent_once_and_answered_by_domain(rig: Rig, hook: FakeReceiver) -> None:
    with running(rig, a_config(hook)) as raised:
        delivery = rig.ask("hook", "i1")
        (hit,) = hook.wait_for(lambda hits: len(hits) == 1, 15)
        (record,) = rig.read("receipts", lambda found: len(found) == 1)
    receipt = Receipt.from_json(record.value())
    assert hit.headers["Idempotency-Key"] == delivery.effect_id
    assert record.key() == b"production"
    assert (receipt.status, receipt.effect_id, receipt.attempt, receipt.incident_id) == ("done", "i1|hook", 1, "i1")
    assert raised == [] and len(hook.attempts) == 1


def test_a_receiver_that_hangs_slows_no_other_and_what_it_cannot_take_is_put_off(rig: Rig, hook: FakeReceiver, other: FakeReceiver) -> None:
    hook.behave(Answer(line=Line.HANGS))
    with running(rig, a_config(hook, other, max_in_flight=2, timeout_s=1.5)):
        for number in range(6):
            rig.ask("hook", f"dead-{number}")
            rig.ask("other", f"well-{number}")
        began = time.monotonic()
        other.wait_for(lambda hits: len(hits) == 6, 15)
        receipts = rig.receipts(12)
    assert time.monotonic() - began < 6
    assert [receipts[f"well-{number}|other"].status for number in range(6)] == ["done"] * 6
    states = sorted(receipts[f"dead-{number}|hook"].status for number in range(6))
    assert states == ["deferred"] * 4 + ["failed"] * 2


def test_what_cannot_be_read_is_a_dead_letter_and_holds_nothing_up(rig: Rig, hook: FakeReceiver) -> None:
    with running(rig, a_config(hook)):
        rig.put(b"\xff not a delivery", "i1")
        rig.put(None, "i1")
        rig.put(b"{}", "i1")
        rig.ask("hook", "i1")
        hook.wait_for(lambda hits: len(hits) == 1, 15)
        letters = rig.read("dead_letters", lambda found: len(found) == 3)
    first = next(letter for letter in letters if letter.value() == b"\xff not a delivery")
    headers = dict(first.headers())
    assert headers["stage"] == b"act" and headers["reason"] == b"unreadable" and headers["topic"] == b"effects.delivery"
    assert int(headers["offset"]) >= 0 and b"JSON" in headers["error"]


def test_a_receiver_that_is_no_longer_configured_is_rejected(rig: Rig, hook: FakeReceiver) -> None:
    with running(rig, a_config(hook)):
        rig.ask("gone", "i1")
        receipts = rig.receipts(1)
    assert receipts["i1|gone"].status == "rejected" and "configured" in receipts["i1|gone"].detail


@pytest.mark.slow
def test_leaving_in_the_middle_of_an_attempt_does_not_lose_it(rig: Rig, hook: FakeReceiver) -> None:
    hook.behave(Answer(line=Line.HANGS))
    config = a_config(hook, timeout_s=30)
    with running(rig, config, Times(drain=0.5)):
        rig.ask("hook", "i1")
        due = time.monotonic() + 15
        while "flux_effects_in_flight 1.0" not in rig.metrics.text().decode() and time.monotonic() < due:
            time.sleep(0.05)
    assert hook.hits == []
    hook.behave(Answer())
    hook.release()
    with running(rig, config):
        hook.wait_for(lambda hits: any(hit.json["effect_id"] == "i1|hook" for hit in hits), 15)
        assert rig.receipts(1)["i1|hook"].status == "done"


def test_the_watchdog_ends_a_lane_in_which_nothing_moves(rig: Rig, hook: FakeReceiver) -> None:
    hook.behave(Answer(line=Line.HANGS))
    with running(rig, a_config(hook, timeout_s=30), Times(stuck_after=1.0, drain=0.2, look_every=0.2)) as raised:
        rig.ask("hook", "i1")
        due = time.monotonic() + 15
        while not raised and time.monotonic() < due:
            time.sleep(0.05)
    assert raised and isinstance(raised[0], ActFailed) and "none has moved" in str(raised[0])


def test_a_lane_with_nothing_to_do_rests_and_is_ready(rig: Rig, hook: FakeReceiver) -> None:
    with running(rig, a_config(hook), Times(stuck_after=1.0, look_every=0.2)) as raised:
        time.sleep(2.5)
        assert rig.health.missing == {}
    assert raised == []


def test_kafka_away_is_waited_for_and_leaving_meanwhile_is_quick(prefix: str, hook: FakeReceiver) -> None:
    rig = Rig("127.0.0.1:1", prefix)
    with running(rig, a_config(hook)) as raised:
        time.sleep(1.0)
        assert "kafka" in rig.health.missing
        began = time.monotonic()
    assert time.monotonic() - began < 4 and raised == []


def test_in_shadow_mode_nobody_is_told_and_no_secret_is_needed(hook: FakeReceiver) -> None:
    config = a_config(hook, secret="env:NOT_SET")

    async def once() -> str:
        desks = make_desks(Settings(mode=Mode.SHADOW), config, {})
        return (await desks["hook"].attempt(a_delivery())).detail

    assert "nobody was told" in asyncio.run(once()) and hook.attempts == []


def test_a_client_whose_own_tasks_are_cancelled_when_it_stops_does_not_hide_why_the_lane_leaves() -> None:
    async def stop() -> None:
        own = asyncio.ensure_future(asyncio.sleep(60))
        await asyncio.sleep(0)
        own.cancel()
        await own

    async def cancelled_from_outside() -> None:
        leaving = asyncio.ensure_future(briefly(asyncio.sleep(60), 60))
        await asyncio.sleep(0.01)
        leaving.cancel()
        await leaving

    assert asyncio.run(briefly(stop(), 1)) is None
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled_from_outside())
