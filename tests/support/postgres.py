"""A PostgreSQL server for the tests, and fresh databases on it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from core.db.migrate import migrate


def with_database(url: str, database: str) -> str:
    """Address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


@contextmanager
def template(server_url: str) -> Iterator[str]:
    """Name of a migrated database to clone; nobody can be connected to it, which is what cloning demands."""
    name = f"wijkenergie_template_{secrets.token_hex(4)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        migrate(with_database(server_url, name))
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
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(source or "template0")
    )
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement)
    try:
        yield with_database(server_url, name)
    finally:
        drop(server_url, name)


def drop(server_url: str, name: str) -> None:
    """Drop a database, whoever is still connected to it."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
