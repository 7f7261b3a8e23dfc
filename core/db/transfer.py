"""Move a whole community database between servers, plain PostgreSQL or TimescaleDB, in either direction.

A dump is a folder: one COPY text file per table and ``manifest.json`` with columns, rows and hashes. ``pg_dump`` reads
a hypertable as empty (its rows are in chunks), so rows are asked for by query here, all in one snapshot. Structure is
not part of a dump: the target is migrated first. The job queue is not either: jobs are opened anew from what is due.
"""

from __future__ import annotations

import hashlib
import json
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from core.db.connection import Connection
from core.errors import BadInput

_MANIFEST = "manifest.json"
_BLOCK = 1 << 20  # [B]


def dump(connection: Connection, folder: Path) -> dict[str, int]:
    """Write every table to a folder, as of one moment.

    Parameters
    ----------
    connection
        Outside any transaction.
    folder
        Made when missing; must be empty.

    Returns
    -------
    dict
        Rows per table.

    Raises
    ------
    BadInput
        The folder holds something already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BadInput(f"{folder} is not empty; give a new folder.")
    tables: dict[str, dict[str, Any]] = {}
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for table, columns in _tables(connection).items():
            tables[table] = _write(connection, table, columns, folder / f"{table}.copy")
    (folder / _MANIFEST).write_text(json.dumps({"tables": tables}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return {table: facts["rows"] for table, facts in tables.items()}


def load(connection: Connection, folder: Path) -> dict[str, int]:
    """Fill a migrated, empty database from a dump; all of it or nothing.

    Returns
    -------
    dict
        Rows per table.

    Raises
    ------
    BadInput
        The folder is no dump, was damaged, or is of another schema; or the database holds rows already.
    """
    try:
        tables = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["tables"]
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder} is no dump: {_MANIFEST} cannot be read ({error}).") from None
    known = _tables(connection)
    for table, facts in tables.items():
        if table not in known or not set(facts["columns"]) <= set(known[table]):
            raise BadInput(f"The dump's table {table} does not fit this database; load it with the version it is of.")
        _check(folder / f"{table}.copy", facts["sha256"])
    with connection.transaction():
        for table in known:
            if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(table))).fetchone():
                raise BadInput(f"The database holds rows already (in {table}); load a dump into a new one.")
        for table in known:
            if table in tables:
                _read(connection, table, tables[table]["columns"], folder / f"{table}.copy")
    return {table: facts["rows"] for table, facts in tables.items()}


def _tables(connection: Connection) -> dict[str, list[str]]:
    """Columns of every table of ours, each table after those it refers to."""
    rows = connection.execute(
        "SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attgenerated = ''"
        " AND c.relname <> 'schema_migration' AND NOT starts_with(c.relname, 'procrastinate_')"
        " GROUP BY 1 ORDER BY 1"
    ).fetchall()
    columns = dict(rows)
    before: dict[str, set[str]] = {table: set() for table in columns}
    for table, target in connection.execute(
        "SELECT c.relname, t.relname FROM pg_constraint r JOIN pg_class c ON c.oid = r.conrelid"
        " JOIN pg_class t ON t.oid = r.confrelid WHERE r.contype = 'f'"
    ).fetchall():
        if table in columns and target in columns and table != target:
            before[table].add(target)
    return {table: columns[table] for table in TopologicalSorter(before).static_order()}


def _write(connection: Connection, table: str, columns: list[str], path: Path) -> dict[str, Any]:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(names, sql.Identifier(table))
    digest = hashlib.sha256()
    with path.open("wb") as file, connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            for block in copy:
                digest.update(block)
                file.write(block)
        rows = cursor.rowcount
    return {"columns": columns, "rows": rows, "sha256": digest.hexdigest()}


def _check(path: Path, sha256: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        found = "nothing"
    if found != sha256:
        raise BadInput(f"{path} is missing or not what was dumped (SHA-256 {sha256[:12]}... expected).")


def _read(connection: Connection, table: str, columns: list[str], path: Path) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with path.open("rb") as file, connection.cursor() as cursor:
        try:
            with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)) as copy:
                while block := file.read(_BLOCK):
                    copy.write(block)
        except psycopg.DataError as error:
            raise BadInput(f"{path} does not fit the table {table}: {str(error).splitlines()[0]}.") from None
    for column in columns:
        sequence = connection.execute("SELECT pg_get_serial_sequence(%s, %s)", (table, column)).fetchone()
        if sequence is not None and sequence[0] is not None:
            connection.execute(
                sql.SQL("SELECT setval({}, max({})) FROM {} HAVING max({}) IS NOT NULL").format(
                    sql.Literal(sequence[0]), sql.Identifier(column), sql.Identifier(table), sql.Identifier(column)
                )
            )
