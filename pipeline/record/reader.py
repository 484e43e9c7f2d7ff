"""History from PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg

from pipeline.history.base import DeadLetter, HistoryUnavailable, Place
from pipeline.history.usage import Spent
from pipeline.record.statements import sql
from schemas.decision import Decision
from schemas.effect import Receipt
from schemas.incident import Incident


class PostgresHistory:
    """Answers from the tables of the record lane; a session for each question, since people ask rarely.

    `cluster` limits the answers to one Kafka cluster and topic prefix (see `cluster_name`); None takes all that were recorded.
    """

    source = "PostgreSQL"

    def __init__(self, url: str, prefix: str = "flux.", cluster: str | None = None, within_s: int = 5) -> None:
        self._url = url
        self._prefix = prefix
        self._cluster = cluster
        self._within_s = within_s

    def check(self) -> None:
        """Raises HistoryUnavailable when the database does not answer or lacks the tables."""
        self._rows("incidents", open_only=False, limit=1)

    def decision(self, alert_id: str) -> Decision | None:
        rows = self._rows("decision_by_alert", alert_id=alert_id)
        return Decision.from_json(rows[0][0]) if rows else None

    def decisions_at(self, place: Place) -> list[Decision]:
        rows = self._rows("decisions_by_raw", topics=self._names(place), partition=place.partition, offset=place.offset)
        return [Decision.from_json(body) for (body,) in rows]

    def decisions_of(self, incident_id: str, limit: int = 1000) -> list[Decision]:
        return [Decision.from_json(body) for (body,) in self._rows("decisions_by_incident", incident_id=incident_id, limit=limit)]

    def incident(self, incident_id: str) -> Incident | None:
        rows = self._rows("incident_by_id", incident_id=incident_id)
        return Incident.from_json(rows[0][0]) if rows else None

    def incidents(self, open_only: bool = False, limit: int = 50) -> list[Incident]:
        return [Incident.from_json(body) for (body,) in self._rows("incidents", open_only=open_only, limit=limit)]

    def deliveries(self, incident_id: str) -> list[Receipt]:
        return [Receipt.from_json(body) for (body,) in self._rows("deliveries_by_incident", incident_id=incident_id)]

    def advice_of(self, incident_id: str) -> list[Receipt]:
        return [Receipt.from_json(body) for (body,) in self._rows("advice_by_incident", incident_id=incident_id)]

    def usage_since(self, moment: datetime) -> list[Spent]:
        return [Spent(*row) for row in self._rows("usage_since", since=moment)]

    def dead_letter(self, partition: int, offset: int) -> DeadLetter | None:
        rows = self._rows("dead_letter_by_place", partition=partition, offset=offset)
        return DeadLetter.from_headers(*rows[0]) if rows else None

    def dead_letters_at(self, place: Place) -> list[DeadLetter]:
        rows = self._rows("dead_letter_by_source", topics=self._names(place), partition=place.partition, offset=place.offset)
        return [DeadLetter.from_headers(*row) for row in rows]

    def _names(self, place: Place) -> list[str]:
        return [place.topic, self._prefix + place.topic]

    def _rows(self, statement: str, **parameters: Any) -> Sequence[tuple[Any, ...]]:
        with self._session() as session:
            return session.execute(sql(statement), {"cluster": self._cluster, **parameters}).fetchall()

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection]:
        try:
            with psycopg.connect(self._url, connect_timeout=self._within_s, application_name="fluxai history") as session:
                session.read_only = True
                session.execute(sql("limit_time"), {"limit": f"{self._within_s}s"})
                yield session
        except psycopg.Error as error:
            raise HistoryUnavailable(f"PostgreSQL: {(str(error).splitlines() or ['no answer'])[0]}") from error
