"""Brings a database to the tables that this version needs. Safe to run at every start, by several processes at once."""

from __future__ import annotations

from importlib import resources

import psycopg
import yoyo
from psycopg.conninfo import conninfo_to_dict
from yoyo.backends import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import default_migration_table

from pipeline.record.statements import sql

CONNECT_TIMEOUT_S = 5


def migrate(url: str) -> list[str]:
    """Applies what is missing, in order, each migration in its own transaction; returns the names of those applied.

    Raises psycopg.OperationalError when the database is away (a retry helps) and other psycopg errors when it refuses (a
    retry does not).
    """
    # A session lock, not yoyo's lock row: that one stays behind when a process is killed.
    with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as guard:
        guard.execute(sql("lock_migrations"))
        with backend(url) as database, resources.as_file(resources.files("pipeline.record").joinpath("migrations")) as folder:
            database.init_database()
            database.break_lock()  # whoever left it is dead: the guard is ours
            missing = database.to_apply(yoyo.read_migrations(str(folder)))
            database.apply_migrations(missing)
            return [str(migration.id) for migration in missing]


def backend(url: str) -> PostgresqlPsycopgBackend:
    # Every connection parameter goes through `args`: yoyo's own reading of URLs knows only some.
    parameters = {"connect_timeout": str(CONNECT_TIMEOUT_S), **conninfo_to_dict(url)}
    database = parameters.pop("dbname", None)
    uri = DatabaseURI("postgresql+psycopg", None, None, None, None, database, parameters)
    return PostgresqlPsycopgBackend(uri, default_migration_table)
