"""The read side's contract, and what it reads beside the messages: dead letters and the places where records lie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, Self

from pipeline.engine.processor import Record
from pipeline.history.usage import Spent
from schemas.base import from_ms
from schemas.decision import Decision
from schemas.effect import Receipt
from schemas.incident import Incident, IncidentStatus

ENDED = frozenset({IncidentStatus.RESOLVED, IncidentStatus.FALSE_POSITIVE})
OWN_HEADERS = frozenset({"stage", "reason", "error", "topic", "partition", "offset", "timestamp", "index", "traceback", "receiver"})
"""Headers that we put on a dead letter; the others are the source's."""
NOWHERE = -1
"""Partition and offset where the header that should name them is missing or no number."""

DEAD_LETTER_ID = re.compile(r"d(\d+)-(\d+)")
PLACE = re.compile(r"([A-Za-z0-9._-]+)/(\d+)/(\d+)")


class HistoryUnavailable(Exception):
    """PostgreSQL or Kafka did not answer in time. A retry may help."""


class Place(NamedTuple):
    """Where a record lies. `topic` is the catalogue's short name."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True)
class DeadLetter:
    """What could not be read or decided: the original bytes, where they came from and why they were set aside."""

    partition: int
    offset: int
    """Coordinates on the topic dead_letters."""
    recorded_at: datetime
    stage: str
    reason: str
    error: str
    source: Place
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str]
    """All headers as text, ours and the source's; of a name that comes twice, the last."""

    @property
    def id(self) -> str:
        return f"d{self.partition}-{self.offset}"

    @property
    def source_headers(self) -> dict[str, str]:
        return {name: text for name, text in self.headers.items() if name not in OWN_HEADERS}

    @property
    def stays(self) -> str:
        """Why these bytes must not go to alerts.raw again; empty for those of intake, which came from there."""
        if self.stage == "intake":
            return ""
        if self.stage == "decide":
            return "it is no raw payload, and its alert was told all the same, from its rule verdict"
        if self.stage == "act":
            return f"it is a message to {self.headers.get('receiver') or 'a receiver'}, not an alert; see its incident: fluxai incidents"
        where = f" from {self.source.topic}" if self.source.topic else ""
        return f"{self.stage or 'an unknown program'} set it aside{where}; hand it back there: fluxai dead-letters show {self.id} --raw"

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """Never raises: a header that is missing or wrong reads as empty, or as NOWHERE."""
        texts = {name: (data or b"").decode("utf-8", "replace") for name, data in record.headers}
        return cls.from_headers(record.partition, record.offset, from_ms(record.timestamp), record.key, record.value, texts)

    @classmethod
    def from_headers(
        cls, partition: int, offset: int, recorded_at: datetime, key: bytes | None, value: bytes | None, headers: Mapping[str, str]
    ) -> Self:
        source = Place(headers.get("topic", ""), number(headers.get("partition")), number(headers.get("offset")))
        stage, reason, error = (headers.get(name, "") for name in ("stage", "reason", "error"))
        return cls(partition, offset, recorded_at, stage, reason, error, source, key, value, headers)


def number(text: str | None) -> int:
    """A partition or an offset written as text; NOWHERE when it is not a number that 63 bits hold."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text) else NOWHERE


def dead_letter_id(text: str) -> tuple[int, int] | None:
    """Partition and offset that an id such as `d0-17` names, or None."""
    found = DEAD_LETTER_ID.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def named_place(text: str, prefix: str = "") -> Place | None:
    """The place that `topic/partition/offset` names, with or without the topic prefix, or None."""
    found = PLACE.fullmatch(text)
    return Place(found[1].removeprefix(prefix), int(found[2]), int(found[3])) if found else None


class History(Protocol):
    """What happened. Every method raises HistoryUnavailable when its source does not answer."""

    @property
    def source(self) -> str:
        """Where the answers come from, in words."""

    def decision(self, alert_id: str) -> Decision | None: ...

    def decisions_at(self, place: Place) -> list[Decision]:
        """The decisions about the alerts of one raw record, by index."""

    def decisions_of(self, incident_id: str, limit: int = 1000) -> list[Decision]:
        """The newest `limit` of an incident, oldest first."""

    def incident(self, incident_id: str) -> Incident | None:
        """Its latest revision."""

    def incidents(self, open_only: bool = False, limit: int = 50) -> list[Incident]:
        """Latest revisions, the one that changed last first."""

    def deliveries(self, incident_id: str) -> list[Receipt]:
        """What became of each attempt to tell somebody, oldest first."""

    def advice_of(self, incident_id: str) -> list[Receipt]:
        """What became of each question to a language model about it, oldest first."""

    def usage_since(self, moment: datetime) -> list[Spent]:
        """What models cost from then on, by UTC day, provider and model; the newest day first."""

    def dead_letter(self, partition: int, offset: int) -> DeadLetter | None:
        """By its own place on the topic dead_letters."""

    def dead_letters_at(self, place: Place) -> list[DeadLetter]:
        """Those whose bytes were read at a place, in the order in which they were set aside."""
