"""A database that grew by migrations has the structure of one that was made today."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from core.db.connection import Connection, connect
from core.db.migrate import migrate

MIGRATIONS = sorted((Path(__file__).parents[2] / "core" / "db" / "migrations").glob("*.sql"))
BEFORE = Path(__file__).parents[1] / "data" / "schemas"
"""For every migration, the schema it was the first change of."""

STRUCTURE = {
    "columns": "SELECT table_schema, table_name, ordinal_position, column_name, data_type, is_nullable, column_default,"
    " is_identity FROM information_schema.columns WHERE table_schema IN ('public', 'grafana')",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace IN ('public'::regnamespace, 'grafana'::regnamespace)",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "views": "SELECT c.oid::regclass::text, c.reloptions, pg_get_viewdef(c.oid) FROM pg_class c WHERE c.relkind = 'v'"
    " AND relnamespace IN ('public'::regnamespace, 'grafana'::regnamespace)",
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "triggers": "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
}


def structure(connection: Connection) -> dict[str, list[str]]:
    return {name: sorted(map(repr, connection.execute(query).fetchall())) for name, query in STRUCTURE.items()}


@pytest.mark.parametrize("first", [file.name for file in MIGRATIONS])
def test_an_older_database_ends_with_todays_structure(first: str, empty_database_url: str, database_url: str) -> None:
    number = first.partition("_")[0]
    with connect(empty_database_url, autocommit=True) as connection:
        connection.execute((BEFORE / f"before_{number}.sql").read_bytes())
        connection.execute(
            "CREATE TABLE schema_migration (name text PRIMARY KEY, sha256 text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        for file in MIGRATIONS:
            if file.name < first:
                sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
                connection.execute("INSERT INTO schema_migration VALUES (%s, %s)", (file.name, sha256))
        connection.execute(
            "INSERT INTO device_health (community, device, errors) VALUES ('c', 'd', 7);"
            " INSERT INTO reading (community, meter, time, value) VALUES ('c', 'm', now(), 1)"
        )
    done = migrate(empty_database_url)
    wanted = [f"applied {file.name}" for file in MIGRATIONS if file.name >= first]
    assert done[: len(wanted)] == wanted
    assert migrate(empty_database_url) == []
    with connect(empty_database_url) as grown, connect(database_url) as made:
        assert structure(grown) == structure(made)
        assert grown.execute("SELECT errors, feeds_settlement FROM device_health").fetchone() == (7, False)
        assert grown.execute("SELECT count(*) FROM reading").fetchone() == (1,)
