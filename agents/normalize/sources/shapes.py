"""Formats that are only a matter of where the fields lie: one row a vendor, read by one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agents.normalize.alert_words import environment_in, service_in, severity_in
from agents.normalize.dig import Obj, at, first, first_value, head, last_segment, pairs, scalars, text
from agents.normalize.generic import marked_status, read_generic, unmarked
from agents.normalize.items import FIRING, Event, Ignored, Item, Source
from agents.normalize.words import ranked, status_of
from schemas.base import AlertStatus, Severity

Paths = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """One vendor's webhook. `when` recognizes it; the other fields are dotted paths, the first that is not empty counts.

    `words` says what its status words mean where the common table does not (None: not about an alert, ignored); `levels` likewise for its
    severity words. `key` lists the paths that together are the alert's identity; all of them empty means name and service.
    """

    name: str
    when: Callable[[Obj], bool]
    title: Paths
    status: Paths = ()
    severity: Paths = ()
    service: Paths = ()
    environment: Paths = ()
    started: Paths = ()
    ended: Paths = ()
    summary: Paths = ()
    url: Paths = ()
    key: Paths = ()
    tags: Paths = ("tags", "labels")
    words: Mapping[str, AlertStatus | None] = field(default_factory=dict)
    levels: Mapping[str, Severity] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    def source(self) -> Source:
        return Source(self.name, self.when, self._read, self.aliases)

    def _read(self, payload: Obj, now_ms: int) -> list[Item]:
        words = [head(at(payload, path)) for path in self.status]
        status: AlertStatus | None = None
        for word in filter(None, words):
            folded = word.casefold()
            if folded in self.words:
                status = self.words[folded]
                if status is None:
                    return [Ignored(f"{self.name}: {word} says nothing about an alert's state")]
                break
            status = status_of(word)
            if status is not None:
                break
        tags: Obj = {}
        for path in self.tags:
            tags.update({key: value for key, value in pairs(at(payload, path)).items() if text(value)})
        word = _text(payload, self.severity) or severity_in(tags)
        service = _text(payload, self.service) or service_in(tags)
        name = _text(payload, self.title)
        if not name:
            return [read_generic(payload, self.name)]
        key = [head(at(payload, path)) for path in self.key]
        return [
            Event(
                source=self.name,
                name=name,
                status=status or marked_status(name) or FIRING,
                service=last_segment(service) if service.startswith("/") else service,
                environment=_text(payload, self.environment) or environment_in(tags),
                severity=word,
                level=self.levels.get(word.casefold()) or ranked(word),
                started_at=first_value(payload, *self.started),
                ended_at=first_value(payload, *self.ended),
                summary=_text(payload, self.summary) or name,
                labels=tags,
                annotations=scalars(payload),
                url=_text(payload, self.url),
                key=[unmarked(part) for part in key] if any(key) else [unmarked(name), service],
                origin=payload,
            )
        ]


def _text(payload: Obj, paths: Paths) -> str:
    return first(payload, *paths) or next((found for path in paths if (found := head(at(payload, path)))), "")


def has(*keys: str) -> Callable[[Obj], bool]:
    """All of these dotted paths lead somewhere."""
    return lambda payload: all(at(payload, key) is not None for key in keys)


def starts(path: str, *beginnings: str) -> Callable[[Obj], bool]:
    """The text at the path starts with one of these."""
    return lambda payload: first(payload, path).startswith(beginnings)


def either(*conditions: Callable[[Obj], bool]) -> Callable[[Obj], bool]:
    return lambda payload: any(condition(payload) for condition in conditions)


def both(*conditions: Callable[[Obj], bool]) -> Callable[[Obj], bool]:
    return lambda payload: all(condition(payload) for condition in conditions)
