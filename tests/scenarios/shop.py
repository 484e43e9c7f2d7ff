"""The shop that the scenarios happen in: checkout and search depend on api, api on db; batch stands alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from schemas.base import Matcher, from_ms
from schemas.feedback import Feedback
from schemas.rule import Rule
from schemas.silence import Silence
from schemas.topology import Service
from tests.scenarios.timeline import Timeline

SERVICES = (
    Service(name="db", tier=1, owner="storage"),
    Service(name="api", depends_on=["db"], tier=1, owner="platform"),
    Service(name="checkout", depends_on=["api"], tier=1, customer_facing=True, owner="shop"),
    Service(name="search", depends_on=["api"], tier=2, customer_facing=True, owner="shop"),
    Service(name="batch", tier=3, owner="data"),
)


def fixed(value: bytes) -> Callable[[int], bytes]:
    return lambda _: value


def with_topology(timeline: Timeline) -> None:
    for service in SERVICES:
        timeline.at(0).puts("topology", service.name, fixed(service.to_json()))


def silence(timeline: Timeline, second: float, *, minutes: float, kind: str = "silence", **labels: str) -> None:
    def make(now: int) -> bytes:
        starts = from_ms(now)
        return Silence(
            silence_id="s1", kind=kind, owner="ann", reason="planned work", starts_at=starts, ends_at=starts + timedelta(minutes=minutes),
            matchers=[Matcher(name=name, value=value) for name, value in labels.items()],
        ).to_json()  # fmt: skip

    timeline.at(second).puts("silences", "s1", make)


def false_p1(timeline: Timeline, second: float, *, daily_cap: int, **labels: str) -> None:
    def make(now: int) -> bytes:
        matchers = [Matcher(name=name, value=value) for name, value in labels.items()]
        ends = from_ms(now) + timedelta(days=30)
        return Rule(
            rule_id="r1", kind="false_p1", matchers=matchers, owner="ann", reason="sensor is broken", ends_at=ends, daily_cap=daily_cap
        ).to_json()

    timeline.at(second).puts("rules", "r1", make)


def feedback(timeline: Timeline, second: float, kind: str, about: str, **more: Any) -> None:
    """A person says `kind` about the newest incident whose title holds `about`."""

    def act(backend) -> None:  # type: ignore[no-untyped-def]
        incident = [one for one in backend.incidents() if about in one.title][-1]
        now = from_ms(backend.start + round(second * 1000))
        said = Feedback(
            feedback_id=f"f{second}", kind=kind, incident_id=incident.incident_id, domain=incident.domain, by="ann", at=now, **more
        )
        backend.send("feedback", incident.domain, said.to_json())

    timeline.at(second).do(act)
