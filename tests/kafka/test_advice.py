"""Models on a real Kafka: an answer or a reason for every incident, whatever dies on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.broker import topics
from schemas.base import to_ms
from schemas.incident import AdviceStatus, Incident
from tests.faults.fleet import Fleet
from tests.faults.pipeline_load import Sender
from tests.faults.reading import Tail
from tests.faults.rig import all_work, environment, until, worker
from tests.faults.stories import HOLD, Who, flux

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
INCIDENTS = 40
LANES = ("intake", "decide", "advise")


@contextmanager
def ollama(*more: str) -> Iterator[str]:
    """URL of a fake Ollama in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.fake_ollama", "--port", "0", "--slots", "4", "--load-s", "0.2", "--with-parent", *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


@contextmanager
def asking(kafka: str, prefix: str, folder: Path, url: str) -> Iterator[tuple[Fleet, Sender]]:
    topics.apply(kafka, prefix)
    config = folder / "flux.yaml"
    config.write_text(json.dumps({"notify": {"receivers": [{"name": "console", "type": "console"}]}}))
    said = environment(kafka, prefix, config) | {"OLLAMA_URL": url, "OLLAMA_MODEL": "llama3.1:8b", "OLLAMA_NUM_PARALLEL": "4"}
    with Fleet([worker(lane) for lane in LANES], said, folder) as fleet:
        until(fleet, all_work(fleet, [f"{lane}-0" for lane in LANES]), 40)
        yield fleet, Sender(kafka, prefix)


def latest(tail: Tail) -> dict[str, Incident]:
    tail.advance()
    found = [Incident.from_json(message.value()) for message in tail.records["incidents.triaged"]]
    return {one.incident_id: one for one in sorted(found, key=lambda one: one.revision)}


def all_answered(tail: Tail) -> bool:
    incidents = latest(tail).values()
    return len(incidents) == INCIDENTS and all(
        one.advice is not None and one.advice.status is not AdviceStatus.PENDING for one in incidents
    )


@pytest.mark.timeout(150)
def test_an_adviser_and_a_decider_that_are_killed_lose_no_question_and_no_answer(kafka: str, prefix: str, tmp_path: Path) -> None:
    with (
        ollama() as url,
        asking(kafka, prefix, tmp_path, url) as (fleet, sender),
        Tail(kafka, prefix, "incidents.triaged", "effects.advice") as tail,
    ):
        for number in range(INCIDENTS):
            sender.send(flux(Who("BoundCrossed", f"asked{number}", f"c{number}"), "firing", "warning", HOLD))
            if number % 8 == 4:
                sender.flush()
                fleet.watch(0.3)
                fleet.kill(LANES.index("advise"))
            if number % 20 == 10:
                fleet.kill(LANES.index("decide"))
        sender.flush()
        until(fleet, lambda: all_answered(tail), 90)
        assert fleet.deaths["kill"] >= 5
        asked = [json.loads(message.value())["effect_id"] for message in tail.records["effects.advice"]]
        first = {
            one.incident_id: one
            for one in (Incident.from_json(message.value()) for message in tail.records["incidents.triaged"])
            if one.revision == 1
        }
        assert len(asked) == len(set(asked)) == INCIDENTS
        assert len(first) == INCIDENTS
        incidents = list(latest(tail).values())
        helped = [one for one in incidents if one.advice is not None and one.advice.provider == "ollama"]
        assert len(helped) == INCIDENTS, {one.advice.reason.text for one in incidents if one.advice is not None and not one.advice.provider}
        in_time = [one for one in helped if to_ms(one.updated_at) <= to_ms(one.deadline)]
        print(json.dumps({"helped": len(helped), "in_time": len(in_time), "kills": dict(fleet.deaths)}))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("fault", ["dead", "hang", "garbage"])
def test_with_a_provider_that_fails_every_verdict_is_in_time_and_says_that_it_is_degraded(
    kafka: str, prefix: str, tmp_path: Path, fault: str
) -> None:
    with (
        ollama("--fault", fault) as url,
        asking(kafka, prefix, tmp_path, url) as (fleet, sender),
        Tail(kafka, prefix, "incidents.triaged") as tail,
    ):
        for number in range(INCIDENTS):
            sender.send(flux(Who("BoundCrossed", f"asked{number}", f"c{number}"), "firing", "warning", HOLD))
        sender.flush()
        until(fleet, lambda: all_answered(tail), 40)
        revisions = [Incident.from_json(message.value()) for message in tail.records["incidents.triaged"]]
        verdicts = [one for one in revisions if one.revision == 1]
        degraded = {one.incident_id: one for one in reversed(revisions) if one.degraded}
        assert len(verdicts) == len(degraded) == INCIDENTS
        assert all(to_ms(one.updated_at) < to_ms(one.deadline) for one in [*verdicts, *degraded.values()])
        assert all(one.advice is not None and one.advice.reason.text for one in degraded.values())
