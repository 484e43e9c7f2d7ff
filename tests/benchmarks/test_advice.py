"""The benchmark of advice runs through, and what does not depend on the speed of this machine is as it promises."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.advice import aims
from benchmarks.report import arguments, conduct, parse

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_request_has_its_receipt_in_time_whatever_the_server_does_and_no_slot_is_taken_twice() -> None:
    command = [sys.executable, "-m", "benchmarks.advice", "--quick", "--incidents", "60"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["verdicts_in_time"] == 1.0, line["faults"]
    assert line["in_flight_max"] == line["slots"] == 8
    assert (line["reloads"], line["wrong_answers_accepted"]) == (0, 0)
    assert 1.0 <= line["makespan_to_optimum"] < 1.3


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ({"in_flight_max": 8, "wrong_answers_accepted": 0, "makespan_to_optimum": 9.0}, 0),
        ({"in_flight_max": 9, "wrong_answers_accepted": 0}, 1),
        ({"in_flight_max": 8, "wrong_answers_accepted": 1}, 1),
        ({"in_flight_max": 8, "wrong_answers_accepted": 0, "verdicts_in_time": 0.992}, 1),
        ({"in_flight_max": 8, "wrong_answers_accepted": 0, "reloads": 1}, 1),
        ({"in_flight_max": [8, 9, 8], "wrong_answers_accepted": 0}, 1),
    ],
)
def test_what_must_hold_on_every_machine_fails_the_run(found: dict[str, Any], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    peaks = found["in_flight_max"] if isinstance(found["in_flight_max"], list) else [found["in_flight_max"]]
    options = parse(arguments("a test", seconds=1, rate=None, quick_seconds=1), ["--runs", str(len(peaks))])
    results = iter([{**found, "in_flight_max": peak} for peak in peaks])
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        with pytest.raises(SystemExit) as ended:
            conduct("advice", options, lambda _: next(results), aims(8))
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert ended.value.code == status
    assert "in_flight_max" in capsys.readouterr().out
