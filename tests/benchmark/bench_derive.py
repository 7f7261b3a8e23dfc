"""How fast quarter-hours are kept up to date for a thousand meters that are read every minute.

A month of 43 million readings is derived whole, in a process of its own so that its memory can be told, and then a
quarter of an hour more. ``python -m tests.benchmark.bench_derive DAYS`` takes fewer days.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.communityfile import parse
from core.db import config
from core.db.connection import Connection, connect
from core.db.migrate import migrate
from core.db.readings import analyse, insert_copy_lines
from core.db.server import embedded
from settlement import derive

START = datetime(2026, 4, 30, 22, tzinfo=UTC)
DAYS = 30  # 43.2 million readings
METERS = 1000
MINUTE = timedelta(minutes=1)
COMMUNITY = """
community: big
name: Big
timezone: Europe/Amsterdam
owner: owner
flats: [{flats}]
households: []
meters:
  - {{id: pv, measures: solar_generation, unit: kWh}}
{meters}
sharing: [{{from: 2026-01-01, key: proportional}}]
tariffs: [{{from: 2026-01-01, solar_eur_per_kwh: "0", vat_percent: {{electricity: "0"}}}}]
"""


def community() -> str:
    """Describe 999 flats with a meter each, and one inverter."""
    flats = ", ".join(f"{{id: A{number}}}" for number in range(1, METERS))
    meters = "\n".join(
        f"  - {{id: el-{number}, measures: electricity, flat: A{number}, unit: kWh}}" for number in range(1, METERS)
    )
    return COMMUNITY.format(flats=flats, meters=meters)


def fill(connection: Connection, end: datetime) -> int:
    """Make readings of every minute in the database itself, in the order in which they would have come."""
    for index in ("reading_known", "reading_batch"):
        connection.execute(f"DROP INDEX {index}".encode())
    connection.execute("ALTER TABLE reading DROP CONSTRAINT reading_pkey")
    made = connection.execute(
        "INSERT INTO reading SELECT 'big', CASE m WHEN 0 THEN 'pv' ELSE 'el-' || m END, t,"
        " ((5000000 + m * 1000 + (3 + m %% 7) * n + (hashint4(m * 7919 + n::int) & 1))"
        " * CASE m WHEN 0 THEN 300 ELSE 1 END)::numeric / 1000, t"
        " FROM generate_series(0, %s) n, LATERAL (SELECT %s + n * interval '1 minute' AS t) s,"
        " generate_series(0, %s) m",
        ((end - START) // MINUTE, START, METERS - 1),
    ).rowcount
    connection.execute("SET maintenance_work_mem = '256MB'")
    connection.execute("ALTER TABLE reading ADD PRIMARY KEY (community, meter, time)")
    connection.execute("CREATE INDEX reading_known ON reading (community, known_at)")
    connection.execute("CREATE INDEX reading_batch ON reading (community, batch) WHERE batch IS NOT NULL")
    connection.execute("VACUUM ANALYZE reading")
    return made


def derive_all(url: str) -> None:
    """Derive everything, in a process of its own."""
    with connect(url) as connection:
        begun = time.perf_counter()
        written = derive.update(connection, "big", START + timedelta(days=40))
        seconds = time.perf_counter() - begun
    print(f"derive_month {seconds:.1f} s")
    print(f"derive_month_rows {written} rows")
    print(f"derive_memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def quarter(connection: Connection, end: datetime) -> None:
    """Insert a quarter of an hour of readings and work them in; what came before it has long been known."""
    value = 10_000_000
    rows = "".join(
        f"{'pv' if meter == 0 else f'el-{meter}'}\t{(end + n * MINUTE).isoformat()}\t{value + n + meter}\n"
        for n in range(1, 16)
        for meter in range(METERS)
    )
    assert insert_copy_lines(connection, "big", [rows], "bench").new == 15 * METERS
    begun = time.perf_counter()
    written = derive.update(connection, "big", end + timedelta(days=41))
    print(f"derive_quarter {time.perf_counter() - begun:.2f} s")
    assert METERS <= written <= 2 * METERS, written
    begun = time.perf_counter()
    connection.execute("UPDATE derived_until SET known_at = known_at - interval '1 minute'")
    assert derive.update(connection, "big", end + timedelta(days=42)) == 0
    print(f"derive_quarter_again {time.perf_counter() - begun:.2f} s")


def main(days: int) -> None:
    """Measure on a fresh server."""
    end = START + timedelta(days=days)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        with embedded(folder) as server:
            migrate(server.url)
            with connect(server.url) as connection:
                config.apply(connection, parse(community()), START, "benchmark")
                print(f"derive_readings {fill(connection, end)} rows", flush=True)
            subprocess.run([sys.executable, "-m", __spec__.name, "all", server.url], check=True)
            with connect(server.url) as connection:
                analyse(connection)
                quarter(connection, end)


if __name__ == "__main__":
    if sys.argv[1:2] == ["all"]:
        derive_all(sys.argv[2])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else DAYS)
