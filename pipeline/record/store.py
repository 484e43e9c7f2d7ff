"""Writes one batch and the positions behind it in one transaction of PostgreSQL, so that each record is stored exactly once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

import psycopg
import structlog
from psycopg import errors

from pipeline.record.rows import Row, unreadable_row, when_recorded
from pipeline.record.statements import sql

STAGED = ("decisions", "incidents", "deliveries", "advice", "usage")
"""Tables filled by COPY through a temporary table; the others see few rows."""
INSERTED = ("feedback", "labels", "dead_letters", "unreadable")
TablePartition = tuple[str, int]
log = structlog.get_logger(__name__)

POISON = (errors.DataError, errors.IntegrityError, errors.ProgramLimitExceeded, errors.StatementTooComplex)
"""The database refuses a row, whatever the connection: setting that row aside helps, a retry does not."""


class Moved(Exception):
    """Somebody else stored records of a partition that this worker holds. Nothing was stored; read the positions again."""


class Step(NamedTuple):
    """How far a batch takes one partition: from the stored position, None where there is none yet, to the next one."""

    expected: int | None
    next_offset: int


class Stored(NamedTuple):
    """What a batch became: rows by table, and how many rows the database would not take at all."""

    rows: Mapping[str, int]
    dropped: int


class Store:
    """One session. Every method raises psycopg.Error when the database is away or refuses; the caller opens a new session."""

    def __init__(self, connection: psycopg.Connection, cluster: str) -> None:
        self.connection = connection
        self._cluster = cluster
        self._weeks: set[date] = set()

    @classmethod
    def open(cls, url: str, cluster: str) -> Store:
        connection = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=5,
            application_name="fluxai record",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )
        try:
            connection.execute(sql("session"))
            for table in STAGED:
                connection.execute(sql(f"stage_{table}"))
        except BaseException:
            connection.close()
            raise
        return cls(connection, cluster)

    def close(self) -> None:
        self.connection.close()

    def positions(self) -> dict[TablePartition, int]:
        """The next offset to read of every partition that was ever stored."""
        rows = self.connection.execute(sql("positions"), {"cluster": self._cluster}).fetchall()
        return {(topic, partition): next_offset for topic, partition, next_offset in rows}

    def write(self, rows: Sequence[Row], steps: Mapping[TablePartition, Step], now: datetime) -> Stored:
        """Stores all of it, or nothing when it raises. Raises Moved when another worker has these partitions."""
        weeks = {monday_of(when_recorded(row.record, now)) for row in rows} - self._weeks
        stored: dict[str, int] = defaultdict(int)
        with self.connection.transaction():
            self._advance(steps)
            for week in sorted(weeks):
                self.connection.execute(sql("ensure_week"), {"monday": week})
            dropped = self._put(rows, stored, now)
        self._weeks |= weeks
        return Stored(stored, dropped)

    def keep_house(self, now: datetime, history: timedelta) -> int:
        """Makes this week's and next week's tables, ends the history that is too old; returns how many tables were dropped."""
        for week in (monday_of(now), monday_of(now + timedelta(days=7))):
            self.connection.execute(sql("ensure_week"), {"monday": week})
        cutoff = {"cutoff": now - history}
        row = self.connection.execute(sql("drop_weeks"), cutoff).fetchone()
        self.connection.execute(sql("drop_incidents"), cutoff)
        self._weeks.clear()
        return int(row[0]) if row else 0

    def _advance(self, steps: Mapping[TablePartition, Step]) -> None:
        moves = {
            "cluster": self._cluster,
            "topics": [topic for topic, _ in steps],
            "partitions": [partition for _, partition in steps],
            "expected": [step.expected for step in steps.values()],
            "next": [step.next_offset for step in steps.values()],
        }
        if self.connection.execute(sql("advance_positions"), moves).rowcount != len(steps):
            raise Moved("the stored positions are not where this worker left them")

    def _put(self, rows: Sequence[Row], stored: dict[str, int], now: datetime) -> int:
        """Puts the rows; where the database refuses them, halves them until the refused row stands alone. Returns rows dropped."""
        if not rows:
            return 0
        try:
            with self.connection.transaction():
                self._bulk(rows)
        except POISON as error:
            if len(rows) > 1:
                middle = len(rows) // 2
                return self._put(rows[:middle], stored, now) + self._put(rows[middle:], stored, now)
            return self._set_aside(rows[0], error, stored, now)
        for row in rows:
            stored[row.table] += 1
        return 0

    def _set_aside(self, row: Row, error: psycopg.Error, stored: dict[str, int], now: datetime) -> int:
        where = {
            "topic": row.record.topic,
            "partition": row.record.partition,
            "offset": row.record.offset,
            "error": error.diag.message_primary,
        }
        if row.table == "unreadable":
            log.error("record_dropped", **where)
            return 1
        log.warning("record_refused", **where)
        aside = unreadable_row(
            self._cluster, row.record, when_recorded(row.record, now), f"{row.table} refused it: {error.diag.message_primary}"
        )
        return self._put([aside], stored, now)

    def _bulk(self, rows: Iterable[Row]) -> None:
        by_table: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            by_table[row.table].append(row)
        with self.connection.cursor() as cursor:
            for table in STAGED:
                if table in by_table:
                    with cursor.copy(sql(f"copy_{table}")) as copy:
                        for row in by_table[table]:
                            copy.write_row(row.values)
                    cursor.execute(sql(f"merge_{table}"))
            for table in INSERTED:
                if table in by_table:
                    cursor.executemany(sql(f"insert_{table}"), [row.values for row in by_table[table]])


def monday_of(moment: datetime) -> date:
    day = moment.date()
    return day - timedelta(days=day.weekday())
