"""Parts that are away: the lanes that do not need them go on as before, and afterwards everything catches up, once and in order."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pipeline.broker import topics
from pipeline.broker.jars import missing_tools
from pipeline.broker.local import LocalKafka
from tests.fakes.receivers import Answer, FakeReceiver, Hit, Line
from tests.faults.campaign import end, scene
from tests.faults.check_incidents import seconds
from tests.faults.check_pipeline import Report, check
from tests.faults.check_receiver import check_receiver
from tests.faults.fleet import Fleet
from tests.faults.pipeline_load import PipelineLoad, Sender
from tests.faults.reading import Tail
from tests.faults.rig import HOLD_S, LANES, Rest, all_work, environment, settle, until, worker, write_config
from tests.faults.stories import HOLD, PAGED, REPEAT, TOLD, Who, flux

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
PATIENCE_S = 16.0
"""With the shortest attempt the decide lane takes a receipt for overdue after 15.5 s, and then merges what came meanwhile."""
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@contextmanager
def running(
    kafka: str, prefix: str, folder: Path, lanes: list[str], receivers: dict[str, FakeReceiver], timeout_s: float
) -> Iterator[tuple[Fleet, Sender]]:
    """One worker of each lane, at work; every incident goes to every receiver."""
    topics.apply(kafka, prefix)
    config = write_config(folder / "flux.yaml", receivers, [{"name": "all", "receivers": list(receivers)}], timeout_s)
    said = environment(kafka, prefix, config) | {"FLUX_POSTGRES_URL": NOWHERE}
    with Fleet([worker(lane) for lane in lanes], said, folder) as fleet:
        until(fleet, all_work(fleet, [f"{lane}-0" for lane in lanes if lane != "record"]), 40)
        yield fleet, Sender(kafka, prefix)


def whos(count: int, name: str) -> list[Who]:
    return [Who("BoundCrossed", f"{name}{number}", f"c{number % 9}") for number in range(count)]


def checked(kafka: str, prefix: str, fleet: Fleet, sender: Sender, receivers: dict[str, FakeReceiver]) -> Report:
    """Stop the workers and compare everything."""
    statuses = fleet.stop()
    assert set(statuses) == {0}, fleet.log()[-3000:]
    report = check(kafka, prefix, HOLD_S, stopped=True)
    for name, receiver in receivers.items():
        check_receiver(name, [(hit.headers["Idempotency-Key"], hit.body) for hit in receiver.hits], report.stories, report.wrong)
    assert report.wrong[:10] == []
    assert sender.failed == []
    return report


def by_service(hits: list[Hit]) -> dict[str, list[str]]:
    """What was told of each service, in order."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for hit in hits:
        found[hit.json["incident"]["service"]].append(hit.json["transition"])
    return dict(found)


def page_delays(hits: list[Hit]) -> list[float]:
    """Seconds from an incident's opening to its page."""
    return sorted(hit.at - seconds(hit.json["incident"]["opened_at"]) for hit in hits if hit.json["transition"] == "fired")


@pytest.mark.timeout(180)
def test_without_act_and_postgresql_all_is_decided_in_time_and_told_once_when_act_is_back(kafka: str, prefix: str, tmp_path: Path) -> None:
    lasting, over, mild = whos(12, "lasting"), whos(12, "over"), whos(6, "mild")
    with ExitStack() as stack:
        hook = stack.enter_context(FakeReceiver())
        fleet, sender = stack.enter_context(running(kafka, prefix, tmp_path, ["intake", "decide", "record"], {"hook": hook}, 0.5))
        rest = stack.enter_context(Rest(kafka, prefix))
        for who in [*lasting, *over]:
            sender.send(flux(who, "firing", "critical", PAGED))
        for who in mild:
            sender.send(flux(who, "firing", "warning", HOLD))
        sender.flush()
        fleet.watch(3)
        for who in over:
            sender.send(flux(who, "resolved", "critical", TOLD))
        sender.flush()
        with Tail(kafka, prefix, "effects.delivery", "incidents.triaged") as tail:
            for _ in range(round(PATIENCE_S)):
                for who in [*lasting, *mild]:
                    sender.send(flux(who, "firing", "critical" if who in lasting else "warning", REPEAT))
                sender.flush()
                fleet.watch(1)
            tail.advance()
            asked = [json.loads(message.value()) for message in tail.records["effects.delivery"]]
            revised = {json.loads(message.value())["service"] for message in tail.records["incidents.triaged"]}
        assert hook.attempts == [] and {one["incident"]["service"] for one in asked} == revised
        fleet.add(worker("act"))
        settle(fleet, rest, sender.sent, 30)
        assert by_service(hook.hits) == {who.service: ["fired"] for who in [*lasting, *mild]} | {
            who.service: ["fired_and_resolved"] for who in over
        }
        report = checked(kafka, prefix, fleet, sender, {"hook": hook})
    assert fleet.exits == {}, "the record worker left because PostgreSQL is away"
    assert max(report.verdict_ms) < 3000 and sorted(report.verdict_ms)[len(report.verdict_ms) // 2] < 500
    print(report.as_json())


@pytest.mark.timeout(180)
def test_receivers_that_hang_or_are_dead_slow_nobody_else_and_catch_up(kafka: str, prefix: str, tmp_path: Path) -> None:
    services = whos(30, "s")
    with ExitStack() as stack:
        well, hangs = stack.enter_context(FakeReceiver()), stack.enter_context(FakeReceiver(Answer(line=Line.HANGS)))
        dead = stack.enter_context(FakeReceiver())
        dead.stop()
        receivers = {"well": well, "hangs": hangs, "dead": dead}
        fleet, sender = stack.enter_context(running(kafka, prefix, tmp_path, ["intake", "decide", "act"], receivers, 1.0))
        rest = stack.enter_context(Rest(kafka, prefix))
        for who in services:
            sender.send(flux(who, "firing", "critical", PAGED))
            sender.flush()
            fleet.watch(0.1)
        until(fleet, lambda: len(well.hits) >= len(services), 10)
        for who in services[::3]:
            sender.send(flux(who, "resolved", "critical", TOLD))
        sender.flush()
        until(fleet, lambda: len(well.hits) >= len(services) + len(services[::3]), 10)
        delays = page_delays(well.hits)
        assert hangs.hits == dead.hits == []
        hangs.behave(Answer())
        hangs.release()
        dead.start()
        settle(fleet, rest, sender.sent, 40)
        for late in (hangs, dead):
            assert {service: told[-1] for service, told in by_service(late.hits).items()} == {
                who.service: "fired_and_resolved" if number % 3 == 0 else "fired" for number, who in enumerate(services)
            }
        checked(kafka, prefix, fleet, sender, receivers)
    print(f"pages to the one that is well: median {delays[len(delays) // 2]:.3f} s, longest {delays[-1]:.3f} s")
    assert delays[len(delays) // 2] < 1 and delays[-1] < 4


@pytest.mark.timeout(240)
def test_a_broker_that_dies_under_load_and_comes_back_loses_nothing(tmp_path: Path, prefix: str, kafka: str) -> None:
    if missing := missing_tools():
        pytest.skip(f"no local Kafka: {missing}")
    cluster = LocalKafka(tmp_path / "cluster")
    try:
        brokers = cluster.start()
        with scene(brokers, prefix, tmp_path / "logs", LANES, 0.0, 1) as (fleet, hook, sender):
            until(fleet, all_work(fleet, [f"{lane}-{slot}" for lane, slot in LANES]), 40)
            load = PipelineLoad(sender, 12, 5)
            load.start()
            fleet.watch(3)
            cluster.kill_node(1)
            fleet.watch(2)
            cluster.start_node(1)
            fleet.watch(2)
            load.finish()
            played = end(brokers, prefix, fleet, hook, sender, load.endings)
    finally:
        cluster.wipe()
    print(played.as_json())
    assert played.report.wrong[:10] == [], played.log[-3000:]
    assert played.report.counts["events"] > 300
