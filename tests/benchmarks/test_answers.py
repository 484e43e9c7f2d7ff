"""Wrong answers of models: none reaches an incident, and right ones are accepted."""

from __future__ import annotations

import pytest

from benchmarks import answers
from benchmarks.answers import Case, answer, holds, main, measure, reaches


def test_no_wrong_answer_reaches_an_incident_and_right_ones_do(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["answers"])
    assert main() == 0
    assert capsys.readouterr().out.startswith('{"cases": ')
    figures = measure()
    assert figures["let_through"] == [] and figures["controls_lost"] == []
    assert holds(figures)


def test_honest_summaries_are_kept_and_blind_ones_only_counted() -> None:
    figures = measure()
    assert int(str(figures["honest"])) >= 40 and figures["blind_cases"] == 30
    assert holds(figures | {"blind_accepted": 30, "blind_honest_kept": 0})
    assert not holds(figures | {"honest_share": 0.94})


def test_the_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reaches(Case("right", answer()))
    assert reaches(Case("shown", answer(), poison=("rb-errors",)))
    monkeypatch.setattr(answers, "cases", lambda: iter([Case("right", answer())] * 300))
    assert not holds(measure())
