"""How long a look at a thousand meters takes: after a quarter of an hour of minute readings, and all around."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.communityfile import parse
from core.db import config
from core.db.connection import connect
from core.db.migrate import migrate
from core.db.readings import insert_copy_lines
from core.db.server import embedded
from core.time import utc_now
from settlement.watch import store
from settlement.watch.look import look, look_around

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
METERS = 1000
DAYS = 9
COMMUNITY = """
community: big
name: Big
timezone: Europe/Amsterdam
owner: owner
flats: [{flats}]
households: []
meters:
{meters}
sharing: [{{from: 2026-01-01, key: proportional}}]
tariffs: [{{from: 2026-01-01, solar_eur_per_kwh: "0", vat_percent: {{electricity: "0"}}}}]
"""


def blocks(start: datetime, end: datetime, step: timedelta) -> Iterator[str]:
    """Readings of all meters as COPY lines; every meter counts ten watt-hours a minute."""
    at = start
    while at < end:
        value = 5000 + (at - (NOW - DAYS * timedelta(days=1))) // timedelta(minutes=1) / 100
        yield "".join(f"el-{number}\t{at.isoformat()}\t{value + number:.3f}\n" for number in range(METERS))
        at += step


def main() -> None:
    """Measure on a fresh server: nine days of quarter-hours, two hours of minutes, then a quarter of an hour more."""
    flats = ", ".join(f"{{id: A{number}}}" for number in range(METERS))
    meters = "\n".join(
        f"  - {{id: el-{number}, measures: electricity, flat: A{number}, unit: kWh}}" for number in range(METERS)
    )
    minute = timedelta(minutes=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        with embedded(folder) as server:
            migrate(server.url)
            with connect(server.url, autocommit=True) as connection:
                config.apply(connection, parse(COMMUNITY.format(flats=flats, meters=meters)), NOW, "benchmark")
                start = NOW - DAYS * timedelta(days=1)
                insert_copy_lines(connection, "big", blocks(start, NOW - 120 * minute, 15 * minute), "bench")
                insert_copy_lines(connection, "big", blocks(NOW - 120 * minute, NOW - 15 * minute, minute), "bench")
                # All this was looked at half an hour ago: what became known later than that is looked at.
                connection.execute("UPDATE reading SET known_at = known_at - interval '1 hour'")
                store.mark_looked(connection, "big", utc_now() - 30 * minute)
                connection.execute("VACUUM ANALYZE reading")
                insert_copy_lines(connection, "big", blocks(NOW - 15 * minute, NOW, minute), "bench")
                begun = time.perf_counter()
                look(connection, "big", NOW)
                print(f"watch_quarter {time.perf_counter() - begun:.2f} s")
                begun = time.perf_counter()
                look_around(connection, "big", NOW)
                print(f"watch_around {time.perf_counter() - begun:.2f} s")
                assert connection.execute("SELECT count(*) FROM finding").fetchone() == (0,)


if __name__ == "__main__":
    main()
