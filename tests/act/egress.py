"""A child process that asks for advice hundreds of times and prints where it connected to: `python -m tests.act.egress COUNT`.

The hook is in place before anything of ours is imported, and Python tells it of every connection and every look-up of a name.
"""

from __future__ import annotations

import sys
from typing import Any

EVENTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg", "subprocess.Popen", "os.exec")
seen: dict[str, set[str]] = {}


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in EVENTS:
        where = arguments[1] if event in ("socket.connect", "socket.sendto", "socket.sendmsg") else arguments[0]
        seen.setdefault(event, set()).add(str(where[0] if isinstance(where, tuple) else where))


sys.addaudithook(hook)

import asyncio  # noqa: E402
import json  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402

from pipeline.act.adviser import Adviser  # noqa: E402
from pipeline.act.providers.build import build  # noqa: E402
from pipeline.config import load_config  # noqa: E402
from pipeline.settings import Settings  # noqa: E402
from schemas.advice import AdviceRequest, AdviceTask, AskedAlert, Question  # noqa: E402
from schemas.base import Severity, from_ms  # noqa: E402
from schemas.effect import Receipt  # noqa: E402
from schemas.routing import RoutingRule  # noqa: E402

ROUTES = [
    RoutingRule(rule_id="p1", order=1, severities=[Severity.P1], providers=["claude"], reason="the best for the worst"),
    RoutingRule(rule_id="p2", order=2, severities=[Severity.P2], providers=["claude", "openai", "ollama"], reason="the cloud first"),
    RoutingRule(rule_id="p3", order=3, severities=[Severity.P3], providers=["openai", "ollama"], reason="theirs, then ours"),
]
"""P4 goes by the chain of its task, which names the cloud as well."""
TASKS = (AdviceTask.TRIAGE, AdviceTask.ANOMALY, AdviceTask.HANDOVER)
AT_ONCE = 32


def request(number: int) -> AdviceRequest:
    now = time.time()
    alert = AskedAlert(
        name="CheckoutFails", service="checkout", summary=f"{number} requests of checkout failed, password=Tr0ub4dor{number}"
    )
    question = Question(
        task=TASKS[number // 4 % 3],
        incident_id=f"i{number}",
        title=f"Checkout fails {number} times",
        rule_severity=list(Severity)[number % 4],
        alerts=[alert],
    )
    return AdviceRequest(
        effect_id=f"e{number}",
        incident_id=f"i{number}",
        domain="prod",
        revision=1,
        question=question,
        asked_at=from_ms(round(now * 1000)),
        deadline=from_ms(round((now + 10) * 1000)),
        late_until=from_ms(round((now + 12) * 1000)),
    )


async def ask(count: int) -> list[Receipt]:
    settings = Settings.load()
    config = load_config(settings).advice
    adviser = Adviser(build(settings, config, unbudgeted=True), config, routes=lambda: ROUTES)
    await adviser.start()
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Receipt:
        async with places:
            return await adviser.advise(request(number))

    try:
        return await asyncio.gather(*(one(number) for number in range(count)))
    finally:
        await adviser.close()


def main() -> None:
    receipts = asyncio.run(ask(int(sys.argv[1])))
    answered = Counter(receipt.advice.provider for receipt in receipts if receipt.advice is not None)
    asked = Counter(f"{one.provider}: {one.outcome}" for receipt in receipts for one in receipt.tried)
    events = {event: sorted(places) for event, places in seen.items()}
    print(json.dumps({"receipts": len(receipts), "answered": answered, "tried": asked, "events": events}))


if __name__ == "__main__":
    main()
