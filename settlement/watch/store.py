"""What the watch reads from and writes to the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from core.db.connection import Connection
from core.time import from_microseconds, microseconds
from settlement.model import MeterReadings
from settlement.watch.health import Health
from settlement.watch.serials import Serial
from settlement.watch.standstill import HISTORY, Course, Past

_COMMIT_TAKES: Final = timedelta(minutes=2)
"""A batch may become visible this long after the ``known_at`` its rows carry."""
_BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Span(NamedTuple):
    """From the first to the last of some instants of a meter [microseconds], both included."""

    first: int
    last: int


@dataclass(frozen=True)
class Finding:
    """A row of ``finding``: about a meter or a device, from one instant to another."""

    code: str
    meter: str | None
    device: str | None
    since: datetime
    until: datetime
    facts: dict[str, str]
    opened_at: datetime = field(compare=False)
    closed_at: datetime | None = field(compare=False)


# --- readings ------------------------------------------------------------------------------------------------------


def known_since_last(connection: Connection, slug: str) -> tuple[datetime, dict[str, Span]] | None:
    """Tell which readings became known since the last look.

    Returns
    -------
    tuple or None
        The newest ``known_at`` seen, and per meter the span of its new readings; None if nothing is new.
    """
    row = connection.execute("SELECT known_at FROM looked_until WHERE community = %s", (slug,)).fetchone()
    rows = connection.execute(
        "SELECT meter, min(time), max(time), max(known_at) FROM reading WHERE community = %s AND known_at > %s"
        " GROUP BY meter",
        (slug, row[0] - _COMMIT_TAKES if row else _BEFORE_ALL),
    ).fetchall()
    newest = max((known_at for *_, known_at in rows), default=None)
    if newest is None or (row is not None and newest <= row[0]):
        return None
    return newest, {meter: Span(microseconds(first), microseconds(last)) for meter, first, last, _ in rows}


def mark_looked(connection: Connection, slug: str, known_at: datetime) -> None:
    """Remember up to which ``known_at`` readings were looked at."""
    connection.execute(
        "INSERT INTO looked_until (community, known_at) VALUES (%s, %s)"
        " ON CONFLICT (community) DO UPDATE SET known_at = EXCLUDED.known_at",
        (slug, known_at),
    )


def readings_of(connection: Connection, slug: str, spans: Mapping[str, Span]) -> dict[str, MeterReadings]:
    """Return the readings of several meters, each within its span, with two before and one after it."""
    rows = connection.execute(
        "SELECT s.meter, array_agg(r.time ORDER BY r.time), array_agg(r.value ORDER BY r.time)"
        " FROM unnest(%(meters)s::text[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) s(meter, first, last)"
        " CROSS JOIN LATERAL ("
        " (SELECT time, value FROM reading WHERE (community, meter) = (%(c)s, s.meter) AND time < s.first"
        "  ORDER BY time DESC LIMIT 2) UNION ALL"
        " (SELECT time, value FROM reading WHERE (community, meter) = (%(c)s, s.meter)"
        "  AND time BETWEEN s.first AND s.last) UNION ALL"
        " (SELECT time, value FROM reading WHERE (community, meter) = (%(c)s, s.meter) AND time > s.last"
        "  ORDER BY time LIMIT 1)) r GROUP BY s.meter",
        {
            "c": slug,
            "meters": list(spans),
            "firsts": [from_microseconds(span.first) for span in spans.values()],
            "lasts": [from_microseconds(span.last) for span in spans.values()],
        },
    ).fetchall()
    return {meter: MeterReadings("register", [microseconds(time) for time in times], values)
            for meter, times, values in rows}  # fmt: skip


def courses(connection: Connection, slug: str, least: Mapping[str, timedelta], now: datetime) -> dict[str, Course]:
    """Tell what meters showed of late.

    Parameters
    ----------
    least
        Per meter from how long a standstill counts. A meter that was not read within this time, or of which no
        reading of twice that age or less is known, is left out: it is silent or new, not still.
    """
    rows = connection.execute(
        "SELECT m.meter, n.value, t.value, b.low, b.high, d.value, w.value"
        " FROM unnest(%(meters)s::text[], %(least)s::interval[]) m(meter, least)"
        " CROSS JOIN LATERAL (SELECT time, value FROM reading WHERE (community, meter) = (%(c)s, m.meter)"
        "  AND time <= %(now)s ORDER BY time DESC LIMIT 1) n"
        " LEFT JOIN LATERAL (SELECT value FROM reading WHERE (community, meter) = (%(c)s, m.meter)"
        "  AND time BETWEEN n.time - 2 * m.least AND n.time - m.least ORDER BY time DESC LIMIT 1) t ON true"
        " LEFT JOIN LATERAL (SELECT min(value) AS low, max(value) AS high FROM reading"
        "  WHERE (community, meter) = (%(c)s, m.meter) AND time BETWEEN n.time - m.least AND n.time"
        "  AND t.value = n.value) b ON true"
        " LEFT JOIN LATERAL (SELECT value FROM reading WHERE (community, meter) = (%(c)s, m.meter)"
        "  AND time BETWEEN n.time - interval '25 hours' AND n.time - interval '1 day'"
        "  ORDER BY time DESC LIMIT 1) d ON true"
        " LEFT JOIN LATERAL (SELECT value FROM reading WHERE (community, meter) = (%(c)s, m.meter)"
        "  AND time BETWEEN n.time - interval '193 hours' AND n.time - interval '8 days'"
        "  ORDER BY time DESC LIMIT 1) w ON true"
        " WHERE n.time > %(now)s - m.least",
        {"c": slug, "meters": list(least), "least": list(least.values()), "now": now},
    ).fetchall()
    return {meter: Course(newest, then, low if low is not None else newest, high if high is not None else newest,
                          day, week) for meter, newest, then, low, high, day, week in rows}  # fmt: skip


def past(connection: Connection, slug: str, meter: str, now: datetime) -> tuple[datetime, datetime, Past]:
    """Tell since when a meter has stood still, its newest reading, and how long it did so before."""
    row = connection.execute(
        "SELECT max(time), max(until - time), (SELECT max(time) FROM reading"
        "  WHERE (community, meter) = (%(c)s, %(m)s) AND time <= %(now)s)"
        " FROM (SELECT time, lead(time) OVER (ORDER BY time) AS until FROM"
        "  (SELECT time, value, lag(value) OVER (ORDER BY time) AS before FROM reading"
        "   WHERE (community, meter) = (%(c)s, %(m)s) AND time > %(from)s AND time <= %(now)s) r"
        "  WHERE value IS DISTINCT FROM before) moves",
        {"c": slug, "m": meter, "now": now, "from": now - HISTORY},
    ).fetchone()
    if row is None or row[0] is None:
        raise LookupError(f"no readings of {meter}")
    since, longest, newest = row
    return since, newest, Past(longest, newest - since)


# --- devices -------------------------------------------------------------------------------------------------------


def serials(connection: Connection, slug: str, since: datetime) -> list[Serial]:
    """Return the serial numbers that devices gave, from the last one before an instant on."""
    rows = connection.execute(
        "SELECT device, point, time, text FROM measurement"
        " WHERE community = %s AND quantity = 'serial_number' AND text IS NOT NULL ORDER BY device, point, time",
        (slug,),
    ).fetchall()
    found: list[Serial] = []
    for row in (Serial(*row) for row in rows):
        if found and found[-1][:2] == row[:2] and row.time < since:
            found[-1] = row
        else:
            found.append(row)
    return found


def health(connection: Connection, slug: str) -> list[Health]:
    """Return what the collector knows of each device, with the newest serial number it gave."""
    with connection.cursor(row_factory=class_row(Health)) as cursor:
        return cursor.execute(
            "SELECT d.device, d.kind, d.last_seen, d.last_try, d.last_error, d.errors, d.readings, d.silent_after,"
            " d.feeds_settlement, d.watched_since, s.text AS serial FROM device_health d"
            " LEFT JOIN LATERAL (SELECT text FROM measurement m WHERE (m.community, m.device) = (d.community, d.device)"
            "  AND m.quantity = 'serial_number' ORDER BY m.time DESC LIMIT 1) s ON true"
            " WHERE d.community = %s ORDER BY d.device",
            (slug,),
        ).fetchall()


def silences(connection: Connection, slug: str) -> tuple[dict[str, datetime], datetime | None]:
    """Return the silences people were told of that are not over, and when a silence of all was last over."""
    rows = connection.execute(
        "SELECT device, told_at FROM silence WHERE community = %s AND over_at IS NULL", (slug,)
    ).fetchall()
    row = connection.execute(
        "SELECT max(over_at) FROM silence WHERE (community, device) = (%s, '')", (slug,)
    ).fetchone()
    return dict(rows), row[0] if row else None


def tell_silence(connection: Connection, slug: str, device: str, now: datetime) -> None:
    """Remember that people are told of a silence; '' for that of all devices."""
    connection.execute("INSERT INTO silence (community, device, told_at) VALUES (%s, %s, %s)", (slug, device, now))


def end_silence(connection: Connection, slug: str, device: str, now: datetime) -> None:
    """Remember that a silence is over."""
    connection.execute(
        "UPDATE silence SET over_at = %s WHERE (community, device) = (%s, %s) AND over_at IS NULL", (now, slug, device)
    )


def wrong_clocks(connection: Connection, slug: str) -> list[tuple[str, datetime, datetime]]:
    """Devices whose clock is wrong: since when, and what it said last."""
    return connection.execute(
        "SELECT device, clock_wrong_since, clock_said FROM device_health"
        " WHERE community = %s AND clock_said IS NOT NULL ORDER BY device",
        (slug,),
    ).fetchall()


# --- findings ------------------------------------------------------------------------------------------------------


def put_finding(connection: Connection, slug: str, found: Finding, now: datetime, *, explained: bool) -> None:
    """Write a finding, or bring it up to date; one that was closed and is seen again is open again."""
    connection.execute(
        "INSERT INTO finding AS f (community, code, meter, device, since, until, facts, opened_at, closed_at)"
        " VALUES (%(c)s, %(code)s, %(meter)s, %(device)s, %(since)s, %(until)s, %(facts)s, %(now)s, %(closed)s)"
        " ON CONFLICT (community, code, coalesce(meter, ''), coalesce(device, ''), since) DO UPDATE SET"
        " until = EXCLUDED.until, facts = EXCLUDED.facts, closed_at = CASE WHEN EXCLUDED.closed_at IS NULL THEN NULL"
        " ELSE coalesce(f.closed_at, EXCLUDED.closed_at) END"
        " WHERE (f.until, f.facts, f.closed_at IS NULL)"
        " IS DISTINCT FROM (EXCLUDED.until, EXCLUDED.facts, EXCLUDED.closed_at IS NULL)",
        {"c": slug, "code": found.code, "meter": found.meter, "device": found.device, "since": found.since,
         "until": found.until, "facts": Jsonb(found.facts), "now": now, "closed": now if explained else None},
    )  # fmt: skip


def findings(
    connection: Connection, slug: str, codes: Collection[str] | None = None, closed_since: datetime | None = None
) -> list[Finding]:
    """Return the open findings, and those closed since an instant where one is given; newest first.

    Parameters
    ----------
    codes
        Only these; None for all.
    """
    with connection.cursor(row_factory=class_row(Finding)) as cursor:
        return cursor.execute(
            "SELECT code, meter, device, since, until, facts, opened_at, closed_at FROM finding"
            " WHERE community = %s AND (%s::text[] IS NULL OR code = ANY(%s))"
            " AND (closed_at IS NULL OR closed_at >= %s) ORDER BY since DESC, id DESC",
            (slug, *([None if codes is None else list(codes)] * 2), closed_since),
        ).fetchall()


def close_findings(connection: Connection, slug: str, gone: Sequence[Finding], now: datetime) -> None:
    """Close findings whose reason is gone."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE finding SET closed_at = %s WHERE closed_at IS NULL"
            " AND (community, code, coalesce(meter, ''), coalesce(device, ''), since) = (%s, %s, %s, %s, %s)",
            [(now, slug, one.code, one.meter or "", one.device or "", one.since) for one in gone],
        )


def close_old(connection: Connection, slug: str, before: datetime, now: datetime) -> None:
    """Close findings that end before an instant: their month is settled, and nobody will look at them any more."""
    connection.execute(
        "UPDATE finding SET closed_at = %s WHERE community = %s AND closed_at IS NULL AND until < %s"
        " AND meter IS NOT NULL",
        (now, slug, before),
    )
