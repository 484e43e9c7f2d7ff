"""Alerts as Prometheus posts them: one JSON object a record, eight labels, three annotations, about 900 bytes.

A share of the stream is new (another pod, hence another fingerprint), the rest repeats, byte for byte, what has fired lately: that is
what an Alertmanager sends again every few minutes.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from schemas.topology import Service

FORMAT = """{"labels":{"alertname":"%s","severity":"%s","cluster":"%s","environment":"production","namespace":"%s","service":"%s",\
"pod":"%s-%s","instance":"10.%d.%d.%d:8080"},"annotations":{"summary":"%s on %s: %s","description":"%s has been over its threshold on %s \
in %s for more than 5 minutes. Look at the dashboard of the service for what changed, and at its upstream services for errors.",\
"runbook_url":"https://runbooks.example/%s"},"startsAt":"%s","endsAt":"0001-01-01T00:00:00Z",\
"generatorURL":"http://prometheus.example:9090/graph?g0.expr=job%%3Ahttp_errors%%3Aratio5m%%7Bservice%%3D%%22%s%%22%%7D+%%3E+0.05&g0.tab=1"}"""
NAMES = (
    "HighErrorRate",
    "HighLatency",
    "PodCrashLooping",
    "DiskSpaceLow",
    "MemoryPressure",
    "QueueBacklog",
    "CertificateExpires",
    "CPUThrottling",
)
SAYS = ("over its threshold", "restarts again and again", "latency is above 800 ms", "volume fills up", "backlog grows")
CALM = (("high", 10), ("warning", 65), ("info", 25))
"""Words of severity beside critical, with their weights."""


@dataclass(frozen=True)
class Traffic:
    """What a stream is like. The services of a stream are spread over `domains` clusters, each service in one of them."""

    domains: int = 24
    services: int = 240
    roots: int = 0
    """So many services are roots that the others depend on, in two steps; 0: no service depends on another."""
    new: float = 0.3
    critical: float = 0.01
    lonely_critical: bool = False
    """Each new critical alert is of a service of its own, so that each is an incident and a page."""
    most_new: int = 0
    """After so many new ones all is repeats; 0: no such limit."""
    remembered: int = 20_000
    """Repeats are of one of the newest so many."""
    seed: int = 1

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def service(number: int, traffic: Traffic) -> tuple[str, str]:
    """(name, cluster) of a service. The services below a root are in its cluster."""
    home = number % traffic.roots if traffic.roots else number
    kind = "root" if number < traffic.roots else "service"
    return f"{kind}-{number}", f"cluster-{home % traffic.domains}"


def topology(traffic: Traffic) -> list[Service]:
    """Roots; a third of the rest depends on them, and two thirds on that third."""
    services = []
    for number in range(traffic.services):
        root = number % traffic.roots
        layer = number // traffic.roots  # 0 the root itself
        width = max(1, (traffic.services // traffic.roots - 1) // 3)
        above = -1 if layer == 0 else root if layer <= width else root + traffic.roots * (1 + (layer - width - 1) % width)
        services.append(
            Service(
                name=service(number, traffic)[0],
                depends_on=[] if above < 0 else [service(above, traffic)[0]],
                owner=f"team-{root}",
                tier=1 if layer == 0 else 2 if layer <= width else 3,
                customer_facing=False,
                environment="production",
            )
        )
    return services


def stream(traffic: Traffic) -> Iterator[bytes]:
    """Payloads without end."""
    chance = random.Random(traffic.seed)
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    words = [word for word, weight in CALM for _ in range(weight)]
    recent: list[bytes] = []
    count = 0
    roll = chance.random
    most = traffic.most_new or sys.maxsize
    while True:
        if recent and (roll() >= traffic.new or count >= most):
            yield recent[int(roll() * len(recent))]
            continue
        made = alert(count, started, words, chance, traffic)
        if len(recent) < traffic.remembered:
            recent.append(made)
        else:
            recent[count % traffic.remembered] = made
        count += 1
        yield made


def alert(count: int, started: str, words: list[str], chance: random.Random, traffic: Traffic) -> bytes:
    roll = chance.random
    name, cluster = service(int(roll() * traffic.services), traffic)
    critical = roll() < traffic.critical
    if critical and traffic.lonely_critical:
        name = f"alone-{count}"
    word = "critical" if critical else words[int(roll() * len(words))]
    alertname, says = NAMES[int(roll() * len(NAMES))], SAYS[int(roll() * len(SAYS))]
    a, b = divmod(count, 200)
    text = FORMAT % (
        alertname, word, cluster, f"team-{count % 20}", name, name, f"{count:07x}", a // 40000 % 200, a // 200 % 200, b,
        alertname, name, says, alertname, name, cluster, alertname, started, name,
    )  # fmt: skip
    return text.encode()
