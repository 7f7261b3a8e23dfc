"""The Grafana dashboards: their JSON, their queries on a filled database, and what their role can not do.

Grafana itself is not started here: the files are linted, and every query is run with its macros expanded, as the role
and on the tables it will meet.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from ruamel.yaml import YAML

from dashboards import generate
from dashboards.panels import Json
from tests.support.grafana import Panel
from tests.support.postgres import clone

FOLDER = Path(generate.__file__).parent
# Roles belong to the whole server, so each run of the tests makes one of its own.
NAME = f"grafana_ro_{secrets.token_hex(4)}"
ROLE = (FOLDER / "role.sql").read_text(encoding="utf-8").replace("grafana_ro", NAME).encode()
DAYS = 40
# The last day of summer time in 2026 lies inside the seeded range.
NEWEST = datetime(2026, 10, 31, 12, 0, tzinfo=UTC)
FLATS = [f"{stair}{number:02d}" for stair in "ABC" for number in range(1, 5)]
SECRET = 777  # a register of one flat, which nobody may find out


def panels_of(dashboard: Json) -> list[Json]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


QUERIES = {
    f"{name.removesuffix('.json')}: {panel['title']}": panel
    for name, make in generate.DASHBOARDS.items()
    for panel in panels_of(make())
}


# ---- the files


@pytest.mark.parametrize("name", generate.DASHBOARDS)
def test_the_committed_json_is_what_the_generator_writes(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == generate.text(generate.DASHBOARDS[name]())


def test_every_json_file_comes_from_the_generator() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == set(generate.DASHBOARDS)


def test_uids_are_fixed_and_unique() -> None:
    uids = [make()["uid"] for make in generate.DASHBOARDS.values()]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"[a-z0-9-]{1,40}", uid) for uid in uids)


@pytest.mark.parametrize("name", generate.DASHBOARDS)
def test_a_dashboard_obeys_the_house_rules(name: str) -> None:
    made = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    assert made["id"] is None
    assert made["schemaVersion"] == 42
    assert made["editable"] is False
    assert made["timezone"] == "Europe/Amsterdam"
    number, unit = re.fullmatch(r"(\d+)([smhd])", made["refresh"]).groups()  # type: ignore[union-attr]  # a mismatch fails the test
    assert int(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] >= 60
    assert made["description"]
    assert len({panel["id"] for panel in made["panels"]}) == len(made["panels"])


@pytest.mark.parametrize("name", generate.DASHBOARDS)
def test_panels_do_not_overlap_and_stay_on_the_grid(name: str) -> None:
    cells: set[tuple[int, int]] = set()
    for panel in generate.DASHBOARDS[name]()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & mine, panel["title"]
        cells |= mine


@pytest.mark.parametrize("panel", QUERIES.values(), ids=QUERIES)
def test_a_panel_explains_itself_and_asks_only_the_building(panel: Json) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["type"] in {"timeseries", "stat", "bargauge", "table", "gauge", "barchart", "state-timeline"}
    assert len(panel["targets"]) == 1
    target = panel["targets"][0]
    assert target["datasource"] == panel["datasource"]
    sql = target["rawSql"]
    assert "*" not in re.sub(r"count\(\*\)", "", sql)
    assert set(re.findall(r"\b(?:FROM|JOIN)\s+([\w.]+)", re.sub(r"extract\(epoch FROM", "", sql))) <= {
        "grafana.building_quarter",
        "grafana.building_day",
        "grafana.pellet_stock",
        "grafana.freshness",
        "grafana.devices",
    }
    assert "$__timeFilter" not in sql, "it counts an interval on a border twice"
    assert not re.search(r"\$__timeGroup\w*\([^)]*'\d+[dwMy]'", sql), "its days are UTC days"
    if target["format"] == "time_series":
        assert "$__timeFrom()" in sql
        assert "$__timeTo()" in sql
        assert sql.endswith("ORDER BY 1")


def provisioned(kind: str) -> Any:
    return YAML(typ="safe").load(FOLDER / "provisioning" / kind / "wijkenergie.yaml")


def test_the_provisioned_data_source_is_the_one_the_panels_name() -> None:
    (source,) = provisioned("datasources")["datasources"]
    assert source["user"] == "grafana_ro"
    assert source["editable"] is False
    assert source["jsonData"]["database"], "without it Grafana refuses every query"
    assert "/" not in source["url"]
    assert source["secureJsonData"]["password"].startswith("$"), "a secret comes from the environment"
    wanted = {"type": source["type"], "uid": source["uid"]}
    for make in generate.DASHBOARDS.values():
        made = make()
        assert all(panel["datasource"] == wanted for panel in panels_of(made))
        assert all(variable["datasource"] == wanted for variable in made["templating"]["list"])


def test_dashboards_are_provisioned_read_only() -> None:
    (provider,) = provisioned("dashboards")["providers"]
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False


# ---- the queries


@pytest.fixture(scope="module")
def filled(server_url: str, template_name: str) -> Iterator[str]:
    """Two buildings with forty days of intervals and readings of every kind; the tests only look at them."""
    try:
        with clone(server_url, template_name) as url:
            fill(url)
            yield url
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP ROLE IF EXISTS {NAME}".encode())


def fill(url: str) -> None:
    meters = [
        ("pv", "solar_generation", "kWh", None),
        ("grid-in", "grid_import", "kWh", None),
        ("grid-out", "grid_export", "kWh", None),
        ("el-common", "electricity", "kWh", None),
        ("boiler-heat", "heat_produced", "kWh", None),
        ("silo", "pellet_stock", "kg", None),
        *((f"el-{flat}", "electricity", "kWh", flat) for flat in FLATS),
        *((f"heat-{flat}", "heat", "kWh", flat) for flat in FLATS),
    ]
    span = {"start": NEWEST - timedelta(days=DAYS), "end": NEWEST}
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for community in ("de-ster", "d'n-hoek"):
            cursor.execute(
                "INSERT INTO community (community, name, timezone, config)"
                " VALUES (%s, 'Flat', 'Europe/Amsterdam', '{}')",
                [community],
            )
            cursor.executemany(
                "INSERT INTO meter (community, meter, measures, unit, flat, common) VALUES (%s, %s, %s, %s, %s, %s)",
                [(community, *meter, meter[0] == "el-common") for meter in meters],
            )
            cursor.executemany(
                "INSERT INTO device_health (community, device, kind, silent_after, last_seen)"
                " VALUES (%s, %s, %s, '1 hour', now() - %s::interval)",
                [
                    (community, "p1-A01", "electricity_meter", "2 hours"),
                    (community, "p1-A02", "electricity_meter", None),
                    (community, "roof", "inverter", "1 minute"),
                ],
            )
        cursor.execute(
            "INSERT INTO quarter (community, meter, start, energy, quality)"
            " SELECT m.community, m.meter, t, CASE m.measures WHEN 'heat_produced' THEN 13000000 ELSE 1000000 END,"
            " 'measured' FROM meter m, generate_series(%(start)s::timestamptz, %(end)s - interval '15 minutes',"
            " interval '15 minutes') t WHERE m.measures <> 'pellet_stock'",
            span,
        )
        cursor.execute(
            "INSERT INTO reading (community, meter, time, value)"
            " SELECT m.community, m.meter, t, CASE m.measures WHEN 'pellet_stock' THEN 2500 ELSE %(secret)s END"
            " FROM meter m, generate_series(%(start)s::timestamptz, %(end)s, interval '1 hour') t",
            span | {"secret": SECRET},
        )
        connection.commit()
        connection.autocommit = True
        cursor.execute("ANALYZE")


@pytest.fixture
def as_grafana(filled: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection as Grafana's role; the script that makes it runs twice, as a second deployment would."""
    password = secrets.token_urlsafe(16)
    with psycopg.connect(filled, autocommit=True) as owner:
        owner.execute(ROLE)
        owner.execute(ROLE)
        owner.execute(f"ALTER ROLE {NAME} LOGIN PASSWORD '{password}'".encode())
    parts = urlsplit(filled)
    place = parts.netloc.rpartition("@")[2]
    url = urlunsplit(parts._replace(netloc=f"{NAME}:{password}@{place}"))
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT current_user, session_user").fetchone() == (NAME, NAME)
        yield connection


def run(connection: psycopg.Connection[Any], sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    cursor = connection.execute(sql.encode())
    return [column.name for column in cursor.description or []], cursor.fetchall()


def shown(timescaledb: bool, days: int = 7) -> Panel:
    return Panel(start=NEWEST - timedelta(days=days), end=NEWEST, timescaledb=timescaledb)


CHOSEN = {"community": "de-ster"}


@pytest.mark.parametrize("timescaledb", [True, False], ids=["timescaledb", "plain"])
def test_every_panel_gets_an_answer_of_the_right_shape(as_grafana: psycopg.Connection[Any], timescaledb: bool) -> None:
    for title, panel in QUERIES.items():
        target = panel["targets"][0]
        names, rows = run(as_grafana, shown(timescaledb).expand(target["rawSql"], CHOSEN))
        assert rows, title
        if target["format"] == "time_series":
            assert names[0] == "time", title
            assert 7 <= len(rows) <= 7 * 24 + 1, title
            assert all(earlier[0] < later[0] for earlier, later in pairwise(rows)), title
            assert all(float(value) >= 0 for row in rows for value in row[1:]), title


def test_energy_of_adjacent_ranges_adds_up_to_the_whole(as_grafana: psycopg.Connection[Any]) -> None:
    sql = QUERIES["gebouw: Stroom per uur"]["targets"][0]["rawSql"]
    middle = NEWEST - timedelta(hours=36)

    def solar(start: datetime, end: datetime) -> float:
        _, rows = run(as_grafana, Panel(start, end, timescaledb=True).expand(sql, CHOSEN))
        return float(sum(row[1] for row in rows))

    start = NEWEST - timedelta(days=3)
    assert solar(start, middle) + solar(middle, NEWEST) == solar(start, NEWEST) == 3 * 96


def test_days_are_local_and_the_day_of_the_clock_change_has_25_hours(as_grafana: psycopg.Connection[Any]) -> None:
    sql = QUERIES["gebouw: Stroom per dag"]["targets"][0]["rawSql"]
    _, rows = run(as_grafana, shown(timescaledb=True).expand(sql, CHOSEN))
    per_day = {moment.astimezone(UTC): float(solar) for moment, solar, _ in rows}
    assert per_day[datetime(2026, 10, 24, 22, tzinfo=UTC)] == 100  # Sunday 25 October, from local midnight
    assert per_day[datetime(2026, 10, 25, 23, tzinfo=UTC)] == 96
    assert min(per_day) == datetime(2026, 10, 23, 22, tzinfo=UTC)  # the first day is whole


def test_the_viewer_can_choose_each_building_even_one_with_a_quote(as_grafana: psycopg.Connection[Any]) -> None:
    (variable,) = generate.building()["templating"]["list"]
    _, rows = run(as_grafana, variable["query"])
    assert [row[0] for row in rows] == ["d'n-hoek", "de-ster"]
    sql = QUERIES["gebouw: Nu in de silo"]["targets"][0]["rawSql"]
    _, rows = run(as_grafana, shown(timescaledb=True).expand(sql, {"community": "d'n-hoek"}))
    assert rows == [(2500,)]


def scanned_whole(plan: Json) -> set[str]:
    found = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return found.union(*(scanned_whole(child) for child in plan.get("Plans", [])))


def test_no_panel_reads_a_whole_table_of_readings_or_intervals(
    as_grafana: psycopg.Connection[Any], filled: str
) -> None:
    if has_timescaledb(filled):
        pytest.skip("chunks have indexes of their own on a server with TimescaleDB")
    with psycopg.connect(filled) as owner:
        for title, panel in QUERIES.items():
            sql = shown(timescaledb=True, days=2).expand(panel["targets"][0]["rawSql"], CHOSEN)
            row = owner.execute(f"EXPLAIN (FORMAT JSON) {sql.replace('time_bucket', 'grafana.time_bucket')}".encode())
            ((plans,),) = row.fetchall()
            assert not scanned_whole(plans[0]["Plan"]) & {"quarter", "reading"}, title


def has_timescaledb(url: str) -> bool:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    return bool(row and row[0])


# ---- the role

ATTACKS = {
    "read the readings": "SELECT value FROM public.reading",
    "read the intervals": "SELECT energy FROM public.quarter",
    "read an hourly aggregate of one meter": "SELECT energy FROM public.energy_hour",
    "read what each flat was given": "SELECT shared FROM public.shared_quarter",
    "read which meter is whose": "SELECT flat FROM public.meter",
    "read names and addresses": "SELECT name, email FROM public.person",
    "read sessions": "SELECT token_sha256 FROM public.session",
    "read statements": "SELECT statement FROM public.month",
    "read the ledger": "SELECT cents FROM public.posting",
    "read messages": "SELECT body FROM public.message",
    "read queued jobs": "SELECT args FROM public.procrastinate_jobs",
    "read through COPY": "COPY public.reading TO STDOUT",
    "count rows": "SELECT count(*) FROM public.person",
    "lock a table": "DO $$ BEGIN LOCK TABLE public.reading IN ACCESS SHARE MODE; END $$",
    "become the owner": "SET ROLE postgres",
    "become a member of a reading role": "SET ROLE pg_read_all_data",
    "become somebody else for the session": "SET SESSION AUTHORIZATION postgres",
    "grant itself more": "GRANT pg_read_all_data TO CURRENT_USER",
    "make itself a superuser": "ALTER ROLE CURRENT_USER SUPERUSER",
    "lift the limit of connections": "ALTER ROLE CURRENT_USER CONNECTION LIMIT 1000",
    "run a program": "COPY (SELECT 1) TO PROGRAM 'true'",
    "write a file": "COPY (SELECT 1) TO '/tmp/mine'",
    "read a file": "SELECT pg_read_file('postgresql.conf')",
    "list files": "SELECT pg_ls_dir('.')",
    "import a file": "SELECT lo_import('/etc/hostname')",
    "store something": "SELECT lo_from_bytea(0, 'x')",
    "write to the log of changes": "SELECT pg_logical_emit_message(false, 'x', 'x')",
    "connect elsewhere": "SELECT dblink_connect('x')",
    "load an extension": "CREATE EXTENSION dblink",
    "insert readings": "INSERT INTO public.reading (community, meter, time, value) VALUES ('de-ster', 'x', now(), 1)",
    "delete readings": "DELETE FROM public.reading",
    "write through a view": "INSERT INTO grafana.pellet_stock VALUES ('de-ster', now(), 1)",
    "change a view": "CREATE OR REPLACE VIEW grafana.pellet_stock AS SELECT 1",
    "drop a view": "DROP VIEW grafana.freshness",
    "make a table": "CREATE TABLE grafana.mine (x int)",
    "make a temporary table": "CREATE TEMP TABLE mine (x int)",
    "make a schema": "CREATE SCHEMA mine",
    "make a function": "CREATE FUNCTION pg_temp.leak(x numeric) RETURNS bool LANGUAGE sql AS 'SELECT true'",
    "run a block of code": "DO $$ BEGIN EXECUTE 'SELECT value FROM public.reading'; END $$",
    "call the application's functions": "SELECT public.posting_balances()",
    "take the lock of a migration": "SELECT pg_advisory_lock(7341902115)",
    "wake the workers": "SELECT pg_notify('procrastinate_any_queue', '{}')",
    "end the application's connections": (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IS DISTINCT FROM current_user"
    ),
    "change a setting of the server": "ALTER SYSTEM SET max_connections = 1",
    "read the passwords": "SELECT rolpassword FROM pg_authid",
}
REFUSALS = {
    "42501": "not permitted",
    "42883": "no such function in sight",
    "0A000": "no such extension on this server",
    "55000": "the view takes no rows",
}
READ_WRITE = b"SET default_transaction_read_only = off"  # a client may do this, so it protects nothing


def test_the_role_can_do_nothing_but_look_at_the_building(as_grafana: psycopg.Connection[Any]) -> None:
    as_grafana.execute(READ_WRITE)
    outcomes = {what: outcome(as_grafana, sql) for what, sql in ATTACKS.items()}
    assert {what: code for what, code in outcomes.items() if code not in REFUSALS} == {}


def outcome(connection: psycopg.Connection[Any], sql: str) -> str:
    try:
        connection.execute(sql.encode())
    except psycopg.Error as refusal:
        return refusal.sqlstate or str(refusal)
    return "it succeeded"


def test_no_relation_outside_its_schema_is_open_to_the_role(as_grafana: psycopg.Connection[Any]) -> None:
    _, rows = run(
        as_grafana,
        "SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE relkind IN ('r', 'v', 'm', 'p', 'f') AND has_table_privilege(c.oid, 'SELECT')"
        " AND has_schema_privilege(n.oid, 'USAGE') AND nspname NOT IN ('grafana', 'pg_catalog', 'information_schema')",
    )
    # TimescaleDB shows everybody its own catalogue, names of chunks and states of jobs; but no chunk.
    catalogue = re.compile(r"_?timescaledb_\w+\.(?!_hyper|_?compress(ed)?_hyper|_materialized|_partial|_direct)\w+")
    assert [row for row in rows if not catalogue.fullmatch(".".join(row))] == []


def test_statistics_show_the_role_no_value(as_grafana: psycopg.Connection[Any]) -> None:
    _, rows = run(as_grafana, "SELECT count(*) FROM pg_stats WHERE schemaname = 'public'")
    assert rows == [(0,)]
    _, rows = run(as_grafana, "SELECT count(*) FROM pg_stat_activity WHERE usename <> current_user AND query <> ''"
                              " AND query <> '<insufficient privilege>'")  # fmt: skip
    assert rows == [(0,)]


@pytest.mark.parametrize(
    "condition", [f"1 / (kg - {SECRET}) < 1", f"(CASE WHEN kg = {SECRET} THEN 'found' ELSE '1' END)::int = 1"]
)
def test_a_condition_never_meets_a_row_the_view_hides(as_grafana: psycopg.Connection[Any], condition: str) -> None:
    # A client may set these; then the plan looks at readings before it knows whose they are.
    as_grafana.execute("SET enable_nestloop = off")
    as_grafana.execute("SET enable_mergejoin = off")
    _, rows = run(as_grafana, f"SELECT count(*) FROM grafana.pellet_stock WHERE {condition}")  # an error would tell
    assert rows == [(2 * (24 * DAYS + 1),)]


def test_silent_devices_are_counted_by_kind(as_grafana: psycopg.Connection[Any]) -> None:
    sql = "SELECT kind, devices, silent, never FROM grafana.devices WHERE community = 'de-ster' ORDER BY kind"
    assert run(as_grafana, sql)[1] == [("electricity_meter", 2, 1, 1), ("inverter", 1, 0, 0)]


@pytest.mark.parametrize("view", ["building_quarter", "building_day"])
def test_a_sum_over_fewer_than_ten_flats_is_not_shown(
    as_grafana: psycopg.Connection[Any], filled: str, view: str
) -> None:
    if view == "building_day" and has_timescaledb(filled):
        pytest.skip("an aggregate shows a change in the past after its next refresh, which no transaction can hold")
    sql = f"SELECT count(consumed_kwh), count(heat_used_kwh), count(import_kwh) FROM grafana.{view}"
    _, before = run(as_grafana, sql)
    assert all(count > 0 for count in before[0])
    with psycopg.connect(filled) as owner:
        for measures in ("el", "heat"):
            owner.execute(
                "UPDATE quarter SET energy = NULL, quality = 'missing' WHERE meter IN (%s, %s, %s)",
                [f"{measures}-{flat}" for flat in FLATS[:3]],
            )
        owner.execute(f"SET LOCAL ROLE {NAME}".encode())
        assert owner.execute(sql.encode()).fetchall() == [(0, 0, before[0][2])]
        owner.rollback()


def test_a_meter_that_is_silent_or_was_never_heard_is_seen_among_others(
    as_grafana: psycopg.Connection[Any], filled: str
) -> None:
    sql = (
        "SELECT newest - stalest, meters, never FROM grafana.freshness"
        " WHERE (community, measures) = ('de-ster', 'heat')"
    )
    assert run(as_grafana, sql)[1] == [(timedelta(0), 12, 0)]
    with psycopg.connect(filled) as owner:
        owner.execute(
            "DELETE FROM reading WHERE meter = 'heat-A01' OR (meter = 'heat-A02' AND time > %s)",
            [NEWEST - timedelta(days=1)],
        )
        owner.execute(f"SET LOCAL ROLE {NAME}".encode())
        assert owner.execute(sql.encode()).fetchall() == [(timedelta(days=1), 12, 1)]
        owner.rollback()


@pytest.mark.parametrize("view", ["building_quarter", "building_day", "pellet_stock", "freshness", "devices"])
def test_no_view_has_a_column_that_could_name_a_flat(as_grafana: psycopg.Connection[Any], view: str) -> None:
    names, _ = run(as_grafana, f"SELECT * FROM grafana.{view} LIMIT 0")
    assert not {"flat", "meter", "device", "household", "party", "person"} & set(names)


def test_the_role_without_a_password_cannot_sign_in(filled: str) -> None:
    with psycopg.connect(filled) as owner:
        owner.execute(f"DROP OWNED BY {NAME}; DROP ROLE {NAME}".encode() if known(owner) else b"SELECT 1")
        owner.execute(ROLE)
        row = owner.execute(
            "SELECT rolcanlogin, rolsuper, rolconnlimit FROM pg_roles WHERE rolname = %s", [NAME]
        ).fetchone()
        owner.rollback()
    assert row == (False, False, 10)


def known(owner: psycopg.Connection[Any]) -> bool:
    return owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [NAME]).fetchone() is not None


def test_the_application_keeps_its_own_rights(filled: str) -> None:
    with psycopg.connect(filled, autocommit=True) as owner:
        owner.execute(ROLE)
        row = owner.execute(
            "SELECT has_schema_privilege(nspowner, 'public', 'USAGE, CREATE'),"
            " has_database_privilege(nspowner, current_database(), 'TEMP'),"
            " has_function_privilege(nspowner, 'pg_advisory_lock(bigint)', 'EXECUTE')"
            " FROM pg_namespace WHERE nspname = 'grafana'"
        ).fetchone()
    assert row == (True, True, True)
