"""What the API reads and writes: every SQL statement of people, energy, months and batches of readings.

Energies are milliwatt-hours [mWh]; times are UTC. Each function runs in the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg_pool import ConnectionPool

from core.db.connection import Connection

Pool = ConnectionPool[Connection]
DatabaseAway = psycopg.OperationalError
"""Raised by every function here when the database cannot be reached (a pool that times out included)."""


# -- people ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """Who is asking. ``household`` is None for people who live elsewhere."""

    id: str
    name: str
    language: str
    household: str | None
    roles: list[str]


def person_of_session(connection: Connection, slug: str, token_sha256: bytes, now: datetime) -> Person | None:
    """Return the person a session belongs to, or None if there is none or it has expired."""
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        return cursor.execute(
            "SELECT p.id, p.name, p.language, p.household, p.roles FROM session s"
            " JOIN person p ON (p.community, p.id) = (s.community, s.person)"
            " WHERE s.token_sha256 = %s AND s.community = %s AND s.expires_at > %s",
            (token_sha256, slug, now),
        ).fetchone()


def person_exists(connection: Connection, slug: str, person: str) -> bool:
    """Tell whether the community knows this person."""
    return bool(connection.execute("SELECT 1 FROM person WHERE (community, id) = (%s, %s)", (slug, person)).fetchone())


def add_sign_in(connection: Connection, slug: str, person: str, token_sha256: bytes, expires_at: datetime) -> None:
    """Keep a one-time link, as the hash of its token."""
    connection.execute(
        "INSERT INTO sign_in (token_sha256, community, person, expires_at) VALUES (%s, %s, %s, %s)",
        (token_sha256, slug, person, expires_at),
    )


def sign_in_is_open(connection: Connection, slug: str, token_sha256: bytes, now: datetime) -> bool:
    """Tell whether a one-time link can still be used, without using it."""
    return bool(
        connection.execute(
            "SELECT 1 FROM sign_in WHERE token_sha256 = %s AND community = %s AND used_at IS NULL AND expires_at > %s",
            (token_sha256, slug, now),
        ).fetchone()
    )


def use_sign_in(connection: Connection, slug: str, token_sha256: bytes, now: datetime) -> str | None:
    """Use a one-time link and return its person; None if it was used before, has expired or never was.

    Of two requests at once the row lock lets one win.
    """
    row = connection.execute(
        "UPDATE sign_in SET used_at = %s"
        " WHERE token_sha256 = %s AND community = %s AND used_at IS NULL AND expires_at > %s RETURNING person",
        (now, token_sha256, slug, now),
    ).fetchone()
    return row[0] if row else None


def add_session(
    connection: Connection, slug: str, person: str, token_sha256: bytes, now: datetime, expires_at: datetime
) -> None:
    """Open a session, and sweep out links and sessions that expired."""
    connection.execute("DELETE FROM session WHERE expires_at < %s", (now,))
    connection.execute("DELETE FROM sign_in WHERE expires_at < %s", (now,))
    connection.execute(
        "INSERT INTO session (token_sha256, community, person, created_at, expires_at) VALUES (%s, %s, %s, %s, %s)",
        (token_sha256, slug, person, now, expires_at),
    )


def end_session(connection: Connection, token_sha256: bytes) -> None:
    """Close a session; one that is not there is closed already."""
    connection.execute("DELETE FROM session WHERE token_sha256 = %s", (token_sha256,))


# -- energy ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FlatEnergy:
    """What a flat used in one step of time; None is missing, never zero [mWh].

    ``intervals`` are settlement intervals with a row; of those ``known`` have a consumption and ``estimated`` were
    estimated or edited. ``heat`` is in millionths of a unit for allocators.
    """

    start: datetime
    consumed: int | None
    shared: int
    heat: int | None
    intervals: int
    known: int
    estimated: int


def flat_energy(
    connection: Connection, slug: str, flat: str, span: tuple[datetime, datetime], step: str, zone: str
) -> list[FlatEnergy]:
    """Return a flat's use of electricity, sun and heat per step, in order of time; steps without any row are absent.

    Parameters
    ----------
    span
        First instant and first instant no longer included, both on interval boundaries.
    step
        ``15min`` (every settlement interval), ``1h``, ``1d`` or ``1month``; days and months are those of ``zone``.
    """
    with connection.cursor(row_factory=class_row(FlatEnergy)) as cursor:
        return cursor.execute(
            """
            WITH electricity AS (
                SELECT CASE %(step)s WHEN '1h' THEN date_bin('1 hour', start, timestamptz '2000-01-01 00:00+00')
                                     WHEN '1d' THEN date_trunc('day', start, %(zone)s)
                                     WHEN '1month' THEN date_trunc('month', start, %(zone)s) ELSE start END AS start,
                       sum(consumed)::bigint AS consumed, sum(shared)::bigint AS shared, count(*) AS intervals,
                       count(consumed) AS known, count(*) FILTER (WHERE quality IN ('estimated', 'edited')) AS estimated
                FROM shared_quarter
                WHERE community = %(slug)s AND flat = %(flat)s AND start >= %(from)s AND start < %(until)s GROUP BY 1),
            heat AS (
                SELECT CASE %(step)s WHEN '1h' THEN date_bin('1 hour', start, timestamptz '2000-01-01 00:00+00')
                                     WHEN '1d' THEN date_trunc('day', start, %(zone)s)
                                     WHEN '1month' THEN date_trunc('month', start, %(zone)s) ELSE start END AS start,
                       sum(energy)::bigint AS heat
                FROM quarter
                WHERE community = %(slug)s AND start >= %(from)s AND start < %(until)s
                  AND meter IN (SELECT meter FROM meter WHERE community = %(slug)s
                                AND flat = %(flat)s AND measures = 'heat') GROUP BY 1)
            SELECT start, e.consumed, coalesce(e.shared, 0) AS shared, h.heat, coalesce(e.intervals, 0) AS intervals,
                   coalesce(e.known, 0) AS known, coalesce(e.estimated, 0) AS estimated
            FROM electricity e FULL JOIN heat h USING (start) ORDER BY start
            """,
            {"slug": slug, "flat": flat, "from": span[0], "until": span[1], "step": step, "zone": zone},
        ).fetchall()


@dataclass(frozen=True)
class BuildingEnergy:
    """What the whole building made and used in one step of time; None is missing or not there [mWh]."""

    start: datetime
    solar: int | None
    consumed: int | None
    shared: int | None
    grid_import: int | None
    grid_export: int | None
    heat_produced: int | None
    heat_used: int | None


def building_energy(
    connection: Connection, slug: str, span: tuple[datetime, datetime], step: str, zone: str
) -> list[BuildingEnergy]:
    """Return the building's totals per step, in order of time; see `flat_energy` for the parameters."""
    with connection.cursor(row_factory=class_row(BuildingEnergy)) as cursor:
        return cursor.execute(
            """
            WITH sums AS (
                SELECT CASE %(step)s WHEN '1h' THEN date_bin('1 hour', start, timestamptz '2000-01-01 00:00+00')
                                     WHEN '1d' THEN date_trunc('day', start, %(zone)s)
                                     WHEN '1month' THEN date_trunc('month', start, %(zone)s) ELSE start END AS start,
                    sum(energy) FILTER (WHERE measures = 'solar_generation')::bigint AS solar,
                    sum(energy) FILTER (WHERE measures = 'electricity')::bigint AS consumed,
                    sum(energy) FILTER (WHERE measures = 'grid_import')::bigint AS grid_import,
                    sum(energy) FILTER (WHERE measures = 'grid_export')::bigint AS grid_export,
                    sum(energy) FILTER (WHERE measures = 'heat_produced')::bigint AS heat_produced,
                    sum(energy) FILTER (WHERE measures = 'heat' AND unit <> 'units')::bigint AS heat_used
                FROM quarter JOIN meter USING (community, meter)
                WHERE community = %(slug)s AND start >= %(from)s AND start < %(until)s GROUP BY 1),
            sun AS (
                SELECT CASE %(step)s WHEN '1h' THEN date_bin('1 hour', start, timestamptz '2000-01-01 00:00+00')
                                     WHEN '1d' THEN date_trunc('day', start, %(zone)s)
                                     WHEN '1month' THEN date_trunc('month', start, %(zone)s) ELSE start END AS start,
                    sum(shared)::bigint AS shared
                FROM shared_quarter
                WHERE community = %(slug)s AND start >= %(from)s AND start < %(until)s GROUP BY 1)
            SELECT start, solar, consumed, shared, grid_import, grid_export, heat_produced, heat_used
            FROM sums FULL JOIN sun USING (start) ORDER BY start
            """,
            {"slug": slug, "from": span[0], "until": span[1], "step": step, "zone": zone},
        ).fetchall()


def newest_known_interval(
    connection: Connection, slug: str, flat: str, span: tuple[datetime, datetime]
) -> datetime | None:
    """Return the start of a flat's newest interval with a known consumption in a span of time, or None."""
    row = connection.execute(
        "SELECT max(start) FROM shared_quarter"
        " WHERE community = %s AND flat = %s AND start >= %s AND start < %s AND consumed IS NOT NULL",
        (slug, flat, *span),
    ).fetchone()
    return row[0] if row else None


def newest_reading_by_class(connection: Connection, slug: str) -> dict[str, datetime]:
    """Return the time of the newest raw reading per thing measured; what was never read is absent."""
    return dict(
        connection.execute(
            "SELECT m.measures, max(r.time) FROM meter m JOIN LATERAL ("
            " SELECT time FROM reading r WHERE (r.community, r.meter) = (m.community, m.meter)"
            " ORDER BY time DESC LIMIT 1) r ON true WHERE m.community = %s GROUP BY 1 ORDER BY 1",
            (slug,),
        ).fetchall()
    )


# -- months ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MonthRow:
    """The newest run of a settled month; ``summary`` holds the parts of the statement that were asked for."""

    month: str
    revision: int
    status: str
    settled_at: datetime
    summary: dict[str, Any]


def months(connection: Connection, slug: str) -> list[MonthRow]:
    """Return every settled month, newest first, with the building's energy and the sum charged to all parties."""
    with connection.cursor(row_factory=class_row(MonthRow)) as cursor:
        return cursor.execute(
            """
            SELECT month, (s->>'revision')::int AS revision, status, settled_at, jsonb_build_object(
                'energy', s->'energy', 'findings', jsonb_array_length(s->'findings'), 'total_eur',
                (SELECT sum((p->>'total_eur')::numeric)::text FROM jsonb_array_elements(s->'statements') p)) AS summary
            FROM (SELECT DISTINCT ON (month) month, status, settled_at, statement::jsonb AS s
                  FROM month WHERE community = %s ORDER BY month DESC, run DESC) newest ORDER BY month DESC
            """,
            (slug,),
        ).fetchall()


def months_of(connection: Connection, slug: str, household: str) -> list[MonthRow]:
    """Return the settled months in which a household has an entry, newest first; ``summary`` is that entry."""
    with connection.cursor(row_factory=class_row(MonthRow)) as cursor:
        return cursor.execute(
            """
            SELECT month, (s->>'revision')::int AS revision, status, settled_at, entry AS summary
            FROM (SELECT DISTINCT ON (month) month, status, settled_at, statement::jsonb AS s
                  FROM month WHERE community = %s ORDER BY month DESC, run DESC) newest
            CROSS JOIN LATERAL (SELECT p AS entry FROM jsonb_array_elements(s->'statements') p
                                WHERE p->>'party' = %s LIMIT 1) own
            ORDER BY month DESC
            """,
            (slug, household),
        ).fetchall()


# -- readings ---------------------------------------------------------------------------------------------------------


def kept_answer(connection: Connection, slug: str, key: str) -> dict[str, Any] | None:
    """Return what was answered to an idempotency key before, or None; waits for a request that is under way."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('http-batch'), hashtext(%s))", (f"{slug} {key}",))
    row = connection.execute(
        "SELECT body FROM event WHERE (community, kind, key) = (%s, 'http-batch', %s)", (slug, key)
    ).fetchone()
    return row[0] if row else None
