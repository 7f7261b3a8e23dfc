"""A community to watch over: flats with meters, and rows written straight into a database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from core.community import Community
from core.communityfile import build, parse
from core.db import config
from core.db.connection import Connection
from core.db.readings import insert_readings
from settlement.watch import store
from settlement.watch.store import Finding

NOW = datetime(2026, 5, 13, 12, 0, tzinfo=UTC)

_COMMUNITY = """
community: {slug}
name: Flat De Ster
timezone: Europe/Amsterdam
language: en
location: {{latitude: "52.1", longitude: "5.1"}}
owner: owner
flats: [{{id: A01}}, {{id: A02}}, {{id: A03}}]
households: []
meters:
  - {{id: pv, measures: solar_generation, unit: kWh{pv}}}
  - {{id: el-A01, measures: electricity, flat: A01, unit: kWh}}
  - {{id: el-A02, measures: electricity, flat: A02, unit: kWh}}
  - {{id: el-A03, measures: electricity, flat: A03, unit: kWh}}
  - {{id: silo, measures: pellet_stock, unit: kg}}
{extra}devices:
  - {{id: roof, {roof}, feeds: {{pv_energy: pv}}}}
  - {{id: p1-A01, profile: dsmr_reader.p1, link: "mqtt:flats/A01", feeds: {{electric_energy_import: el-A01}}}}
  - {{id: p1-A02, profile: dsmr_reader.p1, link: "mqtt:flats/A02", feeds: {{electric_energy_import: el-A02}}}}
  - {{id: p1-A03, profile: dsmr_reader.p1, link: "mqtt:flats/A03", feeds: {{electric_energy_import: el-A03}}}}
  - {{id: level, profile: esphome.sensor_kg, link: "mqtt:silo/sensor/pellets", feeds: {{fuel_stock: silo}}}}
sharing: [{{from: 2026-01-01, key: proportional}}]
tariffs: [{{from: 2026-01-01, solar_eur_per_kwh: "0", vat_percent: {{electricity: "0"}}}}]
"""


def town(*swaps: dict[str, str], **meter: Any) -> Community:
    """Describe a community of one meter; ``swaps`` are its replacements, ``meter`` what differs from a flat's."""
    described = {"id": "m", "measures": "electricity", "flat": "A", "unit": "kWh"} | meter
    if described["measures"] not in ("electricity", "heat", "hot_water"):
        del described["flat"]
    return build(
        {
            "community": "c",
            "name": "C",
            "timezone": "Europe/Amsterdam",
            "owner": "owner",
            "flats": [{"id": "A"}],
            "households": [],
            "meters": [described],
            "replacements": list(swaps),
            "sharing": [{"from": "2026-01-01", "key": "proportional"}],
            "tariffs": [{"from": "2026-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "0"}}],
        },
        "the case",
    ).community


_ROOF = 'profile: sunspec.inverter, link: "modbus-tcp://127.0.0.1:1/1"'


def parsed(slug: str = "de-ster", *, extra: str = "", roof: str = _ROOF, pv: str = "") -> Community:
    """Return the community; ``roof`` describes its inverter, ``pv`` adds to the sun's meter, ``extra`` sections."""
    return parse(_COMMUNITY.format(slug=slug, extra=extra, roof=roof, pv=pv)).community


def make(connection: Connection, slug: str = "de-ster", *, extra: str = "") -> Community:
    """Apply the community; ``extra`` goes between meters and devices, like ``replacements: [...]``."""
    file = parse(_COMMUNITY.format(slug=slug, extra=extra, roof=_ROOF, pv=""))
    config.apply(connection, file, NOW - timedelta(days=40), "test")
    connection.commit()
    return config.load(connection, slug).community


def insert(connection: Connection, slug: str, rows: Iterable[tuple[str, datetime, Decimal]]) -> None:
    """Write readings by the one way in."""
    with connection.transaction():
        insert_readings(connection, slug, rows, "test")


def serial(connection: Connection, slug: str, device: str, at: datetime, text: str) -> None:
    """Write a serial number as the collector does."""
    connection.execute(
        "INSERT INTO measurement (community, device, point, time, quantity, text)"
        " VALUES (%s, %s, 'serial', %s, 'serial_number', %s)",
        (slug, device, at, text),
    )


def open_codes(connection: Connection, slug: str = "de-ster") -> list[tuple[str, str | None]]:
    """Code and subject of every open finding, sorted."""
    return sorted((one.code, one.meter or one.device) for one in store.findings(connection, slug))


def everything(connection: Connection, slug: str = "de-ster") -> list[Finding]:
    """Return every finding, closed ones too."""
    return store.findings(connection, slug, closed_since=datetime(2000, 1, 1, tzinfo=UTC))
