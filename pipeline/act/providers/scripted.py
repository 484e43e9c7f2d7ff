"""A provider without a model, for tests and demonstrations.

provider = Scripted(['{"severity": "P2"}', ProviderError(Failure.TIMEOUT, "as asked")])   # in turn; the last one again and again
provider = Scripted(lambda ask: '{"severity": "P1"}' if "checkout" in ask.user else '{"severity": "P4"}')
...
assert [ask.prompt for ask in provider.asked] == ["triage@1"]
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from pipeline.act.providers.base import Answer, Ask, Failure, ProviderError
from pipeline.act.providers.check import Check
from pipeline.act.providers.prices import input_tokens

Said = str | Answer | ProviderError


class Scripted:
    """`answers`: what to say in turn, or a function of the ask. A text is an answer, an Answer is given as it is (with probabilities,
    say), a ProviderError is raised. `cost_usd` is what each answer costs where it is `paid`. Keeps the last 10,000 asks in `asked`."""

    model = "script"

    def __init__(
        self,
        answers: Callable[[Ask], Said] | Sequence[Said],
        *,
        latency_s: float = 0.0,
        paid: bool = False,
        local: bool = True,
        name: str = "scripted",
        cost_usd: float = 0.0,
    ) -> None:
        if not callable(answers) and (isinstance(answers, str) or not answers):
            raise ValueError("answers is a function or a list of one answer or more")
        self.name = name
        self.paid = paid
        self.local = local
        self.asked: list[Ask] = []
        self.most_at_once = 0
        """Asks that were in hand at the same time, at most."""
        self.closed = False
        self._answers = answers
        self._latency_s = latency_s
        self._cost_usd = cost_usd if paid else 0.0
        self._at_once = 0

    async def ask(self, ask: Ask) -> Answer:
        began = time.monotonic()
        if len(self.asked) < 10_000:
            self.asked.append(ask)
        turn = len(self.asked) - 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(min(self._latency_s, ask.timeout_s))
        finally:
            self._at_once -= 1
        if self._latency_s > ask.timeout_s:
            raise ProviderError(Failure.TIMEOUT, f"{self.name} did not answer within {ask.timeout_s:.1f} s")
        said = self._answers(ask) if callable(self._answers) else self._answers[min(turn, len(self._answers) - 1)]
        if isinstance(said, ProviderError):
            raise said
        if isinstance(said, Answer):
            return said
        return Answer(
            text=said,
            provider=self.name,
            model=self.model,
            tokens_in=input_tokens(ask),
            tokens_out=max(1, len(said) // 4),
            cost_usd=self._cost_usd,
            took_s=time.monotonic() - began,
        )

    def worst_cost(self, ask: Ask) -> float:
        return 0.0 if ask.warm else self._cost_usd

    async def check(self, timeout_s: float = 5.0) -> Check:
        del timeout_s
        return Check(self.model, "answers as its script says")

    async def close(self) -> None:
        self.closed = True
