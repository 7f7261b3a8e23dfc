"""The small building of `finaltown` in a real database, and what tests do to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from core.communityfile import build
from core.db import config
from core.db.connection import Connection, connect
from core.db.readings import insert_readings
from core.settings import Settings
from tests.support import finaltown

SLUG = "linde"
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 20, 12, tzinfo=UTC)

Registers = Mapping[str, Mapping[datetime, Decimal]]


def seed(url: str) -> None:
    """`fill` a fresh database; tests clone the result (`town_name`)."""
    with connect(url) as connection:
        fill(connection)


def fill(connection: Connection, values: Registers | None = None, **sections: Any) -> None:
    """Bring the building and its readings into an empty database."""
    with connection.transaction():
        config.apply(connection, build(finaltown.tree(**sections), "the case"), finaltown.START, "test")
        take_in(connection, values or finaltown.registers())


def take_in(connection: Connection, values: Registers) -> None:
    """Store readings, each once."""
    rows = [(meter, at, value) for meter, one in values.items() for at, value in one.items()]
    insert_readings(connection, SLUG, rows, "test")


def apply(connection: Connection, **sections: Any) -> None:
    """Bring the database in line with a changed file."""
    config.apply(connection, build(finaltown.tree(**sections), "the case"), LATER, "test")


def withdraw(connection: Connection, kind: str, key: str) -> None:
    """Take an event back, as a coordinator does."""
    config.add_event(connection, SLUG, "withdrawal", f"{kind} {key}", {"kind": kind, "key": key}, LATER, "test")


SETTINGS = Settings(mqtt_url=SecretStr("mqtt://127.0.0.1:9"))
"""A broker that is not there."""
