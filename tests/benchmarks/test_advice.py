"""The benchmark of advice runs through, and what does not depend on the speed of this machine is as it promises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
