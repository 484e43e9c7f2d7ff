"""A recording receiver on loopback, and the configuration that makes it the one that is told."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from tests.fakes.receivers import FakeReceiver

VERDICT = timedelta(seconds=15)
"""An incident's deadline is so long after its first alert's raw record."""
CONFIG = """\
notify:
  receivers:
    - name: oncall
      type: webhook
      url: {url}
      allow_private: true
"""


class Incident(msgspec.Struct):
    incident_id: str
    severity: str
    deadline: datetime
    opened_at: datetime
    service: str
    title: str


class Call(msgspec.Struct):
    transition: str
    attempt: int
    effect_id: str
    incident: Incident


class Attempt(NamedTuple):
    """`at` and `raw_at` (when the first alert of the incident came in) are epoch seconds."""

    at: float
    raw_at: float
    call: Call


CALL = msgspec.json.Decoder(Call).decode


def config(receiver: FakeReceiver) -> str:
    return CONFIG.format(url=receiver.url)


def attempts(receiver: FakeReceiver) -> list[Attempt]:
    found = []
    for hit in list(receiver.attempts):
        call = CALL(hit.body)
        found.append(Attempt(hit.at, (call.incident.deadline - VERDICT).timestamp(), call))
    return found


def by_transition(found: list[Attempt]) -> dict[str, int]:
    return dict(Counter(one.call.transition for one in found))
