"""History from the topics, for when PostgreSQL is away or was never set up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError

from pipeline.history.base import ENDED, DeadLetter, Place
from pipeline.history.reading import TopicReader
from pipeline.history.usage import Spent, sum_up
from schemas.base import Message, to_ms
from schemas.decision import Decision
from schemas.effect import Receipt
from schemas.incident import Incident
from schemas.usage import Usage

Kind = TypeVar("Kind", bound=Message)


class TopicHistory:
    """Answers by reading topics from their newest records back, each question within `within_s`.

    A record is parsed only when its bytes hold what is asked for. What cannot be parsed is passed over: it is no message of ours.
    """

    def __init__(self, kafka: Mapping[str, str], prefix: str = "flux.", within_s: float = 15.0) -> None:
        self._reader = TopicReader(kafka, prefix, within_s)
        self._prefix = prefix

    @property
    def source(self) -> str:
        return "Kafka topics" if self._reader.complete else "Kafka topics (not read to their beginning: it took too long)"

    def decision(self, alert_id: str) -> Decision | None:
        return next((one for one in self._search("decisions", Decision, alert_id) if one.alert_id == alert_id), None)

    def decisions_at(self, place: Place) -> list[Decision]:
        found = [one for one in self._search("decisions", Decision, str(place.offset)) if self._raw(one) == place]
        return sorted(found, key=lambda one: one.raw.index)

    def decisions_of(self, incident_id: str, limit: int = 1000) -> list[Decision]:
        found = [one for one in self._search("decisions", Decision, incident_id) if one.incident_id == incident_id]
        return sorted(found, key=decision_order)[-limit:]

    def incident(self, incident_id: str) -> Incident | None:
        # All revisions of an incident lie in one partition, in order: the first one found is the latest.
        return next((one for one in self._search("incidents.triaged", Incident, incident_id) if one.incident_id == incident_id), None)

    def incidents(self, open_only: bool = False, limit: int = 50) -> list[Incident]:
        latest: dict[str, Incident] = {}
        for one in self._search("incidents.triaged", Incident, ""):
            known = latest.get(one.incident_id)
            if known is None or one.revision > known.revision:
                latest[one.incident_id] = one
        chosen = [one for one in latest.values() if not (open_only and one.status in ENDED)]
        chosen.sort(key=lambda one: one.incident_id)
        chosen.sort(key=lambda one: one.updated_at, reverse=True)
        return chosen[:limit]

    def deliveries(self, incident_id: str) -> list[Receipt]:
        return self._receipts(incident_id, "delivery")

    def advice_of(self, incident_id: str) -> list[Receipt]:
        return self._receipts(incident_id, "advice")

    def usage_since(self, moment: datetime) -> list[Spent]:
        return sum_up(one for one in self._search("usage", Usage, "", since=moment) if one.at >= moment)

    def dead_letter(self, partition: int, offset: int) -> DeadLetter | None:
        record = self._reader.at("dead_letters", partition, offset)
        return None if record is None else DeadLetter.from_record(record)

    def dead_letters_at(self, place: Place) -> list[DeadLetter]:
        found = []
        for window in self._reader.newest_first("dead_letters"):
            letters = map(DeadLetter.from_record, window)
            found += [one for one in letters if one.source._replace(topic=one.source.topic.removeprefix(self._prefix)) == place]
        return sorted(found, key=lambda one: (one.partition, one.offset))

    def _raw(self, decision: Decision) -> Place:
        raw = decision.raw
        return Place(raw.topic.removeprefix(self._prefix), raw.partition, raw.offset)

    def _receipts(self, incident_id: str, effect: str) -> list[Receipt]:
        found = [one for one in self._search("receipts", Receipt, incident_id) if one.incident_id == incident_id and one.effect == effect]
        return sorted(found, key=lambda one: one.at)

    def _search(self, topic: str, kind: type[Kind], text: str, since: datetime | None = None) -> Iterator[Kind]:
        """Messages whose bytes hold `text`, the newest first within a partition. With `since` it ends at windows that are older."""
        needle = text.encode()
        oldest = 0 if since is None else to_ms(since)
        for window in self._reader.newest_first(topic):
            if window and all(record.timestamp < oldest for record in window):
                return
            for record in reversed(window):
                if record.value is not None and needle in record.value:
                    try:
                        yield kind.from_json(record.value)
                    except ValidationError:
                        continue


def decision_order(decision: Decision) -> tuple[object, ...]:
    return (decision.decided_at, decision.raw.partition, decision.raw.offset, decision.raw.index)
