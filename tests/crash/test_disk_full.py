"""No room: on the disk of the spool, in the spool itself, on the disk of the database."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from collector.service import spools
from core.db.connection import connect
from tests.crash.account import Row
from tests.crash.rig import Rig
from tests.crash.test_in_the_middle import publish, stored_once


@contextmanager
def small_disk(folder: Path, size: str, owner: int = 0) -> Iterator[None]:
    """Make a folder a disk of its own."""
    options = f"size={size},mode=0700,uid={owner}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def said(rig: Rig, words: str) -> bool:
    return words in (rig.folder / "collector.log").read_text(encoding="utf-8")


def fill(rig: Rig, words: str) -> list[Row]:
    """Publish more than there is room for while the database is away, and kill the collector then."""
    rig.collect()
    rig.to_database.stop()
    expected = publish(rig, 0, messages=1)
    rig.until(lambda: rig.spooled, "the spool is used")
    expected += publish(rig, 1)
    rig.until(lambda: said(rig, words), "there is no room left")
    rig.kill_collector()
    rig.start_collector()
    rig.wait(3)
    rig.to_database.start()
    return expected


@pytest.mark.long
def test_a_full_spool_stops_the_acknowledgements_and_loses_nothing(rig: Rig):
    rig.spool_bytes = 10_000
    stored_once(rig, fill(rig, "is full"))


def test_a_full_disk_under_the_spool_stops_the_acknowledgements_and_loses_nothing(rig: Rig):
    folder = spools(rig.data)
    folder.mkdir(parents=True)
    with small_disk(folder, "24k"):
        stored_once(rig, fill(rig, "No space left on device"))
        rig.kill_collector()


@contextmanager
def small_table(rig: Rig) -> Iterator[Path]:
    """Put the table of the readings on a small disk, whose folder is given."""
    folder = rig.server.home / "small"
    folder.mkdir()
    try:
        with small_disk(folder, "1m", rig.server.home.stat().st_uid):
            with connect(rig.database_url) as connection:
                connection.execute(f"CREATE TABLESPACE small LOCATION '{folder}'".encode())
                connection.execute("ALTER TABLE reading SET TABLESPACE small")
            try:
                yield folder
            finally:
                rig.kill_collector()
                with connect(rig.database_url) as connection:
                    connection.execute("ALTER TABLE reading SET TABLESPACE pg_default")
                    connection.execute("DROP TABLESPACE small")
    finally:
        folder.rmdir()


def test_a_full_disk_under_the_database_fills_the_spool_and_loses_nothing(rig: Rig):
    with small_table(rig) as folder:
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(850_000))
        rig.collect()
        expected = publish(rig, 0)
        rig.until(lambda: rig.spooled, "the spool is used")
        with connect(rig.database_url) as connection, pytest.raises(psycopg.errors.DiskFull):
            connection.execute(
                "INSERT INTO reading (community, meter, time, value)"
                " SELECT 'crash', 'm7', '2026-01-01'::timestamptz + n * interval '1 second', n"
                " FROM generate_series(1, 10000) n"
            )
        ballast.unlink()
        stored_once(rig, expected)
