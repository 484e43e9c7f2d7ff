"""The budget of paid models: one log, any number of workers that fold it, never more spent than is allowed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.advice.budget import DAY_MS, HOUR_MS, KEPT, Budget, micro
from schemas.base import from_ms
from schemas.usage import Usage

NOON = 20_000 * DAY_MS + 12 * HOUR_MS


def usage(kind: str, name: str, usd: float = 0.0, *, worker: str = "advise-0", asked: bool = True) -> Usage:
    values: dict[str, Any] = {"usage_id": name, "kind": kind, "provider": "claude", "worker": worker, "cost_usd": usd, "asked": asked}
    return Usage.model_validate(values | {"at": from_ms(NOON)})


def reserved(budget: Budget, name: str, usd: float, at: int = NOON, worker: str = "advise-0") -> bool:
    granted = budget.apply(usage("reserve", name, usd, worker=worker), at)
    assert granted is not None
    return granted


def settled(budget: Budget, name: str, usd: float, at: int = NOON, *, asked: bool = True) -> None:
    assert budget.apply(usage("settle", name, usd, asked=asked), at) is None


def test_what_is_reserved_counts_until_the_true_cost_takes_its_place() -> None:
    budget = Budget(1.0, 100)
    assert reserved(budget, "a", 0.6) and not reserved(budget, "b", 0.5)
    assert "0.6000 of the day's 1.00 USD" in budget.why and "until 00:00 UTC" in budget.why
    settled(budget, "a", 0.1)
    assert budget.left_usd(NOON) == 0.9
    assert reserved(budget, "c", 0.9) and budget.left_usd(NOON) == 0.0


def test_a_budget_of_nothing_says_so() -> None:
    budget = Budget(0.0, 100)
    assert not reserved(budget, "a", 0.01) and budget.why == "no paid call is allowed: the budget of the day is 0"
    budget = Budget(1.0, 0)
    assert not reserved(budget, "a", 0.01) and budget.why == "no paid call is allowed: the analyses of an hour are 0"


def test_a_reservation_that_is_never_settled_counts_until_its_day_is_over() -> None:
    budget = Budget(1.0, 100)
    assert reserved(budget, "a", 1.0)
    assert not reserved(budget, "b", 0.01, NOON + 11 * HOUR_MS)
    assert reserved(budget, "c", 1.0, NOON + 12 * HOUR_MS)
    settled(budget, "a", 1.0, NOON + 12 * HOUR_MS)
    settled(budget, "c", 0.25, NOON + 12 * HOUR_MS)
    assert budget.left_usd(NOON + 12 * HOUR_MS) == 0.75, "yesterday's call was counted today"


def test_the_hours_analyses_bind_too_and_what_was_not_asked_gives_its_place_back() -> None:
    budget = Budget(100.0, 2)
    assert reserved(budget, "a", 0.0) and reserved(budget, "b", 0.0) and not reserved(budget, "c", 0.0)
    assert budget.why == "all 2 analyses of this hour are used up, until 13:00 UTC"
    settled(budget, "a", 0.0, asked=False)
    assert reserved(budget, "d", 0.0) and not reserved(budget, "e", 0.0)
    assert reserved(budget, "f", 0.0, NOON + HOUR_MS)


def test_a_record_that_comes_twice_changes_nothing() -> None:
    budget = Budget(1.0, 100)
    assert reserved(budget, "a", 0.5) and reserved(budget, "a", 0.5) and budget.left_usd(NOON) == 0.5
    assert not reserved(budget, "b", 0.6)
    settled(budget, "a", 0.2)
    settled(budget, "a", 0.2)
    assert budget.left_usd(NOON) == 0.8
    assert not reserved(budget, "b", 0.6), "a denied reservation was granted the second time, and its caller is gone"


def test_money_that_was_spent_against_this_workers_view_counts_all_the_same() -> None:
    budget = Budget(1.0, 100)
    assert not reserved(budget, "a", 2.0)
    settled(budget, "a", 0.4)
    settled(budget, "unknown", 0.4)
    assert not reserved(budget, "b", 0.3) and reserved(budget, "c", 0.2)


def test_the_first_denial_of_each_period_is_remembered_with_its_worker() -> None:
    budget = Budget(1.0, 1)
    assert reserved(budget, "a", 0.1)
    assert not reserved(budget, "b", 0.1, worker="advise-3") and not reserved(budget, "c", 0.1)
    assert not reserved(budget, "d", 5.0, NOON + HOUR_MS, worker="advise-1")
    found = [(one.period.kind, one.period.name, one.worker, one.usage_id) for one in budget.exceeded.values()]
    assert found == [("hour", "2024-10-04T12", "advise-3", "b"), ("day", "2024-10-04", "advise-1", "d")]
    for hour in range(2, 100):
        reserved(budget, f"{hour}", 0.0, NOON + hour * HOUR_MS)
        reserved(budget, f"{hour}-too-many", 0.0, NOON + hour * HOUR_MS)
    assert len(budget.exceeded) == KEPT


def test_a_command_line_that_is_denied_first_does_not_take_the_alert_with_it() -> None:
    budget = Budget(1.0, 1)
    assert reserved(budget, "a", 0.1, worker="fluxai")
    assert not reserved(budget, "b", 0.1, worker="fluxai") and budget.exceeded == {}
    assert not reserved(budget, "c", 0.1, worker="advise-2") and not reserved(budget, "d", 0.1, worker="advise-0")
    assert [one.worker for one in budget.exceeded.values()] == ["advise-2"]


def test_a_refusal_asked_for_ahead_knows_that_its_period_may_be_over() -> None:
    budget = Budget(0.1, 1)
    assert reserved(budget, "a", 0.1)
    assert budget.refusal(0.0, NOON) is not None
    assert budget.refusal(0.0, NOON + HOUR_MS) is None
    assert budget.refusal(0.1, NOON + HOUR_MS) is not None
    assert budget.refusal(0.1, NOON + DAY_MS) is None and budget.left_usd(NOON + DAY_MS) == 0.1


def test_costs_are_rounded_up_to_whole_micro_dollars() -> None:
    assert [micro(usd) for usd in (0.0, 0.1, 0.1 + 0.2, 0.0000001, 0.00013, float("inf"))] == [0, 100_000, 300_000, 1, 130, 10**15]


@dataclass
class World:
    """A log, two workers that fold it, and what their calls cost in truth."""

    limit: float
    per_hour: int
    now: int = NOON
    log: list[tuple[Usage, int]] = field(default_factory=list)
    open: dict[str, tuple[int, int]] = field(default_factory=dict)
    spent: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    calls: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self.workers = [self.empty(), self.empty()]

    def empty(self) -> Budget:
        return Budget(self.limit, self.per_hour)

    def write(self, record: Usage) -> bool | None:
        self.log.append((record, self.now))
        answers = [worker.apply(record, self.now) for worker in self.workers]
        assert answers[0] == answers[1], "two workers see it differently"
        return answers[0]

    def reserve(self, who: int, cost: int) -> None:
        name = f"{len(self.log)}"
        if self.write(usage("reserve", name, cost / 1e6, worker=f"advise-{who}")):
            self.open[name] = (cost, self.now)
            self.calls[self.now // HOUR_MS] += 1
            self.spent[self.now // DAY_MS] += cost  # the worst, until it is known; and for ever where the settle is lost

    def end(self, choice: int, share: int, asked: bool, twice: bool) -> None:
        if not self.open:
            return
        name = sorted(self.open)[choice % len(self.open)]
        cost, at = self.open.pop(name)
        true = cost * share // 100 if asked else 0
        self.spent[at // DAY_MS] -= cost - true
        if not asked:
            self.calls[at // HOUR_MS] -= 1
        for _ in range(2 if twice else 1):
            self.write(usage("settle", name, true / 1e6, asked=asked))

    def restart(self, who: int) -> None:
        """A new process reads from the start of yesterday."""
        since = (self.now // DAY_MS - 1) * DAY_MS
        fresh = self.empty()
        for record, at in self.log:
            if at >= since:
                fresh.apply(record, at)
        assert fresh.left_usd(self.now) == self.workers[who].left_usd(self.now)
        self.workers[who] = fresh


KINDS = ["reserve"] * 6 + ["end"] * 4 + ["lose", "wait", "restart"]
WAITS = [1, HOUR_MS // 5, HOUR_MS, 13 * HOUR_MS]
STEP = st.tuples(st.sampled_from(KINDS), st.integers(0, 400_000), st.integers(0, 100), st.booleans(), st.booleans())


@settings(max_examples=150)
@given(st.lists(STEP, min_size=25, max_size=60), st.integers(100_000, 1_000_000), st.integers(1, 6))
def test_no_interleaving_of_workers_restarts_and_lost_settles_spends_more_than_is_allowed(
    steps: list[tuple[str, int, int, bool, bool]], limit: int, per_hour: int
) -> None:
    world = World(limit / 1e6, per_hour)
    for kind, number, share, one, other in steps:
        if kind == "reserve":
            world.reserve(int(one), number)
        elif kind == "end":
            world.end(number, share, one or other, other)
        elif kind == "lose" and world.open:
            world.open.pop(sorted(world.open)[number % len(world.open)])
        elif kind == "wait":
            world.now += WAITS[share % len(WAITS)]
        elif kind == "restart":
            world.restart(int(one))
        assert all(spent <= limit for spent in world.spent.values())
        assert all(calls <= per_hour for calls in world.calls.values())


def test_time_does_not_go_back_where_a_new_leaders_clock_is_behind() -> None:
    budget = Budget(1.0, 1)
    midnight = NOON + 12 * HOUR_MS
    assert reserved(budget, "a", 1.0, midnight)
    assert not reserved(budget, "b", 0.1, midnight - 1000)
    assert not reserved(budget, "c", 0.1, midnight + 1000)
