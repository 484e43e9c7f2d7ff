"""Each benchmark runs through on a real Kafka and prints the figures that it promises. What they are worth is not judged here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.payloads import Traffic, service, stream, topology
from benchmarks.report import Aim, Wrong, median_of, spread

ROOT = Path(__file__).resolve().parents[2]
PROMISED = {
    "throughput": {"alerts_per_s", "cpu_us_per_alert", "ratio_to_bare_loop"},
    "latency": {"triaged_p50_ms", "triaged_p99_ms", "p1_attempt_p99_ms"},
    "storm": {"decided_within_15_s", "pages", "rss_growth_mb"},
    "recovery": {"keys", "seconds", "rss_mb"},
}


def started(name: str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def last_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = process.communicate(timeout=90)
    assert process.returncode == 0, output + errors
    line: dict[str, Any] = json.loads(output.splitlines()[-1])
    return line


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize("pair", [("throughput", "recovery"), ("storm", "latency")], ids="+".join)
def test_prints_its_figures_last_as_one_json_object(kafka: str, pair: tuple[str, str]) -> None:
    processes = [started(name, "--broker", kafka) for name in pair]  # two at a time: a test has no use for exact figures
    lines = [last_line(process) for process in processes]
    for name, line in zip(pair, lines, strict=True):
        assert PROMISED[name] | {"runs", "machine"} <= line.keys()
        assert all(isinstance(line[key], int | float) and line[key] >= 0 for key in PROMISED[name])
    found = dict(zip(pair, lines, strict=True))
    if "storm" in found:
        assert found["storm"]["decided_within_15_s"] == 1.0
        assert found["storm"]["pages"] == sum(found["storm"]["pages_by_transition"].values()) > 0
    else:
        assert found["throughput"]["lost"] == 0 < found["throughput"]["alerts_per_s"]
        assert found["recovery"]["keys"] >= 5000


@pytest.mark.kafka
@pytest.mark.slow
def test_leaves_nothing_behind_when_it_is_interrupted(kafka: str) -> None:
    process = started("recovery", "--broker", kafka)
    us = psutil.Process(process.pid)
    ends = time.monotonic() + 30
    while len(us.children()) < 2 and time.monotonic() < ends:
        time.sleep(0.05)
    children = us.children(recursive=True)
    assert len(children) >= 2
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert psutil.wait_procs(children, timeout=0)[1] == []


def test_a_stream_has_the_shares_that_were_asked_for() -> None:
    payloads = list(islice(stream(Traffic(new=0.3, critical=0.05)), 20_000))
    different = set(payloads)
    assert len(different) == pytest.approx(6000, rel=0.1)
    critical = sum(json.loads(payload)["labels"]["severity"] == "critical" for payload in different)
    assert critical == pytest.approx(300, rel=0.3)
    assert all(len(json.loads(payload)["labels"]) == 8 for payload in payloads[:100])


def test_what_is_sent_again_is_what_was_sent_before() -> None:
    first = {json.loads(payload)["labels"]["pod"] for payload in islice(stream(Traffic(seed=4)), 1000)}
    again = {json.loads(payload)["labels"]["pod"] for payload in islice(stream(Traffic(seed=4, most_new=100)), 3000)}
    assert len(again) == 100
    assert again < first


def test_each_service_of_the_storm_hangs_on_one_root_in_its_own_cluster() -> None:
    traffic = Traffic(services=320, roots=20, domains=4)
    services = {one.name: one for one in topology(traffic)}
    cluster = dict(service(number, traffic) for number in range(320))
    assert len(services) == 320
    for name, one in services.items():
        steps = 0
        while one.depends_on:
            one, steps = services[one.depends_on[0]], steps + 1
        assert one.name.startswith("root-") and steps <= 2
        assert cluster[one.name] == cluster[name]


def test_figures_of_several_runs_are_medians() -> None:
    results = [{"seconds": 3.0, "name": "a"}, {"seconds": 1.0, "name": "b"}, {"seconds": 2.0, "name": "c"}]
    assert median_of(results) == {"seconds": 2.0, "name": "c"}
    assert spread([float(number) for number in range(1000)]) == (500.0, 990.0, 999.0)
    with pytest.raises(Wrong):
        spread([])
    assert Aim("rate", 10, at_least=True).met(10) and not Aim("seconds", 10).met(10.1)
