"""Import batches: what a file would add, and taking a batch back."""

from __future__ import annotations

from datetime import datetime

from core.db.connection import Connection
from core.errors import BadInput
from settlement import store
from settlement.model import Readings


def compare(connection: Connection, community: str, readings: Readings) -> tuple[int, int]:
    """Count the readings that are new, and those that contradict a known value."""
    new = conflicting = 0
    for meter, one in readings.items():
        known = store.readings_between(connection, community, meter, one.times[0], one.times[-1])
        values = dict(zip(known.times, known.values, strict=True)) if known else {}
        for time, value in zip(one.times, one.values, strict=True):
            if time not in values:
                new += 1
            elif values[time] != value:
                conflicting += 1
    return new, conflicting


def new(connection: Connection, community: str, source: str, now: datetime) -> int:
    """Open a batch and return its number."""
    return store.add_batch(connection, community, source, now)


def undo(connection: Connection, community: str, batch: int, now: datetime) -> int:
    """Take a batch back: its readings go, and what was derived from them is derived anew.

    Raises
    ------
    BadInput
        If there is no such batch, or it was taken back before.
    """
    if not store.close_batch(connection, community, batch, now):
        raise BadInput(f"There is no batch {batch} that can be taken back.")
    return store.remove_batch(connection, community, batch)
