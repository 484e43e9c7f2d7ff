"""What may still be spent on paid models: a fold over the topic `usage` in the order of its log.

Every worker folds the same records with the broker's times, so all agree on which reservation was granted, and a restart comes to the same
point from the start of the day (of the day before, to know its open calls). Money is in whole micro-dollars, rounded up.

A day and an hour are those of UTC. A reservation that is never settled counts until its day is over; one of yesterday that is settled
today belongs to yesterday.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from schemas.base import from_ms
from schemas.usage import Usage

MICRO = 1_000_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
KEPT = 64
"""Periods whose excess is remembered: two days of hours, and the days."""

STAYS = "advise-"
"""Begins the names of workers that go on after a denial. A command line is denied and gone: it cannot tell anybody when a period ends."""


def micro(usd: float) -> int:
    """Whole micro-dollars, rounded up; what is a millionth of one above a whole is an error of floats. At most a billion dollars."""
    return max(0, ceil(min(usd, 1e9) * MICRO - 1e-6))


@dataclass(frozen=True, slots=True)
class Period:
    """`day` 2026-11-24, or `hour` 2026-11-24T13, of UTC."""

    kind: str
    name: str
    ends_ms: int


@dataclass(frozen=True, slots=True)
class Exceeded:
    """The first reservation of a period that was denied to a worker that stays: it is the one that tells people."""

    period: Period
    worker: str
    usage_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Refusal:
    period: Period
    why: str
    """For people."""


class Budget:
    """`per_day_usd` of all workers and paid providers, `per_hour` calls."""

    def __init__(self, per_day_usd: float, per_hour: int) -> None:
        self.limit, self.per_hour = micro(per_day_usd), per_hour
        self.exceeded: dict[str, Exceeded] = {}
        """By name of the period, oldest first."""
        self.why = ""
        """The latest reservation was denied because of this."""
        self._now = 0
        self._spent = self._reserved = self._analyses = 0
        self._open: dict[str, tuple[int, int]] = {}
        self._ended: set[str] = set()
        self._refused: set[str] = set()
        self._yesterdays: set[str] = set()

    def apply(self, usage: Usage, broker_time_ms: int) -> bool | None:
        """Take in the next record of the log. Whether a `reserve` is granted; None for others. A record twice changes nothing."""
        self._advance(broker_time_ms)
        if usage.kind == "reserve":
            return self._reserve(usage)
        if usage.kind == "settle":
            self._settle(usage)
        return None

    def refusal(self, usd: float, now_ms: int) -> Refusal | None:
        """Why a reservation of so much would be denied at that time, if nothing else came before it."""
        cost, hour = micro(usd), period("hour", now_ms)
        analyses = self._analyses if now_ms // HOUR_MS <= self._now // HOUR_MS else 0
        if analyses >= self.per_hour:
            if self.per_hour == 0:
                return Refusal(hour, "no paid call is allowed: the analyses of an hour are 0")
            return Refusal(hour, f"all {self.per_hour} analyses of this hour are used up, until {_until(hour)}")
        taken = self._taken(now_ms)
        if taken + cost > self.limit:
            day = period("day", now_ms)
            if self.limit == 0:
                return Refusal(day, "no paid call is allowed: the budget of the day is 0")
            spent = f"{taken / MICRO:.4f} of the day's {self.limit / MICRO:.2f} USD are spent or reserved"
            return Refusal(day, f"{spent}, and this call may cost {cost / MICRO:.4f}; until {_until(day)}")
        return None

    def left_usd(self, now_ms: int) -> float:
        return max(0, self.limit - self._taken(now_ms)) / MICRO

    def _taken(self, now_ms: int) -> int:
        return self._spent + self._reserved if now_ms // DAY_MS <= self._now // DAY_MS else 0

    def _advance(self, broker_time_ms: int) -> None:
        """Time never goes back: the clocks of brokers may differ when a partition changes its leader."""
        before, self._now = self._now, max(self._now, broker_time_ms)
        if self._now // HOUR_MS != before // HOUR_MS:
            self._analyses = 0
        if self._now // DAY_MS != before // DAY_MS:
            self._yesterdays = set(self._open)
            self._spent = self._reserved = 0
            self._open.clear()
            self._ended.clear()
            self._refused.clear()

    def _reserve(self, usage: Usage) -> bool:
        name = usage.usage_id
        if name in self._open:
            return True
        if name in self._ended or name in self._refused or name in self._yesterdays:
            return False
        refusal = self.refusal(usage.cost_usd, self._now)
        if refusal is not None:
            self._refused.add(name)
            self.why = refusal.why
            self._exceed(refusal, usage)
            return False
        cost = micro(usage.cost_usd)
        self._open[name] = (cost, self._now // HOUR_MS)
        self._reserved += cost
        self._analyses += 1
        return True

    def _settle(self, usage: Usage) -> None:
        name = usage.usage_id
        if name in self._ended or name in self._yesterdays:
            return
        self._ended.add(name)
        reserved, hour = self._open.pop(name, (0, -1))
        self._reserved -= reserved
        # One that was not granted here, as a worker with another budget saw it, was spent all the same.
        self._spent += micro(usage.cost_usd)
        if not usage.asked and hour == self._now // HOUR_MS:
            self._analyses -= 1

    def _exceed(self, refusal: Refusal, usage: Usage) -> None:
        name = refusal.period.name
        if name not in self.exceeded and usage.worker.startswith(STAYS):
            self.exceeded[name] = Exceeded(refusal.period, usage.worker, usage.usage_id, refusal.why)
            if len(self.exceeded) > KEPT:
                del self.exceeded[next(iter(self.exceeded))]


def period(kind: str, now_ms: int) -> Period:
    length = HOUR_MS if kind == "hour" else DAY_MS
    begins = now_ms // length * length
    return Period(kind, from_ms(begins).strftime("%Y-%m-%dT%H" if kind == "hour" else "%Y-%m-%d"), begins + length)


def _until(one: Period) -> str:
    return from_ms(one.ends_ms).strftime("%H:%M UTC")
