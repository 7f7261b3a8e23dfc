"""A PostgreSQL server for the tests, and fresh databases on it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from core.db.migrate import migrate

_ROOM_BYTES = 4_000_000_000  # [B] two servers' write-ahead logs, 1 GB each, and their databases


def with_database(url: str, database: str) -> str:
    """Address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def quick_folder() -> str | None:
    """Folder for the data of throw-away servers: in memory where there is room, for None wherever temporary files go.

    A database per test is 300 files each; in memory they cost a fifth of the time they do on a disk.
    """
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM_BYTES
    return str(memory) if roomy else None


@contextmanager
def template(server_url: str, source: str | None = None, fill: Callable[[str], object] = migrate) -> Iterator[str]:
    """Name of a database to clone; nobody can be connected to it, which is what cloning demands.

    It is migrated, or made from another template and filled.
    """
    name = f"wijkenergie_template_{secrets.token_hex(4)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(_copy(name, source))
    try:
        fill(with_database(server_url, name))
        with psycopg.connect(server_url, autocommit=True) as connection:
            # TimescaleDB's scheduler connects to every database of the server on its own, hence the closed door.
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [name]
            )
        yield name
    finally:
        drop(server_url, name)


@contextmanager
def clone(server_url: str, source: str | None) -> Iterator[str]:
    """Address of a fresh copy of a database (of PostgreSQL's empty one for None), dropped at the end."""
    name = f"wijkenergie_test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(_copy(name, source))
    try:
        yield with_database(server_url, name)
    finally:
        drop(server_url, name)


def _copy(name: str, source: str | None) -> sql.Composed:
    # By files, not by pages through the write-ahead log: these servers need no log, and a database is made per test.
    return sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
        sql.Identifier(name), sql.Identifier(source or "template0")
    )


def drop(server_url: str, name: str) -> None:
    """Drop a database, whoever is still connected to it."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
