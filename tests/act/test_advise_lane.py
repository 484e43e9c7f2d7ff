"""The lane of advice on the embedded broker: from questions to receipts, usage and routing rules."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from pydantic import SecretStr

from agents.advice.config import AdviceConfig
from pipeline.act.advice_metrics import AdviceMetrics
from pipeline.act.advise_lane import make_adviser, must_be_wanted, run_advise
from pipeline.act.lane import Times
from pipeline.act.live import LiveRules
from pipeline.act.providers.base import Answer, Ask, Failure
from pipeline.act.providers.budget import Ledger
from pipeline.health import Health
from pipeline.metrics import build
from pipeline.settings import Settings, SettingsError
from schemas.advice import AdviceRequest, AdviceTask, AskedAlert, Question
from schemas.base import Severity, from_ms
from schemas.effect import Receipt
from schemas.learning import Snapshot
from schemas.routing import RoutingRule
from schemas.usage import Usage
from tests.fakes.claude import KEY, FakeClaude


def a_request(incident: str = "i1", *, late_in_s: float = 60.0, attempt: int = 1, name: str = "HighErrorRate") -> AdviceRequest:
    now = round(time.time() * 1000)
    question = Question(
        task=AdviceTask.TRIAGE,
        incident_id=incident,
        rule_severity=Severity.P2,
        floor=Severity.P2,
        alerts=[AskedAlert(name=name, service="checkout")],
    )
    return AdviceRequest(
        effect_id=f"{incident}|advice",
        attempt=attempt,
        incident_id=incident,
        domain="production",
        revision=1,
        question=question,
        asked_at=from_ms(now),
        deadline=from_ms(round(now + min(13_000, late_in_s * 1000))),
        late_until=from_ms(round(now + late_in_s * 1000)),
    )


class Double:
    """An adviser that answers when it is let."""

    def __init__(self, observer: AdviceMetrics, rules: LiveRules) -> None:
        self.observer, self.rules = observer, rules
        self.asked: list[AdviceRequest] = []
        self.free = asyncio.Event()

    async def start(self) -> None:
        """Nothing to warm."""

    async def advise(self, request: AdviceRequest) -> Receipt:
        self.asked.append(request)
        await self.free.wait()
        ask = Ask("triage", "triage@1", "", "", {}, 10, 1.0, incident_id=request.incident_id)
        self.observer.answered("ollama", ask, Answer("{}", "ollama", "m", tokens_in=7, tokens_out=3, took_s=0.2))
        if request.incident_id == "nonsense":
            self.observer.failed("ollama", ask, Failure.INVALID_ANSWER, 0.2)
        return Receipt(
            effect_id=request.effect_id,
            effect="advice",
            attempt=request.attempt,
            incident_id=request.incident_id,
            domain=request.domain,
            status="failed",
            detail="a double",
            at=from_ms(round(time.time() * 1000)),
            tried=[{"provider": "ollama", "outcome": "timeout"}],
        )

    async def close(self) -> None:
        """Nothing is held."""


class Rig:
    def __init__(self, bootstrap: str, prefix: str, **settings: Any) -> None:
        asked = settings or {"ollama_url": "http://127.0.0.1:1"}
        self.settings = Settings(brokers=bootstrap, topic_prefix=prefix, **asked)
        self.metrics = build(process=False)
        self.health = Health(self.metrics, "advise")
        self.double: Double | None = None
        self._producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 0, "log_level": 0})

    def make(self, settings: Settings, config: AdviceConfig, rules: LiveRules, ledger: Ledger, observer: AdviceMetrics) -> Double:
        self.double = Double(observer, rules)
        self.double.free.set()
        return self.double

    def put(self, topic: str, value: bytes | None, key: str = "k") -> None:
        self._producer.produce(f"{self.settings.topic_prefix}{topic}", value, key=key.encode())
        assert self._producer.flush(10) == 0

    def ask(self, request: AdviceRequest) -> None:
        self.put("effects.advice", request.to_json(), request.incident_id)

    def read(self, topic: str, count: int, timeout: float = 10) -> list[Any]:
        consumer = Consumer({"bootstrap.servers": self.settings.brokers, "group.id": "test", "enable.auto.commit": False})
        name, found = f"{self.settings.topic_prefix}{topic}", list[Any]()
        try:
            partitions = consumer.list_topics(name, timeout=5).topics[name].partitions
            consumer.assign([TopicPartition(name, partition, 0) for partition in partitions])
            due = time.monotonic() + timeout
            while len(found) < count and time.monotonic() < due:
                record = consumer.poll(0.1)
                if record is not None and record.error() is None:
                    found.append(record)
        finally:
            consumer.close()
        assert len(found) >= count, f"{len(found)} records on {topic} after {timeout} s"
        return found

    def shows(self, line: str) -> bool:
        return line in self.metrics.text().decode()


@contextmanager
def running(rig: Rig, *, make: Callable[..., Any] | None = None, config: AdviceConfig | None = None) -> Iterator[list[BaseException]]:
    stop, raised = threading.Event(), list[BaseException]()

    def run() -> None:
        work = run_advise(
            rig.settings, config or AdviceConfig(), rig.metrics, rig.health, stop, make=make or rig.make, times=Times(drain=0.5)
        )
        try:
            asyncio.run(work)
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


def test_each_question_gets_one_receipt_by_domain_and_its_usage_is_written(rig: Rig) -> None:
    with running(rig) as raised:
        rig.ask(a_request("i1"))
        rig.ask(a_request("nonsense"))
        rig.put("effects.advice", b"\xff no question")
        records = rig.read("receipts", 2)
        (letter,) = rig.read("dead_letters", 1)
        usage = [Usage.from_json(record.value()) for record in rig.read("usage", 2)]
    receipts = {receipt.effect_id: receipt for receipt in (Receipt.from_json(record.value()) for record in records)}
    assert raised == [] and {record.key() for record in records} == {b"production"}
    assert receipts["i1|advice"].effect == "advice" and receipts["i1|advice"].detail == "a double"
    headers = dict(letter.headers())
    assert headers["stage"] == b"advise" and headers["topic"] == b"effects.advice" and headers["reason"] == b"unreadable"
    assert {(one.kind, one.provider, one.outcome, one.tokens_in, one.worker) for one in usage} == {
        ("call", "ollama", "answered", 7, "advise-0"),
        ("call", "ollama", "invalid_answer", 7, "advise-0"),
    }
    assert rig.shows('flux_advice_degraded_total{reason="timeout"} 2.0')
    assert rig.shows('flux_advice_requests_total{outcome="timeout",provider="ollama"} 2.0')
    assert rig.shows('flux_advice_tokens_total{direction="out",provider="ollama"} 6.0')


def test_rules_prompt_versions_and_calibrations_follow_their_topics_live(rig: Rig) -> None:
    rule = RoutingRule(rule_id="r2", order=5, providers=["claude"], reason="from the topic")
    rig.put("routing", rule.to_json(), "r2")
    configured = AdviceConfig(routes=(RoutingRule(rule_id="r1", order=7, providers=["ollama"], reason="from the file"),))
    with running(rig, config=configured):
        wait_for(lambda: rig.double is not None)
        assert rig.double is not None
        rules = rig.double.rules
        assert [one.rule_id for one in rules.routes()] == ["r2", "r1"], "asked before the topic was read"
        assert rules.active_version(AdviceTask.TRIAGE) is None
        assert rules.calibrate("ollama/m", "triage@1", {"P1": 1.0}) == {"P1": 1.0}
        at = from_ms(1_750_000_000_000)
        rig.put("models", Snapshot(name="prompt/triage", version=3, content={}, at=at).to_json(), "prompt/triage")
        rig.put("models", Snapshot(name="prompt/nonsense", version=1, content={}, at=at).to_json(), "prompt/nonsense")
        rig.put("routing", None, "r2")
        wait_for(lambda: rules.active_version(AdviceTask.TRIAGE) == 3 and [one.rule_id for one in rules.routes()] == ["r1"])


POISON = {
    "huge": {"steps": [{"since": 10**400, "temperature": 2}]},
    "infinite": {"steps": [{"since": 1, "temperature": 10**400}]},
    "nested": {"steps": {"since": []}},
}


def test_a_rule_is_seen_also_after_snapshots_that_nobody_can_read(rig: Rig) -> None:
    at = from_ms(1_750_000_000_000)
    with running(rig) as raised:
        wait_for(lambda: rig.double is not None and rig.health.missing == {})
        assert rig.double is not None
        rules = rig.double.rules
        for name, content in POISON.items():
            rig.put("models", Snapshot(name=f"calibration/{name}", version=1, content=content, at=at).to_json(), f"calibration/{name}")
        good = {"steps": [{"since": 1, "temperature": 2.0}]}
        rig.put("models", Snapshot(name="calibration/m p", version=1, content=good, at=at).to_json(), "calibration/m p")
        wait_for(lambda: rules.calibrate("m", "p", {"P1": 1.0})["P1"] < 1)
        rig.put("routing", RoutingRule(rule_id="late", order=5, providers=["ollama"], reason="after it").to_json(), "late")
        wait_for(lambda: [one.rule_id for one in rules.routes()] == ["late"])
        assert rig.health.missing == {}
    assert raised == []


def test_whatever_stops_the_rules_from_being_followed_is_in_health_and_is_tried_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, take = threading.Event(), LiveRules._take

    def fails(self: LiveRules, *tables: Any) -> None:
        if broken.is_set():
            raise RuntimeError("nobody thought of this")
        take(self, *tables)

    monkeypatch.setattr(LiveRules, "_take", fails)
    monkeypatch.setattr("pipeline.act.live.AGAIN_S", 0.1)
    with running(rig):
        wait_for(lambda: rig.double is not None and rig.health.missing == {})
        assert rig.double is not None
        rules = rig.double.rules
        broken.set()
        rig.put("routing", RoutingRule(rule_id="late", order=5, providers=["ollama"], reason="after it").to_json(), "late")
        wait_for(lambda: "nobody thought of this" in rig.health.missing.get("live rules", ""))
        assert rig.health.answer("/ready")[0] == 503 and rules.routes() == ()
        broken.clear()
        wait_for(lambda: [one.rule_id for one in rules.routes()] == ["late"] and rig.health.missing == {})


def test_rules_that_are_followed_no_longer_make_the_worker_not_ready(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(self: LiveRules) -> None:
        raise SystemExit

    monkeypatch.setattr(LiveRules, "_read_on", ends)
    with pytest.raises(SystemExit):
        LiveRules(rig.settings, AdviceConfig(), rig.health)._follow()
    assert "restart this worker" in rig.health.missing["live rules"]


def wait_for(true: Callable[[], bool], timeout: float = 10.0) -> None:
    due = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < due, "it did not come to be"
        time.sleep(0.02)


@pytest.mark.slow
def test_leaving_in_the_middle_of_a_question_does_not_lose_it(rig: Rig) -> None:
    def never(*parts: Any) -> Double:
        double = rig.make(*parts)
        double.free.clear()
        return double

    with running(rig, make=never):
        rig.ask(a_request("i1"))
        wait_for(lambda: rig.double is not None and len(rig.double.asked) == 1, 15)
    with running(rig):
        (record,) = rig.read("receipts", 1, 15)
    assert Receipt.from_json(record.value()).effect_id == "i1|advice"


def test_kafka_away_is_waited_for_and_leaving_meanwhile_is_quick(prefix: str) -> None:
    rig = Rig("127.0.0.1:1", prefix)
    with running(rig) as raised:
        time.sleep(1.0)
        assert "rules" in rig.health.missing
        began = time.monotonic()
    assert time.monotonic() - began < 6 and raised == []


def test_a_worker_with_nobody_to_ask_refuses_to_start_and_says_what_to_set() -> None:
    with pytest.raises(SettingsError, match="nobody to ask"):
        must_be_wanted(Settings(), AdviceConfig())
    with pytest.raises(SettingsError, match="AI_MODE"):
        must_be_wanted(Settings(ollama_url="http://127.0.0.1:1"), AdviceConfig(mode="off"))
    with pytest.raises(SettingsError, match="AI_LOCAL_ONLY: allows no provider outside this network, and none else is set up: claude"):
        must_be_wanted(Settings(anthropic_key=SecretStr("a-key-of-some-length")), AdviceConfig(local_only=True))
    must_be_wanted(Settings(anthropic_key=SecretStr("k" * 8)), AdviceConfig())


def test_the_real_adviser_is_built_and_answers_that_its_server_is_away(rig: Rig, tmp_path: Path) -> None:
    with running(rig, make=make_adviser):
        rig.ask(a_request("i1", late_in_s=4))
        (record,) = rig.read("receipts", 1, 20)
        (usage,) = rig.read("usage", 1)
    receipt = Receipt.from_json(record.value())
    assert receipt.status == "failed" and receipt.tried[-1].provider == "ollama"
    assert json.loads(usage.value())["outcome"] == "unreachable"


@contextmanager
def served(fake: FakeClaude) -> Iterator[FakeClaude]:
    """The fake on a loop of its own, since the lane has one too."""
    up, down = threading.Event(), threading.Event()

    async def serve() -> None:
        async with fake:
            up.set()
            await asyncio.to_thread(down.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="claude")
    thread.start()
    try:
        assert up.wait(5)
        yield fake
    finally:
        down.set()
        thread.join(5)


@pytest.mark.slow
def test_a_paid_model_is_asked_only_as_often_as_the_ledger_allows(embedded_topics: str, prefix: str) -> None:
    with served(FakeClaude()) as fake:
        rig = Rig(embedded_topics, prefix, anthropic_key=KEY, anthropic_url=fake.url)
        with running(rig, make=make_adviser, config=AdviceConfig(analyses_per_hour=1)):
            wait_for(lambda: rig.health.missing == {})
            rig.ask(a_request("first"))
            rig.read("receipts", 1, 20)
            rig.ask(a_request("second", name="DiskFull"))
            receipts = {one.incident_id: one for one in (Receipt.from_json(record.value()) for record in rig.read("receipts", 2, 20))}
            usage = [Usage.from_json(record.value()) for record in rig.read("usage", 4)]
    asked = [request for request in fake.requests if request.method == "POST"]
    assert len(asked) == 1, "a call was made that the ledger did not grant"
    assert {one.provider: one.outcome for one in receipts["second"].tried}["claude"] == "budget"
    assert [(one.kind, one.asked, one.outcome) for one in usage][:2] == [("reserve", True, ""), ("settle", True, "answered")]
    assert [(one.kind, one.asked, one.outcome) for one in usage][2:] == [("reserve", True, ""), ("settle", False, "budget")]
    assert 0 < usage[1].cost_usd <= usage[0].cost_usd
