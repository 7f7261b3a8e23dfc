"""The one way raw readings get in: by device, by HTTP and by file alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from psycopg import Cursor

from core.db.connection import Connection

# Staged in a table of the session that empties itself at the end of a transaction, so that a batch costs no catalogue
# writes; emptied here too, for two batches in one transaction.
_STAGE: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS incoming (meter text, time timestamptz, value numeric) ON COMMIT DELETE ROWS;"
    " DELETE FROM incoming"
)


@dataclass(frozen=True)
class Inserted:
    """How many rows were new, known already with the same value, and in conflict with a known value."""

    new: int
    duplicate: int
    conflicting: int


def insert_readings(
    connection: Connection,
    community: str,
    rows: Iterable[tuple[str, datetime, Decimal]],
    source: str,
    batch: int | None = None,
) -> Inserted:
    """Insert raw readings, each at most once, within the caller's transaction (or one of their own).

    Parameters
    ----------
    connection
        Usually in a transaction that the caller commits, to acknowledge to the source only then.
    community
        Leads every key.
    rows
        Meter, time (aware), value in the meter's own unit.
    source
        Where they came from, kept with conflicts.
    batch
        Of an import that may be undone, else None.

    Returns
    -------
    Inserted
        A row known with the same value counts as duplicate. One with another value changes nothing: the first value
        stays and the other is kept in ``reading_conflict``.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy("COPY incoming (meter, time, value) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(("text", "timestamptz", "numeric"))
            for row in rows:
                copy.write_row(row)
        return _take_over(cursor, cursor.rowcount, community, source, batch)


def insert_copy_lines(
    connection: Connection, community: str, blocks: Iterable[str], source: str, batch: int | None = None
) -> Inserted:
    """Insert readings given as blocks of COPY text lines (``meter<TAB>time<TAB>value``); else as `insert_readings`."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy("COPY incoming (meter, time, value) FROM STDIN") as copy:
            for block in blocks:
                copy.write(block)
        return _take_over(cursor, cursor.rowcount, community, source, batch)


def _take_over(cursor: Cursor[Any], staged: int, community: str, source: str, batch: int | None) -> Inserted:
    new = cursor.execute(
        "INSERT INTO reading (community, meter, time, value, batch)"
        " SELECT %s, meter, time, value, %s FROM incoming ON CONFLICT DO NOTHING",
        (community, batch),
    ).rowcount
    if new == staged:
        return Inserted(new, 0, 0)
    conflicting = cursor.execute(
        "INSERT INTO reading_conflict (community, meter, time, value, source)"
        " SELECT r.community, r.meter, r.time, i.value, %s"
        " FROM incoming i JOIN reading r ON (r.community, r.meter, r.time) = (%s, i.meter, i.time)"
        " WHERE r.value <> i.value ON CONFLICT DO NOTHING",
        (source, community),
    ).rowcount
    return Inserted(new, staged - new - conflicting, conflicting)


class Grown(NamedTuple):
    """First and last reading of a meter in a span of time, in the meter's own unit."""

    start: datetime
    first: Decimal
    end: datetime
    last: Decimal


def grown_since(connection: Connection, community: str, since: datetime) -> dict[str, Grown]:
    """Return first and last reading of every meter that was read at least twice since then."""
    rows = connection.execute(
        "SELECT meter, min(time), (array_agg(value ORDER BY time))[1], max(time),"
        " (array_agg(value ORDER BY time DESC))[1]"
        " FROM reading WHERE community = %s AND time >= %s GROUP BY meter HAVING count(*) > 1",
        (community, since),
    ).fetchall()
    return {meter: Grown(*span) for meter, *span in rows}


def last_reading(connection: Connection, community: str, meter: str) -> tuple[datetime, Decimal] | None:
    """Return time and value of a meter's newest reading, in its own unit."""
    row = connection.execute(
        "SELECT time, value FROM reading WHERE (community, meter) = (%s, %s) ORDER BY time DESC LIMIT 1",
        (community, meter),
    ).fetchone()
    return (row[0], row[1]) if row else None


def sunniest_interval(connection: Connection, community: str, since: datetime) -> tuple[datetime, int] | None:
    """Return since when the sun's intervals are known, and the most all inverters made in one of them [mWh]."""
    row = connection.execute(
        "SELECT min(start), max(made) FROM (SELECT start, sum(energy) AS made"
        " FROM quarter JOIN meter USING (community, meter)"
        " WHERE community = %s AND measures = 'solar_generation' AND start >= %s GROUP BY start) AS intervals",
        (community, since),
    ).fetchone()
    return (row[0], int(row[1])) if row and row[1] is not None else None


def newest_reading(connection: Connection, community: str) -> datetime | None:
    """Return the time of the newest reading of a community."""
    row = connection.execute("SELECT max(time) FROM reading WHERE community = %s", (community,)).fetchone()
    return row[0] if row else None


def analyse(connection: Connection) -> None:
    """Tell the planner what a bulk load has changed."""
    connection.execute("ANALYZE reading")
