"""`fluxai run` from end to end: real worker processes on the embedded broker and the embedded PostgreSQL."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.fake_ollama import process
from pipeline.supervisor import project_path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
STARTS_S = 40.0
"""On a machine that is busy with other tests; alone it takes about 4 s."""


class Run:
    """One `fluxai run` and what it has printed so far."""

    def __init__(self, folder: Path, *arguments: str, **more: str) -> None:
        self.folder = folder
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            **project_path({}),
            "FLUX_STATE_DIR": str(folder / "state"),
            "FLUX_API_PORT": "0",
            **more,
        }
        command = [sys.executable, "-P", "-m", "pipeline.cli.main"]
        self.environ, self.command = environ, command
        self.process = subprocess.Popen(
            [*command, "run", *arguments], cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def until(self, pattern: str, seconds: float = STARTS_S) -> str:
        found = eventually(
            lambda: next((line for line in list(self.lines) if re.search(pattern, line)), None), seconds, lambda: "\n".join(self.lines)
        )
        return str(found)

    def fluxai(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.command, *arguments], cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def workers(self) -> dict[str, psutil.Process]:
        found = psutil.Process(self.process.pid).children()
        return {command[-1]: one for one in found if "worker" in (command := one.cmdline())}

    def ends(self, seconds: float = 25.0) -> int:
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.ends()
        assert self.process.stdout is not None
        self.process.stdout.close()


def eventually(look: Callable[[], object], seconds: float, said: Callable[[], str]) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"it did not come within {seconds} s:\n{said()}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def begin(*arguments: str, **more: str) -> Run:
        runs.append(Run(tmp_path, *arguments, **more))
        return runs[-1]

    yield begin
    for run in runs:
        run.clean_up()


def test_a_run_pages_survives_the_kill_of_a_worker_and_ends_with_an_account_that_adds_up(start: Callable[..., Run]) -> None:
    run = start("--for", "17")
    run.until(r"opened\s+P3 .*CertificateExpiresSoon")
    run.until(r"told\s+on-call: fired, P1 PaymentsErrorRateHigh")
    workers = run.workers()
    assert set(workers) == {"intake", "decide", "act", "record", "api", "learn"}
    workers["decide"].kill()
    run.until(r"worker\s+decide was killed by SIGKILL")
    run.until(r"silenced\s+P2 Mobile API 5xx.*depends on payments")
    listed = run.fluxai("incidents", "--json")
    assert "P1" in {json.loads(line)["severity"] for line in listed.splitlines()}
    pids = [one.pid for one in run.workers().values()]

    assert run.ends(60) == 0
    account = json.loads(run.lines[-1])
    assert list(account)[:6] == ["accepted", "notified", "grouped", "suppressed", "dead_lettered", "open"]
    assert account["accepted"] == sum(account[name] for name in ("notified", "grouped", "suppressed", "dead_lettered", "open")) >= 10
    assert account["notified"] >= 1 and account["suppressed"] >= 2 and account["deadline_misses"] == 0
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    assert not any("Traceback" in line for line in run.lines)


def test_with_a_model_the_lines_and_the_account_say_what_it_improved_and_cost(start: Callable[..., Run]) -> None:
    with process("--slots", "2") as fake:
        run = start("--for", "8", OLLAMA_URL=fake.url, OLLAMA_NUM_PARALLEL="2")
        run.until(rf"^models: ollama llama3.1:8b at {re.escape(fake.url)}$")
        told = run.until(r"advised\s+P\d.*: ollama/llama3.1:8b in [\d.]+ s, [\d.]+ sure, \$0.0000")
        incident_id = next(word for word in told.split() if re.fullmatch(r"i[0-9a-f]{12}", word))
        explained = eventually(lambda: "(triage@1): " in (text := run.fluxai("explain", incident_id)) and text, 10, lambda: told)
        assert "asked" in str(explained)
        assert run.ends(60) == 0
    account = json.loads(run.lines[-1])
    assert list(account)[-5:] == ["advised", "amended", "not_adopted", "degraded", "advice_cost_usd"]
    assert account["advised"] >= 1 and account["advice_cost_usd"] == 0


def test_ctrl_c_ends_a_run_cleanly_and_a_second_run_works_beside_the_first(start: Callable[..., Run]) -> None:
    first = start()
    first.until(r"opened\s+P3")
    second = start("--no-story")
    second.until(r"lane\s+decide running")
    for run in (second, first):
        run.process.send_signal(signal.SIGINT)
        assert run.ends() == 0
        assert not any("Traceback" in line or "KeyboardInterrupt" in line for line in run.lines)
    assert any(re.match(r"Accepted \d+ alert", line) for line in first.lines)
    assert not (first.folder / "state" / "run.json").exists()


def test_a_wrong_configuration_refuses_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "flux.yaml").write_text("noise:\n  flap_treshold: 2\n")
    environ = {
        "PATH": os.environ["PATH"],
        **project_path({}),
        "FLUX_STATE_DIR": str(tmp_path / "state"),
        "FLUX_CONFIG": str(tmp_path / "flux.yaml"),
    }
    command = [sys.executable, "-P", "-m", "pipeline.cli.main", "run"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "flux.yaml:2: noise.flap_treshold: unknown key. Did you mean flap_threshold" in done.stderr
    assert not (tmp_path / "state").exists()
