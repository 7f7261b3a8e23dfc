"""Write the synthetic month: ``python -m tests.data.synthetic.generate``.

Integers only, so that every machine writes the same bytes. What happens in January 2026:

- flat A02 is left on 11 January, stands empty for ten days, and has new people from 21 January;
- the electricity meter of A01 passes 99,999 kWh; that of A02 is replaced on 14 January at 10:30;
- the electricity meter of A03 is silent for a day, the heat meter of A03 from 29 January on;
- the heat meter of A02 counts gigajoules; one row stands in the file twice;
- prices change on 16 January, the sharing key on 20 January;
- pellets come on 15 January and are counted on the last evening.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.time import Month, rfc3339
from settlement.replay import replay
from settlement.statement import quarters_csv

FOLDER = Path(__file__).parent
MONTH = Month(2026, 1)
START = datetime(2025, 12, 31, 21, tzinfo=UTC)
END = datetime(2026, 2, 1, 1, tzinfo=UTC)
SWAP = datetime(2026, 1, 14, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)

COMMUNITY = """\
community: linde
name: Linde
timezone: Europe/Amsterdam
settlement_interval: 15min
owner: owner
flats:
  - {id: A01, floor_area_m2: "62.0"}
  - {id: A02, floor_area_m2: "62.0"}
  - {id: A03, floor_area_m2: "78.5"}
households:
  - {id: h-001, flat: A01, from: 2025-01-01}
  - {id: h-002, flat: A02, from: 2025-01-01, until: 2026-01-11}
  - {id: h-003, flat: A02, from: 2026-01-21}
  - {id: h-004, flat: A03, from: 2025-06-15}
meters:
  - {id: pv, measures: solar_generation, unit: kWh, every: 1h}
  - {id: el-A01, measures: electricity, flat: A01, unit: kWh, digits: 5, every: 1h}
  - {id: el-A02, measures: electricity, flat: A02, unit: kWh, every: 1h}
  - {id: el-A03, measures: electricity, flat: A03, unit: Wh, every: 1h}
  - {id: el-common, measures: electricity, common: true, unit: kWh, every: 6h}
  - {id: boiler-heat, measures: heat_produced, unit: MWh, every: 6h}
  - {id: heat-A01, measures: heat, flat: A01, unit: kWh, every: 6h}
  - {id: heat-A02, measures: heat, flat: A02, unit: GJ, every: 6h}
  - {id: heat-A03, measures: heat, flat: A03, unit: kWh, every: 6h}
replacements:
  - {meter: el-A02, at: 2026-01-14T10:30:00+01:00, old_end: "OLD_END", new_start: "0.000"}
sharing:
  - {from: 2025-01-01, key: proportional, surplus: owner, common: first}
  - from: 2026-01-20
    key: hybrid
    weights: {A01: "30", A02: "30", A03: "40"}
    surplus: unused_share
    common: participant
    common_weight: "10"
tariffs:
  - from: 2025-01-01
    solar_eur_per_kwh: "0.18"
    feed_in_eur_per_kwh: "0.06"
    grid_eur_per_kwh: "0.32"
    fixed_eur_per_month: "4.50"
    vat_percent: {electricity: "21", heat: "9"}
  - from: 2026-01-16
    solar_eur_per_kwh: "0.19"
    feed_in_eur_per_kwh: "0.055"
    grid_eur_per_kwh: "0.335"
    fixed_eur_per_month: "4.50"
    vat_percent: {electricity: "21", heat: "9"}
heat:
  - {from: 2025-01-01, measured_percent: "65", fixed_by: floor_area}
pellets:
  kwh_per_kg: "4.8"
  valuation: fifo
  opening: {at: 2026-01-01T00:00:00+01:00, kg: "1000", eur: "300.00"}
  deliveries: [{at: 2026-01-15T09:00:00+01:00, kg: "3000", eur: "1200.00", invoice: P-17}]
  counts: [{at: 2026-01-31T20:00:00+01:00, kg: "2840"}]
costs:
  - {date: 2026-01-20, pool: heat, eur: "150.00", invoice: M-4, what: chimney sweep}
  - {date: 2026-01-22, pool: common, eur: "48.37", invoice: M-5, what: lamps in the stairs}
advances:
  - {household: h-001, from: 2025-01-01, eur_per_month: "85.00"}
  - {household: h-002, from: 2025-01-01, eur_per_month: "90.00"}
  - {household: h-003, from: 2026-01-21, eur_per_month: "75.00"}
"""


def draw(meter: str, hour: int, most: int) -> int:
    """Number from 0 to ``most`` that depends on nothing but the meter and the hour."""
    return int.from_bytes(hashlib.sha256(f"{meter} {hour}".encode()).digest()[:4]) % (most + 1)


def used(meter: str, hour: int) -> int:
    """Energy in the hour that starts so many hours after the first reading [Wh]."""
    time = START + hour * HOUR
    if meter == "pv":
        height = max(0, 5 - abs(time.hour - 11))  # a winter day from 7 to 16 UTC
        return height * height * (60 + draw("cloud", hour // 24, 140)) + draw(meter, hour, 40) * (height > 0)
    if meter.startswith("el-"):
        evening = 600 if 16 <= time.hour <= 20 else 0
        empty = meter == "el-A02" and datetime(2026, 1, 10, 23, tzinfo=UTC) <= time < datetime(
            2026, 1, 20, 23, tzinfo=UTC
        )
        return 12 if empty else 80 + draw(meter, hour, 220 + evening)
    return 900 + draw(meter, hour, 1100)


def registers() -> Iterator[tuple[datetime, str, int]]:
    """Yield every reading before it is put in the unit of its meter [Wh]."""
    meters = {
        "pv": 1,
        "el-A01": 1,
        "el-A02": 1,
        "el-A03": 1,
        "el-common": 6,
        "heat-A01": 6,
        "heat-A02": 6,
        "heat-A03": 6,
    }
    level = dict.fromkeys(meters, 20_000_000) | {"el-A01": 99_900_000, "boiler-heat": 70_000_000}
    for hour in range((END - START) // HOUR + 1):
        time = START + hour * HOUR
        for meter, every in (meters | {"boiler-heat": 6}).items():
            if not time.hour % every or time in (START, END):
                yield time, meter, level[meter]
        heat = 0
        for meter in meters:
            amount = used(meter, hour)
            level[meter] += amount
            heat += amount if meter.startswith("heat-") else 0
        level["boiler-heat"] += heat + 1200


def rows() -> Iterator[str]:
    """Yield the rows of the readings file, with all that happens to meters."""
    swapped = swap_level()
    for time, meter, level in registers():
        instant = rfc3339(time)
        if meter == "el-A01":
            yield f"{instant},{meter},{kilo(level % 100_000_000)}"
        elif meter == "el-A02":
            yield f"{instant},{meter},{kilo(level - swapped if time > SWAP else level)}"
        elif meter == "el-A03":
            if not datetime(2026, 1, 8, 5, tzinfo=UTC) < time < datetime(2026, 1, 9, 5, tzinfo=UTC):
                yield f"{instant},{meter},{level}"
        elif meter == "heat-A02":
            yield f"{instant},{meter},{kilo(level * 36 // 10_000)}"
        elif meter == "heat-A03":
            if time < datetime(2026, 1, 29, tzinfo=UTC):
                yield f"{instant},{meter},{kilo(level)}"
        elif meter == "boiler-heat":
            yield f"{instant},{meter},{level // 1_000_000}.{level % 1_000_000:06d}"
        else:
            yield f"{instant},{meter},{kilo(level)}"


def swap_level() -> int:
    """What the old meter of A02 showed last: half an hour's use after the reading before [Wh]."""
    return next(
        level + used(meter, (time - START) // HOUR) // 2
        for time, meter, level in registers()
        if meter == "el-A02" and SWAP - time < HOUR
    )


def kilo(amount: int) -> str:
    """Print thousandths."""
    return f"{amount // 1000}.{amount % 1000:03d}"


def contents() -> dict[str, str]:
    """Return both files."""
    body = list(rows())
    return {
        "community.yaml": COMMUNITY.replace("OLD_END", kilo(swap_level())),
        "readings.csv": "\n".join(["time,meter,value", *body, body[100]]) + "\n",
    }


def quarters_sha256(text: bytes) -> str:
    """Hash of ``quarters.csv``, which is too long to keep."""
    return hashlib.sha256(text).hexdigest() + "\n"


if __name__ == "__main__":
    for name, text in contents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    settled, document = replay(FOLDER / "community.yaml", FOLDER / "readings.csv", MONTH)
    (FOLDER / "statement.json").write_bytes(document)
    (FOLDER / "quarters.csv.sha256").write_text(quarters_sha256(quarters_csv(settled).encode()), encoding="utf-8")
