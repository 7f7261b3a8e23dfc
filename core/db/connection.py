"""Connections to PostgreSQL, with errors in words."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


def connect(url: str, *, autocommit: bool = True, seconds: int = 10) -> Connection:
    """Open one connection, in UTC, within so many seconds (two at least).

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
        return psycopg.connect(url, autocommit=autocommit, connect_timeout=seconds, options="-c TimeZone=UTC")
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"The database at {place(url)} cannot be reached ({reason(error)})."
            " Start it, or correct WIJKENERGIE_DATABASE_URL."
        ) from None
    except psycopg.ProgrammingError:
        raise BadInput(
            "WIJKENERGIE_DATABASE_URL is no address of a database; write it like postgresql://user@host:5432/name."
        ) from None


@contextmanager
def patience(connection: Connection, seconds: float) -> Iterator[None]:
    """Cut a connection off if what is done inside takes longer than so many seconds.

    No setting of the driver does that: a server, or something on the way to it, that accepts everything and never
    answers looks to the network like one that is thinking.

    Raises
    ------
    psycopg.OperationalError
        If it took longer. Whether a transaction that was being committed took place is then unknown.
    """
    late = threading.Event()

    def give_up() -> None:
        late.set()
        cut(connection)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except psycopg.Error as error:
        if late.is_set():
            raise psycopg.OperationalError(f"no answer within {seconds:g} s") from error
        raise
    finally:
        timer.cancel()


def cut(connection: Connection) -> None:
    """Make whatever another thread does on a connection fail now."""
    # Of a connection that is closed already there is no socket; one that was reset refuses to be shut down.
    with suppress(psycopg.OperationalError, OSError), socket.socket(fileno=os.dup(connection.fileno())) as peer:
        peer.shutdown(socket.SHUT_RDWR)


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
