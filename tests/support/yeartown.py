"""A small building over the whole of 2025: three flats, sun and heat, a bill a month, and people who move.

A changes hands on 1 July, B is empty in August, C has one household all year. Meters are read at the ends of months.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.communityfile import build
from core.db import config
from core.db.connection import Connection
from core.db.readings import insert_readings
from core.time import Month
from settlement.final import issue
from tests.support import heathouse

SLUG = "example"
AREAS = {"A": "100", "B": "60", "C": "40"}
MONTHS = [Month(2025, number) for number in range(1, 13)]
START = datetime(2025, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""When the months of 2025 have long been over."""
PER_HOUR = {"pv": 1500, "el-A": 700, "el-B": 300, "el-C": 200, "heat-A": 1000, "heat-B": 2000, "heat-C": 3000}
"""What each meter counts [Wh]."""


def tree(**changes: Any) -> heathouse.Tree:
    """The building with nothing but heat, a fixed amount and advances, as a community file."""
    found = heathouse.tree(AREAS)
    found["households"] = [
        {"id": "h-A", "flat": "A", "from": "2020-01-01", "until": "2025-07-01"},
        {"id": "h-new", "flat": "A", "from": "2025-07-01"},
        {"id": "h-B", "flat": "B", "from": "2020-01-01", "until": "2025-08-01"},
        {"id": "h-B2", "flat": "B", "from": "2025-09-01"},
        {"id": "h-C", "flat": "C", "from": "2020-01-01"},
    ]
    for section in ("sharing", "tariffs", "heat"):
        found[section][0]["from"] = "2020-01-01"
    found["tariffs"][0] |= {"fixed_eur_per_month": "3.33", "vat_percent": {"electricity": "21", "heat": "9"}}
    found["costs"] = [
        {"date": str(month.first_day), "pool": "heat", "eur": f"{400 + month.month}.01", "invoice": f"M-{month}"}
        for month in MONTHS
    ]
    found["advances"] = [
        {"household": name, "from": "2025-01-01", "eur_per_month": "40.00"} for name in ("h-A", "h-B", "h-C")
    ]
    return deepcopy(found | changes)


def sunny(**changes: Any) -> heathouse.Tree:
    """The same with sun on the roof and electricity meters; its months may become final."""
    found = tree()
    found["name"] = "Flat De Ster"
    found["meters"] += [{"id": "pv", "measures": "solar_generation", "unit": "kWh"}] + [
        {"id": f"el-{flat}", "measures": "electricity", "flat": flat, "unit": "kWh"} for flat in AREAS
    ]
    found["tariffs"][0] |= {"solar_eur_per_kwh": "0.18", "feed_in_eur_per_kwh": "0.06"}
    # Meters that are read once a month say nothing about hours.
    found["final"] = {"estimated_percent_at_most": "100", "balance_residual_percent_at_most": "100"}
    return deepcopy(found | changes)


def fill(connection: Connection, months: Iterable[Month] = MONTHS) -> None:
    """Bring the sunny building and its readings into an empty database."""
    file = build(sunny(), "the case")
    zone = file.community.zone
    edges = sorted({instant for month in months for instant in month.bounds(zone)})
    rows = [
        (meter, at, Decimal(watts * ((at - edges[0]).total_seconds() // 3600)) / 1000)
        for meter, watts in PER_HOUR.items()
        for at in edges
    ]
    with connection.transaction():
        config.apply(connection, file, START, "test")
        insert_readings(connection, SLUG, rows, "test")


def apply(connection: Connection, **changes: Any) -> None:
    """Bring the database in line with a changed file."""
    config.apply(connection, build(sunny(**changes), "the case"), LATER, "test")


def finalise(connection: Connection, months: Iterable[Month] = MONTHS) -> None:
    """Make months final, one after the other."""
    for month in months:
        issue.finalise(connection, SLUG, month, LATER, "corporation")
