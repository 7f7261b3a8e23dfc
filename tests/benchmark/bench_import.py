"""How fast readings get into PostgreSQL: new ones, and the same ones once more.

A server of its own, with the safety of real use: each batch is on the disk before the next begins.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from core.db.connection import connect
from core.db.migrate import migrate
from core.db.readings import insert_readings
from core.db.server import embedded

METERS = 30
DAYS = 60
BATCH_DAYS = 5
START = datetime(2026, 1, 1, tzinfo=UTC)


def batches() -> Iterator[list[tuple[str, datetime, Decimal]]]:
    """Sixty days of thirty meters, every quarter-hour, five days at a time."""
    for first in range(0, DAYS, BATCH_DAYS):
        yield [
            (f"meter-{meter:02d}", START + timedelta(minutes=15 * step), Decimal(step) / 4)
            for meter in range(METERS)
            for step in range(96 * first, 96 * (first + BATCH_DAYS))
        ]


def seconds_to_insert(url: str, prepared: list[list[tuple[str, datetime, Decimal]]], *, new: bool) -> float:
    """Insert all batches, one transaction each, and check that they were what they should be."""
    begun = time.perf_counter()
    with connect(url) as connection:
        for batch in prepared:
            with connection.transaction():
                inserted = insert_readings(connection, "de-ster", batch, "benchmark")
            assert (inserted.new, inserted.duplicate) == ((len(batch), 0) if new else (0, len(batch)))
    return time.perf_counter() - begun


def main() -> None:
    """Measure on a fresh server."""
    prepared = list(batches())
    rows = sum(len(batch) for batch in prepared)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server's own account passes through; its folder inside stays closed
        begun = time.perf_counter()
        with embedded(folder) as server:
            print(f"database_first_start {time.perf_counter() - begun:.2f} s")
            migrate(server.url)
            print(f"import_new {rows / seconds_to_insert(server.url, prepared, new=True):.0f} rows/s")
            print(f"import_again {rows / seconds_to_insert(server.url, prepared, new=False):.0f} rows/s")
        begun = time.perf_counter()
        with embedded(folder):
            print(f"database_second_start {time.perf_counter() - begun:.2f} s")


if __name__ == "__main__":
    main()
