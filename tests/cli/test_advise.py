"""Where the worker that asks models is started, and what it says where it has nobody to ask."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import load_config
from pipeline.health import LANES
from pipeline.models import asks as asks_models
from pipeline.settings import Settings
from pipeline.standalone import TURNS, Standalone


@pytest.mark.parametrize(
    ("settings", "asks"),
    [
        ({}, False),
        ({"ollama_url": "http://127.0.0.1:11434"}, True),
        ({"anthropic_key": "a-key-of-some-length"}, True),
        ({"anthropic_key": "a-key-of-some-length", "local_only": True}, False),
        ({"openai_url": "https://models.example.com/v1", "local_only": True}, False),
        ({"openai_url": "http://10.0.0.9:8000/v1", "local_only": True}, True),
        ({"ollama_url": "http://127.0.0.1:11434", "advice_mode": "off"}, False),
        ({"ollama_url": "http://127.0.0.1:11434", "advice_mode": "shadow"}, True),
    ],
    ids=["nobody", "ollama", "claude", "claude not allowed", "a cloud not allowed", "local and allowed", "off", "shadow"],
)
def test_run_starts_it_only_where_a_model_is_set_up_and_wanted(settings: dict[str, Any], asks: bool) -> None:
    started = Standalone(Settings(**settings), embedded=True).started
    assert asks_models(Settings(**settings), load_config(Settings(**settings)).advice) is asks
    assert ("advise" in started) is asks
    assert set(started) | {"advise"} == set(LANES) == set(TURNS)


def test_the_file_can_switch_it_off_too(tmp_path: Path) -> None:
    config = tmp_path / "flux.yaml"
    config.write_text("advice: {mode: off}\n")
    settings = Settings(config_file=config, ollama_url="http://127.0.0.1:11434")
    assert "advise" not in Standalone(settings, embedded=True).started


def test_started_by_hand_without_a_model_it_says_what_to_set_and_is_not_started_again(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli.main", "worker", "advise"]
    environ = {"PATH": "", "FLUX_STATE_DIR": str(tmp_path), "FLUX_METRICS_PORT": "0", "FLUX_KAFKA_BROKERS": "127.0.0.1:1"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2, done.stderr
    assert "Set OLLAMA_URL, OPENAI_BASE_URL or ANTHROPIC_API_KEY" in done.stderr and "Traceback" not in done.stderr
