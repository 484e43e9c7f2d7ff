"""`fluxai advice` and `fluxai providers`, in this process: nothing beyond this machine is asked."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.fake_ollama import process
from pipeline.cli.common import Exit, Refusal
from pipeline.cli.doctor_models import findings
from pipeline.cli.kafka import Outgoing, send_all
from pipeline.cli.main import app
from pipeline.config import load_config
from pipeline.settings import Settings
from schemas.usage import Usage
from tests.fakes.claude import KEY, FakeClaude

PAYLOADS = Path(__file__).parents[2] / "schemas" / "examples" / "payloads"
FIRING = str(PAYLOADS / "alertmanager__firing.json")
Fluxai = Callable[..., str]
MODELS = ("OLLAMA_URL", "OLLAMA_MODEL", "OLLAMA_NUM_PARALLEL", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "FLUX_KAFKA_BROKERS", "FLUX_CONFIG")


@pytest.fixture
def fluxai(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fluxai:
    for name in MODELS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLUX_STATE_DIR", str(tmp_path))

    def run(*arguments: str, code: int = 0, stdin: str = "", **environ: str) -> str:
        result = CliRunner().invoke(app, list(arguments), input=stdin, env=environ)
        if isinstance(result.exception, Refusal):
            assert result.exception.code == code, result.exception.what
            return f"{result.exception.what} {result.exception.fix}"
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    return run


@pytest.fixture
def broker(embedded_topics: str, prefix: str) -> Iterator[dict[str, str]]:
    yield {"FLUX_KAFKA_BROKERS": embedded_topics, "FLUX_TOPIC_PREFIX": prefix}


def test_one_alert_is_tried_without_any_server_and_says_that_no_model_was_asked(fluxai: Fluxai) -> None:
    shown = fluxai("advice", "try", FIRING, "--provider", "scripted")
    for words in (
        "about       HighLatency on payments; the rules say P1",
        "triage@1",
        "no model was asked",
        "shown as P1",
        "alerts[0].labels (7)",
    ):
        assert words in shown, words
    assert "<<data" not in shown
    prompt = fluxai("advice", "try", FIRING, "--provider", "scripted", "--show-prompt", "--raw")
    assert "<<data incident" in prompt and '{"severity": "P1"' in prompt
    found = json.loads(fluxai("advice", "try", FIRING, "-p", "scripted", "--json", "--index", "1"))
    assert found["question"]["alerts"][0]["service"] == "search"
    assert found["receipt"]["advice"]["severity"] == found["weighed"]["severity"] == "P1"


def test_where_nobody_can_be_asked_it_says_what_to_set(fluxai: Fluxai) -> None:
    assert "OLLAMA_URL, ANTHROPIC_API_KEY or OPENAI_BASE_URL" in fluxai("advice", "try", FIRING, code=Exit.USAGE)
    assert "ANTHROPIC_API_KEY is not set" in fluxai("advice", "try", FIRING, "--provider", "claude", code=Exit.USAGE)
    assert "There is no provider 'gemini'" in fluxai("advice", "try", FIRING, "--provider", "gemini", code=Exit.USAGE)
    resolved = str(PAYLOADS / "cloudwatch__resolved.json")
    assert "Nothing is asked" in fluxai("advice", "try", resolved, "--provider", "scripted", code=Exit.NO)
    assert "there is no number 7" in fluxai("advice", "try", FIRING, "--provider", "scripted", "--index", "7", code=Exit.USAGE)


def test_a_provider_that_local_only_mode_rules_out_is_said_to_be_not_allowed(fluxai: Fluxai) -> None:
    only_claude = {"ANTHROPIC_API_KEY": "sk-ant-secret1", "AI_LOCAL_ONLY": "true"}
    for named in ((), ("--provider", "claude")):
        said = fluxai("advice", "try", FIRING, *named, code=Exit.NO, **only_claude)
        assert "claude: not allowed: AI_LOCAL_ONLY" in said and "set up" not in said


def test_a_server_that_is_away_or_lacks_the_model_is_named_with_the_fix(fluxai: Fluxai) -> None:
    assert "is Ollama running" in fluxai("advice", "try", FIRING, code=Exit.NO, OLLAMA_URL="http://127.0.0.1:9")
    with process() as fake:
        away = {"OLLAMA_URL": fake.url, "OLLAMA_MODEL": "nobody-has-this:1b"}
        assert "ollama pull nobody-has-this:1b" in fluxai("advice", "try", FIRING, code=Exit.NO, **away)
        assert "DOES NOT WORK: no_model" in fluxai("providers", "--test", code=Exit.NO, **away)


def test_a_server_that_works_is_tried_and_tested_and_one_that_serialises_is_told(fluxai: Fluxai) -> None:
    with process("--slots", "1") as fake:
        up = {"OLLAMA_URL": fake.url, "OLLAMA_NUM_PARALLEL": "4"}
        shown = fluxai("advice", "try", FIRING, **up)
        assert "ollama/llama3.1:8b: " in shown and "first token after" in shown and "nothing; it did not leave this network" in shown
        told = fluxai("providers", "--test", **up)
    assert "ollama: works. llama3.1:8b: Ollama" in told and "schema honoured" in told and "gives probabilities" in told
    assert "is OLLAMA_NUM_PARALLEL=4 set for the server?" in told


@contextmanager
def claude() -> Iterator[FakeClaude]:
    """On a thread, since the command has an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    fake = FakeClaude()
    asyncio.run_coroutine_threadsafe(fake.__aenter__(), loop).result(5)
    try:
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(fake.__aexit__(None, None, None), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def test_what_leaves_this_network_is_redacted_shown_and_counted_against_the_budget(fluxai: Fluxai, broker: dict[str, str]) -> None:
    with claude() as fake:
        up = {**broker, "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": fake.url}
        shown = fluxai("advice", "try", FIRING, "--show-prompt", **up)
        assert "claude/claude-haiku-5-5: " in shown and "estimate    claude $0.0" in shown
        assert "redacted    ip 1" in shown and "[ip:" in shown and "10.2.3.4" not in shown
        assert "10.2.3.4" not in json.dumps(fake.bodies)
        told = fluxai("advice", "usage", **up)
        assert "this hour 1 of 20 calls to paid providers" in told
        over = fluxai("advice", "try", FIRING, code=Exit.NO, AI_ANALYSES_PER_HOUR="1", **up)
        assert "all 1 analyses of this hour are used up" in over and len(fake.bodies) == 1


def test_doctor_asks_each_server_for_its_model_and_looks_at_what_is_set() -> None:
    def told(**settings: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        made = Settings.model_validate(settings)
        for one in findings(made, load_config(made).advice):
            found[one.grade] = f"{found.get(one.grade, '')} {one.about}: {one.what} {one.fix}"
        return found

    with process("--model", "other:1b") as fake, claude() as cloud:
        found = told(ollama_url=fake.url, anthropic_key="not-like-a-key", anthropic_url=cloud.url, advice_budget=0)
    assert "ollama pull llama3.1:8b" in found["wrong"] and "answers 401" in found["wrong"]
    for words in ("OLLAMA_NUM_PARALLEL is 1", "does not look like a key", "AI_BUDGET_PER_DAY is 0", "FLUX_REDACTION_KEY is not set"):
        assert words in found["note"], words
    assert "none is set up: verdicts are from rules" in told()["note"]


def test_providers_are_listed_without_secrets_and_with_who_may_be_asked(fluxai: Fluxai) -> None:
    assert fluxai("providers").count("not set up: set") == 3
    told = fluxai("providers", OLLAMA_URL="http://me:secret@10.0.0.9:11434/", ANTHROPIC_API_KEY="sk-ant-secret1", AI_LOCAL_ONLY="true")
    assert "http://10.0.0.9:11434" in told and "not asked: AI_LOCAL_ONLY" in told
    assert "secret" not in told


def test_rules_are_added_tried_dry_and_removed(fluxai: Fluxai, broker: dict[str, str]) -> None:
    add = (
        "advice",
        "routes",
        "add",
        "payments",
        "--match",
        "service=payments",
        "-p",
        "ollama",
        "--local-only",
        "-r",
        "card data stays here",
    )
    fluxai(*add, **broker)
    fluxai("advice", "routes", "add", "night", "--severity", "P3", "--order", "5", "-r", "nobody asks at night", **broker)
    listed = fluxai("advice", "routes", **broker)
    assert listed.index("night") < listed.index("payments") and "ollama (local only)" in listed
    set_up = {**broker, "OLLAMA_URL": "http://127.0.0.1:9"}
    dry = fluxai("advice", "routes", "--test", FIRING, **set_up)
    assert "Rule payments (card data stays here) asks ollama." in dry
    assert "it is for P3, the rules say P1" in dry
    found = json.loads(fluxai("advice", "routes", "--test", FIRING, "--index", "1", "--json", **set_up))
    assert (found["rule"], found["providers"]) == ("default", ["ollama"])
    fluxai("advice", "routes", "remove", "night", **broker)
    assert "night" not in fluxai("advice", "routes", **broker)
    assert "No rule night" in fluxai("advice", "routes", "remove", "night", code=Exit.NO, **broker)
    for name in ("gpt", "scripted"):
        refused = fluxai("advice", "routes", "add", "x", "-p", name, "-r", "x", code=Exit.USAGE, **broker)
        assert f"no provider '{name}'" in refused and "Known: ollama, openai, claude." in refused
    added = CliRunner().invoke(app, ["advice", "routes", "add", "x", "-p", "claude", "-p", "ollama", "-r", "x"], env=set_up)
    assert added.exit_code == 0 and "claude is not set up here (ANTHROPIC_API_KEY is not set)" in added.stderr
    assert "ollama is not set up" not in added.stderr


def test_usage_says_what_was_spent_and_what_is_left(fluxai: Fluxai, broker: dict[str, str]) -> None:
    from pipeline.cli.common import now

    settings = Settings.model_validate({"brokers": broker["FLUX_KAFKA_BROKERS"], "topic_prefix": broker["FLUX_TOPIC_PREFIX"]})
    calls: list[dict[str, Any]] = [
        {"usage_id": "u1", "kind": "reserve", "cost_usd": 0.4},
        {"usage_id": "u1", "kind": "settle", "cost_usd": 0.25, "tokens_in": 700, "outcome": "answered"},
        {"usage_id": "u2", "kind": "call", "provider": "ollama", "outcome": "timeout"},
    ]
    sent = [Usage.model_validate({"provider": "claude", "at": now()} | one) for one in calls]
    send_all(settings, "usage", [Outgoing(one.provider.encode(), one.to_json()) for one in sent])
    told = fluxai("advice", "usage", **broker, ANTHROPIC_API_KEY="sk-ant-something")
    assert "Today (UTC) $0.2500 of $5.00, $4.7500 left; this hour 1 of 20 calls to paid providers." in told
    assert "0.250000" in told and "ollama" in told


def test_prompts_are_listed_with_what_a_call_costs_at_most(fluxai: Fluxai) -> None:
    assert "triage@1" in fluxai("advice", "prompts")
    found = [json.loads(line) for line in fluxai("advice", "prompts", "--json").splitlines()]
    assert all(0 < one["usd_at_most"]["claude"] < 0.02 for one in found)
    assert "You are the triage step" in fluxai("advice", "prompts", "triage")


def test_an_anomaly_is_explained_from_facts(fluxai: Fluxai) -> None:
    facts = '{"service": "search-api", "metric": "latency_p95", "value": 840, "expected": 210}'
    assert "anomaly@1" in fluxai("advice", "anomaly", "-", "--provider", "scripted", stdin=facts)
    assert "no JSON object with a metric" in fluxai("advice", "anomaly", "-", "--provider", "scripted", stdin="[]", code=Exit.USAGE)
