"""The one way raw readings get in: by device, by HTTP and by file alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from psycopg import Cursor
from psycopg.errors import UniqueViolation

from core.db.connection import Connection

# Staged in a table of the session that empties itself at the end of a transaction, so that a batch costs no catalogue
# writes; emptied here too, for two batches in one transaction.
_STAGE: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS incoming (meter text, time timestamptz, value numeric) ON COMMIT DELETE ROWS;"
    " DELETE FROM incoming"
)
_TAKE_OVER: Final = (
    "WITH looked AS MATERIALIZED (SELECT i.meter, i.time, i.value, r.value AS known FROM incoming i LEFT JOIN reading r"
    " ON (r.community, r.meter, r.time) = (%s, i.meter, i.time)),"
    " added AS (INSERT INTO reading (community, meter, time, value, batch)"
    " SELECT %s, meter, time, value, %s FROM looked WHERE known IS NULL ON CONFLICT DO NOTHING RETURNING 1),"
    " aside AS (INSERT INTO reading_conflict (community, meter, time, value, source)"
    " SELECT %s, meter, time, value, %s FROM looked WHERE known <> value ON CONFLICT DO NOTHING RETURNING 1)"
    " SELECT (SELECT count(*) FROM added), (SELECT count(*) FROM looked WHERE known IS NULL),"
    " (SELECT count(*) FROM aside)"
)
_ASIDE: Final = (
    "INSERT INTO reading_conflict (community, meter, time, value, source)"
    " SELECT r.community, r.meter, r.time, i.value, %s"
    " FROM incoming i JOIN reading r ON (r.community, r.meter, r.time) = (%s, i.meter, i.time)"
    " WHERE r.value <> i.value ON CONFLICT DO NOTHING"
)
_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)

Row = tuple[str, datetime, Decimal]
"""Meter, time (aware), value in the meter's own unit."""


@dataclass(frozen=True)
class Inserted:
    """How many rows were new, known already with the same value, and in conflict with a known value."""

    new: int
    duplicate: int
    conflicting: int


def insert_readings(
    connection: Connection,
    community: str,
    rows: Iterable[Row],
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
    rows = list(rows)
    with connection.transaction(), connection.cursor() as cursor:
        newer, rest = _newer_and_rest(cursor, community, rows)
        if newer and not _appended(connection, cursor, community, newer, batch):
            newer, rest = [], rows
        if not rest:
            return Inserted(len(newer), 0, 0)
        cursor.execute(_STAGE)
        with cursor.copy("COPY incoming (meter, time, value) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(("text", "timestamptz", "numeric"))
            for row in rest:
                copy.write_row(row)
        inserted = _take_over(cursor, cursor.rowcount, community, source, batch)
        return replace(inserted, new=inserted.new + len(newer))


def _newer_and_rest(cursor: Cursor[Any], community: str, rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Part rows into those later than all of their meter's that are known or stand before them, and the others."""
    meters = {meter for meter, _, _ in rows}
    found = cursor.execute(
        "SELECT m.meter, n.time FROM unnest(%s::text[]) m(meter) CROSS JOIN LATERAL"
        " (SELECT time FROM reading r WHERE (r.community, r.meter) = (%s, m.meter) ORDER BY time DESC LIMIT 1) n",
        (list(meters), community),
    ).fetchall()
    newest = dict.fromkeys(meters, _BEFORE_ALL) | dict(found)
    newer, rest = [], []
    for row in rows:
        meter, time, _ = row
        if time > newest[meter]:
            newest[meter] = time
            newer.append(row)
        else:
            rest.append(row)
    return newer, rest


def _appended(
    connection: Connection, cursor: Cursor[Any], community: str, rows: Sequence[Row], batch: int | None
) -> bool:
    """Add rows that nobody knows yet, twice as fast as by way of the stage; False if somebody was faster with one."""
    try:
        with (
            connection.transaction(),
            cursor.copy("COPY reading (community, meter, time, value, batch) FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.set_types(("text", "text", "timestamptz", "numeric", "int8"))
            for meter, time, value in rows:
                copy.write_row((community, meter, time, value, batch))
    except UniqueViolation:
        return False
    return True


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
    new, unknown, conflicting = cursor.execute(_TAKE_OVER, (community, community, batch, community, source)).fetchone()  # type: ignore[misc]  # it counts
    if new < unknown:  # the stage names one more than once, or somebody was faster: look at what stands there now
        conflicting += cursor.execute(_ASIDE, (source, community)).rowcount
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
