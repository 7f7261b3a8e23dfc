"""A small community with readings, settled months and people, served by a real web server.

Three flats and the days from 1 April to 13 May 2026, 14:15 local time. A01 is one household, A02 changes hands in May
and stands empty in between, A03 is one household. A01's meter was silent for an hour this morning.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
from pydantic import SecretStr

from api.access import new_session
from api.serve import serving
from core.communityfile import parse
from core.db import config
from core.db.connection import connect, pool
from core.db.people import Person, save_person
from core.db.readings import insert_readings
from core.settings import Settings
from core.time import Month
from settlement import derive, run
from settlement.final import issue

SLUG = "de-ster"
NOW = datetime(2026, 5, 13, 12, 20, tzinfo=UTC)
_FIRST = datetime(2026, 3, 31, 21, 0, tzinfo=UTC)
_QUARTER = timedelta(minutes=15)
_SILENT = (datetime(2026, 5, 13, 7, 0, tzinfo=UTC), datetime(2026, 5, 13, 8, 0, tzinfo=UTC))

_LAST_REFILL = {"at": "2026-05-10T09:00:00Z", "bags": "6", "bag_kg": "15"}

COMMUNITY = """
community: de-ster
name: Flat De Ster
timezone: Europe/Amsterdam
owner: owner
flats:
  - {id: A01, floor_area_m2: "62.0"}
  - {id: A02, floor_area_m2: "62.0"}
  - {id: A03, floor_area_m2: "74.0"}
households:
  - {id: h-001, flat: A01, from: 2026-04-01}
  - {id: h-002, flat: A02, from: 2026-04-01, until: 2026-05-05}
  - {id: h-003, flat: A03, from: 2026-04-01}
  - {id: h-004, flat: A02, from: 2026-05-08}
meters:
  - {id: pv, measures: solar_generation, unit: kWh}
  - {id: grid-in, measures: grid_import, unit: kWh}
  - {id: grid-out, measures: grid_export, unit: kWh}
  - {id: boiler-heat, measures: heat_produced, unit: kWh}
  - {id: el-A01, measures: electricity, flat: A01, unit: kWh}
  - {id: el-A02, measures: electricity, flat: A02, unit: kWh}
  - {id: el-A03, measures: electricity, flat: A03, unit: kWh}
  - {id: el-common, measures: electricity, common: true, unit: kWh}
  - {id: heat-A01, measures: heat, flat: A01, unit: kWh}
  - {id: heat-A02, measures: heat, flat: A02, unit: kWh}
  - {id: heat-A03, measures: heat, flat: A03, unit: kWh}
  - {id: silo, measures: pellet_stock, unit: kg}
devices:
  - {id: p1-A01, profile: dsmr_reader.p1, link: "mqtt:flats/A01", feeds: {electric_energy_import: el-A01}}
  - {id: silo, profile: esphome.sensor_kg, link: "mqtt:silo/sensor/pellets", feeds: {fuel_stock: silo}}
sharing:
  - {from: 2026-04-01, key: proportional, surplus: owner, common: first}
tariffs:
  - from: 2026-04-01
    solar_eur_per_kwh: "0.18"
    feed_in_eur_per_kwh: "0.06"
    grid_eur_per_kwh: "0.32"
    fixed_eur_per_month: "4.50"
    vat_percent: {electricity: "21", heat: "21"}
heat:
  - {from: 2026-04-01, measured_percent: "65", fixed_by: floor_area}
pellets:
  kwh_per_kg: "4.8"
  silo_kg: "6000"
  opening: {at: 2026-04-01T00:00:00+02:00, kg: "1900", eur: "570.00"}
  deliveries: [{at: 2026-04-20T09:00:00+02:00, kg: "1500", eur: "465.00", invoice: P-17}]
costs: [{date: 2026-04-12, pool: heat, eur: "60.00", invoice: M-4, what: chimney sweep}]
advances:
  - {household: h-001, from: 2026-04-01, eur_per_month: "120.00"}
  - {household: h-002, from: 2026-04-01, eur_per_month: "300.00"}
  - {household: h-003, from: 2026-04-01, eur_per_month: "70.00"}
  - {household: h-004, from: 2026-05-08, eur_per_month: "60.00"}
tasks:
  - {id: refill, bag_kg: "15", hopper_kg: "300", warn_days: "3"}
  - {id: ash, drawer_kg: "5"}
"""

PEOPLE = {
    "resident": ("bewoner A01", "nl", "h-001", ["resident"]),
    "neighbour": ("bewoner A03", "nl", "h-003", ["resident"]),
    "former": ("vorige bewoner A02", "nl", "h-002", ["resident"]),
    "newcomer": ("nieuwe bewoner A02", "en", "h-004", ["resident"]),
    "volunteer": ("vrijwilliger", "nl", None, ["volunteer"]),
    "helper": ("tweede vrijwilliger", "nl", None, ["volunteer"]),
    "corporation": ("corporatie", "nl", None, ["corporation"]),
    "operator": ("beheerder", "en", None, ["operator"]),
}
"""Who there is: name, language, household, roles; the keys are their ids."""


def seed(url: str) -> None:
    """Fill a fresh database through the ways the product itself uses; tests clone the result (`house_name`)."""
    with connect(url) as connection, connection.transaction():
        config.apply(connection, parse(COMMUNITY), _FIRST, "test")
        insert_readings(connection, SLUG, _readings(), "test")
        for person, (name, language, household, roles) in PEOPLE.items():
            save_person(connection, SLUG, Person(person, name, roles, household, None, language))
        config.add_event(connection, SLUG, "bags", "task 0", dict(_LAST_REFILL), NOW, "volunteer")
    with connect(url) as connection:
        derive.update(connection, SLUG, NOW)
        for month in ("2026-04", "2026-05"):
            run.settle(connection, SLUG, Month.parse(month), NOW)


def seal(url: str) -> None:
    """Make April final, and correct it by an invoice that came late."""
    april = Month.parse("2026-04")
    with connect(url) as connection:
        issue.finalise(connection, SLUG, april, NOW, "corporation")
        body = {"date": "2026-04-15", "pool": "heat", "eur": "30.00", "invoice": "M-9", "what": "soot"}
        config.add_event(connection, SLUG, "cost", "heat M-9", body, NOW, "test")
        issue.correct(connection, SLUG, april, NOW, "corporation")


@contextmanager
def sealed(url: str) -> Iterator[str]:
    """Serve a seeded database whose April is made final and not corrected."""
    with connect(url) as connection:
        issue.finalise(connection, SLUG, Month.parse("2026-04"), NOW, "corporation")
    with served(url) as address:
        yield address


def open_task(url: str, kind: str = "refill") -> int:
    """Open a task a day before now, and return its number."""
    with connect(url) as connection:
        opened = NOW - timedelta(days=1)
        row = connection.execute(
            "INSERT INTO task (community, kind, opened_at, due_at, state) VALUES (%s, %s, %s, %s, 'open') RETURNING id",
            (SLUG, kind, opened, NOW + timedelta(days=2)),
        ).fetchone()
        assert row is not None
        connection.execute(
            "INSERT INTO task_log (community, task, at, what) VALUES (%s, %s, %s, 'opened')", (SLUG, row[0], opened)
        )
        return int(row[0])


SETTINGS = Settings(listen="127.0.0.1:0", mqtt_url=SecretStr("mqtt://127.0.0.1:9"))
"""A free port, and a broker that is not there."""


@contextmanager
def served(url: str, settings: Settings = SETTINGS, now: datetime = NOW) -> Iterator[str]:
    """Serve the database's community on a free port; gives the address."""
    with pool(url) as connections, serving(connections, settings, SLUG, lambda: now) as address:
        yield address


def session(url: str, person: str) -> str:
    """Open a session for a person and return its token."""
    with connect(url) as connection:
        return new_session(connection, SLUG, person, NOW)


def client(address: str, url: str, person: str | None) -> httpx.Client:
    """Return a client that is signed in as a person, or as nobody."""
    headers = {"Authorization": f"Bearer {session(url, person)}"} if person else {}
    return httpx.Client(base_url=address, headers=headers, timeout=20)


def _readings() -> Iterator[tuple[str, datetime, Decimal]]:
    """Yield registers that follow the sun and the clock; what the building takes and gives adds up."""
    totals = dict.fromkeys(("pv", "grid-in", "grid-out", "boiler-heat", "el-common"), 0)
    totals |= dict.fromkeys((f"{kind}-{flat}" for kind in ("el", "heat") for flat in ("A01", "A02", "A03")), 0)
    time = _FIRST
    while time <= NOW:
        for meter, watt_hours in totals.items():
            if not (meter == "el-A01" and _SILENT[0] < time < _SILENT[1]):
                yield meter, time, Decimal(watt_hours + 1_000_000) / 1000
        if time.minute == 0:
            yield "silo", time, Decimal(2500)
        for meter, watt_hours in _quarter(time).items():
            totals[meter] += watt_hours
        time += _QUARTER


def _quarter(time: datetime) -> dict[str, int]:
    """Energy of the quarter-hour that starts at a time [Wh]."""
    hour = time.hour + time.minute / 60
    clouds = 0.55 + 0.45 * math.sin(time.toordinal() * 1.7)
    sun = max(0.0, math.sin((hour - 4.5) / 15 * math.pi)) * clouds if 4.5 < hour < 19.5 else 0.0
    cold = 1 + 0.4 * math.sin(time.toordinal() * 0.9)
    evening = math.exp(-(((hour - 17) / 2.2) ** 2))
    morning = math.exp(-(((hour - 6) / 1.5) ** 2))
    used = {
        "el-A01": round(40 + 130 * evening + 90 * morning + 35 * sun),
        "el-A02": round(30 + 150 * evening),
        "el-A03": round(55 + 90 * evening + 160 * morning),
        "el-common": 25,
    }
    heat = {
        "heat-A01": round(1200 * cold * (morning + 0.8 * evening)),
        "heat-A02": round(950 * cold * evening),
        "heat-A03": round(1700 * cold * morning),
    }
    made = round(900 * sun)
    balance = made - sum(used.values())
    return {
        **used,
        **heat,
        "pv": made,
        "grid-in": max(0, -balance),
        "grid-out": max(0, balance),
        "boiler-heat": round(1.15 * sum(heat.values())) + 20,
    }
