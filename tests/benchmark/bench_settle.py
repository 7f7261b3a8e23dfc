"""How fast a month of twelve flats is settled, from files' values and from the database, and derived for the pages."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from core.communityfile import parse
from core.db import config
from core.db.connection import connect
from core.db.migrate import migrate
from core.db.readings import analyse, insert_copy_lines
from core.db.server import embedded
from core.time import Month
from settlement import derive, run, store
from settlement.replay import settle_document
from simulators.description import community_text
from simulators.history import history, history_start

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
MONTH = Month(2026, 5)


def main() -> None:
    """Measure on a fresh server with thirteen months of a simulated building."""
    file = parse(community_text(1, NOW, inverter_port=1, boiler_port=2))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        with embedded(folder) as server:
            migrate(server.url)
            with connect(server.url) as connection:
                config.apply(connection, file, NOW, "benchmark")
                begun = time.perf_counter()
                with connection.transaction():
                    inserted = insert_copy_lines(connection, "de-ster", history(1, history_start(NOW), NOW), "history")
                print(f"history_import {time.perf_counter() - begun:.2f} s")
                assert inserted.new > 1_000_000
                analyse(connection)
                begun = time.perf_counter()
                readings = store.month_readings(connection, file.community, MONTH)
                print(f"settle_read {time.perf_counter() - begun:.2f} s")
                begun = time.perf_counter()
                settle_document(file, MONTH, readings)
                print(f"settle_pure {time.perf_counter() - begun:.2f} s")
                begun = time.perf_counter()
                run.settle(connection, "de-ster", MONTH, NOW)
                print(f"settle_whole {time.perf_counter() - begun:.2f} s")
                begun = time.perf_counter()
                written = derive.update(connection, "de-ster", NOW)
                print(f"derive_thirteen_months {time.perf_counter() - begun:.2f} s")
                print(f"derive_rate {written / (time.perf_counter() - begun):.0f} rows/s")


if __name__ == "__main__":
    main()
