"""What is damaged: real homes, a real heat meter and a real roof, as registers of small communities.

Sources and licences are those of the folder of real data: 18 Belgian homes hour by hour (opengridcc/opengrid), the
district-heat meter of a Danish house hour by hour (ReLIFE), a roof in Colorado every quarter-hour (pvlib/pvanalytics,
NREL). Values are taken as they were published; power is summed up to a register in whole milliwatt-hours.
"""

from __future__ import annotations

import csv
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from core.communityfile import CommunityFile, build
from core.time import Month, microseconds
from settlement.limits import HOUR
from settlement.model import MeterReadings
from tests.realyear.source import read

LOOK_AHEAD = timedelta(days=3)
_LOOK_BACK = {"linear": timedelta(days=3), "shaped": timedelta(days=36)}
MARCH, NOVEMBER = Month(2016, 3), Month(2016, 11)
HOMES = ((0, MARCH), (6, NOVEMBER), (13, NOVEMBER))
"""A home of little use, one of much and one in between; March has a day of 23 hours."""
ROOF_MONTH = Month(2016, 9)
HEAT_MONTH = Month(2019, 1)

WATT_HOUR = Decimal("0.001")
Tree = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """A month of a meter that is going to be damaged, and what its community knows besides.

    ``step`` is the spacing of its readings [microseconds].
    """

    kind: str
    name: str
    tree: Tree
    readings: dict[str, MeterReadings]
    meter: str
    month: Month
    step: int

    def before(self, estimates: str) -> dict[str, MeterReadings]:
        """What is known of every meter; only shapes need more than a day before the month."""
        return {name: _near(one, self, _LOOK_BACK[estimates]) for name, one in self.readings.items()}

    def community(self, estimates: str, **events: Any) -> CommunityFile:
        """Its community file, with what people declared."""
        return build(self.tree | {"estimates": estimates} | events, "the damaged community")


def subjects(folder: Path) -> list[Subject]:
    """Those of the table."""
    return [*homes(folder, HOMES), heat_meter(folder), roof(folder)]


def homes(folder: Path, chosen: Iterable[tuple[int, Month]]) -> Iterator[Subject]:
    """Months of homes, by their place in the file, each with three others as neighbours."""
    source = read(folder / "homes_electricity_2016_hourly_w.csv")
    names = list(source.columns)
    for home, month in chosen:
        numbers = [home, *(other for other in (1, 4, 9) if other != home)]
        ids = {f"el-{number:02d}": names[number] for number in numbers}
        meters = [
            {"id": meter, "measures": "electricity", "flat": meter[3:], "unit": "kWh", "every": "1h"} for meter in ids
        ]
        tree = _tree("Europe/Brussels", "1h", [meter[3:] for meter in ids], meters, ("50.85", "4.35"))
        times = [*source.starts, source.starts[-1] + HOUR]
        registers = {
            meter: _register(times, [int(watts * 1000) for watts in source.columns[name]])
            for meter, name in ids.items()
        }
        meter = next(iter(ids))
        yield Subject("homes", f"{meter} {month}", tree, registers, meter, month, HOUR)


def heat_meter(folder: Path) -> Subject:
    """The Danish heat meter, its register as it was published, to the watt-hour."""
    with (folder / "heat_meter_denmark_2018_2019_hourly.csv").open(encoding="utf-8", newline="") as file:
        rows = {
            row["time_rounded"]: Decimal(row["energy_heat_kwh"]).quantize(WATT_HOUR) for row in csv.DictReader(file)
        }
    times = {microseconds(datetime.fromisoformat(time)): value for time, value in rows.items()}
    register = MeterReadings("register", tuple(sorted(times)), tuple(times[time] for time in sorted(times)))
    meters = [{"id": "heat-1", "measures": "heat", "flat": "1", "unit": "kWh", "every": "1h"}]
    tree = _tree("Europe/Copenhagen", "1h", ["1"], meters, None)
    return Subject("heat meter", f"heat-1 {HEAT_MONTH}", tree, {"heat-1": register}, "heat-1", HEAT_MONTH, HOUR)


def roof(folder: Path) -> Subject:
    """The roof, whose inverter draws a little at night, which a register of generation does not count."""
    with (folder / "pv_serf_east_15min_w.csv").open(encoding="utf-8", newline="") as file:
        rows = {datetime.fromisoformat(row["measured_on"]): row["ac_power"] for row in csv.DictReader(file)}
    times = [microseconds(time) for time in rows]
    step = HOUR // 4
    energy = [max(0, int(Decimal(watts or 0) * 250)) for watts in rows.values()]
    if times != list(range(times[0], times[-1] + 1, step)):
        raise ValueError("the roof was not measured every quarter-hour")
    meters = [{"id": "pv", "measures": "solar_generation", "unit": "kWh"}]
    tree = _tree("America/Phoenix", "15min", ["1"], meters, ("39.74", "-105.18"))
    register = _register([*times, times[-1] + step], energy)
    return Subject("roof", f"pv {ROOF_MONTH}", tree, {"pv": register}, "pv", ROOF_MONTH, step)


def _register(times: list[int], energy: list[int]) -> MeterReadings:
    """Register in kWh from the milliwatt-hours of the intervals between its readings; starts at 1,000 kWh."""
    levels = accumulate(energy, initial=10**9)
    return MeterReadings("register", tuple(times), tuple(Decimal(level).scaleb(-6) for level in levels))


def _near(register: MeterReadings, subject: Subject, look_back: timedelta) -> MeterReadings:
    """A month with what may be needed around it."""
    start, end = subject.month.bounds(ZoneInfo(subject.tree["timezone"]))
    first, last = microseconds(start - look_back), microseconds(end + LOOK_AHEAD)
    kept = slice(bisect_left(register.times, first), bisect_right(register.times, last))
    return MeterReadings("register", register.times[kept], register.values[kept])


def _tree(zone: str, interval: str, flats: list[str], meters: list[Tree], place: tuple[str, str] | None) -> Tree:
    tree: Tree = {
        "community": "damaged",
        "name": "Damaged",
        "timezone": zone,
        "settlement_interval": interval,
        "owner": "owner",
        "flats": [{"id": flat} for flat in flats],
        "households": [{"id": f"h-{flat}", "flat": flat, "from": "2015-01-01"} for flat in flats],
        "meters": meters,
        "sharing": [{"from": "2015-01-01", "key": "proportional"}],
        "tariffs": [{"from": "2015-01-01", "solar_eur_per_kwh": "0.18", "vat_percent": {"electricity": "21"}}],
    }
    if place is not None:
        tree["location"] = {"latitude": place[0], "longitude": place[1], "altitude_m": "0"}
    return tree
