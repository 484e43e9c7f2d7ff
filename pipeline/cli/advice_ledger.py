"""Calls from the command line that cost money are counted like the workers': reserved on the topic `usage` before, settled after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pipeline.cli.advice_question import note
from pipeline.cli.common import Exit, Refusal

if TYPE_CHECKING:
    from agents.advice.config import AdviceConfig
    from pipeline.act.ledger import KafkaLedger
    from pipeline.settings import Settings

READY_S, LOOK_S = 10.0, 0.05
WRITE_S = 3.0


@asynccontextmanager
async def ledger_for(settings: Settings, config: AdviceConfig, *, paid: bool) -> AsyncIterator[KafkaLedger | None]:
    """None where nothing that is asked costs money, or where no Kafka is named: then such a call is not counted, and stderr says so.

    Refuses where Kafka is named and does not answer.
    """
    if not paid:
        yield None
        return
    if "brokers" not in settings.model_fields_set:
        note("no Kafka is named, so what this costs is not counted against the budget")
        yield None
        return
    from pipeline.act.ledger import KafkaLedger
    from pipeline.act.usage_log import UsageLog

    log = UsageLog(settings)
    ledger = KafkaLedger(settings, config, log)
    ledger.worker = "fluxai"
    log.start()
    ledger.start()
    try:
        await ready(ledger)
        yield ledger
    finally:
        await log.close(WRITE_S)
        await ledger.close()


async def ready(ledger: KafkaLedger) -> None:
    for _ in range(round(READY_S / LOOK_S)):
        if ledger.ready:
            return
        await asyncio.sleep(LOOK_S)
    raise Refusal(Exit.CONNECTION, "The ledger of spending did not answer, so nothing that costs money is asked.", "Run: fluxai doctor")
