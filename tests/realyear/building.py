"""The community file of the eighteen homes: rules, prices, people and documents, all assumed."""

from __future__ import annotations

from datetime import UTC, datetime

from core.time import rfc3339
from tests.realyear.converter import (
    ALTITUDE_M,
    AREAS_M2,
    BOILER_EFFICIENCY,
    FLATS,
    KWH_PER_KG,
    LATITUDE,
    LONGITUDE,
    Year,
    pellet_counts,
)

OPENING_KG = 4000
DELIVERIES = (
    (datetime(2016, 1, 14, 8, tzinfo=UTC), 5000, "1275.00", "P-1"),
    (datetime(2016, 2, 9, 9, 30, tzinfo=UTC), 4000, "1032.00", "P-2"),
    (datetime(2016, 4, 12, 7, tzinfo=UTC), 4000, "968.40", "P-3"),
    (datetime(2016, 9, 20, 7, tzinfo=UTC), 4000, "992.00", "P-4"),
    (datetime(2016, 11, 4, 8, tzinfo=UTC), 5000, "1245.00", "P-5"),
    (datetime(2016, 12, 6, 8, tzinfo=UTC), 5000, "1255.00", "P-6"),
)
"""Instant, kg, EUR and invoice."""

RULES = """\
community: zuiderhof
name: Zuiderhof
timezone: Europe/Brussels
settlement_interval: 1h            # the homes were published hour by hour; finer intervals would be invented
owner: owner
sharing:
  - from: 2016-01-01
    key: proportional
    surplus: owner
    common: never
    weights: {WEIGHTS}             # by floor area; the key does not use them, other keys tried out do
    order: [ORDER]
tariffs:
  - from: 2016-01-01
    solar_eur_per_kwh: "0.1650"
    feed_in_eur_per_kwh: "0.0400"
    grid_eur_per_kwh: "0.2400"
    fixed_eur_per_month: "3.50"
    vat_percent: {electricity: "21", heat: "6"}
    prices_include_vat: true
  - from: 2016-07-15
    solar_eur_per_kwh: "0.1725"
    feed_in_eur_per_kwh: "0.0365"
    grid_eur_per_kwh: "0.2510"
    fixed_eur_per_month: "3.75"
    vat_percent: {electricity: "21", heat: "6"}
    prices_include_vat: true
heat:
  - {from: 2016-01-01, measured_percent: "65", fixed_by: floor_area}
costs:
  - {date: 2016-02-17, pool: heat, eur: "184.50", invoice: M-1, what: chimney sweep}
  - {date: 2016-06-30, pool: common, eur: "96.80", invoice: M-2, what: cleaning of the panels}
  - {date: 2016-10-03, pool: heat, eur: "312.18", invoice: M-3, what: yearly maintenance}
"""

MOVES = {
    "05": (("h-05", "2016-01-01", "2016-04-16"), ("h-19", "2016-05-11", None)),
    "11": (("h-11", "2016-01-01", "2016-09-10"), ("h-20", "2016-09-10", None)),
}
"""Flat 05 is empty from 16 April to 10 May, flat 11 changes hands on 10 September; nobody else moves."""


def community_yaml(year: Year) -> str:
    """Write the community file."""
    weights = ", ".join(f'"{flat}": "{area}"' for flat, area in zip(FLATS, AREAS_M2, strict=True))
    order = ", ".join(f'"{flat}"' for flat in FLATS)
    lines = [RULES.rstrip().replace("WEIGHTS", weights).replace("ORDER", order)]
    lines.append(f'location: {{latitude: "{LATITUDE}", longitude: "{LONGITUDE}", altitude_m: "{ALTITUDE_M}"}}')
    lines.append("flats:")
    lines += [f'  - {{id: "{flat}", floor_area_m2: "{area}"}}' for flat, area in zip(FLATS, AREAS_M2, strict=True)]
    lines.append("households:")
    for flat in FLATS:
        for household, start, until in MOVES.get(flat, ((f"h-{flat}", "2016-01-01", None),)):
            end = f", until: {until}" if until else ""
            lines.append(f'  - {{id: {household}, flat: "{flat}", from: {start}{end}}}')
    lines.append("meters:")
    lines.append("  - {id: pv, measures: solar_generation, unit: kWh}")
    lines.append("  - {id: boiler-heat, measures: heat_produced, unit: kWh}")
    for flat in FLATS:
        lines.append(f'  - {{id: el-{flat}, measures: electricity, flat: "{flat}", unit: kWh}}  # {year.homes[flat]}')
        lines.append(f'  - {{id: heat-{flat}, measures: heat, flat: "{flat}", unit: kWh}}')
    lines.append("advances:")
    lines += [f'  - {{household: h-{flat}, from: 2016-01-01, eur_per_month: "55.00"}}' for flat in FLATS]
    lines += _pellets(year)
    return "\n".join(lines) + "\n"


def _pellets(year: Year) -> list[str]:
    arrived = [(at, kg) for at, kg, _, _ in DELIVERIES]
    lines = ["pellets:", f'  kwh_per_kg: "{float(KWH_PER_KG)}"']
    lines.append(f'  efficiency_percent: "{BOILER_EFFICIENCY * 100}"')
    lines.append('  silo_kg: "9000"')
    lines.append(f'  opening: {{at: "2016-01-01T00:00:00+01:00", kg: "{OPENING_KG}", eur: "1040.00"}}')
    lines.append("  deliveries:")
    lines += [
        f'    - {{at: "{rfc3339(at)}", kg: "{kg}", eur: "{eur}", invoice: {invoice}}}'
        for at, kg, eur, invoice in DELIVERIES
    ]
    lines.append("  counts:")
    lines += [f'    - {{at: "{rfc3339(at)}", kg: "{kg}"}}' for at, kg in pellet_counts(year, OPENING_KG, arrived)]
    return lines
