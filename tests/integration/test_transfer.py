"""A dump of all tables, loaded into a new database, gives the same rows; what does not fit changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from core.db import transfer
from core.db.connection import Connection, connect
from core.db.migrate import migrate
from core.db.readings import insert_readings
from core.errors import BadInput

pytestmark = pytest.mark.integration


@pytest.fixture
def source(database_url: str) -> Iterator[Connection]:
    """A database with rows that are awkward to write down, and rows that refer to others."""
    with connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO event (community, kind, key, body, author) VALUES ('a', 'cost', %s, %s, 'test')",
            ('tab\tline\nback\\slash "é" NULL \\N', json.dumps({"eur": "1.00", "what": "soot\n"})),
        )
        connection.execute("INSERT INTO batch (community, source) VALUES ('a', 'one'), ('a', 'two')")
        connection.execute(
            "INSERT INTO dead_letter (community, received_at, source, payload, reason)"
            " VALUES ('a', '2026-03-29 01:00:00.123456+00', 'mqtt', '\\x00ff0a5c', '')"
        )
        connection.execute("INSERT INTO person (community, id, household) VALUES ('a', 'p-1', NULL)")
        connection.execute(
            "INSERT INTO session (token_sha256, community, person, created_at, expires_at)"
            " VALUES ('\\x01', 'a', 'p-1', now(), 'infinity')"
        )
        with connection.transaction():
            value = Decimal("123456789012345678.000000000100")
            insert_readings(connection, "a", [("pv", datetime(2026, 3, 29, 1, tzinfo=UTC), value)], "test", 2)
        yield connection


@pytest.fixture
def target(empty_database_url: str) -> Iterator[Connection]:
    migrate(empty_database_url)
    with connect(empty_database_url, autocommit=True) as connection:
        yield connection


def contents(connection: Connection, tables: list[str]) -> dict[str, list[str]]:
    return {
        table: [row[0] for row in connection.execute(f"SELECT {table}::text FROM {table} ORDER BY 1".encode())]
        for table in tables
    }


def test_every_row_comes_back_and_numbering_goes_on(source: Connection, target: Connection, tmp_path: Path) -> None:
    counted = transfer.dump(source, tmp_path / "dump")
    assert {table for table, rows in counted.items() if rows} == {
        "batch",
        "dead_letter",
        "event",
        "person",
        "reading",
        "session",
    }
    assert transfer.load(target, tmp_path / "dump") == counted
    assert contents(target, list(counted)) == contents(source, list(counted))
    added = target.execute("INSERT INTO batch (community, source) VALUES ('a', 'three') RETURNING id").fetchone()
    assert added == (3,)


def test_a_dump_does_not_overwrite_another(source: Connection, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("kept")
    with pytest.raises(BadInput, match="is not empty; give a new folder"):
        transfer.dump(source, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_database_with_rows_takes_no_dump(source: Connection, tmp_path: Path) -> None:
    transfer.dump(source, tmp_path / "dump")
    with pytest.raises(BadInput, match="holds rows already"):
        transfer.load(source, tmp_path / "dump")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda dump: (dump / "manifest.json").unlink(), "is no dump"),
        (lambda dump: (dump / "manifest.json").write_text("{}"), "is no dump"),
        (lambda dump: (dump / "event.copy").write_bytes(b""), "not what was dumped"),
        (lambda dump: (dump / "event.copy").unlink(), "is missing"),
        (
            lambda dump: (dump / "manifest.json").write_text(
                (dump / "manifest.json").read_text().replace('"batch"', '"bundle"')
            ),
            "load it with the version it is of",
        ),
    ],
    ids=["no manifest", "an empty manifest", "a changed file", "a missing file", "an unknown table"],
)
def test_a_damaged_dump_is_refused_and_nothing_is_loaded(
    source: Connection, target: Connection, tmp_path: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    counted = transfer.dump(source, tmp_path / "dump")
    damage(tmp_path / "dump")
    with pytest.raises(BadInput, match=sentence):
        transfer.load(target, tmp_path / "dump")
    assert not any(contents(target, list(counted)).values())
