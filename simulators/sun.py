"""Sun on the roof, by pvlib: position, clear sky, cloud, two fields of panels, one inverter.

Models: Ineichen clear sky, Kasten and Czeplak for the effect of cloud, Erbs for the diffuse part, Hay and Davies
on the tilted plane, Faiman for the cell temperature, PVWatts for panels and inverter; all as pvlib documents them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pvlib

from simulators.building import ALTITUDE_M, LATITUDE, LONGITUDE
from simulators.chance import Floats
from simulators.grid import QUARTER, Grid, Integers
from simulators.weather import Weather

_INVERTER_W = 15_000.0
_OTHER_LOSSES = 0.13
_PER_KELVIN = -0.0037
_WIND_M_S = 2.5


@dataclass(frozen=True)
class _Field:
    peak_w: float
    tilt: float
    azimuth: float


_FIELDS = (_Field(10_000.0, 32.0, 150.0), _Field(8_000.0, 32.0, 240.0))


def solar_energy(grid: Grid, weather: Weather) -> Integers:
    """Return what the inverter delivers in each quarter-hour [mWh], 0 at night."""
    middle = pd.DatetimeIndex(pd.to_datetime(grid.starts + QUARTER // 2, unit="s", utc=True))
    position = pvlib.solarposition.get_solarposition(middle, LATITUDE, LONGITUDE, altitude=ALTITUDE_M)
    zenith = position["apparent_zenith"].to_numpy()
    azimuth = position["azimuth"].to_numpy()
    up = zenith < 89.0
    day_of_year = middle.day_of_year.to_numpy(dtype=np.int64)
    power = _power(
        day_of_year[up], zenith[up], azimuth[up], weather.cloud[up], weather.temperature[up], grid.season[up]
    )
    energy = np.zeros(len(grid.starts), dtype=np.int64)
    energy[up] = np.rint(power * (QUARTER / 3600 * 1000)).astype(np.int64)
    return energy


def _power(
    day_of_year: Integers,
    zenith: Floats,
    azimuth: Floats,
    cloud: Floats,
    temperature: Floats,
    season: Floats,
) -> Floats:
    turbidity = 3.3 - 0.7 * np.cos(2 * np.pi * season)
    airmass = pvlib.atmosphere.get_relative_airmass(zenith)
    clear = pvlib.clearsky.ineichen(zenith, airmass, turbidity, altitude=ALTITUDE_M)
    total = clear["ghi"] * (1.0 - 0.75 * cloud**3.4)
    split = pvlib.irradiance.erbs(total, zenith, day_of_year)
    beyond = pvlib.irradiance.get_extra_radiation(day_of_year)
    direct_current = np.zeros(len(day_of_year))
    for field in _FIELDS:
        plane = pvlib.irradiance.get_total_irradiance(
            field.tilt,
            field.azimuth,
            zenith,
            azimuth,
            split["dni"],
            total,
            split["dhi"],
            dni_extra=beyond,
            model="haydavies",
        )["poa_global"]
        cell = pvlib.temperature.faiman(plane, temperature, _WIND_M_S)
        direct_current += pvlib.pvsystem.pvwatts_dc(plane, cell, field.peak_w, _PER_KELVIN)
    direct_current *= 1.0 - _OTHER_LOSSES
    delivered: Floats = np.maximum(pvlib.inverter.pvwatts(direct_current, _INVERTER_W / 0.96), 0.0)
    return delivered
