"""How fast stored quarter-hours become a ledger: a year of 100 and of 1,000 flats, a month of 10,000.

A hundred flats have an electricity meter and a heat meter each, larger buildings electricity meters (and share heat by
floor area), for the data must be made in minutes; it is made inside the database. Every size is settled in a process
of its own, so that its memory can be told, and twice, so that both runs can be compared.

    python -m tests.benchmark.bench_year 100x12
"""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from core.communityfile import parse
from core.db import config
from core.db.connection import Connection, connect
from core.db.migrate import migrate
from core.db.server import embedded
from core.time import Month, utc_now
from settlement.derived.months import settle_stored
from settlement.month import Settled
from settlement.statement import document, dump

WITH_HEAT_METERS = 100
"""Flats up to which each has a heat meter."""
SIZES = ((100, 12), (1000, 12), (10_000, 1))
"""Flats and months.

The figures of each are the time from stored quarter-hours to the ledger, the time with all statements written and
hashed as well, its memory, and how many different hashes its runs gave.
"""
LINEAR = ((100, 1), (300, 1), (900, 1))
"""What the growth of cost is told by."""
FIRST = Month(2025, 1)
COMMUNITY = """
community: big
name: Big
timezone: Europe/Amsterdam
owner: owner
flats: [{flats}]
households: [{households}]
meters:
  - {{id: pv, measures: solar_generation, unit: kWh}}
  - {{id: el-common, measures: electricity, common: true, unit: kWh}}
{meters}
sharing: [{{from: 2025-01-01, key: proportional, surplus: community}}]
tariffs:
  - from: 2025-01-01
    solar_eur_per_kwh: "0.18"
    feed_in_eur_per_kwh: "0.06"
    grid_eur_per_kwh: "0.32"
    fixed_eur_per_month: "2.50"
    vat_percent: {{electricity: "21", heat: "21"}}
heat: [{{from: 2025-01-01, measured_percent: "65"}}]
costs: [{costs}]
advances: [{advances}]
"""


def community(flats: int) -> str:
    """Describe a building with so many flats, each lived in."""
    numbers = range(1, flats + 1)
    return COMMUNITY.format(
        flats=", ".join(f'{{id: A{n}, floor_area_m2: "{50 + n % 30}"}}' for n in numbers),
        households=", ".join(f"{{id: h-{n}, flat: A{n}, from: 2025-01-01}}" for n in numbers),
        meters="\n".join(
            f"  - {{id: {kind[:2]}-{n}, measures: {kind}, flat: A{n}, unit: kWh}}"
            for n in numbers
            for kind in (("electricity", "heat") if flats <= WITH_HEAT_METERS else ("electricity",))
        ),
        costs=", ".join(
            f'{{date: 2025-{m:02d}-15, pool: heat, eur: "{40 * flats}.00", invoice: H-{m}}}' for m in range(1, 13)
        ),
        advances=", ".join(f'{{household: h-{n}, from: 2025-01-01, eur_per_month: "60.00"}}' for n in numbers),
    )


def fill(connection: Connection, months: int) -> int:
    """Make the quarter-hours of every meter, in the order in which the worker writes them."""
    start, _ = FIRST.bounds(parse(community(1)).community.zone)
    _, end = FIRST.shift(months - 1).bounds(parse(community(1)).community.zone)
    connection.execute("ALTER TABLE quarter DROP CONSTRAINT quarter_pkey")
    made = connection.execute(
        "INSERT INTO quarter (community, meter, start, energy, quality)"
        " SELECT 'big', m.meter, t, CASE m.measures"
        " WHEN 'solar_generation' THEN greatest(0, (sin((extract(hour FROM t) - 6) / 12 * pi()) * 400000)::bigint)"
        "  * (SELECT count(*) FROM meter WHERE community = 'big') / 2"
        " ELSE 20000 + (hashint8(extract(epoch FROM t)::bigint # hashtext(m.meter)) & 131071) END, 'measured'"
        " FROM meter m, generate_series(%s::timestamptz, %s::timestamptz - interval '15 min', '15 min') t"
        " WHERE m.community = 'big' ORDER BY date_trunc('month', t), m.meter, t",
        (start, end),
    ).rowcount
    connection.execute("ALTER TABLE quarter ADD PRIMARY KEY (community, meter, start)")
    connection.execute("ANALYZE quarter")
    connection.execute("CHECKPOINT")
    return made


def digest(settled: Settled) -> bytes:
    """Return the statement's bytes and the ledger's."""
    postings = [(one.transaction, one.account, one.cents, one.what) for one in settled.ledger.postings]
    return dump(document(settled, "")) + json.dumps(postings).encode()


def settle(url: str, months: int) -> None:
    """Settle so many months, write and hash all that comes out, and print how long it took and the memory it had."""
    with connect(url) as connection:
        house = config.load(connection, "big").community
        hashed = hashlib.sha256()
        written, begun = 0.0, time.perf_counter()
        for one in settle_stored(connection, house, [FIRST.shift(n) for n in range(months)]):
            settled = time.perf_counter()
            hashed.update(digest(one))
            written += time.perf_counter() - settled
        seconds = time.perf_counter() - begun
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"ledger": seconds - written, "seconds": seconds, "memory": memory, "sha256": hashed.hexdigest()}
    print(json.dumps(found))


def measure(flats: int, months: int, *, runs: int = 1) -> list[dict[str, float | str]]:
    """Settle on a fresh server, each run in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        with embedded(folder) as server:
            migrate(server.url)
            with connect(server.url, autocommit=True) as connection:
                config.apply(connection, parse(community(flats)), utc_now(), "benchmark")
                fill(connection, months)
            command = [sys.executable, "-m", "tests.benchmark.bench_year", "settle", server.url, str(months)]
            found = []
            for _ in range(runs):
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                found.append(json.loads(done.stdout))
    return found


def main(chosen: list[str]) -> None:
    """Measure the sizes that were asked for, or all of them."""
    wanted = [tuple(map(int, size.split("x"))) for size in chosen] or SIZES
    for flats, months in wanted:
        runs = measure(flats, months, runs=2)
        print(f"settle_{flats}_flats_{months}_months {min(float(run['ledger']) for run in runs):.2f} s")
        print(f"settle_{flats}_flats_{months}_months_written {min(float(run['seconds']) for run in runs):.2f} s")
        print(f"settle_{flats}_flats_{months}_months_memory {max(float(run['memory']) for run in runs):.0f} MB")
        print(f"settle_{flats}_flats_{months}_months_hashes {len({run['sha256'] for run in runs})} hashes")
    if not chosen:
        for flats, months in LINEAR:
            (run,) = measure(flats, months)
            print(f"settle_growth_{flats} {1e6 * float(run['ledger']) / flats:.0f} us/flat")


if __name__ == "__main__":
    if sys.argv[1:2] == ["settle"]:
        settle(sys.argv[2], int(sys.argv[3]))
    else:
        main(sys.argv[1:])
