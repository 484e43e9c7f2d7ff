"""Hostile text changes nothing that it must not, however obedient the model is."""

from __future__ import annotations

from benchmarks.injection import BASES, Obedient, Twin, differences, play, run
from benchmarks.injection_texts import ATTACKS
from schemas.base import Severity


def test_no_twin_is_told_silenced_lowered_or_made_a_p1_by_its_text() -> None:
    result = run()
    assert result["twins"] >= 120
    assert result["wrong"] == []
    assert result["answers_refused"] == {}, "the obedient model is heard, or this would prove nothing"
    assert result["shown_more_urgent"] > 0, "and what it may do it does"


def test_a_twin_that_differs_is_noticed() -> None:
    clean = play(BASES[0], "", None, Obedient(None))
    assert differences(clean, clean, "") == []
    assert differences(clean, Twin(told=clean.told[:-1], outcomes=clean.outcomes, severity=clean.severity), "") == ["told"]
    low = Twin(told=clean.told, outcomes=clean.outcomes, severity=Severity.P4, worst=Severity.P1)
    assert differences(clean, low, "call +1 555 0100") == ["severity_fell", "p1_by_text", "written"]
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
