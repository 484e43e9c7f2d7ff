"""What the lane tells about itself."""

from __future__ import annotations

from typing import Protocol

from pipeline.metrics import Metrics


class LaneObserver(Protocol):
    """What every instance of the loop tells. Calls come from the loop and must return at once."""

    def dead_letter(self, reason: str) -> None: ...

    def lag(self, partition: int, messages: int, seconds: float) -> None: ...

    def revoked(self, partition: int) -> None: ...


class ActObserver(LaneObserver, Protocol):
    """What deliveries tell besides."""

    def effect(self, state: str, receiver: str, seconds: float | None) -> None:
        """One receipt: done, failed, rejected or deferred; `seconds` of the attempt, None when there was none."""

    def skipped(self, count: int) -> None:
        """Deliveries that a newer one for the same incident and receiver had replaced."""

    def in_flight(self, count: int) -> None: ...


class LaneCounts:
    """Feeds the catalogue with what the loop tells."""

    def __init__(self, metrics: Metrics, lane: str, topic: str) -> None:
        self._metrics, self.lane, self.topic = metrics, lane, topic

    def dead_letter(self, reason: str) -> None:
        self._metrics.dead_letters.of(self.lane, reason).inc()

    def lag(self, partition: int, messages: int, seconds: float) -> None:
        self._metrics.lag_messages.of(self.lane, self.topic, str(partition)).set(messages)
        self._metrics.lag_seconds.of(self.lane, self.topic, str(partition)).set(seconds)

    def revoked(self, partition: int) -> None:
        self._metrics.lag_messages.remove(self.lane, self.topic, str(partition))
        self._metrics.lag_seconds.remove(self.lane, self.topic, str(partition))


class MetricsObserver(LaneCounts):
    """Of deliveries. Receivers that are not configured are counted as one, so that the label stays bounded."""

    def __init__(self, metrics: Metrics, receivers: frozenset[str]) -> None:
        super().__init__(metrics, "act", "effects.delivery")
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
