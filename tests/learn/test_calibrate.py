"""Probabilities that can be believed: measures against figures worked out by hand, and fits on models that are wrong in a known way."""

from __future__ import annotations

import random
from math import log

import pytest

from agents.calibrate import (
    CLASSES,
    Calibration,
    Outcome,
    Step,
    brier,
    class_ece,
    ece,
    isotonic_apply,
    isotonic_fit,
    kappa,
    nll,
    pooled,
    temperature_apply,
    temperature_fit,
)

SURE = {"P1": 0.7, "P2": 0.1, "P3": 0.1, "P4": 0.1}


def honest(count: int, seed: int = 1) -> list[Outcome]:
    """A model whose probabilities are exactly how often each severity comes."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        raw = [chance.gammavariate(0.7, 1) for _ in CLASSES]
        stated = {name: one / sum(raw) for name, one in zip(CLASSES, raw, strict=True)}
        found.append(Outcome(stated, chance.choices(CLASSES, list(stated.values()))[0]))
    return found


def test_the_measures_are_those_of_their_definitions() -> None:
    right, wrong = Outcome(SURE, "P1"), Outcome(SURE, "P2")
    assert nll([right, wrong]) == pytest.approx(-(log(0.7) + log(0.1)) / 2)
    assert brier([right]) == pytest.approx(0.3**2 + 3 * 0.1**2)
    assert brier([Outcome({"P1": 1.0}, "P4")]) == 2
    assert ece([right, right, wrong, wrong], bins=1) == pytest.approx(0.2)  # 0.7 sure, half right
    assert ece([right, right, right, right], bins=15) == pytest.approx(0.3)
    assert class_ece([right, wrong], "P2", bins=1) == pytest.approx(0.4)
    assert nll([Outcome({"P1": 1.0}, "P4")]) < 14  # one sure mistake is not infinitely bad


def test_bins_hold_equal_numbers() -> None:
    """Nine right ones at 0.9 and one wrong one at 0.3: with one bin the errors offset each other, with ten they do not."""
    outcomes = [Outcome({"P1": 0.9, "P2": 0.1}, "P1")] * 9 + [Outcome({"P1": 0.3, "P2": 0.3, "P3": 0.2, "P4": 0.2}, "P4")]
    assert ece(outcomes, bins=1) == pytest.approx(abs(0.84 - 0.9))
    assert ece(outcomes, bins=10) == pytest.approx((9 * 0.1 + 0.3) / 10)


def test_who_said_the_same_is_in_no_bin_apart_for_having_been_wrong() -> None:
    """Seven of ten right, all said with 0.7: nothing is to be found, in however many bins."""
    outcomes = [Outcome(SURE, "P1" if at < 7 else "P4") for at in range(10)]
    assert ece(outcomes, bins=5) == pytest.approx(0)


def test_kappa_weighs_far_misses_more() -> None:
    assert kappa([("P1", "P1"), ("P4", "P4")]) == 1
    assert kappa([("P1", "P4"), ("P4", "P1")]) == -1
    near = kappa([("P1", "P1"), ("P2", "P1"), ("P3", "P3"), ("P4", "P4")])
    far = kappa([("P1", "P1"), ("P4", "P1"), ("P3", "P3"), ("P4", "P4")])
    assert 0 < far < near < 1
    assert kappa([("P1", "P1")]) == 1


def test_a_model_that_is_too_sure_is_cooled_down_by_the_factor_that_it_was_sharpened_with() -> None:
    truth = honest(1000)
    sharpened = [Outcome(temperature_apply(stated, 0.5), name) for stated, name in truth]
    fitted = temperature_fit(sharpened)
    assert fitted == pytest.approx(2.0, rel=0.15)
    cooled = [Outcome(temperature_apply(stated, fitted), name) for stated, name in sharpened]
    assert ece(cooled) < ece(sharpened) / 2
    assert nll(cooled) < nll(sharpened)
    assert temperature_fit(truth) == pytest.approx(1.0, rel=0.15)


def test_isotonic_mends_what_no_temperature_can() -> None:
    """This model says P1 with 0.9 where it is P1 half of the time, and is right about all else."""
    p1 = {"P1": 0.9, "P2": 0.1, "P3": 0.0, "P4": 0.0}
    p3 = {"P1": 0.05, "P2": 0.0, "P3": 0.95, "P4": 0.0}
    outcomes = [Outcome(p1, "P1" if at % 2 else "P2") for at in range(100)] + [Outcome(p3, "P3" if at % 20 else "P1") for at in range(100)]
    knots = isotonic_fit(outcomes)
    mended = [Outcome(isotonic_apply(stated, knots), name) for stated, name in outcomes]
    assert mended[0].stated["P1"] == pytest.approx(0.5, abs=0.02)
    assert mended[-1].stated["P3"] == pytest.approx(0.95, abs=0.02)
    fitted = temperature_fit(outcomes)
    assert nll(mended) < nll([Outcome(temperature_apply(stated, fitted), name) for stated, name in outcomes])


def test_pooled_steps_rise_and_keep_their_mean() -> None:
    chance = random.Random(3)
    points = [(x, float(chance.random() < x**2)) for x in (chance.random() for _ in range(400))]
    knots = pooled(points)
    assert list(knots) == sorted(knots)
    assert [y for _, y in knots] == sorted(y for _, y in knots)
    assert all(0 < y < 1 for _, y in knots)
    assert pooled([(0.1, 1.0), (0.9, 0.0)]) == ((0.5, 0.5),)


def test_every_correction_is_a_distribution_whatever_was_stated() -> None:
    knots = isotonic_fit(honest(50))
    for stated in ({"P1": 1.0}, {"P1": 0.0, "P2": 0.0, "P3": 0.0, "P4": 0.0}, SURE, {"P4": 1e-300, "P1": 1.0}):
        for made in (temperature_apply(stated, 0.05), temperature_apply(stated, 20.0), isotonic_apply(stated, knots)):
            assert set(made) == set(CLASSES)
            assert sum(made.values()) == pytest.approx(1)
            assert all(0 <= share <= 1 for share in made.values())


def test_a_calibration_is_the_same_after_a_journey_as_json() -> None:
    calibration = Calibration((Step(40, 1.7), Step(90, knots=isotonic_fit(honest(60)))))
    assert Calibration.from_content(calibration.content()) == calibration
    assert Calibration().apply(SURE) == SURE
    assert calibration.apply({}) == {}


def test_a_label_is_corrected_only_by_steps_that_were_not_in_use_when_it_was_made() -> None:
    calibration = Calibration((Step(40, 2.0), Step(90, 1.5)))
    assert calibration.apply(SURE, 95) == SURE
    assert calibration.apply(SURE, 40) == temperature_apply(SURE, 1.5)
    assert calibration.apply(SURE, 39) == pytest.approx(temperature_apply(SURE, 3.0))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"steps": 3},
        {"steps": [{}]},
        {"steps": [{"since": 1, "temperature": 0}]},
        {"steps": [{"since": 1, "temperature": float("nan")}]},
        {"steps": [{"since": 0, "temperature": 1}]},
        {"steps": [{"since": 1, "knots": {"P1": [[0, 1]]}}]},
        {"steps": [{"since": 1, "knots": {name: [] for name in CLASSES}}]},
        {"steps": [{"since": 1, "knots": {name: [[0.5, 0.1], [0.2, 0.9]] for name in CLASSES}}]},
        {"steps": [{"since": 1, "knots": {name: [[0.5, 7]] for name in CLASSES}}]},
    ],
    ids=["empty", "no list", "no since", "zero", "nan", "since 0", "a class short", "no knots", "falling", "beyond 1"],
)
def test_what_is_no_calibration_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Calibration.from_content(content)
