"""What an engine worker tells about itself. Every hook must be quick and must not raise."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Implemented by whoever keeps metrics. Seconds are wall-clock, topics are short names."""

    def processed(self, topic: str, count: int) -> None:
        """Records of this topic whose transaction was committed."""

    def fired(self, count: int) -> None:
        """Timers whose transaction was committed."""

    def failed(self, topic: str, error: Exception) -> None:
        """A record or timer raised and was given to the processor's `failed`. For a timer, `topic` is the changelog.

        Told when it happens, so once more when its transaction is aborted and done again.
        """

    def transaction(self, seconds: float) -> None:
        """A transaction was committed, this long after it began."""

    def aborted(self, reason: str) -> None:
        """A transaction was aborted; its input is processed again."""

    def restored(self, partition: int, keys: int, seconds: float) -> None:
        """A task has its state and reads on, this long after it was assigned."""

    def lag(self, topic: str, partition: int, messages: int, seconds: float) -> None:
        """How far a task is behind: records not yet processed, and the age of the last one that was (0 when none waits)."""

    def revoked(self, partition: int) -> None:
        """The task of this partition is no longer here."""


class Silent:
    """Hears everything and says nothing."""

    def processed(self, topic: str, count: int) -> None:
        pass

    def fired(self, count: int) -> None:
        pass

    def failed(self, topic: str, error: Exception) -> None:
        pass

    def transaction(self, seconds: float) -> None:
        pass

    def aborted(self, reason: str) -> None:
        pass

    def restored(self, partition: int, keys: int, seconds: float) -> None:
        pass

    def lag(self, topic: str, partition: int, messages: int, seconds: float) -> None:
        pass

    def revoked(self, partition: int) -> None:
        pass
