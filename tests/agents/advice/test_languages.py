"""Orders to a machine in twelve more languages, and what monitoring says in them: `languages.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.advice.untrusted import suspicious, without_instructions

TEXTS: dict[str, dict[str, list[str]]] = json.loads(Path(__file__).with_name("languages.json").read_text("utf-8"))
FACT = "checkout-api answers 503."
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("language", TEXTS)
def test_orders_are_found_and_taken_out_and_the_fact_before_stays(language: str) -> None:
    missed = [text for text in TEXTS[language]["orders"] if suspicious(text) is None]
    assert missed == []
    for text in TEXTS[language]["orders"]:
        assert without_instructions(f"{FACT} {text}").startswith(FACT[:-1]), text
        assert suspicious(without_instructions(f"{FACT} {text}")) is None


@pytest.mark.parametrize("language", TEXTS)
def test_what_monitoring_says_is_not_suspicious(language: str) -> None:
    assert {text: sign for text in TEXTS[language]["ordinary"] if (sign := suspicious(text)) is not None} == {}


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return [value] if isinstance(value, str) else []


def documents(file: Path) -> list[Any]:
    """One, or one a line."""
    written = file.read_text("utf-8")
    try:
        return [json.loads(written)]
    except ValueError:
        return [one for line in written.splitlines() if (one := parsed(line)) is not None]


def parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:  # some payloads are broken on purpose
        return line


def test_the_example_payloads_of_this_repository_are_not_suspicious() -> None:
    files = [*ROOT.glob("schemas/examples/**/*.json"), *ROOT.glob("tests/**/payloads/**/*.json")]
    texts = [text for file in files for line in documents(file) for text in strings(line)]
    assert len(texts) > 100
    assert [text for text in texts if suspicious(text) is not None] == []
