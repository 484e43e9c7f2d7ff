"""Timelines on virtual time: what happens when, and what people were told in between.

    timeline.at(0).fires("DiskFilling", severity="P3")
    timeline.between(30, 31).pages("DiskFilling", severity="P3")
    timeline.between(31, 600).is_silent()

Nothing runs while the lines are written; `play` sends everything in order on a backend, moves its clock, and then checks what was said.
The same text runs on the pure stages, on the embedded broker and on Kafka.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from schemas.decision import Decision
from schemas.effect import Delivery, Transition
from schemas.incident import Incident

PAGES = (Transition.FIRED, Transition.ESCALATED, Transition.FIRED_AND_RESOLVED, Transition.FLAPPING)


class Backend(Protocol):
    """Something that carries the alert lane on a virtual clock (epoch ms) that starts at `start`."""

    start: int

    def send_raw(self, payload: bytes, source: str) -> None: ...
    def send(self, topic: str, key: str, value: bytes) -> None: ...
    def advance(self, to_ms: int) -> None: ...
    def refuse(self, receiver: str, status: str | None) -> None:
        """From now on attempts at `receiver` end in that receipt status; None: they succeed; "silent": no receipt."""

    def told(self) -> list[tuple[int, Delivery]]:
        """Attempts that a receiver took: (virtual time, what)."""

    def decisions(self) -> list[Decision]: ...
    def incidents(self) -> list[Incident]: ...


@dataclass
class Told:
    """An expectation about the time from `start` to `end` (seconds, both included)."""

    timeline: Timeline
    start: float
    end: float

    def within(self) -> list[tuple[float, Delivery]]:
        return [(at, one) for at, one in self.timeline.heard if self.start <= at <= self.end]

    def check(self, what: Callable[[], None]) -> None:
        self.timeline.checks.append(what)

    def pages(self, name: str, *, severity: str | None = None, receiver: str | None = None, times: int = 1) -> None:
        """Exactly `times` pages (a fire or an escalation) about `name`."""

        def look() -> None:
            found = [
                (at, one)
                for at, one in self.within()
                if one.transition in PAGES
                and name in one.incident.title + " ".join(alert.name for alert in one.incident.alerts)
                and (severity is None or one.incident.severity == severity)
                and (receiver is None or one.receiver == receiver)
            ]
            assert len(found) == times, f"{times} page(s) about {name} between {self.start} and {self.end}, got {self.said()}"

        self.check(look)

    def tells(self, transition: str, name: str = "", *, times: int = 1) -> None:
        def look() -> None:
            found = [one for _, one in self.within() if one.transition == transition and name in one.incident.title]
            assert len(found) == times, f"{times} x {transition} of {name} between {self.start} and {self.end}, got {self.said()}"

        self.check(look)

    def is_silent(self) -> None:
        def look() -> None:
            assert not self.within(), f"silence between {self.start} and {self.end}, got {self.said()}"

        self.check(look)

    def said(self) -> str:
        return "; ".join(
            f"{at:g} s {one.receiver} {one.transition} {one.incident.severity} {one.incident.title}" for at, one in self.timeline.heard
        )


@dataclass
class Moment:
    timeline: Timeline
    second: float

    def do(self, what: Callable[[Backend], None]) -> Moment:
        self.timeline.actions.append((self.second, len(self.timeline.actions), what))
        return self

    def alert(
        self,
        name: str,
        status: str,
        *,
        severity: str,
        service: str,
        environment: str,
        summary: str,
        started: float | None,
        ended: float | None = None,
        **more: Any,
    ) -> Moment:
        def send(backend: Backend) -> None:
            payload = {
                "name": name,
                "status": status,
                "service": service,
                "environment": environment,
                "source_severity": severity,
                "summary": summary or f"{name} of {service}",
                "labels": {"alertname": name, "service": service, "environment": environment, **more.pop("labels", {})},
                **more,
            }
            if started is not None:
                payload["started_at"] = datetime.fromtimestamp(backend.start / 1000 + started, UTC).isoformat()
            if status == "resolved":
                over = self.second if ended is None else ended
                payload["ended_at"] = datetime.fromtimestamp(backend.start / 1000 + over, UTC).isoformat()
            backend.send_raw(json.dumps(payload).encode(), "flux")

        return self.do(send)

    def fires(
        self,
        name: str,
        *,
        severity: str = "P3",
        service: str = "checkout",
        environment: str = "production",
        summary: str = "",
        started: float | None = None,
        **more: Any,
    ) -> Moment:
        return self.alert(
            name, "firing", severity=severity, service=service, environment=environment, summary=summary, started=started, **more
        )

    def resolves(
        self,
        name: str,
        *,
        severity: str = "P3",
        service: str = "checkout",
        environment: str = "production",
        summary: str = "",
        started: float | None = None,
        **more: Any,
    ) -> Moment:
        return self.alert(
            name, "resolved", severity=severity, service=service, environment=environment, summary=summary, started=started, **more
        )

    def arrives(self, payload: bytes, source: str) -> Moment:
        return self.do(lambda backend: backend.send_raw(payload, source))

    def puts(self, topic: str, key: str, make: Callable[[int], bytes | None]) -> Moment:
        """A record on any topic; `make` is given the virtual time (epoch ms)."""
        return self.do(lambda backend: backend.send(topic, key, make(backend.start + round(self.second * 1000)) or b""))

    def receiver(self, name: str, status: str | None) -> Moment:
        return self.do(lambda backend: backend.refuse(name, status))


@dataclass
class Timeline:
    actions: list[tuple[float, int, Callable[[Backend], None]]] = field(default_factory=list)
    checks: list[Callable[[], None]] = field(default_factory=list)
    spans: list[float] = field(default_factory=list)
    heard: list[tuple[float, Delivery]] = field(default_factory=list)
    decided: list[Decision] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)

    def at(self, second: float) -> Moment:
        return Moment(self, second)

    def between(self, start: float, end: float) -> Told:
        self.spans.append(end)
        return Told(self, start, end)

    def then(self, look: Callable[[], None]) -> None:
        """A check of one's own, made after all has been played."""
        self.checks.append(look)

    def outcome(self, name: str, number: int, outcome: str, reason: str | None = None) -> None:
        """The decision of the `number`-th event (from 0) of an alert."""

        def look() -> None:
            found = [one for one in self.decided if one.name == name]
            assert len(found) > number, f"event {number} of {name}: only {len(found)} decided"
            one = found[number]
            assert (one.outcome.value, reason or one.reason.code) == (outcome, one.reason.code), (
                f"{name}[{number}]: {one.outcome} {one.reason}"
            )

        self.checks.append(look)

    def latest(self, name: str) -> Incident:
        """The newest revision of the newest incident whose title holds `name`."""
        found = [one for one in self.incidents if name in one.title]
        assert found, f"no incident about {name}"
        return max((one for one in found if one.incident_id == found[-1].incident_id), key=lambda one: one.revision)

    def play(self, backend: Backend) -> None:
        for second, _, action in sorted(self.actions, key=lambda item: item[:2]):
            backend.advance(backend.start + round(second * 1000))
            action(backend)
        last = max([*self.spans, *(second for second, _, _ in self.actions)], default=0.0)
        backend.advance(backend.start + round(last * 1000))
        self.heard = [((at - backend.start) / 1000, one) for at, one in backend.told()]
        self.decided = backend.decisions()
        self.incidents = backend.incidents()
        assert self.checks, "a timeline without an expectation proves nothing"
        for check in self.checks:
            check()
