"""Nothing paid is asked unless the ledger has granted what it may cost at most."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Protocol

from pipeline.act.providers.base import Answer, Ask, Failure, Provider, ProviderError, worst_cost
from pipeline.act.providers.wrapping import Wrapping
from schemas.base import from_ms
from schemas.usage import Usage

ANSWERED = "answered"


class Ledger(Protocol):
    async def begun(self, within_s: float) -> None:
        """Returns once it can answer for the first time, or when the time is over."""

    async def reserve(self, provider: str, model: str, task: str, incident_id: str, usd: float) -> str:
        """The id of the call, once up to `usd` may be spent. Raises ProviderError BUDGET."""

    async def settle(self, usage_id: str, usage: Usage) -> None:
        """The call has ended; what it really cost. Returns soon, and raises nothing but cancellation."""


class Budget(Wrapping):
    """Around a paid provider. A call that may have reached the server without an answer counts as what it may cost at most."""

    def __init__(self, inner: Provider, ledger: Ledger) -> None:
        super().__init__(inner)
        self._ledger = ledger

    async def ask(self, ask: Ask) -> Answer:
        began = time.monotonic()
        most = worst_cost(self.inner, ask)
        await self._ledger.begun(ask.timeout_s / 2)  # the other half is for the call
        usage_id = await self._ledger.reserve(self.name, self.model, ask.task, ask.incident_id, most)
        left = ask.timeout_s - (time.monotonic() - began)
        called = time.monotonic()
        try:
            if left <= 0:
                raise ProviderError(Failure.TIMEOUT, "the time was over when the budget allowed the call", asked=False)
            answer = await self.inner.ask(replace(ask, timeout_s=left))
        except ProviderError as error:
            took_ms = round((time.monotonic() - called) * 1000)
            ended = self._usage(ask, error.failure.value, most if error.asked else 0.0, took_ms)
            await self._ledger.settle(usage_id, ended.model_copy(update={"asked": error.asked}))
            raise
        tokens = {"tokens_in": answer.tokens_in, "tokens_out": answer.tokens_out, "tokens_cached": answer.tokens_cached}
        ended = self._usage(ask, ANSWERED, answer.cost_usd, round(answer.took_s * 1000))
        await self._ledger.settle(usage_id, ended.model_copy(update=tokens | {"model": answer.model}))
        return answer

    def _usage(self, ask: Ask, outcome: str, usd: float, took_ms: int) -> Usage:
        return Usage(
            usage_id="",
            kind="settle",
            provider=self.name,
            model=self.model,
            task=ask.task,
            prompt=ask.prompt,
            incident_id=ask.incident_id,
            outcome=outcome,
            cost_usd=usd,
            took_ms=took_ms,
            at=from_ms(round(time.time() * 1000)),
        )
