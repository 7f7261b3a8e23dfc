"""Connections to PostgreSQL, with errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from core.errors import BadInput, Unavailable

Connection = psycopg.Connection[Any]


def place(url: str) -> str:
    """Name a database in messages: never with its user or password."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'the local socket'}{f':{parts.port}' if parts.port else ''}{parts.path}"


def connect(url: str, *, autocommit: bool = True) -> Connection:
    """Open one connection, in UTC.

    Statements commit by themselves, so that ``with connection.transaction()`` is a transaction of its own and never,
    behind an earlier SELECT, a mere savepoint that nobody commits.

    Raises
    ------
    Unavailable
        If the server does not answer or refuses.
    BadInput
        If ``url`` is no address of a database.
    """
    try:
        return psycopg.connect(url, autocommit=autocommit, connect_timeout=10, options="-c TimeZone=UTC")
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"The database at {place(url)} cannot be reached ({reason(error)})."
            " Start it, or correct WIJKENERGIE_DATABASE_URL."
        ) from None
    except psycopg.ProgrammingError:
        raise BadInput(
            "WIJKENERGIE_DATABASE_URL is no address of a database; write it like postgresql://user@host:5432/name."
        ) from None


def reason(error: psycopg.Error) -> str:
    """Say in a clause why the server was not reached, without the driver's advice to programmers."""
    lines = str(error).strip().splitlines()
    return lines[0].rpartition("failed: ")[2].removeprefix("FATAL:").strip() if lines else "no answer"


@contextmanager
def pool(url: str, *, most: int = 8) -> Iterator[ConnectionPool[Connection]]:
    """Open a pool of connections, in UTC, and close it at the end.

    Raises
    ------
    Unavailable
        If no connection can be made within ten seconds.
    """
    connections: ConnectionPool[Connection] = ConnectionPool(
        url, min_size=1, max_size=most, open=False, kwargs={"options": "-c TimeZone=UTC", "connect_timeout": 10}
    )
    try:
        connections.open(wait=True, timeout=10)
    except PoolTimeout:
        connections.close()
        raise Unavailable(
            f"The database at {place(url)} cannot be reached. Start it, or correct WIJKENERGIE_DATABASE_URL."
        ) from None
    try:
        yield connections
    finally:
        connections.close()


@contextmanager
def in_words() -> Iterator[None]:
    """Turn a database that went away, or is full, into one sentence.

    Raises
    ------
    Unavailable
        Instead of any `psycopg.OperationalError` raised inside.
    """
    try:
        yield
    except psycopg.errors.DiskFull as error:
        raise Unavailable("The disk of the database is full, so nothing was written; make room.") from error
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"The database went away while it was needed ({reason(error)}). Start it and try again."
        ) from error
    except psycopg.errors.UndefinedTable as error:
        raise Unavailable("The database has no schema yet; run 'wijkenergie migrate'.") from error
