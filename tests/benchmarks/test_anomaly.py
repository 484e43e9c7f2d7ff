"""The anomaly benchmark is strictly online, writes what the scorer reads, and its simulator is a function of its seed."""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks.anomaly import File, held_out, main, online, read, write
from benchmarks.anomaly_sim import FAMILIES, Series, judge, simulate, together


def some_series() -> list[Series]:
    return simulate(5, each=1, minute_days=2, hourly_days=20)


def test_scores_are_the_same_bit_for_bit_when_the_future_is_cut_off() -> None:
    series = [(one.t[:1900], one.x[:1900]) for one in some_series()]
    whole = online(series)
    for share in (0.3, 0.71, 0.95):
        cut = [int(share * len(t)) for t, _ in series]
        early = online([(t[:n], x[:n]) for (t, x), n in zip(series, cut, strict=True)])
        for all_of_it, part, n in zip(whole, early, cut, strict=True):
            assert all_of_it.score[:n].tobytes() == part.score.tobytes()
            assert all_of_it.alarm[:n].tobytes() == part.alarm.tobytes()
    assert any(one.score.any() for one in whole)


def test_another_future_changes_no_earlier_score() -> None:
    t, x = some_series()[0].t[:1800], some_series()[0].x[:1800]
    other = x.copy()
    other[1600:] *= 1000
    assert online([(t, x)])[0].score[:1600].tobytes() == online([(t, other)])[0].score[:1600].tobytes()


def test_each_series_is_scored_as_if_it_were_alone() -> None:
    series = [(one.t[:700], one.x[:700]) for one in some_series()]
    together_ = online(series)
    for pair, one in zip(series, together_, strict=True):
        assert online([pair])[0].score.tobytes() == one.score.tobytes()


def test_a_score_file_has_the_stamps_as_they_were(tmp_path: Path) -> None:
    file = File("a/b.csv", ["2014-02-14 14:30:00", "2014-02-14 14:35:00"], np.zeros(2), np.array([1.5, 2.0]))
    write(tmp_path, file, np.array([0.0, 0.25], np.float32))
    with (tmp_path / "a/b.csv").open(newline="") as lines:
        assert [dict(row) for row in csv.DictReader(lines)] == [
            {"timestamp": "2014-02-14 14:30:00", "value": "1.5", "anomaly_score": "0"},
            {"timestamp": "2014-02-14 14:35:00", "value": "2.0", "anomaly_score": "0.25"},
        ]
    again = read(tmp_path, "a/b.csv")
    assert again.stamps == file.stamps and again.t[1] - again.t[0] == 300


def test_runs_without_a_scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    rows = [f"{begin + timedelta(minutes=5 * n):%Y-%m-%d %H:%M:%S},{n % 7}" for n in range(40)]
    (data / "one.csv").write_text("\n".join(["timestamp,value", *rows]))
    (tmp_path / "labels.json").write_text(json.dumps({"one.csv": []}))
    monkeypatch.setattr("benchmarks.anomaly.simulated", lambda kind, quick: {"simulated": quick})
    given = ["--data", str(tmp_path), "--labels", str(tmp_path / "labels.json"), "--out", str(tmp_path / "scores"), "--quick"]
    monkeypatch.setattr(sys, "argv", ["anomaly", *given])
    with pytest.raises(SystemExit) as end:
        main()
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert end.value.code == 0
    assert line["alarms_per_file"] == {"one.csv": 0} and line["us_per_sample_10000"] > 0 and line["bytes_per_series"] < 10_000
    assert (tmp_path / "scores" / "one.csv").is_file()


def test_the_simulator_is_a_function_of_its_seed() -> None:
    first, again, other = some_series(), some_series(), simulate(6, each=1, minute_days=2, hourly_days=20)
    assert all((one.x == two.x).all() and one.windows == two.windows for one, two in zip(first, again, strict=True))
    assert any((one.x != two.x).any() for one, two in zip(first, other, strict=True))
    assert {one.name for one in first} == {f"{rate}/{family}_0" for rate in ("minute", "hourly") for family in FAMILIES}


def test_an_alarm_in_a_window_counts_once_and_elsewhere_is_false() -> None:
    alarms = np.zeros(100, np.bool_)
    alarms[[5, 20, 22, 60]] = True
    found = judge(Series("one", np.arange(100.0), np.zeros(100), ((20, 29), (80, 89))), alarms)
    assert (found.events, found.found, found.false) == (2, 1, 2)
    assert together([found, found]).f1 == found.f1 == pytest.approx(2 / (2 + 2 + 1))


def test_about_a_third_is_held_out() -> None:
    assert 0.25 < np.mean([held_out(f"file {number}") for number in range(2000)]) < 0.42
