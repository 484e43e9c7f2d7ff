"""The command line: help with examples, exit codes, and commands on an embedded broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from pipeline.broker.embedded import EmbeddedBroker
from pipeline.cli.main import app
from pipeline.supervisor import project_path

COMMANDS = {"run", "worker", "advice", "providers", "send", "tail", "normalize", "explain", "incidents", "ack", "feedback", "doctor"} | {
    "topics",
    "silence",
    "runbooks",
    "topology",
    "dead-letters",
    "kafka",
}
RUNBOOK = """\
# DiskFull

A disk is full.

## Symptoms
- no space left

## Mitigation
1. Find what grew:
   ```
   du -x /
   ```
2. Remove it
   with care.
"""


class Fluxai:
    """Runs the command as a person does, in a process and a folder of its own."""

    def __init__(self, folder: Path, brokers: str = "") -> None:
        self.folder = folder
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            **project_path({}),
            "FLUX_KAFKA_BROKERS": brokers,
            "COLUMNS": "120",
        }

    def __call__(self, *arguments: str, stdin: str = "", code: int = 0, **environ: str) -> str:
        command = [sys.executable, "-P", "-m", "pipeline.cli.main", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ | environ, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout if code == 0 else done.stdout + done.stderr


@pytest.fixture(scope="module")
def fluxai(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fluxai]:
    broker = EmbeddedBroker()
    try:
        bootstrap = broker.start()
        broker.create_topics("flux.")
        yield Fluxai(tmp_path_factory.mktemp("cli"), bootstrap)
    finally:
        broker.stop()


def every_command() -> list[tuple[str, str]]:
    found = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for full, one in [(f"{name} {sub}", each) for sub, each in getattr(command, "commands", {}).items()] or [(name, command)]:
            found.append((full, one.help or ""))
    return found


def test_the_command_has_all_its_subjects() -> None:
    assert set(get_command(app).commands) >= COMMANDS  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "text"), every_command(), ids=[name for name, _ in every_command()])
def test_every_help_shows_an_example_of_that_command(name: str, text: str) -> None:
    assert "Example:" in text
    assert f"fluxai {name}" in text.partition("Example:")[2]


def test_help_answers_at_once_and_tells_the_exit_codes(tmp_path: Path) -> None:
    run = Fluxai(tmp_path)
    took = []
    for _ in range(3):
        began = time.monotonic()
        text = run("--help")
        took.append(time.monotonic() - began)
    assert "Exit codes: 0 done" in text
    assert min(took) < 0.4


def test_wrong_use_and_wrong_settings_exit_with_2(tmp_path: Path) -> None:
    run = Fluxai(tmp_path, "localhost:1")
    run("nonsense", code=2)
    assert "FLUX_SLOT" in run("worker", "decide", code=2, FLUX_SLOT="x")
    assert "flux.yaml:1: nose" in run("worker", "decide", code=2, FLUX_CONFIG=str(written(tmp_path / "flux.yaml", "nose: 1\n")))
    assert "no file" in run("send", "nothing.json", code=2)
    assert "'tomorrow' is no time" in run("silence", "add", "a=b", "--reason", "x", "--from", "tomorrow", code=2)
    assert "is no matcher" in run("silence", "add", "nonsense", "--reason", "x", code=2)
    assert "There is no topic" in run("tail", "alert", code=2)


def test_an_absent_broker_exits_with_4_and_says_the_fix(tmp_path: Path) -> None:
    run = Fluxai(tmp_path, "localhost:1")
    assert "fluxai kafka up" in run("topics", "check", "--broker", "127.0.0.1:1", code=4)


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_what_is_sent_is_read_back_with_its_source(fluxai: Fluxai, tmp_path: Path) -> None:
    one = written(tmp_path / "one.json", '{"a": 1}')
    many = written(tmp_path / "many.jsonl", '{"b": 2}\n\nnot json\n')
    assert lines(fluxai("send", "--source", "flux", "--json", str(one), str(many))) == [{"sent": 3, "topic": "flux.alerts.raw"}]
    assert "1 record acknowledged" in fluxai("send", "-", stdin='{"c": 3}\n')
    records = lines(fluxai("tail", "alerts.raw", "--from-start", "--no-follow", "--json"))
    assert [record["value"] for record in records if record["headers"] == {"source": "flux"}] == [{"a": 1}, {"b": 2}, None]
    assert [record["value"] for record in records if record["headers"] == {}] == [{"c": 3}]
    assert len(fluxai("tail", "flux.alerts.raw", "--from-start", "-n", "2").splitlines()) == 2


def test_a_silence_is_added_listed_and_ended(fluxai: Fluxai) -> None:
    (added,) = lines(
        fluxai("silence", "add", "service=checkout", "instance=~'db-.*'", "--for", "30m", "--reason", "move", "--owner", "mira", "--json")
    )
    listed = fluxai("silence", "list")
    assert "service=checkout instance=~db-.*" in listed and "mira" in listed and "active" in listed
    fluxai("silence", "expire", str(added["silence_id"]))
    assert "checkout" not in fluxai("silence", "list")
    assert "expired" in fluxai("silence", "list", "--all")
    fluxai("silence", "expire", str(added["silence_id"]), code=1)


def test_a_topology_is_imported_whole_or_not_at_all(fluxai: Fluxai, tmp_path: Path) -> None:
    wrong = written(tmp_path / "wrong.yaml", "services:\n  a: {depends_on: [b]}\n  b: {teir: 2}\n")
    assert "wrong.yaml:3: services.b.teir: unknown key. Did you mean tier" in fluxai("topology", "import", str(wrong), code=2)
    assert lines(fluxai("topology", "list", "--json")) == []
    fluxai("topology", "import", str(written(tmp_path / "a.yaml", "services:\n  a: {depends_on: [b], tier: 1}\n  b:\n")))
    fluxai("topology", "import", "--replace", str(written(tmp_path / "b.json", '[{"name": "a", "depends_on": ["c"]}]')))
    assert [(one["name"], one["depends_on"]) for one in lines(fluxai("topology", "list", "--json"))] == [("a", ["c"])]


def test_runbooks_are_imported_from_markdown_with_their_steps(fluxai: Fluxai, tmp_path: Path) -> None:
    written(tmp_path / "disk.md", RUNBOOK)
    written(tmp_path / "README.md", "# not a runbook\n")
    written(tmp_path / "db.yaml", "runbook_id: db\ntitle: Database\nsteps: [look]\n")
    fluxai("runbooks", "import", str(tmp_path))
    found = {str(one["runbook_id"]): one for one in lines(fluxai("runbooks", "list", "--json"))}
    assert set(found) == {"disk", "db"}
    assert found["disk"]["steps"] == ["Find what grew: `du -x /`", "Remove it with care."]
    assert (found["disk"]["alert_names"], found["disk"]["patterns"], found["disk"]["description"]) == (
        ["DiskFull"],
        ["no space left"],
        "A disk is full.",
    )


def test_a_dead_letter_is_sent_again_as_it_was(fluxai: Fluxai) -> None:
    from pipeline.cli.kafka import Outgoing, send_all
    from pipeline.settings import Settings

    settings = Settings.load({"FLUX_KAFKA_BROKERS": fluxai.environ["FLUX_KAFKA_BROKERS"]})
    headers = [
        ("source", b"cron"),
        ("stage", b"intake"),
        ("reason", b"not_json"),
        ("error", b"\x1b[31mbroken"),
        ("topic", b"flux.alerts.raw"),
    ]
    send_all(settings, "dead_letters", [Outgoing(b"cron", b"\xff\x00 bytes", headers)])
    (letter,) = lines(fluxai("dead-letters", "list", "--json"))
    assert letter["reason"] == "not_json"
    assert "\x1b" not in fluxai("dead-letters", "show", str(letter["id"]))
    fluxai("dead-letters", "redrive", str(letter["id"]))
    (again,) = [
        one for one in lines(fluxai("tail", "alerts.raw", "--from-start", "--no-follow", "--json")) if one["headers"] == {"source": "cron"}
    ]
    assert again["value_base64"] == letter["value_base64"] and again["key"] == "cron"
    fluxai("dead-letters", "redrive", "d0-99999", code=1)
    for stage, topic in ((b"act", b"effects.delivery"), (b"decide", b"alerts"), (b"my-consumer", b"flux.incidents.triaged")):
        send_all(settings, "dead_letters", [Outgoing(b"x", b"{}", [("stage", stage), ("reason", b"no"), ("topic", topic)])])
    others = [str(one["id"]) for one in lines(fluxai("dead-letters", "list", "--json")) if one["reason"] == "no"]
    refused = fluxai("dead-letters", "redrive", str(letter["id"]), *others, code=1)
    assert len(others) == 3 and all(f"{one} stays" in refused for one in others)
    raw = [
        one for one in lines(fluxai("tail", "alerts.raw", "--from-start", "--no-follow", "--json")) if one["headers"] == {"source": "cron"}
    ]
    assert len(raw) == 1
    fluxai("dead-letters", "redrive", "17", code=2)


def test_what_is_not_known_is_answered_with_1(fluxai: Fluxai) -> None:
    assert "Nothing is known" in fluxai("explain", "a-none", code=1)
    assert "No incident" in fluxai("ack", "i-none", code=1)


def test_doctor_says_what_is_wrong_and_the_fix(fluxai: Fluxai) -> None:
    healthy = fluxai("doctor")
    assert "ok     Kafka" in healthy and "WRONG" not in healthy
    found = lines(fluxai("doctor", "--json", code=1, FLUX_KAFKA_BROKER="typo", FLUX_TOPIC_PREFIX="other."))
    assert any("Did you mean FLUX_KAFKA_BROKERS" in str(one["fix"]) for one in found)
    assert any(one["grade"] == "wrong" and "fluxai topics apply" in str(one["fix"]) for one in found)
    assert "| `FLUX_KAFKA_BROKERS` |" in fluxai("doctor", "--settings")


def test_access_rights_are_printed_without_a_broker(tmp_path: Path) -> None:
    printed = Fluxai(tmp_path)("topics", "access", "--principal", "User:CN={lane}")
    assert "--allow-principal User:CN=decide --operation Write" in printed and "flux.decisions" in printed
