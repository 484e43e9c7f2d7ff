"""The contract that every detector keeps, each through both of its faces: one series at a time, and a step over arrays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.anomaly.arrays import Arrays, Layout, WrongState
from agents.anomaly.bank import CHUNK, ArrayBank, Kind, One
from agents.anomaly.config import FROZEN
from agents.anomaly.contract import SKIPPED, WARMING, Bank, Detector, Score

START = 1_760_313_600.0
Floats = NDArray[np.float64]
every_kind = pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)


def waves(n: int, size: int, gap: float = 300.0, seed: int = 1) -> tuple[Floats, Floats]:
    """Times and values, (samples, series): a day's wave with noise, each series at its own scale."""
    rng = np.random.default_rng(seed)
    t = START + gap * np.arange(n)[:, None] + np.zeros(size)
    shape = 2 + np.sin(2 * np.pi * np.mod(t, 86400) / 86400)
    x: Floats = (shape + 0.05 * rng.standard_normal((n, size))) * 10.0 ** np.arange(size)
    return t, x


def run(bank: ArrayBank, t: Floats, x: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    found = [bank.step(t[row], x[row]) for row in range(len(t))]
    return np.array([one.value for one in found], float), np.array([one.alarm for one in found])


@every_kind
def test_one_series_and_the_step_give_the_same_numbers(kind: Kind) -> None:
    t, x = waves(360, 3)
    x[340, 1] *= 4
    x[120, 0] = np.nan
    t[130, 2] = t[129, 2]
    bank: Bank = ArrayBank(3, kind)
    ones: list[Detector] = [One(kind) for _ in range(3)]
    for row in range(len(t)):
        scores = bank.step(t[row], x[row])
        for place, one in enumerate(ones):
            alone = one.score_one(t[row, place], x[row, place])
            one.learn_one(t[row, place], x[row, place])
            assert scores.at(place) == alone  # bit for bit: all floats of it


@every_kind
def test_scoring_changes_nothing(kind: Kind) -> None:
    t, x = waves(320, 1)
    one, asked = One(kind), One(kind)
    for row in range(len(t)):
        asked.score_one(t[row, 0], x[row, 0] * 7)
        asked.score_one(t[row, 0], x[row, 0])
        asked.learn_one(t[row, 0], x[row, 0])
        one.learn_one(t[row, 0], x[row, 0])
    assert one.to_bytes() == asked.to_bytes()


@every_kind
def test_which_series_share_a_step_is_without_effect(kind: Kind) -> None:
    t, x = waves(340, 4)
    together, apart = ArrayBank(4, kind), ArrayBank(4, kind)
    for row in range(len(t)):
        scores = together.step(t[row], x[row])
        for part in (np.array([3, 0]), np.array([1]), np.array([2])):
            other = apart.step(t[row, part], x[row, part], part)
            assert [scores.at(place) for place in part] == [other.at(place) for place in range(len(part))]
    assert together.to_bytes() == apart.to_bytes()


@every_kind
def test_a_series_has_the_same_numbers_in_a_bank_of_many(kind: Kind) -> None:
    size = CHUNK + 3
    t, x = waves(30, 1)
    many, few = ArrayBank(size, kind), ArrayBank(1, kind)
    for row in range(len(t)):
        many.step(np.full(size, t[row, 0]), np.full(size, x[row, 0]))
        few.step(t[row], x[row])
    assert (many.arrays.fast == few.arrays.fast).all()
    assert (many.arrays.exact == few.arrays.exact).all()


@every_kind
def test_warming_up_is_a_value(kind: Kind) -> None:
    t, x = waves(300, 1)
    one = One(kind)
    seen = []
    for row in range(len(t)):
        seen.append(one.score_one(t[row, 0], x[row, 0]))
        one.learn_one(t[row, 0], x[row, 0])
    assert seen[:288] == [WARMING] * 288  # a day at a sample each five minutes
    assert all(isinstance(answer, Score) and 0 <= answer.value <= 1 for answer in seen[288:])


@every_kind
@pytest.mark.parametrize("t,x", [(0.0, float("nan")), (0.0, float("inf")), (-300.0, 1.0), (-900.0, 1.0), (float("nan"), 1.0)])
def test_what_is_no_sample_is_skipped_and_not_learned(kind: Kind, t: float, x: float) -> None:
    times, values = waves(320, 1)
    one = One(kind)
    for row in range(len(times)):
        one.learn_one(times[row, 0], values[row, 0])
    before, now = one.to_bytes(), times[-1, 0] + 300 + t
    assert one.score_one(now, x) is SKIPPED
    one.learn_one(now, x)
    assert one.to_bytes() == before


@every_kind
def test_a_restart_changes_no_score(kind: Kind) -> None:
    t, x = waves(500, 2)
    x[400:440] *= 3
    whole, _ = run(ArrayBank(2, kind), t, x)
    bank = ArrayBank(2, kind)
    first, _ = run(bank, t[:350], x[:350])
    later, _ = run(ArrayBank.from_bytes(bank.to_bytes(), kind), t[350:], x[350:])
    assert np.array_equal(whole, np.concatenate([first, later]), equal_nan=True)


@every_kind
@pytest.mark.parametrize("gap", [60.0, 300.0, 3600.0])
def test_one_event_is_one_alarm(kind: Kind, gap: float) -> None:
    n = max(int((2 if gap < 300 else 5) * 86400 / gap), 600)
    t, x = waves(n, 2, gap)
    event = slice(int(0.8 * n), int(0.8 * n) + 8)
    x[event] *= 6
    _, alarms = run(ArrayBank(2, kind), t, x)
    for place in range(2):
        assert alarms[event, place].sum() == 1, f"series {place} at {gap:g} s"


@every_kind
def test_scores_do_not_depend_on_unit_or_size(kind: Kind) -> None:
    t, x = waves(900, 1)
    x[800:810] *= 3
    scaled, _ = run(ArrayBank(1, kind), t, x * 1024)  # a power of two: exact
    plain, _ = run(ArrayBank(1, kind), t, x)
    assert np.allclose(scaled, plain, equal_nan=True, atol=1e-3)


@every_kind
def test_a_flat_series_that_wakes_stays_finite(kind: Kind) -> None:
    t, x = waves(2500, 3)
    x[:700] = 0
    x[1200:1210] = [1e9, -1e9, 1e-9]
    x[1500:] = 5.0
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        bank = ArrayBank(3, kind)
        scores, _ = run(bank, t, x)
    assert np.isfinite(scores[400:]).all()
    assert np.isfinite(bank.arrays.fast).all()


@every_kind
def test_a_pause_of_weeks_forgets_the_old_days_and_goes_on(kind: Kind) -> None:
    t, x = waves(1200, 1)
    t[600:] += 40 * 86400
    scores, _ = run(ArrayBank(1, kind), t, x)
    assert np.isfinite(scores[601:]).all()


def test_the_level_after_a_day_is_the_mean_of_what_came() -> None:
    t, x = waves(288 * 5, 1)
    bank = ArrayBank(1, Kind.SEASONAL)
    run(bank, t, x)
    state = bank.arrays
    n = state.rows("closed_n")[0] + state.rows("today_n")[0]
    level = (state.rows("closed_n") * state.rows("closed_value") + state.rows("today_n") * state.rows("today_value"))[0] / n
    assert n == len(t)
    assert level + x[0, 0] == pytest.approx(x.mean(), rel=0.01)


def test_the_usual_gap_is_learned_and_one_pause_does_not_move_it() -> None:
    t, x = waves(400, 1, gap=60.0)
    t[200:] += 7200
    bank = ArrayBank(1)
    run(bank, t, x)
    assert bank.arrays.rows("gap")[0] == pytest.approx(60, rel=0.02)


def test_bytes_of_another_detector_a_cut_and_a_foreign_version_are_refused() -> None:
    data = ArrayBank(3).to_bytes()
    for wrong in (ArrayBank(3, Kind.SEASONAL).to_bytes(), data[:-1], data[:10], b"", b"X" + data[1:], data[:4] + b"\x63" + data[5:]):
        with pytest.raises(WrongState):
            ArrayBank.from_bytes(wrong)


def test_a_series_can_be_added_and_a_column_given_to_another() -> None:
    t, x = waves(300, 2)
    bank = ArrayBank(2)
    run(bank, t, x)
    old = bank.arrays.fast[:, 0].copy()
    bank.arrays.grow(5)
    assert bank.size == 5 and (bank.arrays.fast[:, 0] == old).all()
    bank.arrays.clear(np.array([1]))
    assert bank.step(t[0, :1], x[0, :1], np.array([1])).at(0) is WARMING  # its times begin anew


def test_names_are_views_of_the_state() -> None:
    arrays = Arrays(Layout({"a": 1, "b": 2}, {"t": 1}), 4)
    arrays.rows("b")[1] = 7
    assert (arrays.fast[2] == 7).all() and arrays.bytes_per_series == 20


def test_a_step_needs_as_many_times_as_series() -> None:
    with pytest.raises(ValueError, match="2 times"):
        ArrayBank(3).step(np.zeros(2), np.zeros(2))


def test_the_configuration_is_frozen() -> None:
    with pytest.raises(AttributeError):
        FROZEN.threshold = 0.1  # type: ignore[misc]
