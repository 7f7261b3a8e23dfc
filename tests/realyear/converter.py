"""From published measurements to the registers of a building; the only place of the real year that knows floats.

What is measured and what is assumed:

==================  ==================================================================================================
electricity         Measured: mean power of 18 homes [W, one decimal], one home per flat. An hour's mean in W is its
                    energy in Wh, so every tenth of a watt-hour of the source stands in the registers.
sun                 Measured: global horizontal irradiance and air temperature of the same hours. Assumed: 30 kWp of
                    panels, half facing south-east and half south-west at 15 degrees, in Brussels. Computed with pvlib:
                    sun position at the middle of the hour, Erbs' split into direct and diffuse light, isotropic sky,
                    Faiman's cell temperature with the measured wind, PVWatts for panels (14 % losses) and inverter.
heat of the flats   Measured: gas of three homes [W]. Flat n has the gas of home n modulo 3. Assumed: the boilers of
                    those homes turned 90 % of the gas into heat, for 120 m2 each; scaled to the flat's floor area.
boiler heat         Flats' heat and, assumed, 1.5 kW lost in pipes all year.
pellets             Assumed: 4.8 kWh/kg burnt at 87 %; counted at 19:00 on the last day of the month (August was
                    forgotten), in whole kilograms.
==================  ==================================================================================================

The sun is rounded to whole watt-hours: pvlib and the machine's mathematics library agree to about 14 digits, so a
different machine would have to come within 1e-9 Wh of a half to show another value. Heat is computed in integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pvlib
from numpy.typing import NDArray

from core.time import Month, from_microseconds, microseconds, rfc3339
from tests.realyear.source import HOUR, Hourly, read

LATITUDE, LONGITUDE, ALTITUDE_M = 50.85, 4.35, 60
ROOFS = ((15_000, 15, 135), (15_000, 15, 225))
"""Peak power [W], tilt and azimuth [degrees] of each half."""
INVERTER_W = 25_000
PANEL_LOSSES = 0.14
GAMMA_PER_K = -0.0037
GAS_TO_HEAT = Fraction(90, 100)
GAS_HOME_M2 = 120
PIPE_LOSS_WH = 1500
KWH_PER_KG = Fraction(48, 10)
BOILER_EFFICIENCY = Fraction(87, 100)

AREAS_M2 = (54, 61, 62, 56, 64, 78, 58, 66, 65, 60, 67, 81, 55, 63, 68, 57, 69, 96)
"""Floor area of flats 01 to 18, assumed; no two alike, so that no two flats have the same heat. [m2]"""
FLATS = tuple(f"{number:02d}" for number in range(1, len(AREAS_M2) + 1))


@dataclass(frozen=True)
class Year:
    """Energy of every meter in every hour of the local year, in tenths of a watt-hour."""

    starts: Sequence[int]
    energy: Mapping[str, Sequence[int]]
    homes: Mapping[str, str]

    def register(self, meter: str) -> list[int]:
        """Register at the start of every hour, and at the end of the year [0.1 Wh]; starts at 1,000 kWh."""
        values = [10_000_000]
        for energy in self.energy[meter]:
            values.append(values[-1] + energy)
        return values


def convert(folder: Path) -> Year:
    """Turn the published measurements into hourly energy of every meter of the building."""
    homes = read(folder / "homes_electricity_2016_hourly_w.csv")
    gas = read(folder / "homes_gas_2016_hourly_w.csv")
    energy: dict[str, Sequence[int]] = {"pv": [10 * wh for wh in sun(read(folder / "weather_belgium_2016_hourly.csv"))]}
    names = dict(zip(FLATS, homes.columns, strict=True))
    for flat, home in names.items():
        energy[f"el-{flat}"] = [int(10 * watts) for watts in homes.columns[home]]
    for number, (flat, area) in enumerate(zip(FLATS, AREAS_M2, strict=True)):
        column = list(gas.columns.values())[number % len(gas.columns)]
        factor = GAS_TO_HEAT * Fraction(area, GAS_HOME_M2)
        energy[f"heat-{flat}"] = [10 * round(Fraction(watts) * factor) for watts in column]
    flats = zip(*(energy[f"heat-{flat}"] for flat in FLATS), strict=True)
    energy["boiler-heat"] = [sum(hour) + 10 * PIPE_LOSS_WH for hour in flats]
    return Year(homes.starts, energy, names)


def sun(weather: Hourly) -> list[int]:
    """Energy of the roof in every hour [Wh]."""
    middles = [from_microseconds(start + HOUR // 2) for start in weather.starts]
    times = pd.DatetimeIndex(middles)
    irradiance, temperature, wind = (
        np.array([float(value) for value in weather.columns[name]])
        for name in ("GlobalHorizontalIrradiance", "temperature", "windSpeed")
    )
    position = pvlib.solarposition.get_solarposition(times, LATITUDE, LONGITUDE, ALTITUDE_M)
    zenith, azimuth = position["apparent_zenith"].to_numpy(), position["azimuth"].to_numpy()
    split = pvlib.irradiance.erbs(irradiance, position["zenith"].to_numpy(), times.day_of_year.to_numpy())
    power: NDArray[np.float64] = np.zeros(len(times))
    for peak, tilt, facing in ROOFS:
        plane = pvlib.irradiance.get_total_irradiance(
            tilt, facing, zenith, azimuth, np.asarray(split["dni"]), irradiance, np.asarray(split["dhi"])
        )["poa_global"]
        cell = pvlib.temperature.faiman(np.asarray(plane), temperature, wind)
        power += pvlib.pvsystem.pvwatts_dc(np.asarray(plane), cell, peak, GAMMA_PER_K) * (1 - PANEL_LOSSES)
    alternating = pvlib.inverter.pvwatts(power, INVERTER_W / 0.96)
    return [max(0, round(float(watts))) for watts in np.nan_to_num(alternating)]


def pellet_counts(
    year: Year, opening_kg: int, deliveries: Sequence[tuple[datetime, int]]
) -> list[tuple[datetime, int]]:
    """Stock on the last evening of every month but August [kg], from the boiler's heat and the deliveries."""
    counts = []
    for number in range(1, 13):
        month = Month(2016, number)
        last = month.end_day - timedelta(days=1)
        offset = 2 if 4 <= number <= 10 else 1  # summer time on the last evening of these months
        at = datetime(last.year, last.month, last.day, 19 - offset, tzinfo=UTC)
        if number == 8:
            continue
        hours = (microseconds(at) - year.starts[0]) // HOUR
        burnt = Fraction(sum(year.energy["boiler-heat"][:hours]), 10_000) / (KWH_PER_KG * BOILER_EFFICIENCY)
        came = sum(kg for time, kg in deliveries if time < at)
        counts.append((at, round(opening_kg + came - burnt)))
    return counts


def readings_csv(year: Year, first: int, last: int, *, whole: Sequence[str] = ("boiler-heat",)) -> str:
    """Registers of the boundaries ``first`` to ``last`` (hours since the year began) as a readings file.

    Parameters
    ----------
    year
        The building.
    first, last
        Both included; clipped to the year.
    whole
        Meters whose whole year is written: the boiler's heat values pellets back to the last count.
    """
    rows = ["time,meter,value"]
    instants = [rfc3339(from_microseconds(time)) for time in [*year.starts, year.starts[-1] + HOUR]]
    for meter in sorted(year.energy):
        begin, end = (0, len(instants)) if meter in whole else (max(0, first), last + 1)
        values = year.register(meter)
        rows += [f"{instants[at]},{meter},{kwh(values[at])}" for at in range(begin, min(end, len(instants)))]
    return "\n".join(rows) + "\n"


def intervals_csv(year: Year, first: int, last: int) -> str:
    """Quantities of the hours ``first`` up to, not including, ``last`` as a readings file."""
    rows = ["start,meter,value"]
    for meter in sorted(year.energy):
        rows += [
            f"{rfc3339(from_microseconds(year.starts[at]))},{meter},{kwh(year.energy[meter][at])}"
            for at in range(first, last)
        ]
    return "\n".join(rows) + "\n"


def kwh(tenths: int) -> str:
    """Print tenths of a watt-hour in kWh."""
    return f"{tenths // 10_000}.{tenths % 10_000:04d}"
