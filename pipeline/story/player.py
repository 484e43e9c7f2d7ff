"""Plays a story by the clock. Holds no thread and no socket: whoever calls `play` sends what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from pipeline.story.forms import Form, StoryAlert, payload, renewed
from pipeline.story.script import Deed, Story
from schemas.base import Matcher
from schemas.silence import Silence


class Sending(NamedTuple):
    """One raw record."""

    value: bytes
    source: str | None
    key: str


@dataclass
class Player:
    """`play(elapsed)` gives what is due, each once; after the story it hums for ever."""

    story: Story
    forms: Mapping[str, Form]
    began: datetime
    samples: Sequence[Any] = ()
    notes: list[str] = field(default_factory=list)
    """What the story says about what it does; the reader takes them out."""
    _next: int = 0
    _turns: int = 0
    _sampled: int = 0
    _later: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    _started: dict[str, datetime] = field(default_factory=dict)

    def play(self, elapsed: float) -> Iterator[Sending]:
        """What is due `elapsed` seconds after the beginning."""
        steps = self.story.steps
        while self._next < len(steps) and steps[self._next].at <= elapsed:
            step = steps[self._next]
            self._next += 1
            yield from self._do(step, self.began + timedelta(seconds=elapsed))
        for due, names in [one for one in self._later if one[0] <= elapsed]:
            self._later.remove((due, names))
            yield from self._do(Deed(clears=names), self.began + timedelta(seconds=elapsed))
        hum = self.story.hum
        if self._next == len(steps) and elapsed >= self.story.length_s + hum.every_s * (self._turns + 1):
            turn = hum.turns[self._turns % len(hum.turns)]
            self._turns += 1
            now = self.began + timedelta(seconds=elapsed)
            yield from self._do(Deed(fires=turn.fires), now)
            if turn.clears_after_s is not None:
                self._later.append((elapsed + turn.clears_after_s, turn.fires))
            if turn.sample and self.samples:
                yield self._sample(now)

    def _do(self, deed: Deed, now: datetime) -> Iterator[Sending]:
        if deed.note:
            self.notes.append(deed.note)
        if deed.deploys is not None:
            yield self._deploy(deed.deploys, now)
        if deed.raw is not None:
            yield Sending(deed.raw.encode(), deed.source, deed.source or "raw")
        for status, names in (("firing", deed.fires), ("resolved", deed.clears)):
            # Neighbours of one form that carries several alerts go out in one payload, as a batch.
            for form_name, batch in groupby(names, key=lambda name: self.story.alerts[name].form):
                form, together = self.forms[form_name], list(batch)
                for group in [together] if form.each is not None else [[name] for name in together]:
                    yield self._tell(form, group, status, now, deed.broken)

    def _tell(self, form: Form, names: Sequence[str], status: str, now: datetime, broken: bool) -> Sending:
        alerts = [self.story.alerts[name] for name in names]
        started = [self._started.setdefault(name, now) for name in names]
        if status == "resolved":
            for name in names:
                del self._started[name]
        return Sending(payload(form, alerts, status, started, now, broken=broken), form.source, alerts[0].form)

    def _deploy(self, name: str, now: datetime) -> Sending:
        change = self.story.changes[name]
        # The form's words for an alert carry what a deployment says: its version as the name, its author as the severity.
        as_alert = StoryAlert.model_validate(
            {"as": "github", "name": change.version, "service": change.service, "severity": change.by, "summary": change.what}
        )
        return Sending(payload(self.forms["github"], [as_alert], "firing", [now], now), None, "github")

    def _sample(self, now: datetime) -> Sending:
        sample = self.samples[self._sampled % len(self.samples)]
        self._sampled += 1
        return Sending(json.dumps(renewed(sample, now)).encode(), None, "sample")

    def silences(self) -> list[Silence]:
        """The maintenance windows and silences that hold from the beginning."""
        return [
            Silence(
                silence_id=f"story-{number}",
                kind="maintenance" if one.kind == "maintenance" else "silence",
                matchers=[Matcher(name="service", value=one.service)],
                owner=one.owner,
                reason=one.reason,
                starts_at=self.began - timedelta(seconds=60),
                ends_at=self.began + timedelta(seconds=one.for_s),
                created_at=self.began.astimezone(UTC),
            )
            for number, one in enumerate(self.story.silences, 1)
        ]
