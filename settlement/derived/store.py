"""The stored quarter-hours and shares, in blocks: what is to be derived, what is there, and what has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

import numpy as np
from psycopg import Cursor

from core.db.connection import Connection
from core.time import from_microseconds, microseconds
from settlement.amounts import Amounts, Labels
from settlement.derived.columns import MISSING, NUMERIC_WORDS, Columns, Small, Whole
from settlement.derived.touched import Span
from settlement.model import WORST_FIRST, Quality, Series
from settlement.sun import Sun

_COMMIT_TAKES: Final = timedelta(minutes=2)
"""A transaction that nobody sees may become visible this long after the ``known_at`` its rows carry."""
_YEAR_2000: Final = microseconds(datetime(2000, 1, 1, tzinfo=UTC))
"""PostgreSQL counts microseconds from here."""
_NO_ROW: Final = -1
_ARRAY_HEAD: Final = 20  # [bytes] of PostgreSQL's binary array of one dimension
_ITEM: Final = np.dtype([("length", ">i4"), ("value", ">i8")])

Label = tuple[Quality, str | None]
"""Quality of an interval and how an estimate was made."""
LABELS: Final[tuple[Label, ...]] = (("missing", None), ("measured", None), ("estimated", "linear"))
"""What the labels of `settlement.derived.columns` stand for."""


class Stale(NamedTuple):
    """What the derived rows do not know yet.

    ``known_at`` is up to where readings are worked in once this is; ``again`` are the requests that are met then;
    ``everything`` stands for every quarter-hour and every share; ``spans`` holds each meter's touched ones else.
    """

    known_at: datetime | None
    again: list[int]
    everything: bool
    spans: list[Span]


def stale(connection: Connection, slug: str) -> Stale | None:
    """Tell what has to be derived; None if nothing has. Read this before the community it is to be derived with.

    Nothing committed late is missed: a transaction that is writing may bring readings with the ``known_at`` of its
    beginning, so the mark stays before the oldest one, and what came since is simply looked at again. One that has not
    written yet, or is of another account, cannot be seen and is given two minutes.
    """
    row = connection.execute(
        "SELECT (SELECT known_at FROM derived_until WHERE community = %s),"
        " (SELECT min(xact_start) - interval '1 microsecond' FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_xid IS NOT NULL AND pid <> pg_backend_pid())",
        (slug,),
    ).fetchone()
    known, oldest = row or (None, None)
    asked = connection.execute(
        "SELECT id, meter, since, until FROM derive_again WHERE community = %s", (slug,)
    ).fetchall()
    again = [number for number, *_ in asked]
    if known is None or any(meter is None for _, meter, *_ in asked):
        newest, spans = _extents(connection, slug)
        everything = True
    else:
        newest, spans = _fresh(connection, slug, known)
        spans += [
            span for _, meter, since, until in asked for span in _around_removed(connection, slug, meter, since, until)
        ]
        everything = False
    if newest is None or (known is not None and newest <= known and not asked):
        return None
    return Stale(newest if oldest is None else min(newest, oldest), again, everything, spans)


def _extents(connection: Connection, slug: str) -> tuple[datetime | None, list[Span]]:
    """First and last reading of every meter that has any, and when the newest became known."""
    # Meter by meter along the index: a scan of all readings would take longer than many an update.
    rows = connection.execute(
        "SELECT m.meter, span.first, span.last FROM meter m, LATERAL (SELECT"
        " (SELECT min(time) FROM reading r WHERE (r.community, r.meter) = (m.community, m.meter)) AS first,"
        " (SELECT max(time) FROM reading r WHERE (r.community, r.meter) = (m.community, m.meter)) AS last) span"
        " WHERE m.community = %s AND span.first IS NOT NULL",
        (slug,),
    ).fetchall()
    newest = connection.execute("SELECT max(known_at) FROM reading WHERE community = %s", (slug,)).fetchone()
    return newest[0] if newest else None, [_span(*row) for row in rows]


def _fresh(connection: Connection, slug: str, known: datetime) -> tuple[datetime | None, list[Span]]:
    """Around the new readings of a meter and day: from the reading before them to the one after."""
    rows = connection.execute(
        "WITH fresh AS (SELECT meter, min(time) AS first, max(time) AS last, max(known_at) AS newest FROM reading"
        " WHERE community = %(c)s AND known_at > %(known)s"
        " GROUP BY meter, date_bin('1 day', time, timestamptz '2000-01-01 00:00+00'))"
        " SELECT f.newest, f.meter, coalesce((SELECT max(time) FROM reading r"
        " WHERE (r.community, r.meter) = (%(c)s, f.meter) AND r.time < f.first), f.first),"
        " coalesce((SELECT min(time) FROM reading r"
        " WHERE (r.community, r.meter) = (%(c)s, f.meter) AND r.time > f.last), f.last) FROM fresh f",
        {"c": slug, "known": known - _COMMIT_TAKES},
    ).fetchall()
    return max((row[0] for row in rows), default=known), [_span(*row[1:]) for row in rows]


def _around_removed(connection: Connection, slug: str, meter: str, since: datetime, until: datetime) -> list[Span]:
    """Around readings that may be gone: two before them, and after them what an hour's return could decide.

    A reading that is gone may have taken the one before it out as a spike, or those of an hour after it as a dip.
    """
    row = connection.execute(
        "WITH own AS NOT MATERIALIZED (SELECT time FROM reading WHERE (community, meter) = (%(c)s, %(m)s)),"
        " before AS (SELECT time FROM own WHERE time < %(since)s ORDER BY time DESC LIMIT 2),"
        " next AS (SELECT min(time) AS time FROM own WHERE time > %(until)s)"
        " SELECT coalesce((SELECT min(time) FROM before), %(since)s),"
        " coalesce((SELECT min(time) FROM own WHERE time > (SELECT time FROM next) + interval '1 hour'),"
        " (SELECT greatest(max(time), %(until)s) FROM own))",
        {"c": slug, "m": meter, "since": since, "until": until},
    ).fetchone()
    return [_span(meter, *row)] if row else []


def _span(meter: str, first: datetime, last: datetime) -> Span:
    return Span(meter, microseconds(first), microseconds(last))


def mark(connection: Connection, slug: str, done: Stale) -> None:
    """Remember what is worked in. Requests written meanwhile stay."""
    connection.execute(
        "INSERT INTO derived_until (community, known_at) VALUES (%s, %s)"
        " ON CONFLICT (community) DO UPDATE SET known_at = EXCLUDED.known_at",
        (slug, done.known_at),
    )
    connection.execute("DELETE FROM derive_again WHERE community = %s AND id = ANY(%s)", (slug, done.again))


def registers(
    connection: Connection, slug: str, meters: Sequence[str], start: int, end: int
) -> Iterator[tuple[str, Whole, bytes]]:
    """Yield every meter's readings within a span [microseconds], with the nearest one before and two after it.

    The second one after it tells whether the first was a spike, which a boundary within the span may lean on.

    Yields
    ------
    meter, times, values
        ``times`` rise strictly [microseconds]; ``values`` are in the form that `columns.numbers` reads.
    """
    # One row for each meter: a row for each reading costs more on its way than in the database.
    query = (
        "SELECT m.meter, r.times, r.values FROM unnest(%(meters)s::text[]) m(meter), LATERAL ("
        " SELECT coalesce((SELECT max(time) FROM reading WHERE (community, meter) = (%(c)s, m.meter)"
        " AND time < %(start)s), %(start)s) AS start,"
        " coalesce((SELECT max(time) FROM (SELECT time FROM reading WHERE (community, meter) = (%(c)s, m.meter)"
        " AND time > %(end)s ORDER BY time LIMIT 2) two), %(end)s) AS end) span,"
        " LATERAL (SELECT string_agg(timestamptz_send(time), '') AS times,"
        " string_agg(substr(numeric_send(value) || %(zeros)s, 1, %(size)s), '') AS values"
        " FROM (SELECT time, value FROM reading WHERE (community, meter) = (%(c)s, m.meter)"
        " AND time BETWEEN span.start AND span.end ORDER BY time) ordered) r"
    )
    size = 2 * NUMERIC_WORDS
    asked = {
        "c": slug, "meters": list(meters), "start": from_microseconds(start), "end": from_microseconds(end),
        "zeros": bytes(size), "size": size,
    }  # fmt: skip
    with connection.cursor() as cursor:
        for meter, times, values in cursor.stream(query, asked, binary=True):
            yield meter, _whole(times or b"") + _YEAR_2000, values or b""


def _whole(data: bytes) -> Whole:
    return np.frombuffer(data, dtype=">i8").astype(np.int64)


class Stored(NamedTuple):
    """What is stored of a block, meters by intervals; ``strays`` are rows that lie on no boundary of it."""

    energy: Whole
    label: Small
    strays: list[tuple[int, int]]


def _stored(
    connection: Connection, slug: str, meters: Sequence[str], bounds: Sequence[int], labels: Sequence[str], *, how: bool
) -> Stored:  # fmt: skip
    """Read rows of a block; ``labels`` name qualities, or with ``how`` qualities and methods."""
    shape = (len(meters), len(bounds) - 1)
    found = Stored(np.full(shape, -1, dtype=np.int64), np.full(shape, _NO_ROW, dtype=np.int16), [])
    with connection.cursor() as cursor:
        rows = cursor.execute(
            "SELECT m.place - 1, q.starts, q.energies, q.labels"
            " FROM unnest(%(meters)s::text[]) WITH ORDINALITY m(meter, place), LATERAL ("
            " SELECT string_agg(timestamptz_send(start), '') AS starts,"
            " string_agg(int8send(coalesce(energy, -1)), '') AS energies, string_agg(int8send("
            " coalesce(array_position(%(labels)s::text[],"
            " CASE WHEN %(how)s THEN concat_ws(' ', quality, method) ELSE quality END),"
            " cardinality(%(labels)s::text[]) + 1)::bigint - 1), '') AS labels"
            " FROM quarter WHERE (community, meter) = (%(c)s, m.meter) AND start >= %(start)s AND start < %(end)s) q"
            " WHERE q.starts IS NOT NULL",
            {"c": slug, "meters": list(meters), "labels": list(labels), "how": how,
             "start": from_microseconds(bounds[0]), "end": from_microseconds(bounds[-1])},
            binary=True,
        )  # fmt: skip
        step = bounds[1] - bounds[0]
        for meter, starts, energies, label in rows:
            place, off = np.divmod(_whole(starts) + _YEAR_2000 - bounds[0], step)
            energy, on = _whole(energies), off == 0
            found.energy[meter, place[on]], found.label[meter, place[on]] = energy[on], _whole(label)[on]
            stray = (off != 0) & (energy >= 0)
            found.strays.extend((meter, int(at)) for at in (place * step + off)[stray] + bounds[0])
    return found


def save(
    connection: Connection, slug: str, meters: Sequence[str], bounds: Sequence[int], columns: Columns,
    labels: Sequence[Label], now: datetime,
) -> tuple[int, np.ndarray[tuple[int], np.dtype[np.bool_]]]:  # fmt: skip
    """Keep the intervals of a block; only those that differ from what is stored are written, with ``known_at`` = now.

    What a changed one said before stays in ``quarter_past``. One that was known and is missing now, because a reading
    was set aside or came to say something else, says so; one that never was known has no row.

    Parameters
    ----------
    columns
        Meters by intervals.
    labels
        What the labels stand for.

    Returns
    -------
    written, changed
        How many rows were written; which of the intervals changed for any meter.
    """
    names = [" ".join(filter(None, label)) for label in labels]
    stored = _stored(connection, slug, meters, bounds, names, how=True)
    differs = (columns.energy != stored.energy) | (columns.label != stored.label)
    differs &= (columns.label != MISSING) | (stored.label != _NO_ROW)
    meter, place = np.nonzero(differs)
    changed = differs.any(axis=0)
    if not len(meter) and not stored.strays:
        return 0, changed
    stray = np.array(stored.strays, dtype=np.int64).reshape(-1, 2)
    rows = (
        np.concatenate([meter, stray[:, 0]]),
        np.concatenate([place * (bounds[1] - bounds[0]) + bounds[0], stray[:, 1]]),
        np.concatenate([columns.energy[differs], np.full(len(stray), -1)]),
        np.concatenate([columns.label[differs], np.full(len(stray), MISSING)]),
    )
    changed[(stray[:, 1] - bounds[0]) // (bounds[1] - bounds[0])] = True
    with connection.cursor() as cursor:
        _stage(cursor, "derived", "meter bigint, start timestamptz, energy bigint, label bigint", rows)
        written = cursor.execute(
            "INSERT INTO quarter (community, meter, start, energy, quality, method, known_at)"
            " SELECT %(c)s, (%(meters)s::text[])[d.meter + 1], d.start, nullif(d.energy, -1),"
            " (%(qualities)s::text[])[d.label + 1], (%(methods)s::text[])[d.label + 1], %(now)s"
            " FROM derived d ON CONFLICT (community, meter, start) DO UPDATE"
            " SET (energy, quality, method, known_at)"
            " = (EXCLUDED.energy, EXCLUDED.quality, EXCLUDED.method, EXCLUDED.known_at)"
            " WHERE (quarter.energy, quarter.quality, quarter.method)"
            " IS DISTINCT FROM (EXCLUDED.energy, EXCLUDED.quality, EXCLUDED.method)",
            {"c": slug, "meters": list(meters), "now": now, "qualities": [quality for quality, _ in labels],
             "methods": [method for _, method in labels]},
        ).rowcount  # fmt: skip
    return written, changed


def series(connection: Connection, slug: str, meters: Sequence[str], bounds: Sequence[int]) -> dict[str, Series]:
    """Read the stored intervals of meters; how they were estimated is left out."""
    size = len(bounds) - 1
    nothing: Labels[str | None] = Labels.all_of(None, size)
    measured: Labels[Quality] = Labels.all_of("measured", size, WORST_FIRST)
    found = {
        meter: Series(meter, Amounts(energy), measured, nothing)
        for meter, energy in _measured(connection, slug, meters, bounds)
    }
    others = [meter for meter in meters if meter not in found]
    stored = _stored(connection, slug, others, bounds, WORST_FIRST, how=False)
    codes = np.maximum(stored.label, 0).astype(np.uint8)
    for meter, energy, code in zip(others, stored.energy, codes, strict=True):
        found[meter] = Series(meter, Amounts(energy), Labels(code, WORST_FIRST), nothing)
    return found


def _measured(
    connection: Connection, slug: str, meters: Sequence[str], bounds: Sequence[int]
) -> Iterator[tuple[str, Whole]]:
    """Read the meters of which every interval is there and measured: most of them, and twice as fast.

    So many known rows as there are intervals are one on each boundary: what lies elsewhere is not known (`save`).
    """
    with connection.cursor() as cursor:
        rows = cursor.stream(
            "SELECT m.meter, array_send(q.energies) FROM unnest(%s::text[]) m(meter), LATERAL ("
            " SELECT array_agg(energy ORDER BY start) AS energies FROM quarter"
            " WHERE (community, meter) = (%s, m.meter) AND start >= %s AND start < %s AND quality = 'measured') q"
            " WHERE cardinality(q.energies) = %s",
            (list(meters), slug, from_microseconds(bounds[0]), from_microseconds(bounds[-1]), len(bounds) - 1),
            binary=True,
        )  # fmt: skip
        for meter, energies in rows:
            # A head of dimensions, then a length and eight bytes for each.
            items = np.frombuffer(energies, dtype=_ITEM, offset=_ARRAY_HEAD)
            yield meter, items["value"].astype(np.int64)


def estimated(connection: Connection, slug: str, meters: Sequence[str], start: int, end: int) -> list[datetime]:
    """First estimated interval of every day (in UTC) within a span [microseconds], of any of these meters."""
    rows = connection.execute(
        "SELECT min(start) FROM quarter WHERE community = %s AND meter = ANY(%s) AND start >= %s AND start < %s"
        " AND quality = 'estimated' GROUP BY date_trunc('day', start)",
        (slug, list(meters), from_microseconds(start), from_microseconds(end)),
    ).fetchall()
    return [row[0] for row in rows]


def save_shares(connection: Connection, slug: str, sun: Sun) -> None:
    """Keep what every flat used and was given; where it is no longer known what it used, the row says so."""
    flats, step = list(sun.used), sun.bounds[1] - sun.bounds[0]
    starts = np.array(sun.bounds[:-1], dtype=np.int64)
    used, shared = sun.used.rows, sun.shared.rows
    quality = np.array([sun.quality[flat].codes for flat in flats], dtype=np.int64)
    flat, place = np.nonzero(quality)
    known = (flat, starts[place], used[flat, place], shared[flat, place], quality[flat, place])
    span = {
        "c": slug, "flats": flats, "qualities": list(WORST_FIRST), "start": from_microseconds(int(starts[0])),
        "end": from_microseconds(int(starts[-1]) + step),
    }  # fmt: skip
    with connection.cursor() as cursor:
        _stage(
            cursor, "divided", "flat bigint, start timestamptz, consumed bigint, shared bigint, quality bigint", known
        )
        cursor.execute(
            "UPDATE shared_quarter s SET (consumed, shared, quality) = (NULL, 0, 'missing')"
            " FROM unnest(%(flats)s::text[]) WITH ORDINALITY f(flat, place)"
            " WHERE (s.community, s.flat) = (%(c)s, f.flat) AND s.start >= %(start)s AND s.start < %(end)s"
            " AND s.quality <> 'missing'"
            " AND NOT EXISTS (SELECT FROM divided d WHERE (d.flat, d.start) = (f.place - 1, s.start))",
            span,
        )
        cursor.execute(
            "INSERT INTO shared_quarter AS s (community, flat, start, consumed, shared, quality)"
            " SELECT %(c)s, (%(flats)s::text[])[d.flat + 1], d.start, d.consumed, d.shared,"
            " (%(qualities)s::text[])[d.quality + 1] FROM divided d"
            " ON CONFLICT (community, flat, start) DO UPDATE"
            " SET (consumed, shared, quality) = (EXCLUDED.consumed, EXCLUDED.shared, EXCLUDED.quality)"
            " WHERE (s.consumed, s.shared, s.quality)"
            " IS DISTINCT FROM (EXCLUDED.consumed, EXCLUDED.shared, EXCLUDED.quality)",
            span,
        )


def _stage(cursor: Cursor[Any], table: LiteralString, columns: LiteralString, rows: Sequence[Whole]) -> None:
    """Put whole numbers into a temporary table of columns of eight bytes; times count from 1970 here."""
    cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} ({columns}) ON COMMIT DELETE ROWS")
    cursor.execute(f"TRUNCATE {table}")
    names = [column.split() for column in columns.split(", ")]
    form = [("fields", ">i2")]
    for name, _ in names:
        form += [(f"length of {name}", ">i4"), (name, ">i8")]
    packed = np.zeros(len(rows[0]), dtype=form)
    packed["fields"] = len(names)
    for (name, kind), values in zip(names, rows, strict=True):
        packed[f"length of {name}"] = 8
        packed[name] = values - _YEAR_2000 if kind == "timestamptz" else values
    with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8) + packed.tobytes() + b"\xff\xff")
