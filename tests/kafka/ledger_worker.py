"""A worker that spends as fast as its ledger lets it: `python -m tests.kafka.ledger_worker BROKERS PREFIX SLOT FILE`.

Each line of FILE is a JSON array: `granted`, id, USD, seconds that it took; `settled`, id, USD; `denied`, why. It ends after some denials.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from pathlib import Path

from agents.advice.config import AdviceConfig
from pipeline.act.ledger import KafkaLedger
from pipeline.act.providers.base import ProviderError
from pipeline.act.usage_log import UsageLog
from pipeline.settings import Settings
from schemas.base import from_ms
from schemas.usage import Usage

BUDGET_USD, WORST_USD = 0.50, 0.01
CALLERS = 3
DENIALS = 30


async def spend(ledger: KafkaLedger, say: Path, chance: random.Random) -> None:
    denials = 0
    with say.open("a") as file:
        while denials < DENIALS:
            began = time.monotonic()
            try:
                name = await ledger.reserve("claude", "m", "triage", "i", WORST_USD)
            except ProviderError as error:
                denials += "USD" in error.what
                print(json.dumps(["denied", error.what]), file=file, flush=True)
                await asyncio.sleep(0.02)
                continue
            print(json.dumps(["granted", name, WORST_USD, time.monotonic() - began]), file=file, flush=True)
            await asyncio.sleep(0.002)
            if chance.random() < 0.2:
                continue  # its settle is lost
            true = round(WORST_USD * chance.random(), 6)
            at = from_ms(round(time.time() * 1000))
            await ledger.settle(name, Usage(usage_id="", kind="settle", provider="claude", cost_usd=true, outcome="answered", at=at))
            print(json.dumps(["settled", name, true]), file=file, flush=True)


async def main(brokers: str, prefix: str, slot: str, say: Path) -> None:
    settings = Settings(brokers=brokers, topic_prefix=prefix, slot=int(slot))
    log = UsageLog(settings)
    ledger = KafkaLedger(settings, AdviceConfig(budget_per_day_usd=BUDGET_USD, analyses_per_hour=100_000), log)
    log.start()
    ledger.start()
    chance = random.Random(slot)
    await asyncio.gather(*(spend(ledger, say, chance) for _ in range(CALLERS)))
    await asyncio.sleep(1.5)  # the alert
    await ledger.close()
    await log.close(1)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])))
