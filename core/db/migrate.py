"""Bring the schema up to date: safe to run twice, by several at once, and on a live system.

An empty database gets ``schema.sql`` whole; one that has an older schema gets the files of ``migrations`` it lacks,
in the order of their names, one transaction each. Both ways must end in the same structure. Then the job queue's own
tables, and, where the server has TimescaleDB, the separate step of `core.db.timescale`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
from procrastinate.schema import SchemaManager

from core.db import timescale
from core.db.connection import Connection, connect, place
from core.errors import Unavailable

_HERE = Path(__file__).parent
_LOCK = 7_341_902_115
"""Advisory lock, so that two deployers cannot race."""


def migrate(url: str) -> list[str]:
    """Apply what is missing.

    Returns
    -------
    list of str
        What was done, one line each; empty when the schema was up to date.

    Raises
    ------
    Unavailable
        If the server does not answer, or an applied migration was edited afterwards.
    """
    with connect(url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '30s'")
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            done = _schema(connection, url)
            return done + timescale.apply(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise Unavailable(
                f"The database user may not create the schema in {place(url)}: {str(error).splitlines()[0]}."
                " Run migrate as the database's owner."
            ) from None
        finally:
            connection.execute("SELECT pg_advisory_unlock_all()")


def _schema(connection: Connection, url: str) -> list[str]:
    known = connection.execute("SELECT to_regclass('public.schema_migration')").fetchone()
    files = sorted((_HERE / "migrations").glob("*.sql"))
    done = []
    if known is None or known[0] is None:
        with connection.transaction():
            connection.execute((_HERE / "schema.sql").read_bytes())
            connection.execute(
                "CREATE TABLE schema_migration (name text PRIMARY KEY, sha256 text NOT NULL,"
                " applied_at timestamptz NOT NULL DEFAULT now())"
            )
            for file in files:
                _record(connection, file)
        done.append("created the schema")
    else:
        applied = dict(connection.execute("SELECT name, sha256 FROM schema_migration").fetchall())
        for file in files:
            if file.name in applied:
                if applied[file.name] != _sha256(file):
                    raise Unavailable(f"Migration {file.name} was changed after it was applied to {place(url)}.")
                continue
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '4s'")
                connection.execute(file.read_bytes())
                _record(connection, file)
            done.append(f"applied {file.name}")
    queue = connection.execute("SELECT to_regclass('public.procrastinate_jobs')").fetchone()
    if queue is None or queue[0] is None:
        with connection.transaction():
            connection.execute(SchemaManager.get_schema().encode())
        done.append("created the job queue")
    return done


def _record(connection: Connection, file: Path) -> None:
    connection.execute("INSERT INTO schema_migration (name, sha256) VALUES (%s, %s)", (file.name, _sha256(file)))


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
