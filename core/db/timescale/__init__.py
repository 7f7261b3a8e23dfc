"""The separate migration step for servers that have TimescaleDB.

It changes how rows are kept, never what they say: tables, views, columns and results are those of ``schema.sql``.

- ``hypertables.sql`` turns the three tables that grow with time into hypertables with columnstore compression.
- Continuous aggregates per hour, and per day and month of each time zone, live in the schema ``timescale``; the views
  ``energy_hour``, ``energy_day`` and ``energy_month`` are redefined to read them. A day belongs to a time zone, so each
  zone has its own; a community in a zone that has none yet is computed as on plain PostgreSQL, until the next migrate.

The newest rows (`_LIVE`) are always computed from the quarter-hours themselves. A change further back is visible
in the aggregates after the next refresh: at most `_EVERY` later, or at once by `refresh`. Statements never read them.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from core.db.connection import Connection

_HYPERTABLES = Path(__file__).with_name("hypertables.sql")
_NAME = "timescale/hypertables.sql"
_FIRST_ZONE = "Europe/Amsterdam"
"""Gets its aggregates before there is a community: the zone of the neighbourhoods this is made for."""
_EVERY = "15 minutes"
_LIVE = {"hour": "2 days", "day": "3 days", "month": "2 months"}
"""How long before now the aggregates end and live computation begins, which covers what usually comes late."""


def apply(connection: Connection) -> list[str]:
    """Turn the plain schema into hypertables and continuous aggregates, where TimescaleDB can be used.

    Parameters
    ----------
    connection
        In autocommit, holding the migration's advisory lock.

    Returns
    -------
    list of str
        What was done, one line each; empty when there was nothing to do.
    """
    if obstacle(connection) is not None:
        return []
    done = []
    connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    known = connection.execute("SELECT 1 FROM schema_migration WHERE name = %s", (_NAME,)).fetchone()
    if known is None:
        script = _HYPERTABLES.read_bytes()
        with connection.transaction():
            connection.execute(script)
            connection.execute(
                "INSERT INTO schema_migration (name, sha256) VALUES (%s, %s)",
                (_NAME, hashlib.sha256(script).hexdigest()),
            )
        done.append("made hypertables of reading, measurement and quarter")
    with connection.transaction():
        made = _aggregates(connection)
    return done + [f"made the continuous aggregate {name}" for name in made]


def refresh(connection: Connection) -> None:
    """Bring the aggregates up to date after much was written into the past; nothing to do on plain PostgreSQL.

    Parameters
    ----------
    connection
        In autocommit. Only what changed since the last refresh is computed.

    Notes
    -----
    An aggregate that is being refreshed by its own schedule at this moment is left to that.
    """
    if connection.execute("SELECT to_regnamespace('timescale')").fetchone() == (None,):
        return
    for (name,) in connection.execute(
        "SELECT view_name FROM timescaledb_information.continuous_aggregates WHERE view_schema = 'timescale'"
    ).fetchall():
        live = _LIVE[name.split("_")[1]]
        with suppress(psycopg.errors.LockNotAvailable):
            connection.execute(
                "CALL refresh_continuous_aggregate(%s, NULL, now() - %s::interval)", (f"timescale.{name}", live)
            )


def obstacle(connection: Connection) -> str | None:
    """Say why this server keeps plain tables, or None when TimescaleDB can be used."""
    available = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'").fetchone()
    if available is None:
        return "This server has no TimescaleDB; plain tables and views are used."
    # Asked of the settings it brings: creating an extension that is not preloaded would end the connection.
    loaded = connection.execute("SELECT 1 FROM pg_settings WHERE name LIKE 'timescaledb.%'").fetchone()
    if loaded is None:
        return "TimescaleDB is installed but not in shared_preload_libraries; plain tables and views are used."
    licence = connection.execute("SELECT current_setting('timescaledb.license', true)").fetchone()
    if licence is not None and licence[0] == "apache":
        return "TimescaleDB runs without its community modules (timescaledb.license); plain tables and views are used."
    return None


def _aggregates(connection: Connection) -> list[str]:
    """Make the continuous aggregates that are missing, and let the views read them."""
    zones = sorted(
        {_FIRST_ZONE} | {row[0] for row in connection.execute("SELECT DISTINCT timezone FROM community").fetchall()}
    )
    wanted: dict[str, tuple[str, str | None]] = {"energy_hour": ("hour", None)}
    for zone in zones:
        slug = re.sub(r"\W+", "_", zone.lower())
        wanted |= {f"energy_{step}_{slug}": (step, zone) for step in ("day", "month")}
    existing = {
        row[0]
        for row in connection.execute(
            "SELECT view_name FROM timescaledb_information.continuous_aggregates WHERE view_schema = 'timescale'"
        ).fetchall()
    }
    missing = [name for name in wanted if name not in existing]
    for name in missing:
        _make(connection, name, *wanted[name])
    if missing:
        connection.execute("CREATE OR REPLACE VIEW energy_hour AS SELECT * FROM timescale.energy_hour")
        for step in ("day", "month"):
            _read_from(connection, step, {zone: name for name, (of, zone) in wanted.items() if zone and of == step})
    return missing


def _make(connection: Connection, name: str, step: str, zone: str | None) -> None:
    bucket = sql.SQL("time_bucket({}, start)" if zone is None else "time_bucket({}, start, {})").format(
        sql.Literal(f"1 {step}"), *([] if zone is None else [sql.Literal(zone)])
    )
    view = sql.Identifier("timescale", name)
    connection.execute(
        sql.SQL(
            "CREATE MATERIALIZED VIEW {} WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS"
            " SELECT community, meter, {} AS bucket, sum(energy) AS energy, count(*) AS intervals,"
            " count(energy) AS known FROM public.quarter GROUP BY 1, 2, 3 WITH NO DATA"
        ).format(view, bucket)
    )
    # Oldest first: whatever lies before the newest aggregated row counts as aggregated, so that newest first, which is
    # the default, would hide the past until the last batch is done.
    connection.execute(
        "SELECT add_continuous_aggregate_policy(%s, start_offset => NULL, end_offset => %s::interval,"
        " schedule_interval => %s::interval, refresh_newest_first => false)",
        (f"timescale.{name}", _LIVE[step], _EVERY),
    )


def _read_from(connection: Connection, step: str, aggregates: dict[str, str]) -> None:
    """Let ``energy_<step>`` read each zone's aggregate, and compute the communities of other zones as before."""
    branches = [
        sql.SQL(
            "SELECT a.community, a.meter, a.bucket, a.energy, a.intervals, a.known"
            " FROM {} a JOIN public.community c USING (community) WHERE c.timezone = {}"
        ).format(sql.Identifier("timescale", name), sql.Literal(zone))
        for zone, name in aggregates.items()
    ]
    others = sql.SQL(
        "SELECT q.community, q.meter, date_trunc({}, q.start, c.timezone) AS bucket,"
        " sum(q.energy) AS energy, count(*) AS intervals, count(q.energy) AS known"
        " FROM public.quarter q JOIN public.community c USING (community)"
        " WHERE c.timezone <> ALL ({}) GROUP BY 1, 2, 3"
    ).format(sql.Literal(step), sql.Literal(list(aggregates)))
    connection.execute(
        sql.SQL("CREATE OR REPLACE VIEW {} AS {}").format(
            sql.Identifier(f"energy_{step}"), sql.SQL(" UNION ALL ").join([*branches, others])
        )
    )
