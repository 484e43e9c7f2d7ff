"""Migrations, weeks and transactions of the history database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib import resources

import psycopg
import pytest

from pipeline.engine.processor import Record
from pipeline.record.migrate import migrate
from pipeline.record.rows import Row, to_row, when_recorded
from pipeline.record.store import Moved, Step, Store
from tests.record.conftest import count
from tests.record.samples import decision

CLUSTER = "test/flux."
DECISIONS = ("decisions", 0)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def rows(*numbers: int, recorded_at: datetime = NOW) -> list[Row]:
    made = []
    for n in numbers:
        record = Record("decisions", 0, n, round(recorded_at.timestamp() * 1000), b"k", decision(n).to_json())
        row = to_row(CLUSTER, record, when_recorded(record, NOW))
        assert row is not None
        made.append(row)
    return made


def weeks(url: str) -> list[str]:
    with psycopg.connect(url) as session:
        found = session.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^decisions_.*w' ORDER BY 1").fetchall()
    return [name for (name,) in found]


def test_migrations_apply_to_an_empty_database_and_then_to_nothing(empty_database: str) -> None:
    names = sorted(file.name.removesuffix(".sql") for file in resources.files("pipeline.record").joinpath("migrations").iterdir())
    assert migrate(empty_database) == names
    assert migrate(empty_database) == []


def test_migrations_by_several_workers_at_once_apply_once(empty_database: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        applied = list(pool.map(migrate, [empty_database] * 3))
    assert sorted(map(len, applied)) == [0, 0, 3]


def test_every_statement_stands_alone_under_a_comment() -> None:
    for file in resources.files("pipeline.record").joinpath("queries").iterdir():
        lines = file.read_text().splitlines()
        code = " ".join(line for line in lines if not line.startswith("--"))
        assert lines[0].startswith("-- "), f"{file.name} does not say what it is for"
        assert code.count(";") == 1, f"{file.name} holds no statement or more than one"


def test_rows_and_positions_are_stored_together_or_not_at_all(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(database, CLUSTER)
    store.write(rows(0, 1), {DECISIONS: Step(None, 2)}, NOW)

    def broken(*_: object) -> int:
        raise psycopg.OperationalError("the line was cut")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_put", broken)
        with pytest.raises(psycopg.OperationalError):
            store.write(rows(2, 3), {DECISIONS: Step(2, 4)}, NOW)
    assert store.positions() == {DECISIONS: 2}
    store.write(rows(2, 3), {DECISIONS: Step(2, 4)}, NOW)
    assert store.positions() == {DECISIONS: 4}
    store.close()
    assert count(database, "decisions") == 4


@pytest.mark.parametrize("expected", [None, 1, 5])
def test_a_worker_that_lost_its_partition_stores_nothing(database: str, expected: int | None) -> None:
    store, zombie = Store.open(database, CLUSTER), Store.open(database, CLUSTER)
    store.write(rows(0, 1), {DECISIONS: Step(None, 2)}, NOW)
    with pytest.raises(Moved):
        zombie.write(rows(7), {DECISIONS: Step(expected, 8), ("feedback", 0): Step(None, 1)}, NOW)
    assert zombie.positions() == {DECISIONS: 2}
    store.close()
    zombie.close()
    assert count(database, "decisions") == 2


def test_another_cluster_has_positions_and_rows_of_its_own(database: str) -> None:
    ours, theirs = Store.open(database, CLUSTER), Store.open(database, "other/flux.")
    ours.write(rows(0), {DECISIONS: Step(None, 1)}, NOW)
    assert theirs.positions() == {}
    again = [row._replace(values=("other/flux.", *row.values[1:])) for row in rows(0)]
    theirs.write(again, {DECISIONS: Step(None, 1)}, NOW)
    ours.close()
    theirs.close()
    assert count(database, "decisions") == 2


def test_weeks_are_made_ahead_and_the_old_ones_are_dropped(database: str) -> None:
    store = Store.open(database, CLUSTER)
    for days in (100, 91, 30, 0):
        store.write(rows(days, recorded_at=NOW - timedelta(days=days)), {DECISIONS: Step(store.positions().get(DECISIONS), days)}, NOW)
    before = weeks(database)
    dropped = store.keep_house(NOW, timedelta(days=90))
    store.close()
    assert before == ["decisions_2026w33", "decisions_2026w35", "decisions_2026w43", "decisions_2026w48"]
    assert dropped == 8, "the week that ended 94 days ago, in each of the eight tables"
    assert weeks(database) == ["decisions_2026w35", "decisions_2026w43", "decisions_2026w48", "decisions_2026w49"]


@pytest.mark.parametrize("recorded", [pytest.param(lambda: NOW + timedelta(days=4000), id="future"), pytest.param(lambda: NOW, id="now")])
def test_a_wrong_clock_makes_no_tables_for_years_ahead(database: str, recorded: Callable[[], datetime]) -> None:
    store = Store.open(database, CLUSTER)
    store.write(rows(1, recorded_at=recorded()), {DECISIONS: Step(None, 2)}, NOW)
    store.close()
    assert weeks(database) == ["decisions_2026w48"]
