"""Stop asking a provider that does not answer, so that others are asked at once instead of after a time-out.

closed -> open: too many of the last calls failed or were slow. open -> half open: its time is over. half open -> closed: one probe was
answered; it is no P1 unless nobody else came for a while. A provider that says it is busy rests for as long as it says: no failure.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum

from pipeline.act.providers.base import Answer, Ask, Failure, Provider, ProviderError
from pipeline.act.providers.wrapping import Wrapping
from schemas.base import Severity

COUNTED = frozenset({Failure.UNREACHABLE, Failure.TIMEOUT, Failure.BROKEN, Failure.INTERNAL})
FOR_LONGER = frozenset({Failure.DENIED, Failure.NO_MODEL})
"""A person must change something first."""
MOST_REST_S = 120.0
RESTS_AFTER = 3
"""So many times busy in a row, with no word of how long, are followed by a rest."""


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    """The next call is a probe."""
    RESTING = "resting"
    """The provider said that it is busy, and for how long."""


class Breaker(Wrapping):
    """Opens when `in_a_row` calls failed one after the other; when, of the last `window` calls within `age_s`, at least `least` failed and
    they are `share` of all; or when at least `least` were slow (took `slow_share` of the time they were given) and they are `slow_calls` of
    all. A call that was given less than `fair_s` tells nothing by not ending in it.

    Open for `open_s`, twice as long after each probe that fails, at most `most_open_s`; for `long_open_s` where a person must act.
    """

    def __init__(
        self,
        inner: Provider,
        *,
        clock: Callable[[], float] = time.monotonic,
        changed: Callable[[str, str], None] = lambda provider, state: None,
        window: int = 20,
        age_s: float = 60.0,
        least: int = 3,
        in_a_row: int = 4,
        share: float = 0.5,
        slow_share: float = 0.9,
        slow_calls: float = 0.8,
        fair_s: float = 1.0,
        open_s: float = 5.0,
        most_open_s: float = 60.0,
        long_open_s: float = 120.0,
        p1_probes_after_s: float = 30.0,
    ) -> None:
        super().__init__(inner)
        self._clock, self._watchers = clock, [changed]
        self._calls: deque[tuple[float, bool, bool]] = deque(maxlen=window)
        self._age_s, self._least, self._in_a_row, self._share = age_s, least, in_a_row, share
        self._slow_share, self._slow_calls, self._fair_s = slow_share, slow_calls, fair_s
        self._open_s, self._most_open_s, self._long_open_s = open_s, most_open_s, long_open_s
        self._p1_probes_after_s = p1_probes_after_s
        self._state = BreakerState.CLOSED
        self._opened = 0
        self._epoch = 0
        self._busy = 0
        self._probing = False
        self.until = 0.0
        """By the clock: open or resting until then."""
        self.why = ""
        """Why it is open; for people."""
        self.healthy = True
        """Whether the last call that says something about the provider was answered; true before the first."""

    @property
    def state(self) -> BreakerState:
        now = self._clock()
        if self._state is BreakerState.OPEN and now >= self.until:
            return BreakerState.HALF_OPEN
        if self._state is BreakerState.RESTING and now >= self.until:
            return BreakerState.CLOSED
        return self._state

    def watch(self, changed: Callable[[str, str], None]) -> None:
        """`changed(provider, state)` is called at each change that a call or its failure brings."""
        self._watchers.append(changed)

    def refusal(self, severity: Severity) -> ProviderError | None:
        """Why a call of that severity would not be let through now."""
        state, now = self.state, self._clock()
        if state is BreakerState.HALF_OPEN:
            may_probe = severity is not Severity.P1 or now - self.until >= self._p1_probes_after_s
            return None if may_probe and not self._probing else self._refuse(now)
        return None if state is BreakerState.CLOSED else self._refuse(now)

    async def ask(self, ask: Ask) -> Answer:
        if (refusal := self.refusal(ask.severity)) is not None:
            raise refusal
        probe = self.state is BreakerState.HALF_OPEN
        if probe:
            self._probing = True
            self._tell(BreakerState.HALF_OPEN)
        epoch, began = self._epoch, self._clock()
        try:
            answer = await self.inner.ask(ask)
        except ProviderError as error:
            if epoch == self._epoch:
                self._failed(error, ask, probe)
            raise
        finally:
            if probe:
                self._probing = False
        if epoch == self._epoch:
            self._answered(self._clock() - began, ask, probe)
        return answer

    def _answered(self, took_s: float, ask: Ask, probe: bool) -> None:
        self.healthy, self._busy = True, 0
        if probe or self._state is BreakerState.RESTING:
            self._close()
        slow = ask.timeout_s >= self._fair_s and took_s >= self._slow_share * ask.timeout_s
        self._note(failed=False, slow=slow)
        recent = self._recent()
        count = sum(slow for _, _, slow in recent)
        if count >= self._least and count >= self._slow_calls * len(recent):
            self._open(self._open_s, f"{count} of its last {len(recent)} answers took nearly all the time there was")

    def _failed(self, error: ProviderError, ask: Ask, probe: bool) -> None:
        if error.failure is Failure.OVERLOADED:
            self._rest(error)
        elif error.failure in FOR_LONGER:
            self.healthy = False
            self._open(self._long_open_s, error.what)
        elif error.failure in COUNTED and not (error.failure is Failure.TIMEOUT and ask.timeout_s < self._fair_s):
            self.healthy, self._busy = False, 0
            self._note(failed=True, slow=False)
            recent = self._recent()
            count = sum(failed for _, failed, _ in recent)
            if probe:
                self._open(min(self._most_open_s, self._open_s * 2.0**self._opened), error.what)
            elif self._row() >= self._in_a_row:
                self._open(self._open_s, f"its last {self._row()} calls failed, the newest one: {error.what}")
            elif count >= self._least and count >= self._share * len(recent):
                self._open(self._open_s, f"{count} of its last {len(recent)} calls failed, the newest one: {error.what}")
        elif error.failure in (Failure.REFUSED, Failure.INVALID_ANSWER) and probe:
            self._close()  # it answers, if only to say no

    def _rest(self, error: ProviderError) -> None:
        """A rest is as long as the provider says, else longer with each time that it was busy."""
        self._busy += 1
        seconds = error.retry_after_s
        if seconds is None and self._busy >= RESTS_AFTER:
            seconds = 0.5 * 2.0 ** min(self._busy - RESTS_AFTER, 6)
        if seconds is not None and seconds > 0:
            self.until, self.why = self._clock() + min(seconds, MOST_REST_S), error.what
            self._set(BreakerState.RESTING)

    def _open(self, seconds: float, why: str) -> None:
        self._opened += 1
        self.until, self.why = self._clock() + seconds, why
        self._calls.clear()
        self._set(BreakerState.OPEN)

    def _close(self) -> None:
        self._opened, self._busy, self.why = 0, 0, ""
        self._calls.clear()
        self._set(BreakerState.CLOSED)

    def _set(self, state: BreakerState) -> None:
        """Calls that began before have no say in what comes now: a storm of old time-outs does not open it twice."""
        self._state = state
        self._epoch += 1
        self._tell(state)

    def _tell(self, state: BreakerState) -> None:
        for changed in self._watchers:
            changed(self.name, state.value)

    def _note(self, *, failed: bool, slow: bool) -> None:
        self._calls.append((self._clock(), failed, slow))

    def _row(self) -> int:
        """How many of the newest calls failed one after the other."""
        return next((at for at, (_, failed, _) in enumerate(reversed(self._calls)) if not failed), len(self._calls))

    def _recent(self) -> list[tuple[float, bool, bool]]:
        since = self._clock() - self._age_s
        return [call for call in self._calls if call[0] >= since]

    def _refuse(self, now: float) -> ProviderError:
        left = max(0.0, self.until - now)
        again = f"asked again in {left:.0f} s" if left > 0 else "a probe is on its way"
        return ProviderError(Failure.OPEN, f"not asked: {self.why or 'it failed before'}; {again}", retry_after_s=left, asked=False)
