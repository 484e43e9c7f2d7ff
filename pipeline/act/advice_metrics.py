"""What the advice lane shows of itself: the metrics of questions, calls, servers and money, and a record of usage for each unpaid call.

Providers and outcomes are closed sets. Usage of paid calls is written by the ledger.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Collection

from pipeline.act.observer import LaneCounts
from pipeline.act.providers.base import Answer, Ask, Failure
from pipeline.metrics import Metrics
from schemas.base import Severity, from_ms
from schemas.effect import Receipt
from schemas.usage import Usage

PROVIDERS = frozenset({"ollama", "openai", "claude", "scripted"})
ANSWERED, PASSED_OVER = "answered", "passed_over"
OUTCOMES = frozenset({ANSWERED, PASSED_OVER, *(failure.value for failure in Failure)})
NOBODY = "nobody"
"""Reason of a question for which no provider was tried."""
LIMITS = ("hour", "day")
STATES = ("closed", "open", "half_open", "resting")
NOT_ASKED = frozenset({Failure.OPEN, Failure.BUSY, Failure.BUDGET, Failure.UNREDACTABLE, Failure.NOT_ALLOWED})


class AdviceMetrics(LaneCounts):
    """An `AdviceObserver`, and the loop's. Every method returns at once: `write` only queues, and counts what it drops."""

    def __init__(self, metrics: Metrics, worker: str = "", write: Callable[[Usage], object] = lambda usage: None) -> None:
        super().__init__(metrics, "advise", "effects.advice")
        self._worker, self._write = worker, write
        self._fresh: dict[int, tuple[Ask, Usage]] = {}
        self.paid: Collection[str] = frozenset()
        """Providers whose calls the ledger writes down."""

    # -- the loop -------------------------------------------------------------------------------------------------------------------

    def receipt(self, receipt: Receipt) -> None:
        """Kafka has it."""
        self._metrics.events.of(self.lane, self.topic).inc()
        for tried in receipt.tried:
            self._metrics.advice.requests.of(provider(tried.provider), outcome(tried.outcome)).inc()
        if receipt.status != "done":
            self._metrics.advice.degraded.of(outcome(receipt.tried[-1].outcome) if receipt.tried else NOBODY).inc()

    def in_hand(self, count: int) -> None:
        self._metrics.advice.in_hand.set(count)

    def budget(self, left_usd: float, exceeded: Collection[str]) -> None:
        """What is left of the day's budget, and which limits (`hour`, `day`) have refused a call in the period that goes on."""
        self._metrics.advice.budget_left_usd.set(left_usd)
        for limit in LIMITS:
            self._metrics.advice.budget_exceeded.of(limit).set(limit in exceeded)

    # -- the adviser ----------------------------------------------------------------------------------------------------------------

    def asked(self, name: str, ask: Ask) -> None:
        """Told again when it ends."""

    def answered(self, name: str, ask: Ask, answer: Answer) -> None:
        if not answer.cached:
            self._metrics.advice.seconds.of(provider(name)).observe(answer.took_s)
            self._metrics.advice.cost_usd.of(provider(name)).inc(answer.cost_usd)
            for direction, tokens in (("in", answer.tokens_in), ("cached", answer.tokens_cached), ("out", answer.tokens_out)):
                self._metrics.advice.tokens.of(provider(name), direction).inc(tokens)
        if name in self.paid and not answer.cached:
            return
        usage = self._usage(name, ask, ANSWERED, answer.took_s).model_copy(
            update={
                "model": answer.model,
                "cost_usd": answer.cost_usd,
                "tokens_in": answer.tokens_in,
                "tokens_out": answer.tokens_out,
                "tokens_cached": answer.tokens_cached,
                "waited_ms": round(answer.waited_s * 1000),
                "cached": answer.cached,
            }
        )
        # Our checks speak in the same step of the loop: what they say belongs into the same record.
        self._fresh[id(ask)] = (ask, usage)
        asyncio.get_running_loop().call_soon(self._write_fresh, id(ask))

    def failed(self, name: str, ask: Ask, failure: Failure, seconds: float) -> None:
        if failure is Failure.INVALID_ANSWER:
            if id(ask) in self._fresh:
                self._fresh[id(ask)][1].outcome = failure.value
        elif failure not in NOT_ASKED and name not in self.paid:
            self._write(self._usage(name, ask, failure.value, seconds))

    def waited(self, name: str, severity: Severity, seconds: float) -> None:
        self._metrics.advice.wait_seconds.of(provider(name)).observe(seconds)

    def admission(self, name: str, in_flight: int, waiting: int) -> None:
        self._metrics.advice.in_flight.of(provider(name)).set(in_flight)
        self._metrics.advice.queue.of(provider(name)).set(waiting)

    def breaker(self, name: str, state: str) -> None:
        for one in STATES:
            self._metrics.advice.breaker_state.of(provider(name), one).set(one == state)

    def reloaded(self, name: str) -> None:
        self._metrics.advice.reloads.of(provider(name)).inc()

    def _write_fresh(self, key: int) -> None:
        fresh = self._fresh.pop(key, None)
        if fresh is not None:
            self._write(fresh[1])

    def _usage(self, name: str, ask: Ask, outcome: str, seconds: float) -> Usage:
        return Usage(
            usage_id=uuid.uuid4().hex,
            kind="call",
            provider=name,
            task=ask.task,
            prompt=ask.prompt,
            incident_id=ask.incident_id,
            worker=self._worker,
            outcome=outcome,
            took_ms=round(seconds * 1000),
            at=from_ms(round(time.time() * 1000)),
        )


def provider(name: str) -> str:
    return name if name in PROVIDERS else "other"


def outcome(word: str) -> str:
    return word if word in OUTCOMES else "other"
