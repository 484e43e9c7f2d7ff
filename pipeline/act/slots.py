"""Who is next at a server that works on few requests at once.

Plain data and arithmetic: no clock, no asyncio. Every method that depends on the time is given `now`, in seconds of any one clock. The
order of those who wait: deadline not passed before passed, then severity, then those who can still be in time before those who cannot,
then the earlier deadline, then who came first. A call that was given up keeps its slot until the server must have ended it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple

from schemas.base import Severity

RANKS = tuple(Severity)
BACKGROUND = len(RANKS)
"""Rank of calls that nobody waits for, such as warming up: behind every severity."""


class Durations:
    """How long calls take: a moving mean and deviation, as TCP keeps of its round trips."""

    def __init__(self, *, least_s: float = 0.5, most_s: float = 60.0, unknown_s: float = 10.0) -> None:
        self._least, self._most, self._unknown = least_s, most_s, unknown_s
        self._mean: float | None = None
        self._deviation = 0.0

    @property
    def expected_s(self) -> float | None:
        """None before the first call has ended."""
        return self._mean

    @property
    def worst_s(self) -> float:
        """What nearly no call exceeds, within the bounds."""
        if self._mean is None:
            return self._unknown
        return min(self._most, max(self._least, self._mean + 4 * self._deviation))

    def observe(self, seconds: float) -> None:
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
            return
        self._deviation += 0.25 * (abs(seconds - self._mean) - self._deviation)
        self._mean += 0.2 * (seconds - self._mean)


class Why(StrEnum):
    """Why a call left the line without a slot."""

    EXPIRED = "no slot became free in time"
    DROPPED = "more urgent calls filled the line"
    DISMISSED = "the line was sent away"


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    LOST = "lost"
    """Given up by us; the server may still be at it."""
    ENDED = "ended"


@dataclass(eq=False, slots=True)
class Call:
    """One that wants a slot. `deadline`: answered by then it is in time; `late_until`: it leaves the line then."""

    rank: int
    deadline: float
    late_until: float
    offered_at: float = 0.0
    sequence: int = 0
    state: State = State.WAITING
    started_at: float = 0.0
    busy_until: float = 0.0
    left: Why | None = None


class Turn(NamedTuple):
    """What has changed: who has a slot now, and who left without one."""

    started: list[Call]
    left: list[Call]


Place = tuple[float, int, Call]


def _time(place: Place) -> float:
    return place[0]


@dataclass
class Slots:
    """`most_waiting` bounds the line: the least urgent is dropped when one more comes."""

    slots: int
    most_waiting: int = 2048
    durations: Durations = field(default_factory=Durations)
    running: set[Call] = field(default_factory=set, init=False)
    lost: set[Call] = field(default_factory=set, init=False)
    _lines: list[list[Place]] = field(default_factory=lambda: [[] for _ in range(BACKGROUND + 1)], init=False)
    _dropped: list[Call] = field(default_factory=list, init=False)
    _first_expiry: float = field(default=float("inf"), init=False)
    _sequence: int = field(default=0, init=False)

    @property
    def in_flight(self) -> int:
        """Slots that are taken, those of lost calls too."""
        return len(self.running) + len(self.lost)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._lines))

    def offer(self, call: Call, now: float) -> None:
        """Stand in line. `advance` says what comes of it."""
        self._sequence += 1
        call.sequence, call.offered_at = self._sequence, now
        insort(self._lines[call.rank], (call.deadline, call.sequence, call))
        self._first_expiry = min(self._first_expiry, call.late_until)
        if self.waiting > self.most_waiting:
            last = self._least_urgent(now)
            self._leave(last, Why.DROPPED)
            self._dropped.append(last)

    def advance(self, now: float) -> Turn:
        """Let go whose time is over, free what must have ended, and start who is next."""
        left, self._dropped = self._dropped, []
        if now >= self._first_expiry:
            for call in [call for call in self._calls() if call.late_until <= now]:
                self._leave(call, Why.EXPIRED)
                left.append(call)
            self._first_expiry = min((call.late_until for call in self._calls()), default=float("inf"))
        for call in [call for call in self.lost if call.busy_until <= now]:
            self.lost.discard(call)
            call.state = State.ENDED
        started = []
        while self.in_flight < self.slots and (first := self._next(now)) is not None:
            self._remove(first)
            first.state, first.started_at = State.RUNNING, now
            self.running.add(first)
            started.append(first)
        return Turn(started, left)

    def next_at(self) -> float | None:
        """When `advance` has something to do even if nobody comes or ends."""
        times = [call.busy_until for call in self.lost] + [self._first_expiry] * (self.waiting > 0)
        return min(times, default=None)

    def finish(self, call: Call) -> None:
        """It has ended: its slot is free."""
        if call.state is State.RUNNING:
            self.running.discard(call)
            call.state = State.ENDED

    def lose(self, call: Call, until: float) -> None:
        """It was given up: its slot is busy until then."""
        if call.state is State.RUNNING:
            self.running.discard(call)
            self.lost.add(call)
            call.state, call.busy_until = State.LOST, until

    def withdraw(self, call: Call) -> None:
        """Whoever wanted it does not want it any more."""
        if call.state is State.WAITING:
            self._remove(call)
            call.state = State.ENDED

    def dismiss(self) -> list[Call]:
        """Send everybody in line away."""
        calls = list(self._calls())
        for call in calls:
            self._leave(call, Why.DISMISSED)
        return calls

    def starts_at(self, rank: int, deadline: float, now: float) -> float:
        """When a call that came now would get a slot, if every call took what calls take."""
        expected = self.durations.expected_s or 0.0
        ahead = self._ahead(rank, deadline, now)
        if self.in_flight + ahead < self.slots:
            return now
        ends = [max(now, call.started_at + expected) for call in self.running] + [max(now, call.busy_until) for call in self.lost]
        ends = sorted(ends + [now] * (self.slots - len(ends)))
        rounds, place = divmod(ahead, self.slots)
        return ends[place] + rounds * expected

    def could_start_by(self, rank: int, deadline: float, now: float) -> bool:
        """Whether a call that came now would start early enough to end by its deadline."""
        return self.starts_at(rank, deadline, now) + (self.durations.expected_s or 0.0) <= deadline

    def _calls(self) -> Iterator[Call]:
        return (call for line in self._lines for _, _, call in line)

    def _next(self, now: float) -> Call | None:
        can_be_in_time = now + (self.durations.expected_s or 0.0)
        for line in self._lines:
            at = bisect_left(line, can_be_in_time, key=_time)
            if at == len(line):
                at = bisect_right(line, now, key=_time)
            if at < len(line):
                return line[at][2]
        return next((line[0][2] for line in self._lines if line), None)

    def _least_urgent(self, now: float) -> Call:
        for line in reversed(self._lines):
            passed = bisect_right(line, now, key=_time)
            if passed:
                return line[passed - 1][2]
        return next(line[-1][2] for line in reversed(self._lines) if line)

    def _ahead(self, rank: int, deadline: float, now: float) -> int:
        if deadline <= now:
            behind = sum(bisect_right(line, now, key=_time) for line in self._lines[rank + 1 :])
            return self.waiting - behind
        more_urgent = sum(len(line) - bisect_right(line, now, key=_time) for line in self._lines[:rank])
        line = self._lines[rank]
        feasible = bisect_left(line, now + (self.durations.expected_s or 0.0), key=_time)
        mine = bisect_right(line, deadline, key=_time)
        before = mine - feasible if mine >= feasible else len(line) - feasible + mine - bisect_right(line, now, key=_time)
        return more_urgent + before

    def _leave(self, call: Call, why: Why) -> None:
        self._remove(call)
        call.state, call.left = State.ENDED, why

    def _remove(self, call: Call) -> None:
        line = self._lines[call.rank]
        del line[bisect_left(line, (call.deadline, call.sequence), key=itemgetter(0, 1))]
