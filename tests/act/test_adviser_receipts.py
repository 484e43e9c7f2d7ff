"""When a receipt is sent, and what it says where there is no answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from agents.advice.config import AdviceConfig
from pipeline.act.adviser import Adviser
from pipeline.act.providers.base import Answer, Ask, Failure, ProviderError
from pipeline.act.providers.scripted import Scripted
from tests.act.test_adviser import ALL, ROUTE, answer, in_time, play, request, scripted


def test_a_call_to_a_server_that_has_begun_to_talk_nonsense_does_not_hold_its_receipt_back() -> None:
    says: dict[str, tuple[float, str]] = {"warm": (0.8, answer()), "slow": (30.0, answer())}

    class Server(Scripted):
        async def ask(self, ask: Ask) -> Answer:
            self._latency_s, text = says.get(ask.incident_id, (0.1, "arr"))
            return replace(await super().ask(ask), text=text)

    async def act(adviser: Adviser) -> list[tuple[str, bool, bool]]:
        await adviser.advise(request("warm", within=10))
        asked = [request(name, within=1.9, late=60) for name in ("slow", "n1", "n2", "n3")]
        receipts = await asyncio.gather(*(adviser.advise(one) for one in asked))
        spare = timedelta(milliseconds=100)
        return [
            (receipt.status, in_time(receipt, one), one.deadline - receipt.at >= spare)
            for receipt, one in zip(receipts, asked, strict=True)
        ]

    assert play([Server([answer()], name="ollama")], act, slots=4) == [("failed", True, True)] * 4


def test_the_reason_names_who_failed_first_and_who_was_never_set_up_only_where_there_is_nobody_else() -> None:
    async def details() -> list[str]:
        unreachable = {"ollama": scripted("ollama", [ProviderError(Failure.UNREACHABLE, "nobody answers")])}
        said = []
        for stacks, forbidden in ((unreachable, ()), (unreachable, ("claude",)), ({}, ("claude",)), ({}, ())):
            adviser = Adviser(stacks, AdviceConfig(), routes=lambda: [ROUTE], forbidden=forbidden, slots={"ollama": 1})
            said.append((await adviser.advise(request())).detail)
            await adviser.close()
        return said

    not_allowed = "claude: passed over (not allowed: AI_LOCAL_ONLY)"
    not_set_up = [f"{name}: passed over (it is not set up)" for name in ALL]
    failed = "ollama: unreachable (nobody answers)"
    assert asyncio.run(details()) == [failed, f"{failed}; {not_allowed}", not_allowed, "; ".join(not_set_up)]
