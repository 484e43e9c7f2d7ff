"""The rows of a task: undo, timers, what goes to the changelog."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.store import TaskStore, parse_timer, timer_key


def due_timers(store: TaskStore, limit: int) -> list[tuple[int, str, str]]:
    keys = []
    while (key := store.pop_due(limit)) is not None:
        keys.append(parse_timer(key))
    return keys


def test_a_rollback_puts_back_changed_deleted_and_new_rows() -> None:
    store = TaskStore()
    store.apply({b"a": b"1", b"b": b"2"})
    store.commit()
    store.apply({b"a": b"9", b"b": None, b"c": b"3"})
    store.apply({b"a": b"10"})
    store.rollback()
    assert store.rows == {b"a": b"1", b"b": b"2"}
    assert list(store.changes()) == []


def test_the_changelog_gets_the_last_value_of_each_row_and_nothing_that_ended_as_it_began() -> None:
    store = TaskStore()
    store.apply({b"a": b"1", b"b": b"2"})
    store.commit()
    store.apply({b"a": b"5", b"b": b"7", b"c": b"x", b"d": b"y"})
    store.apply({b"a": b"6", b"b": b"2", b"c": None, b"d": b"z"})
    assert dict(store.changes()) == {b"a": b"6", b"d": b"z"}
    store.commit()
    store.apply({b"a": None})
    assert list(store.changes()) == [(b"a", None)]


def test_timers_come_out_in_order_of_due_time_whatever_order_they_were_asked_in() -> None:
    store = TaskStore()
    store.apply({timer_key(30, "c", "k"): b"1", timer_key(10, "a", "k|with|bars"): b"1"})
    store.apply({timer_key(20, "b", "ü"): b"1"})
    assert store.next_due == 10
    assert due_timers(store, 25) == [(10, "a", "k|with|bars"), (20, "b", "ü")]
    assert store.next_due == 30


def test_a_timer_taken_in_an_aborted_transaction_is_due_again() -> None:
    store = TaskStore()
    store.apply({timer_key(10, "a", "k"): b"1"})
    store.commit()
    assert len(due_timers(store, 10)) == 1
    store.rollback()
    assert store.next_due == 10
    assert due_timers(store, 10) == [(10, "a", "k")]
    assert list(store.changes()) == [(timer_key(10, "a", "k"), None)]


def test_a_timer_asked_for_in_an_aborted_transaction_does_not_fire() -> None:
    store = TaskStore()
    store.apply({timer_key(10, "a", "k"): b"1"})
    store.rollback()
    assert due_timers(store, 99) == []


def test_the_same_timer_asked_for_twice_is_one() -> None:
    store = TaskStore()
    store.apply({timer_key(10, "a", "k"): b"1"})
    store.apply({timer_key(10, "a", "k"): b"1"})
    assert len(due_timers(store, 10)) == 1


def test_a_restored_store_has_its_timers_back() -> None:
    store = TaskStore()
    store.load(timer_key(20, "a", "gone"), b"1")
    store.load(timer_key(20, "a", "gone"), None)
    store.load(timer_key(10, "a", "kept"), b"1")
    store.loaded()
    assert due_timers(store, 99) == [(10, "a", "kept")]


@pytest.mark.parametrize(
    ("due", "name"), [(-1, "a"), (10**13, "a"), (1, "a|b")], ids=["before the epoch", "too far away", "bar in the name"]
)
def test_a_timer_that_could_not_be_read_back_is_refused(due: int, name: str) -> None:
    with pytest.raises(ValueError):
        timer_key(due, name, "k")


KEYS = st.sampled_from([b"a", b"b", b"c", timer_key(1, "t", "k"), timer_key(2, "t", "k")])
STEPS = st.lists(st.one_of(st.dictionaries(KEYS, st.sampled_from([b"1", b"2", None])), st.sampled_from(["commit", "rollback", "pop"])))


@given(STEPS)
def test_store_and_changelog_agree_after_any_steps(steps: list[dict[bytes, bytes | None] | str]) -> None:
    store = TaskStore()
    changelog: dict[bytes, bytes | None] = {}
    committed: dict[bytes, bytes] = {}
    for step in steps:
        if isinstance(step, dict):
            store.apply(step)
        elif step == "pop":
            store.pop_due(1)
        elif step == "rollback":
            store.rollback()
            assert store.rows == committed
        else:
            changelog.update(store.changes())
            store.commit()
            committed = dict(store.rows)
            assert {key: value for key, value in changelog.items() if value is not None} == committed
    fresh = TaskStore()
    for key, value in store.rows.items():
        fresh.load(key, value)
    fresh.loaded()
    assert due_timers(store, 9) == due_timers(fresh, 9)
