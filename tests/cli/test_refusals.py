"""What a script reads when there is nothing to say or something is wrong, and what AI_MODE=off means for a command."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fake_ollama import process
from pipeline.cli.main import app
from tests.cli.test_advice import claude
from tests.fakes.claude import KEY

FIRING = Path(__file__).parents[2] / "schemas" / "examples" / "payloads" / "alertmanager__firing.json"
Said = tuple[int, str, str]
Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """(exit code, stdout, stderr) of a command."""
    for name in ("OLLAMA_URL", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "FLUX_KAFKA_BROKERS", "FLUX_CONFIG", "AI_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, **environ: str) -> Said:
        with monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as left:
                app([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return call


def silent() -> str:
    """An address where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


def test_with_json_an_empty_answer_and_a_refusal_are_json_too(run: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    assert run("advice", "calibrate", "--labels", empty, "--json")[:2] == (1, "[]\n")
    assert run("advice", "routes", "--json")[:2] == (0, "[]\n")
    code, out, err = run("advice", "try", empty, "--provider", "scripted", "--json")
    assert code == 1 and "holds no alert" in json.loads(out)["error"] and "holds no alert" in err
    assert run("advice", "try", empty, "--provider", "scripted")[1] == ""


def test_a_kafka_that_is_away_is_said_within_five_seconds(run: Run) -> None:
    began = time.monotonic()
    code, out, err = run("advice", "calibrate", "--json", FLUX_KAFKA_BROKERS=silent())
    assert code == 4 and "No Kafka broker answered" in json.loads(out)["error"] and "fluxai doctor" in err
    assert time.monotonic() - began < 6


def test_where_ai_mode_is_off_a_command_asks_all_the_same_and_says_so(run: Run) -> None:
    off = {"AI_MODE": "off"}
    with process("--slots", "2") as server:
        for command in (("advice", "try", FIRING), ("providers", "--test")):
            code, out, err = run(*command, OLLAMA_URL=server.url, OLLAMA_NUM_PARALLEL="2", **off)
            assert code == 0, (out, err)
            assert "AI_MODE is off: the pipeline asks nobody; this command does" in err


def test_where_ai_mode_is_off_what_costs_money_is_asked_only_when_a_person_says_so(run: Run) -> None:
    with claude() as server:
        known: dict[str, Any] = {"AI_MODE": "off", "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url}
        for command in (("advice", "try", FIRING), ("advice", "try", FIRING, "-p", "claude"), ("providers", "--test")):
            code, _, err = run(*command, **known)
            assert (code, "costs money: nobody was asked" in err, "--paid" in err) == (2, True, True)
        assert server.bodies == []
        code, out, err = run("advice", "try", FIRING, "--paid", **known)
        assert len(server.bodies) == 1, (code, out, err)
