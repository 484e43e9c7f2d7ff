"""What the lane tells about itself."""

from __future__ import annotations

from typing import Protocol

from pipeline.metrics import Metrics


class ActObserver(Protocol):
    """Calls come from the lane's loop and must return at once."""

    def effect(self, state: str, receiver: str, seconds: float | None) -> None:
        """One receipt: done, failed, rejected or deferred; `seconds` of the attempt, None when there was none."""

    def skipped(self, count: int) -> None:
        """Deliveries that a newer one for the same incident and receiver had replaced."""

    def in_flight(self, count: int) -> None: ...

    def dead_letter(self, reason: str) -> None: ...

    def lag(self, partition: int, messages: int, seconds: float) -> None: ...

    def revoked(self, partition: int) -> None: ...


class MetricsObserver:
    """Feeds the catalogue. Receivers that are not configured are counted as one, so that the label stays bounded."""

    lane = "act"
    topic = "effects.delivery"

    def __init__(self, metrics: Metrics, receivers: frozenset[str]) -> None:
        self._metrics = metrics
        self._receivers = receivers

    def effect(self, state: str, receiver: str, seconds: float | None) -> None:
        name = receiver if receiver in self._receivers else "unknown"
        self._metrics.effects.of(state, name).inc()
        self._metrics.events.of(self.lane, self.topic).inc()
        if seconds is not None:
            self._metrics.effect_seconds.of(name).observe(seconds)

    def skipped(self, count: int) -> None:
        self._metrics.events.of(self.lane, self.topic).inc(count)

    def in_flight(self, count: int) -> None:
        self._metrics.effects_in_flight.set(count)

    def dead_letter(self, reason: str) -> None:
        self._metrics.dead_letters.of(self.lane, reason).inc()

    def lag(self, partition: int, messages: int, seconds: float) -> None:
        self._metrics.lag_messages.of(self.lane, self.topic, str(partition)).set(messages)
        self._metrics.lag_seconds.of(self.lane, self.topic, str(partition)).set(seconds)

    def revoked(self, partition: int) -> None:
        self._metrics.lag_messages.remove(self.lane, self.topic, str(partition))
        self._metrics.lag_seconds.remove(self.lane, self.topic, str(partition))
