"""A small community with a boiler, people and a known burn, written straight into a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from core.community import Community
from core.communityfile import parse
from core.db import config
from core.db.connection import Connection
from core.db.readings import insert_readings

SLUG = "de-ster"
OPENED = datetime(2026, 1, 1, tzinfo=UTC)
KG_AS_MWH = 4_080_000
"""Heat from one kilogram at 4.8 kWh/kg and 85 percent [mWh]."""

COMMUNITY = """
community: de-ster
name: Flat De Ster
timezone: Europe/Amsterdam
language: nl
settlement_interval: 1h
owner: owner
flats:
  - {id: A01, floor_area_m2: "62.0"}
  - {id: A02, floor_area_m2: "62.0"}
households:
  - {id: h-001, flat: A01, from: 2025-01-01}
  - {id: h-002, flat: A02, from: 2025-01-01, until: 2026-01-11}
meters:
  - {id: pv, measures: solar_generation, unit: kWh}
  - {id: grid-in, measures: grid_import, unit: kWh}
  - {id: grid-out, measures: grid_export, unit: kWh}
  - {id: el-A01, measures: electricity, flat: A01, unit: kWh}
  - {id: el-A02, measures: electricity, flat: A02, unit: kWh}
  - {id: boiler-heat, measures: heat_produced, unit: kWh}
  - {id: heat-A01, measures: heat, flat: A01, unit: kWh}
  - {id: heat-A02, measures: heat, flat: A02, unit: kWh}
  - {id: silo, measures: pellet_stock, unit: kg}
sharing: [{from: 2025-01-01, key: proportional}]
tariffs:
  - from: 2025-01-01
    solar_eur_per_kwh: "0.18"
    feed_in_eur_per_kwh: "0.06"
    grid_eur_per_kwh: "0.32"
    vat_percent: {electricity: "21", heat: "21"}
heat: [{from: 2025-01-01, measured_percent: "65", fixed_by: floor_area}]
pellets:
  kwh_per_kg: "4.8"
  ash_percent: "0.5"
  silo_kg: "6000"
  efficiency_percent: "85"
  opening: {at: 2026-01-01T00:00:00Z, kg: "4000", eur: "1200.00"}
advances: [{household: h-001, from: 2025-01-01, eur_per_month: "85.00"}]
tasks:
"""

HOPPER = '  - {id: refill, bag_kg: "15", hopper_kg: "300", warn_days: "3"}\n'
NO_HOPPER = '  - {id: refill, bag_kg: "15", warn_days: "3"}\n'
ASH = '  - {id: ash, drawer_kg: "5"}\n'


def make(connection: Connection, tasks: str = HOPPER, extra: str = "") -> Community:
    """Apply the community with the given tasks; ``extra`` goes below the pellets' opening."""
    text = COMMUNITY.replace("advances:", f"{extra}advances:") + tasks
    config.apply(connection, parse(text), OPENED, "test")
    connection.commit()
    return config.load(connection, SLUG).community


def burn(connection: Connection, start: datetime, end: datetime, kg_per_day: float) -> None:
    """Write hourly heat of so many kilograms a day between two whole hours."""
    hours = int((end - start) / timedelta(hours=1))
    energy = round(kg_per_day / 24 * KG_AS_MWH)
    rows = [(SLUG, "boiler-heat", start + timedelta(hours=hour), energy) for hour in range(hours)]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO quarter (community, meter, start, energy, quality) VALUES (%s, %s, %s, %s, 'measured')", rows
        )
    connection.commit()


def person(connection: Connection, name: str, email: str | None, roles: list[str], **more: Any) -> None:
    """Add somebody; ``more`` may give a language and a household."""
    connection.execute(
        "INSERT INTO person (community, id, name, email, language, household, roles)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (SLUG, name, f"a {name}", email, more.get("language", "nl"), more.get("household"), roles),
    )
    connection.commit()


def level(connection: Connection, at: datetime, kg: int) -> None:
    """Write what the silo's sensor says."""
    connection.execute(
        "INSERT INTO reading (community, meter, time, value) VALUES (%s, 'silo', %s, %s)", (SLUG, at, Decimal(kg))
    )
    connection.commit()


def register_month(connection: Connection, start: datetime, end: datetime) -> None:
    """Write six-hourly readings of every counter, rising steadily, by the one way in."""
    per_day = {
        "pv": 20,
        "grid-in": 0,
        "grid-out": 8,
        "el-A01": 7,
        "el-A02": 5,
        "boiler-heat": 102,
        "heat-A01": 48,
        "heat-A02": 36,
    }
    quarters = int((end - start) / timedelta(hours=6)) + 1
    rows = [
        (meter, start + timedelta(hours=6 * step), Decimal(step * daily) / 4)
        for meter, daily in per_day.items()
        for step in range(quarters)
    ]
    with connection.transaction():
        insert_readings(connection, SLUG, rows, "test")
