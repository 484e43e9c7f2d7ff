"""What the adviser tells of itself. None of it may log or label what an ask says: it may hold secrets."""

from __future__ import annotations

from typing import Protocol

from pipeline.act.providers.base import Answer, Ask, Failure
from schemas.base import Severity


class AdviceObserver(Protocol):
    """Calls come from the loop and must return at once."""

    def asked(self, provider: str, ask: Ask) -> None:
        """A call begins; `ask.warm` where only to warm up or to measure."""

    def answered(self, provider: str, ask: Ask, answer: Answer) -> None:
        """It was answered, or the cache knew (`answer.cached`): what it cost, its tokens, how long it waited and took. A `failed` with
        INVALID_ANSWER follows where our checks turn it down."""

    def failed(self, provider: str, ask: Ask, failure: Failure, seconds: float) -> None:
        """No answer, or none that could be used. OPEN and BUSY: it was not asked. `seconds` since the request turned to this provider."""

    def waited(self, provider: str, severity: Severity, seconds: float) -> None:
        """A call got a slot so long after it wanted one."""

    def admission(self, provider: str, in_flight: int, waiting: int) -> None:
        """Slots that are taken, and calls that wait for one; told whenever they change."""

    def breaker(self, provider: str, state: str) -> None:
        """`closed`, `open`, `half_open` or `resting`."""

    def reloaded(self, provider: str) -> None:
        """The server has loaded the model again: everybody waited, and its prompt cache is empty."""


class NoAdviceObserver:
    """Watches nothing."""

    def asked(self, provider: str, ask: Ask) -> None: ...

    def answered(self, provider: str, ask: Ask, answer: Answer) -> None: ...

    def failed(self, provider: str, ask: Ask, failure: Failure, seconds: float) -> None: ...

    def waited(self, provider: str, severity: Severity, seconds: float) -> None: ...

    def admission(self, provider: str, in_flight: int, waiting: int) -> None: ...

    def breaker(self, provider: str, state: str) -> None: ...

    def reloaded(self, provider: str) -> None: ...
