"""On TimescaleDB the same rows come out, from hypertables, from columns and from continuous aggregates.

Runs when WIJKENERGIE_TEST_DATABASE_URL names a server that has the extension.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

import dashboards
from core.db import transfer
from core.db.connection import Connection, connect
from core.db.migrate import migrate
from core.db.readings import insert_readings
from core.db.server import Server, bin_dir, temporary
from core.db.timescale import obstacle, refresh

pytestmark = pytest.mark.integration

QUARTER = timedelta(minutes=15)
ZONES = {"amsterdam": "Europe/Amsterdam", "havana": "America/Havana", "kathmandu": "Asia/Kathmandu"}
# What the plain views say, written down once more: local days by PostgreSQL's own calendar.
PLAIN = {
    "energy_hour": "date_trunc('hour', q.start, 'UTC')",
    "energy_day": "(q.start AT TIME ZONE c.timezone)::date::timestamp AT TIME ZONE c.timezone",
    "energy_month": "date_trunc('month', q.start AT TIME ZONE c.timezone) AT TIME ZONE c.timezone",
}


@pytest.fixture(autouse=True)
def _needs_timescale(server_url: str) -> None:
    with connect(server_url) as connection:
        reason = obstacle(connection)
    if reason is not None:
        pytest.skip(f"the server has no TimescaleDB that can be used ({reason})")


@pytest.fixture
def database(database_url: str) -> Iterator[Connection]:
    """A migrated database in which nothing is aggregated or kept in columns but by the test itself."""
    with connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs")
        yield connection


@pytest.fixture(scope="module")
def plain_server() -> Iterator[Server]:
    with temporary() as server:
        yield server


@pytest.fixture
def plain_url(plain_server: Server) -> Iterator[str]:
    """A fresh, migrated database on plain PostgreSQL."""
    with psycopg.connect(plain_server.url_of("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE plain")
        url = plain_server.url_of("plain")
        migrate(url)
        yield url
        connection.execute("DROP DATABASE plain WITH (FORCE)")


def fill_quarters(connection: Connection, first: str, days: int) -> None:
    """Quarter-hours of two meters per community, one in ninety missing."""
    for slug, zone in ZONES.items():
        connection.execute(
            "INSERT INTO community (community, name, timezone, config) VALUES (%s, %s, %s, '{}')"
            " ON CONFLICT DO NOTHING",
            (slug, slug, zone),
        )
        for meter in ("pv", "el-A01"):
            connection.execute(
                "INSERT INTO quarter (community, meter, start, energy, quality)"
                " SELECT %(slug)s, %(meter)s, t, CASE WHEN n %% 90 = 7 THEN NULL ELSE n * 1009 END,"
                "        CASE WHEN n %% 90 = 7 THEN 'missing' ELSE 'measured' END"
                " FROM generate_series(0, %(days)s * 96 - 1) n, LATERAL (SELECT %(first)s::timestamptz"
                "      + n * interval '15 minutes' AS t) AS at",
                {"slug": slug, "meter": meter, "first": first, "days": days},
            )


def rows(connection: Connection, view: str) -> tuple[list[object], list[object]]:
    """Rows of a view, and the same computed from the quarter-hours."""
    seen = connection.execute(f"SELECT * FROM {view} ORDER BY community, meter, bucket".encode()).fetchall()
    expected = connection.execute(
        f"SELECT q.community, q.meter, {PLAIN[view]} AS bucket, sum(q.energy), count(*), count(q.energy)"
        " FROM quarter q JOIN community c USING (community) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3".encode()
    ).fetchall()
    return seen, expected


def refresh_all(connection: Connection) -> None:
    """Aggregate everything, the newest rows too."""
    aggregates = connection.execute(
        "SELECT view_schema || '.' || view_name FROM timescaledb_information.continuous_aggregates"
    ).fetchall()
    for (name,) in aggregates:
        patiently(connection, "CALL refresh_continuous_aggregate(%s, NULL, NULL)", name)


def to_columns(connection: Connection, table: str) -> int:
    """Keep every chunk of a table in columns; returns how many there are."""
    chunks = connection.execute("SELECT show_chunks(%s)::text", (table,)).fetchall()
    for (chunk,) in chunks:
        patiently(connection, "CALL convert_to_columnstore(%s, if_not_columnstore => true)", chunk)
    return len(chunks)


def patiently(connection: Connection, call: str, name: str) -> None:
    """Call a procedure which a policy may be busy with at this very moment."""
    for attempt in range(100):
        try:
            connection.execute(call.encode(), (name,))
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DuplicateObject):
            assert attempt < 99
            time.sleep(0.1)
        else:
            return


def feed(url: str, script: bytes) -> None:
    command = [str(bin_dir() / "psql"), "--quiet", "-v", "ON_ERROR_STOP=1", url]
    done = subprocess.run(command, input=script, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def readings(start: datetime, count: int, first: int = 0) -> list[tuple[str, datetime, Decimal]]:
    return [("pv", start + n * QUARTER, Decimal(first + n) / 8) for n in range(count)]


def test_migrating_again_changes_nothing(database: Connection, database_url: str) -> None:
    assert migrate(database_url) == []
    tables = database.execute(
        "SELECT hypertable_name::text FROM timescaledb_information.hypertables"
        " WHERE hypertable_schema = 'public' AND compression_enabled ORDER BY 1"
    ).fetchall()
    assert tables == [("measurement",), ("quarter",), ("reading",)]


def test_two_who_migrate_at_once_do_it_once(empty_database_url: str) -> None:
    said: list[list[str]] = []
    threads = [threading.Thread(target=lambda: said.append(migrate(empty_database_url))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 2
    assert sorted(map(bool, said)) == [False, True]


def test_a_plain_database_with_rows_becomes_hypertables_with_the_same_rows(
    plain_url: str, empty_database_url: str
) -> None:
    """As when the extension arrives on a server that has been in use."""
    with connect(plain_url, autocommit=True) as connection:
        fill_quarters(connection, "2026-03-01", 40)
        before = connection.execute("SELECT * FROM quarter ORDER BY 1, 2, 3").fetchall()
    dump = subprocess.run([bin_dir() / "pg_dump", "--no-owner", plain_url], capture_output=True, check=True)
    feed(empty_database_url, dump.stdout)
    done = migrate(empty_database_url)
    assert "made the continuous aggregate energy_day_asia_kathmandu" in done
    with connect(empty_database_url, autocommit=True) as connection:
        assert connection.execute("SELECT * FROM quarter ORDER BY 1, 2, 3").fetchall() == before
        assert connection.execute("SELECT count(*) > 1 FROM show_chunks('quarter')").fetchone() == (True,)
        for view in PLAIN:
            seen, expected = rows(connection, view)
            assert seen == expected


@pytest.mark.parametrize("view", PLAIN)
@pytest.mark.parametrize("first", ["2026-03-25", "2026-10-20"])
def test_aggregates_equal_the_plain_views_over_both_clock_changes(database: Connection, view: str, first: str) -> None:
    fill_quarters(database, f"{first} 00:00+00", 16)
    seen, expected = rows(database, view)
    assert seen == expected
    refresh_all(database)
    seen, expected = rows(database, view)
    assert seen == expected
    assert len(seen) >= 6
    if view == "energy_day":
        day = "2026-03-29 00:00+01" if first.startswith("2026-03") else "2026-10-25 00:00+02"
        intervals = database.execute(
            "SELECT intervals FROM energy_day WHERE (community, meter, bucket) = ('amsterdam', 'pv', %s)", (day,)
        ).fetchone()
        assert intervals == (92 if first.startswith("2026-03") else 100,)


def test_a_new_time_zone_is_right_at_once_and_gets_its_own_aggregates_at_the_next_migrate(
    database: Connection, database_url: str
) -> None:
    fill_quarters(database, "2026-03-01", 20)
    done = migrate(database_url)
    assert [line.rsplit(" ", 1)[1] for line in done] == [
        "energy_day_america_havana",
        "energy_month_america_havana",
        "energy_day_asia_kathmandu",
        "energy_month_asia_kathmandu",
    ]
    refresh_all(database)
    for view in PLAIN:
        seen, expected = rows(database, view)
        assert seen == expected


def test_a_late_change_below_the_aggregated_past_shows_after_the_refresh(database: Connection) -> None:
    fill_quarters(database, "2026-03-01", 20)
    refresh_all(database)
    database.execute("UPDATE quarter SET energy = energy + 5 WHERE meter = 'pv' AND energy IS NOT NULL")
    database.execute("DELETE FROM quarter WHERE start < '2026-03-02 12:00+00'")
    refresh_all(database)
    for view in PLAIN:
        seen, expected = rows(database, view)
        assert seen == expected


def test_while_the_past_is_being_aggregated_no_row_is_hidden(database: Connection, database_url: str) -> None:
    fill_quarters(database, "2025-01-01", 400)
    _, expected = rows(database, "energy_day")
    busy = threading.Thread(target=run_policy, args=(database_url, "energy_day"))
    busy.start()
    looks = 0
    while busy.is_alive():
        seen = database.execute("SELECT * FROM energy_day ORDER BY community, meter, bucket").fetchall()
        assert seen == expected
        looks += 1
    busy.join()
    assert looks > 1


def run_policy(url: str, aggregate: str) -> None:
    with connect(url, autocommit=True) as connection:
        job = connection.execute(
            "SELECT job_id FROM timescaledb_information.jobs"
            " WHERE proc_name = 'policy_refresh_continuous_aggregate' AND starts_with(hypertable_name, %s)",
            (aggregate,),
        ).fetchone()
        assert job is not None
        patiently(connection, "CALL run_job(%s)", job[0])


def test_what_was_written_into_the_past_shows_after_one_call(database: Connection, plain_url: str) -> None:
    fill_quarters(database, "2025-06-01", 20)
    refresh_all(database)
    fill_quarters(database, "2025-01-01", 100)  # all of it before what is aggregated already
    seen, expected = rows(database, "energy_day")
    assert seen != expected
    refresh(database)
    seen, expected = rows(database, "energy_day")
    assert seen == expected
    with connect(plain_url, autocommit=True) as plain:
        refresh(plain)  # has nothing to do, and does nothing


def test_the_dashboards_role_reaches_no_chunk_and_no_aggregate(database: Connection) -> None:
    fill_quarters(database, "2026-03-01", 40)
    to_columns(database, "quarter")
    refresh_all(database)
    database.execute((Path(dashboards.__file__).parent / "role.sql").read_bytes())
    inside = database.execute(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('_timescaledb_internal', 'timescale') AND c.relkind IN ('r', 'v', 'p')"
        " AND (c.relname ~ '^(_hyper|compress_hyper|_materialized|_partial|_direct)' OR n.nspname = 'timescale')"
    ).fetchall()
    assert len(inside) > 8
    database.execute("SET SESSION AUTHORIZATION grafana_ro")
    for (relation,) in inside:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.execute(f"SELECT * FROM {relation} LIMIT 1".encode())
    for attack in ("drop_chunks('public.quarter', now())", "add_job('pg_catalog.pg_sleep', '1h')"):
        with pytest.raises(psycopg.Error):
            database.execute(f"SELECT public.{attack}".encode())


def test_readings_kept_in_columns_are_still_inserted_once_and_late_ones_still_fit(database: Connection) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    known = readings(start, 2000)
    late, on_time = known[500:600], known[:500] + known[600:]
    with database.transaction():
        assert insert_readings(database, "amsterdam", on_time, "test").new == 1900
    assert to_columns(database, "reading") > 2
    with database.transaction():
        again = insert_readings(database, "amsterdam", on_time, "test")
    assert (again.new, again.duplicate, again.conflicting) == (0, 1900, 0)
    with database.transaction():
        mixed = insert_readings(database, "amsterdam", [*late, ("pv", start, Decimal(99))], "test")
    assert (mixed.new, mixed.duplicate, mixed.conflicting) == (100, 0, 1)
    to_columns(database, "reading")
    stored = database.execute("SELECT meter, time, value FROM reading ORDER BY time").fetchall()
    assert stored == known


def test_quarter_hours_kept_in_columns_can_be_derived_anew_in_any_number(empty_database_url: str) -> None:
    migrate(empty_database_url)
    with connect(empty_database_url, autocommit=True) as connection:
        fill_quarters(connection, "2025-01-01", 250)
        chunks = to_columns(connection, "quarter")
        total = connection.execute("SELECT count(*) FROM quarter").fetchone()
        assert total is not None
        assert total[0] > 100_000  # TimescaleDB's own bound on rows taken out of columns by one transaction
        changed = connection.execute(
            "INSERT INTO quarter (community, meter, start, energy, quality)"
            " SELECT community, meter, start, 1, 'validated' FROM quarter"
            " ON CONFLICT (community, meter, start) DO UPDATE SET energy = EXCLUDED.energy, quality = EXCLUDED.quality"
        ).rowcount
        assert changed == total[0]
        assert chunks > 5
        assert connection.execute("SELECT sum(energy) FROM quarter").fetchone() == total


def test_a_plain_databases_pg_dump_loads_and_a_dump_of_ours_goes_back(
    plain_url: str, database: Connection, database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    with connect(plain_url, autocommit=True) as plain:
        fill_quarters(plain, "2026-03-20", 20)
        plain.execute(
            "INSERT INTO event (community, kind, key, body, author) VALUES ('amsterdam', 'cost', 'x', '{}', 'test')"
        )
        plain.execute("INSERT INTO batch (community, source) VALUES ('amsterdam', 'a file')")
        with plain.transaction():
            insert_readings(plain, "amsterdam", readings(datetime(2026, 3, 1, tzinfo=UTC), 2000), "a file", 1)
        plain.execute(
            "INSERT INTO month (community, month, run, status, input_sha256, result_sha256, statement)"
            " VALUES ('amsterdam', '2026-03', 1, 'provisional', 'a', 'b', E'{\\n\\t\"total\": \"1.00\"}\\n')"
        )
        plain.execute(
            "INSERT INTO posting (community, month, run, transaction, line, account, cents, what)"
            " VALUES ('amsterdam', '2026-03', 1, 1, 1, 'a', 5, ''), ('amsterdam', '2026-03', 1, 1, 2, 'b', -5, '')"
        )
    options = ["--data-only", "--exclude-table=schema_migration", "--exclude-table=procrastinate_*"]
    dump = subprocess.run([bin_dir() / "pg_dump", *options, plain_url], capture_output=True, check=True)
    feed(database_url, dump.stdout)
    for table in ("reading", "quarter"):
        assert to_columns(database, table) > 0

    there = transfer.dump(database, tmp_path / "dump")
    assert there["reading"] == 2000
    with connect(plain_url, autocommit=True) as plain:
        original = everything(plain)
        plain.execute("DROP SCHEMA public CASCADE; DROP SCHEMA grafana CASCADE; CREATE SCHEMA public")
        migrate(plain_url)
        assert transfer.load(plain, tmp_path / "dump") == there
        assert everything(plain) == original == everything(database)
    migrate(empty_database_url)
    with connect(empty_database_url, autocommit=True) as other:
        assert transfer.load(other, tmp_path / "dump") == there
        assert everything(other) == original


def everything(connection: Connection) -> dict[str, list[object]]:
    tables = ("community", "event", "batch", "reading", "quarter", "month", "posting")
    return {t: connection.execute(f"SELECT * FROM {t} ORDER BY {t}::text".encode()).fetchall() for t in tables}
