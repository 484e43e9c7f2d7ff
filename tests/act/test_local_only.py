"""Local-only mode makes no call outside this network, whatever the keys and the routes say: seen from the operating system's side.

Claude is at 127.0.0.2 here, where a trap counts connections; it counts as outside this network wherever it is. The OpenAI-compatible server
has a public name, so that a look-up of it would be seen.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fake_ollama import Remote, process

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = 240
OUTSIDE = "models.acme-hq.com"


class Trap:
    """Listens, takes note of what connects, and hangs up."""

    def __init__(self) -> None:
        self.heard = 0
        self.bytes = b""
        self._socket = socket.create_server(("127.0.0.2", 0))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.2:{self._socket.getsockname()[1]}"

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.heard += 1
                connection.settimeout(1)
                try:
                    self.bytes += connection.recv(1 << 16)
                except OSError:
                    continue

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@contextmanager
def trapped() -> Iterator[Trap]:
    trap = Trap()
    try:
        yield trap
    finally:
        trap.close()


@pytest.fixture(scope="module")
def ollama() -> Iterator[Remote]:
    with process("--slots", "8", "--step-ms", "1:0.1", "--prefill-ms", "0", "--answer-tokens", "20") as fake:
        yield fake


def run(ollama: Remote, trap: Trap, directory: Path, **environ: str) -> dict[str, Any]:
    """What the child process saw; its environment has keys and URLs of every provider."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("AI_", "FLUX_", "ANTHROPIC_", "OPENAI_", "OLLAMA_"))}
    given |= {
        "FLUX_TEST_NO_MODEL_CALLS": "1",
        "OLLAMA_URL": ollama.url,
        "OLLAMA_NUM_PARALLEL": "8",
        "ANTHROPIC_API_KEY": "sk-ant-of-a-test",
        "ANTHROPIC_BASE_URL": trap.url,
        "OPENAI_BASE_URL": f"http://{OUTSIDE}/v1",
        "OPENAI_API_KEY": "key-of-a-test",
        "OPENAI_MODEL": "some-model",
        "PYTHONPATH": str(ROOT),
        **environ,
    }
    child = subprocess.run(
        [sys.executable, "-m", "tests.act.egress", str(QUESTIONS)],
        cwd=directory,
        env=given,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    result: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return result


def test_in_local_only_mode_every_connection_goes_to_the_server_of_this_network(ollama: Remote, tmp_path: Path) -> None:
    with trapped() as trap:
        seen = run(ollama, trap, tmp_path, AI_LOCAL_ONLY="true")
        assert (trap.heard, trap.bytes) == (0, b"")
    places = {place for event in seen["events"].values() for place in event}
    assert places == {"127.0.0.1"}, seen["events"]
    assert seen["receipts"] == QUESTIONS
    assert seen["answered"] == {"ollama": QUESTIONS * 3 // 4}, "P1 goes by a rule that names Claude alone: nobody is asked"
    assert not any(one.startswith(("claude: ", "openai: ")) and not one.endswith("passed_over") for one in seen["tried"])


def test_the_same_run_without_it_does_reach_the_trap_and_sends_no_secret(ollama: Remote, tmp_path: Path) -> None:
    with trapped() as trap:
        seen = run(ollama, trap, tmp_path)
        assert trap.heard > 0
        assert b"POST /v1/messages" in trap.bytes and b"Tr0ub4dor" not in trap.bytes
    assert "127.0.0.2" in seen["events"]["socket.connect"]
    assert any(one.startswith("claude: ") and not one.endswith("passed_over") for one in seen["tried"])
