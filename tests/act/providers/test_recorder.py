"""What is recorded, and that it is said again."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest
import structlog

from pipeline.act.providers.base import Answer, Failure, Provider, ProviderError
from pipeline.act.providers.recorder import Recorder, Replayer
from pipeline.act.providers.scripted import Scripted
from tests.act.providers.asks import an_ask

SAID = Answer("one\u2028", "claude", "m", tokens_in=9, cost_usd=0.5, took_s=0.25, probabilities={"P1": 0.75, "P2": 0.25})


def ask_all(provider: Provider, *users: str) -> list[str]:
    async def scenario() -> list[str]:
        said = []
        for user in users:
            try:
                said.append((await provider.ask(an_ask(user=user))).text)
            except ProviderError as error:
                said.append(f"{error.failure.value} {error.retry_after_s}")
        return said

    return asyncio.run(scenario())


def test_a_recording_says_again_what_was_said_failures_too(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    script = Scripted([SAID, "two", ProviderError(Failure.OVERLOADED, "busy", retry_after_s=3.0, asked=False)])
    first = ask_all(Recorder(script, file), "a", "a", "b")
    assert first == ["one\u2028", "two", "overloaded 3.0"]
    assert ask_all(Replayer(file), "b", "a", "a", "a") == ["overloaded 3.0", "one\u2028", "two", "two"]


def test_a_replayed_answer_is_the_one_that_was_given_but_for_its_cost(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    ask_all(Recorder(Scripted([SAID]), file), "a")
    again = asyncio.run(Replayer(file).ask(an_ask(user="a")))
    assert (again.text, again.probabilities, again.took_s, again.tokens_in, again.cost_usd) == (SAID.text, SAID.probabilities, 0.25, 9, 0.0)


def test_what_is_not_recorded_fails(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    ask_all(Recorder(Scripted([SAID]), file), "a")
    assert ask_all(Replayer(file), "another question") == ["refused None"]


def test_a_recording_has_the_answer_and_nothing_of_the_question(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    ask_all(Recorder(Scripted([SAID]), file), "the password is hunter2")
    line = file.read_text()
    record = json.loads(line)
    assert (record["prompt"], len(record["sent_sha256"]), record["answer"]["text"]) == ("triage@1", 64, SAID.text)
    assert "hunter2" not in line and "You triage" not in line
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_warming_up_is_not_recorded(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    asyncio.run(Recorder(Scripted([SAID]), file).ask(an_ask(warm=True)))
    assert not file.exists()


def test_a_disk_that_does_not_take_it_costs_no_answer(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        assert ask_all(Recorder(Scripted([SAID]), tmp_path / "nowhere" / "calls.jsonl"), "a") == [SAID.text]
    assert [entry["event"] for entry in logs] == ["call not recorded"]


def test_a_full_recording_grows_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.act.providers.recorder.MAX_BYTES", 1000)
    file = tmp_path / "calls.jsonl"
    assert ask_all(Recorder(Scripted([SAID]), file), *("a" * 20)) == [SAID.text] * 20
    assert file.stat().st_size <= 1000


def test_a_file_that_is_no_recording_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    ask_all(Recorder(Scripted([SAID]), file), "a")
    file.write_text(file.read_text() + '{"prompt": 1}\n')
    with pytest.raises(ValueError, match=r"calls.jsonl:2: no record"):
        Replayer(file)


def test_the_wrapper_is_what_it_wraps(tmp_path: Path) -> None:
    inner = Scripted([SAID], paid=True, local=False, name="claude", cost_usd=0.25)
    recorder = Recorder(inner, tmp_path / "calls.jsonl")
    assert (recorder.name, recorder.model, recorder.paid, recorder.local) == ("claude", "script", True, False)
    assert recorder.worst_cost(an_ask()) == 0.25
    asyncio.run(recorder.close())
    assert inner.closed
