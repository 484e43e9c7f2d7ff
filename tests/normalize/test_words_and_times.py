"""The tables of words and the spellings of times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agents.normalize.times import BadTime, moment
from agents.normalize.words import level_of, ranked, status_of

AT = datetime(2026, 5, 4, 10, 0, 0, tzinfo=UTC)
SPELLINGS: list[Any] = [
    1777888800,
    1777888800.0,
    1777888800000,
    1777888800000000,
    1777888800000000000,
    "1777888800",
    "1777888800000",
    "1777888800.0",
    "1777888800000000000",
    "2026-05-04T10:00:00Z",
    "2026-05-04T12:00:00+02:00",
    "2026-05-04T10:00:00.000000000Z",
    "2026-05-04 10:00:00",
    "2026-05-04T10:00:00.000+0000",
    "2026-05-04 10:00:00 UTC",
    "2026-05-04 10:00:00 +0000 UTC",
    "2026-05-04 10:00:00.000000000 +0000 UTC m=+0.01",
    "2026.05.04 10:00:00",
    "2026/05/04 10:00:00",
    "Mon, 04 May 2026 10:00:00 GMT",
    "Mon, 04 May 2026 10:00:00 +0000",
    "Mon May 04 10:00:00 UTC 2026",
    "Mon May 4 10:00:00 2026",
    "May 4, 2026 10:00:00 AM",
    "May 4, 2026 at 10:00 AM UTC",
    "4 May 2026 10:00:00",
    "05/04/2026 10:00:00 AM",
    "20260504100000",
    "10:00:00 2026.05.04",
]


@pytest.mark.parametrize("spelled", SPELLINGS, ids=str)
def test_a_time_is_read_in_any_usual_spelling(spelled: Any) -> None:
    assert moment(spelled) == AT


@pytest.mark.parametrize("nothing", [None, "", 0, "0", False, "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "-", "N/A", 12], ids=str)
def test_a_zero_time_is_no_time(nothing: Any) -> None:
    assert moment(nothing) is None


@pytest.mark.parametrize(
    "bad", ["NaN", "yesterday", "2026-13-45", [1], {"a": 1}, float("inf"), "9999-12-31T00:00:00Z", -1777888800, 10**30], ids=str
)
def test_what_is_no_time_says_so(bad: Any) -> None:
    with pytest.raises(BadTime):
        moment(bad)


LEVELS = {
    "P1": "critical CRITICAL Disaster fatal emergency sev1 P1 page blocker Critical(1) 1-critical s1",
    "P2": "error high Major Sev2 p2 S2",
    "P3": "warning Average minor medium P3 moderate s3",
    "P4": "info informational low debug P4 P5 notice s4",
}


@pytest.mark.parametrize(("word", "level"), [(word, level) for level, words in LEVELS.items() for word in words.split()])
def test_a_severity_word_suggests_a_level(word: str, level: str) -> None:
    assert level_of(word) == level


@pytest.mark.parametrize("word", ["", None, "ok", "OK", "resolved", "UP", "normal-ish thing", "7", "purple"])
def test_other_words_suggest_none(word: Any) -> None:
    assert level_of(word) in (None, "P3" if word == "normal-ish thing" else None)


def test_a_number_is_a_level_only_on_a_scale_of_priorities() -> None:
    assert [ranked(number) for number in ("1", "2", "3", "4", "5", 2, "12345")] == ["P1", "P2", "P3", "P4", "P4", "P2", None]


STATES = {
    "firing": "Activated Triggered ALARM alerting PROBLEM Down open incident.triggered Re-Triggered UP->DOWN unresolved not_ok no_data",
    "resolved": "resolved OK Recovered closed cleared UP DOWN->UP incident.resolved Deactivated Recovery ok back_to_normal RESOLVED",
}


@pytest.mark.parametrize(("word", "status"), [(word, status) for status, words in STATES.items() for word in words.split()])
def test_a_status_word_is_firing_or_resolved(word: str, status: str) -> None:
    assert status_of(word) == status


def test_a_word_that_says_neither_is_none() -> None:
    assert [status_of(word) for word in ("", None, "purple", True, 7, "x" * 200)] == [None] * 6
