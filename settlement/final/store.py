"""What is kept of final months: sealed documents in their chain, openings, corrections waiting, who took what out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from core.db.connection import Connection
from core.time import Month, from_microseconds, microseconds
from settlement.changes import Late
from settlement.model import Finding, Posting
from settlement.watch.sentences import sentence

_BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Sealed:
    """A sealed document: revision 1 is a month's final statement, every later one a correction of it."""

    sequence: int
    number: str
    month: str
    run: int
    revision: int
    sealed_at: datetime
    sealed_by: str
    known_until: datetime
    previous_sha256: str | None
    seal_sha256: str
    document: str
    inputs: Mapping[str, Any]
    despite: Sequence[Mapping[str, Any]]

    @property
    def tree(self) -> dict[str, Any]:
        """The document, parsed."""
        result: dict[str, Any] = json.loads(self.document)
        return result


_COLUMNS: Final = sql.SQL(
    "sequence, number, month, run, revision, sealed_at, sealed_by, known_until, previous_sha256, seal_sha256,"
    " document, inputs, despite"
)


def of_month(connection: Connection, slug: str, month: str) -> list[Sealed]:
    """Return a month's final statement and its corrections, oldest first; nothing if it is not final."""
    with connection.cursor(row_factory=class_row(Sealed)) as cursor:
        return cursor.execute(
            sql.SQL("SELECT {} FROM sealed WHERE (community, month) = (%s, %s) ORDER BY revision").format(_COLUMNS),
            (slug, month),
        ).fetchall()


def newest(connection: Connection, slug: str) -> Sealed | None:
    """Return the last document of the chain, or None."""
    with connection.cursor(row_factory=class_row(Sealed)) as cursor:
        return cursor.execute(
            sql.SQL("SELECT {} FROM sealed WHERE community = %s ORDER BY sequence DESC LIMIT 1").format(_COLUMNS),
            (slug,),
        ).fetchone()


def final_months(connection: Connection, slug: str) -> list[Month]:
    """Return the months that are final, oldest first."""
    rows = connection.execute(
        "SELECT month FROM sealed WHERE community = %s AND revision = 1 ORDER BY month", (slug,)
    ).fetchall()
    return [Month.parse(row[0]) for row in rows]


def settled_after(connection: Connection, slug: str, month: str) -> list[str]:
    """Return the later months of the same year that were settled, final or not, oldest first."""
    rows = connection.execute(
        "SELECT DISTINCT month FROM month WHERE community = %(c)s AND month > %(m)s"
        " AND left(month, 4) = left(%(m)s, 4) ORDER BY month",
        {"c": slug, "m": month},
    ).fetchall()
    return [row[0] for row in rows]


def chained(connection: Connection, slug: str) -> list[tuple[str, str, str, int]]:
    """Return month, number, seal and number of corrections of every final month."""
    return connection.execute(
        "SELECT f.month, f.number, f.seal_sha256, (SELECT count(*) FROM sealed c"
        " WHERE (c.community, c.month) = (f.community, f.month) AND c.revision > 1)"
        " FROM sealed f WHERE f.community = %s AND f.revision = 1",
        (slug,),
    ).fetchall()


def corrected_balances(connection: Connection, slug: str, household: str) -> dict[str, str]:
    """Return per month what a household has to pay [EUR] where corrections changed it; negative comes back."""
    rows = connection.execute(
        "SELECT DISTINCT ON (month) month, entry #>> '{balance_eur,recomputed}'"
        " FROM sealed, jsonb_array_elements(document::jsonb -> 'statements') entry"
        " WHERE community = %s AND revision > 1 AND entry ->> 'party' = %s ORDER BY month, revision DESC",
        (slug, household),
    ).fetchall()
    return dict(rows)


def next_number(connection: Connection, slug: str, year: int) -> str:
    """Tell the number of the next document: the year it is sealed in and a count without gaps."""
    row = connection.execute(
        "SELECT count(*) FROM sealed WHERE community = %s AND starts_with(number, %s)", (slug, f"{year}-")
    ).fetchone()
    return f"{year}-{(row[0] if row else 0) + 1:04d}"


def add(connection: Connection, slug: str, sealed: Sealed, bundle: bytes, openings: Mapping[str, bytes]) -> None:
    """Keep a sealed document with its bundle, and what opens each commitment."""
    connection.execute(
        sql.SQL(
            "INSERT INTO sealed (community, {}, bundle)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        ).format(_COLUMNS),
        (
            slug, sealed.sequence, sealed.number, sealed.month, sealed.run, sealed.revision, sealed.sealed_at,
            sealed.sealed_by, sealed.known_until, sealed.previous_sha256, sealed.seal_sha256, sealed.document,
            Jsonb(sealed.inputs), Jsonb(sealed.despite), bundle,
        ),
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO opening (community, number, label, opening) VALUES (%s, %s, %s, %s)",
            [(slug, sealed.number, label, opening) for label, opening in openings.items()],
        )


def add_postings(connection: Connection, slug: str, number: str, postings: Iterable[Posting]) -> None:
    """Book the differences of a correction."""
    rows, line, transaction = [], 0, 0
    for posting in postings:
        line = line + 1 if posting.transaction == transaction else 1
        transaction = posting.transaction
        rows.append((slug, number, transaction, line, posting.account, posting.cents, posting.what))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO correction_posting (community, number, transaction, line, account, cents, what)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            rows,
        )


def booked(connection: Connection, slug: str, month: str) -> dict[tuple[str, str], int]:
    """Sum what is booked for a final month, its corrections included, by what it is and account [cents]."""
    rows = connection.execute(
        "SELECT what, account, sum(cents)::bigint FROM ("
        " SELECT p.what, p.account, p.cents FROM posting p JOIN sealed s"
        " ON (s.community, s.month, s.run, s.revision) = (p.community, p.month, p.run, 1)"
        " WHERE (p.community, p.month) = (%(c)s, %(m)s)"
        " UNION ALL SELECT p.what, p.account, p.cents FROM correction_posting p JOIN sealed s USING (community, number)"
        " WHERE (s.community, s.month) = (%(c)s, %(m)s)) booked GROUP BY 1, 2",
        {"c": slug, "m": month},
    ).fetchall()
    return {(what, account): cents for what, account, cents in rows}


def newest_run(connection: Connection, slug: str, month: str) -> int:
    """Tell the number of a month's newest run."""
    row = connection.execute("SELECT max(run) FROM month WHERE (community, month) = (%s, %s)", (slug, month)).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def known_until(connection: Connection, slug: str) -> datetime:
    """Since when the newest reading is known."""
    row = connection.execute("SELECT max(known_at) FROM reading WHERE community = %s", (slug,)).fetchone()
    return row[0] if row and row[0] is not None else _BEFORE_ALL


def late(connection: Connection, slug: str, since: datetime, windows: Mapping[str, tuple[int, int]]) -> dict[str, Late]:
    """Tell of each meter which readings within its window [microseconds] became known after an instant."""
    rows = connection.execute(
        "SELECT r.meter, count(*), min(r.time), max(r.time) FROM reading r"
        " JOIN unnest(%(meters)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) w(meter, start, until)"
        " ON r.meter = w.meter AND r.time BETWEEN w.start AND w.until"
        " WHERE r.community = %(c)s AND r.known_at > %(since)s GROUP BY 1",
        {
            "c": slug,
            "since": since,
            "meters": list(windows),
            "starts": [from_microseconds(start) for start, _ in windows.values()],
            "ends": [from_microseconds(end) for _, end in windows.values()],
        },
    ).fetchall()
    return {meter: Late(count, microseconds(first), microseconds(last)) for meter, count, first, last in rows}


def open_findings(connection: Connection, slug: str, span: tuple[datetime, datetime], zone: ZoneInfo) -> list[Finding]:
    """Return the watch's open findings that touch a span of time, in words."""
    rows = connection.execute(
        "SELECT code, meter, coalesce(meter, device), since, until, facts FROM finding"
        " WHERE community = %s AND closed_at IS NULL AND since < %s AND until >= %s ORDER BY code, 3, since",
        (slug, span[1], span[0]),
    ).fetchall()
    return [
        Finding(
            code, sentence(code, subject, since, until, facts, zone), meter, microseconds(since), microseconds(until)
        )
        for code, meter, subject, since, until, facts in rows
    ]


def bundle(connection: Connection, slug: str, number: str) -> bytes | None:
    """Return the sealed bundle of a document."""
    row = connection.execute(
        "SELECT bundle FROM sealed WHERE (community, number) = (%s, %s)", (slug, number)
    ).fetchone()
    return bytes(row[0]) if row else None


def openings(connection: Connection, slug: str, number: str, labels: Sequence[str]) -> dict[str, bytes]:
    """Return what opens some commitments of a document, without those that there are none of or that were destroyed."""
    rows = connection.execute(
        "SELECT label, opening FROM opening"
        " WHERE (community, number) = (%s, %s) AND label = ANY(%s) AND opening IS NOT NULL",
        (slug, number, list(labels)),
    ).fetchall()
    return {label: bytes(opening) for label, opening in rows}


def openings_destroyed_at(connection: Connection, slug: str, number: str) -> datetime | None:
    """When the openings of a document were destroyed; None while some are there, or if it never had any."""
    row = connection.execute(
        "SELECT max(destroyed_at) FROM opening WHERE (community, number) = (%s, %s) HAVING count(opening) = 0",
        (slug, number),
    ).fetchone()
    return row[0] if row else None


def newest_of_opened(connection: Connection, slug: str) -> dict[Month, datetime]:
    """Tell of every month that can be opened when its last document, a correction perhaps, was sealed."""
    rows = connection.execute(
        "SELECT month, max(sealed_at) FROM sealed WHERE community = %s AND month IN (SELECT s.month FROM sealed s"
        " JOIN opening o USING (community, number) WHERE s.community = %s AND o.destroyed_at IS NULL)"
        " GROUP BY 1 ORDER BY 1",
        (slug, slug),
    ).fetchall()
    return {Month.parse(month): sealed_at for month, sealed_at in rows}


def destroy_openings(connection: Connection, slug: str, month: str, now: datetime) -> int:
    """Destroy what opens a month's commitments; when that was stays on record."""
    return connection.execute(
        "UPDATE opening o SET opening = NULL, destroyed_at = %s FROM sealed s WHERE s.community = o.community"
        " AND s.number = o.number AND (o.community, s.month) = (%s, %s) AND o.destroyed_at IS NULL",
        (now, slug, month),
    ).rowcount


def mark_exported(connection: Connection, slug: str, number: str, now: datetime, person: str, what: str) -> None:
    """Write down that somebody took a sealed document out of the house."""
    connection.execute(
        "INSERT INTO exported (community, number, at, person, what) VALUES (%s, %s, %s, %s, %s)",
        (slug, number, now, person, what),
    )


def first_exports(connection: Connection, slug: str) -> dict[str, datetime]:
    """When each document was first taken out."""
    return dict(
        connection.execute("SELECT number, min(at) FROM exported WHERE community = %s GROUP BY 1", (slug,)).fetchall()
    )


def keep_candidate(connection: Connection, slug: str, month: str, now: datetime, document: str | None) -> None:
    """Remember what a final month would be corrected by today; None forgets it."""
    connection.execute("DELETE FROM correction_candidate WHERE (community, month) = (%s, %s)", (slug, month))
    if document is not None:
        connection.execute(
            "INSERT INTO correction_candidate (community, month, found_at, document) VALUES (%s, %s, %s, %s)",
            (slug, month, now, document),
        )


def candidate(connection: Connection, slug: str, month: str) -> dict[str, Any] | None:
    """Return the correction that waits for a month, as found last night, or None."""
    row = connection.execute(
        "SELECT document FROM correction_candidate WHERE (community, month) = (%s, %s)", (slug, month)
    ).fetchone()
    return None if row is None else json.loads(row[0])


def candidates(connection: Connection, slug: str) -> set[str]:
    """Months for which a correction waits."""
    rows = connection.execute("SELECT month FROM correction_candidate WHERE community = %s", (slug,)).fetchall()
    return {row[0] for row in rows}
