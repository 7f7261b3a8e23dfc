"""What the settlement reads from the database and writes to it; the only module here that knows SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from psycopg.rows import dict_row

from core.community import Community
from core.db import stale
from core.db.connection import Connection
from core.time import Month, from_microseconds, microseconds
from settlement.failedmeters import references
from settlement.intervals import spans_needed
from settlement.model import MeterReadings, Posting, Readings
from settlement.registers import RETURNS_WITHIN
from settlement.selection import merged, of_month, settles, wide_windows, window


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
    settling = [meter for meter in community.meters if settles(community, meter)]
    found = _readings_of(connection, community, {meter.id: window(community, month, meter) for meter in settling})
    found |= _readings_of(connection, community, wide_windows(community, month, of_month(community, month, found)))
    for kind, before in references(community, month, of_month(community, month, found)):
        windows = {meter.id: window(community, before, meter) for meter in community.meters_of(kind)}
        found = merged(found, _readings_of(connection, community, windows))
    return found


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
    postings: Sequence[Posting], now: datetime, status: Literal["provisional", "final"] = "provisional",
) -> bool:  # fmt: skip
    """Keep a settled month with its postings; False if the newest run already says the same."""
    newest = connection.execute(
        "SELECT run, status, input_sha256, result_sha256 FROM month WHERE (community, month) = (%s, %s)"
        " ORDER BY run DESC LIMIT 1",
        (community, month),
    ).fetchone()
    if newest and newest[1] == status and (newest[2], newest[3]) == hashes:
        return False
    run = newest[0] + 1 if newest else 1
    connection.execute(
        "INSERT INTO month (community, month, run, status, input_sha256, result_sha256, statement, settled_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (community, month, run, status, *hashes, document.decode(), now),
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY posting (community, month, run, transaction, line, account, cents, what, evidence) FROM STDIN"
        ) as copy,
    ):
        line, transaction = 0, 0
        for posting in postings:
            line = line + 1 if posting.transaction == transaction else 1
            transaction = posting.transaction
            evidence = json.dumps(posting.evidence.tree, ensure_ascii=False, sort_keys=True)
            row = (posting.transaction, line, posting.account, posting.cents, posting.what, evidence)
            copy.write_row((community, month, run, *row))
    return True


def newest_postings(connection: Connection, community: str, month: str) -> list[dict[str, Any]]:
    """Return the postings of a month's newest run as they were booked, each with what is behind it."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT transaction, line, account, cents, what, evidence FROM posting WHERE (community, month) = (%s, %s)"
            " AND run = (SELECT max(run) FROM month WHERE (community, month) = (%s, %s)) ORDER BY transaction, line",
            (community, month, community, month),
        ).fetchall()


def newest_statement(connection: Connection, community: str, month: str) -> str | None:
    """Return the newest run's ``statement.json``, or None."""
    row = connection.execute(
        "SELECT statement FROM month WHERE (community, month) = (%s, %s) ORDER BY run DESC LIMIT 1", (community, month)
    ).fetchone()
    return row[0] if row else None


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
    """Delete a batch's readings; what was derived from them is derived anew, and its past is kept."""
    stale.batch(connection, community, batch)
    return connection.execute("DELETE FROM reading WHERE (community, batch) = (%s, %s)", (community, batch)).rowcount
