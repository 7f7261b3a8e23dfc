"""What the settlement reads from the database and writes to it; the only module here that knows SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString

from psycopg import Cursor

from core.community import Community, Meter
from core.db.connection import Connection
from core.time import Month, from_microseconds, microseconds
from settlement.intervals import spans_needed
from settlement.model import MeterReadings, Posting, Readings, Series
from settlement.registers import RETURNS_WITHIN
from settlement.selection import used, wide_windows, window
from settlement.sun import Sun

_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
_COMMIT_TAKES = timedelta(minutes=2)
"""A batch may become visible this long after the ``known_at`` its rows carry."""


def readings_between(connection: Connection, community: str, meter: str, start: int, end: int) -> MeterReadings | None:
    """Return a meter's readings within a span [microseconds], with the nearest one before and after it."""
    rows = connection.execute(
        "(SELECT time, value FROM reading WHERE (community, meter) = (%(c)s, %(m)s) AND time < %(start)s"
        " ORDER BY time DESC LIMIT 1)"
        " UNION ALL"
        " (SELECT time, value FROM reading WHERE (community, meter) = (%(c)s, %(m)s)"
        " AND time BETWEEN %(start)s AND %(end)s)"
        " UNION ALL"
        " (SELECT time, value FROM reading WHERE (community, meter) = (%(c)s, %(m)s) AND time > %(end)s"
        " ORDER BY time LIMIT 1) ORDER BY time",
        {"c": community, "m": meter, "start": from_microseconds(start), "end": from_microseconds(end)},
    ).fetchall()
    if not rows:
        return None
    return MeterReadings("register", [microseconds(time) for time, _ in rows], [Decimal(value) for _, value in rows])


def month_readings(connection: Connection, community: Community, month: Month) -> Readings:
    """Everything a month may need; `settlement.selection.used` decides what it is settled from."""
    counting = [meter for meter in community.meters if meter.measures != "pellet_stock"]
    found = _readings_of(connection, community, {meter.id: window(community, month, meter) for meter in counting})
    wider = wide_windows(community, month, used(community, month, found))
    return found | _readings_of(connection, community, wider)


def readings_for(connection: Connection, community: Community, bounds: Sequence[int]) -> Readings:
    """Everything that intervals between boundaries may need: an hour on either side, and what bridges long gaps."""
    counting = [meter for meter in community.meters if meter.measures != "pellet_stock"]
    near = (bounds[0] - RETURNS_WITHIN, bounds[-1] + RETURNS_WITHIN)
    found = _readings_of(connection, community, dict.fromkeys((meter.id for meter in counting), near))
    spans = spans_needed(community, found, bounds)
    wider = {
        meter.id: (min(near[0], spans[meter.measures].start), max(near[1], spans[meter.measures].end))
        for meter in counting
        if meter.measures in spans
    }
    return found | _readings_of(connection, community, wider)


def _readings_of(
    connection: Connection, community: Community, windows: Mapping[str, tuple[int, int]]
) -> dict[str, MeterReadings]:
    found = {}
    for meter, (start, end) in windows.items():
        one = readings_between(connection, community.community, meter, start, end)
        if one is not None:
            found[meter] = one
    return found


@contextmanager
def one_at_a_time(connection: Connection, community: str, work: str) -> Iterator[None]:
    """Hold a session lock, so that two workers cannot do the same work at once."""
    key = (f"{work} {community}",)
    connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", key)
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", key)
        connection.commit()


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """One REPEATABLE READ transaction: everything read inside is of one instant, and writes commit at its end."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def save_month(
    connection: Connection, community: str, month: str, document: bytes, hashes: tuple[str, str],
    postings: Sequence[Posting], now: datetime,
) -> bool:  # fmt: skip
    """Keep a settled month with its postings; False if the newest run already says the same."""
    newest = connection.execute(
        "SELECT run, status, input_sha256, result_sha256 FROM month WHERE (community, month) = (%s, %s)"
        " ORDER BY run DESC LIMIT 1",
        (community, month),
    ).fetchone()
    if newest and newest[1] == "provisional" and (newest[2], newest[3]) == hashes:
        return False
    run = newest[0] + 1 if newest else 1
    connection.execute(
        "INSERT INTO month (community, month, run, status, input_sha256, result_sha256, statement, settled_at)"
        " VALUES (%s, %s, %s, 'provisional', %s, %s, %s, %s)",
        (community, month, run, *hashes, document.decode(), now),
    )
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY posting (community, month, run, transaction, line, account, cents, what) FROM STDIN") as copy,
    ):
        line, transaction = 0, 0
        for posting in postings:
            line = line + 1 if posting.transaction == transaction else 1
            transaction = posting.transaction
            copy.write_row(
                (community, month, run, posting.transaction, line, posting.account, posting.cents, posting.what)
            )
    return True


def newest_statement(connection: Connection, community: str, month: str) -> str | None:
    """Return the newest run's ``statement.json``, or None."""
    row = connection.execute(
        "SELECT statement FROM month WHERE (community, month) = (%s, %s) ORDER BY run DESC LIMIT 1", (community, month)
    ).fetchone()
    return row[0] if row else None


def changed_since_derived(connection: Connection, community: str) -> tuple[datetime, list[tuple[str, datetime]]] | None:
    """Tell which meters have readings that the derived rows do not know yet.

    Returns
    -------
    tuple or None
        The newest ``known_at`` seen, and per meter the earliest time among its new readings; None if nothing is new.
    """
    known = connection.execute("SELECT known_at FROM derived_until WHERE community = %s", (community,)).fetchone()
    rows = connection.execute(
        "SELECT meter, min(time), max(known_at) FROM reading WHERE community = %s AND known_at > %s GROUP BY meter",
        (community, known[0] - _COMMIT_TAKES if known else _BEFORE_ALL),
    ).fetchall()
    if not rows:
        return None
    newest = max(row[2] for row in rows)
    if known and newest <= known[0]:
        return None
    return newest, [(meter, time) for meter, time, _ in rows]


def mark_derived(connection: Connection, community: str, known_at: datetime) -> None:
    """Remember up to which ``known_at`` readings are worked in."""
    connection.execute(
        "INSERT INTO derived_until (community, known_at) VALUES (%s, %s)"
        " ON CONFLICT (community) DO UPDATE SET known_at = EXCLUDED.known_at",
        (community, known_at),
    )


def previous_reading(connection: Connection, community: str, meter: str, time: datetime) -> datetime | None:
    """Time of the last reading before an instant."""
    row = connection.execute(
        "SELECT max(time) FROM reading WHERE (community, meter) = (%s, %s) AND time < %s", (community, meter, time)
    ).fetchone()
    return row[0] if row else None


def span_of(connection: Connection, community: str) -> tuple[datetime, datetime] | None:
    """First and last reading of a community."""
    row = connection.execute("SELECT min(time), max(time) FROM reading WHERE community = %s", (community,)).fetchone()
    return (row[0], row[1]) if row and row[0] else None


def save_series(
    connection: Connection, community: str, meter: Meter, series: Series, bounds: Sequence[int], now: datetime
) -> int:
    """Keep a meter's intervals; only those that differ from what is stored are written, with ``known_at`` = now.

    What a changed one said before stays in ``quarter_past``. One that was known and is missing now, because a reading
    was set aside or came to say something else, says so; one that never was known has no row.
    """
    rows = (
        (community, meter.id, from_microseconds(start), energy, quality, method)
        for start, energy, quality, method in zip(bounds, series.energy, series.quality, series.method, strict=False)
        if quality != "missing"
    )
    with connection.cursor() as cursor:
        _stage(
            cursor,
            "derived",
            "community text, meter text, start timestamptz, energy bigint, quality text, method text",
        )
        with cursor.copy("COPY derived FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        lost = cursor.execute(
            "UPDATE quarter q SET (energy, quality, method, known_at) = (NULL, 'missing', NULL, %s)"
            " WHERE (community, meter) = (%s, %s) AND start >= %s AND start < %s AND quality <> 'missing'"
            " AND NOT EXISTS (SELECT FROM derived d WHERE d.start = q.start)",
            (now, community, meter.id, from_microseconds(bounds[0]), from_microseconds(bounds[-1])),
        ).rowcount
        return (
            lost
            + cursor.execute(
                "INSERT INTO quarter (community, meter, start, energy, quality, method, known_at)"
                " SELECT d.*, %s FROM derived d ON CONFLICT (community, meter, start) DO UPDATE"
                " SET (energy, quality, method, known_at)"
                " = (EXCLUDED.energy, EXCLUDED.quality, EXCLUDED.method, EXCLUDED.known_at)"
                " WHERE (quarter.energy, quarter.quality, quarter.method)"
                " IS DISTINCT FROM (EXCLUDED.energy, EXCLUDED.quality, EXCLUDED.method)",
                (now,),
            ).rowcount
        )


def save_shares(connection: Connection, community: str, sun: Sun, until: int) -> None:
    """Keep what every flat used and was given, per interval that ends by ``until`` [microseconds]."""
    step = timedelta(microseconds=sun.bounds[1] - sun.bounds[0])
    with connection.cursor() as cursor:
        _stage(
            cursor,
            "divided",
            "community text, flat text, start timestamptz, consumed bigint, shared bigint, quality text",
        )
        with cursor.copy("COPY divided FROM STDIN") as copy:
            for name, used in sun.used.items():
                for index, consumed in enumerate(used):
                    start = from_microseconds(sun.bounds[index])
                    if microseconds(start + step) <= until and sun.quality[name][index] != "missing":
                        copy.write_row(
                            (community, name, start, consumed, sun.shared[name][index], sun.quality[name][index])
                        )
        cursor.execute(
            "INSERT INTO shared_quarter AS s (community, flat, start, consumed, shared, quality)"
            " SELECT * FROM divided ON CONFLICT (community, flat, start) DO UPDATE"
            " SET (consumed, shared, quality) = (EXCLUDED.consumed, EXCLUDED.shared, EXCLUDED.quality)"
            " WHERE (s.consumed, s.shared, s.quality)"
            " IS DISTINCT FROM (EXCLUDED.consumed, EXCLUDED.shared, EXCLUDED.quality)"
        )


def _stage(cursor: Cursor[Any], table: LiteralString, columns: LiteralString) -> None:
    cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} ({columns}) ON COMMIT DELETE ROWS")
    cursor.execute(f"TRUNCATE {table}")


def add_batch(connection: Connection, community: str, source: str, now: datetime) -> int:
    """Open an import batch and return its number."""
    row = connection.execute(
        "INSERT INTO batch (community, source, created_at) VALUES (%s, %s, %s) RETURNING id", (community, source, now)
    ).fetchone()
    if row is None:
        raise LookupError("INSERT ... RETURNING returned nothing")
    return int(row[0])


def close_batch(connection: Connection, community: str, batch: int, now: datetime) -> bool:
    """Mark a batch as taken back; False if it is unknown or was before."""
    return bool(
        connection.execute(
            "UPDATE batch SET undone_at = %s WHERE (community, id) = (%s, %s) AND undone_at IS NULL",
            (now, community, batch),
        ).rowcount
    )


def remove_batch(connection: Connection, community: str, batch: int) -> int:
    """Delete a batch's readings and everything derived from their first time on; the rest is derived anew."""
    first = connection.execute(
        "SELECT min(time) FROM reading WHERE (community, batch) = (%s, %s)", (community, batch)
    ).fetchone()
    if first is None or first[0] is None:
        return 0
    removed = connection.execute("DELETE FROM reading WHERE (community, batch) = (%s, %s)", (community, batch)).rowcount
    since = first[0] - timedelta(days=1)
    connection.execute("DELETE FROM quarter WHERE community = %s AND start >= %s", (community, since))
    connection.execute("DELETE FROM shared_quarter WHERE community = %s AND start >= %s", (community, since))
    connection.execute("DELETE FROM derived_until WHERE community = %s", (community,))
    return removed
