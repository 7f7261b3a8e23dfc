"""The building's physics put together: energies per quarter-hour, and every register at any instant.

Conservation, exact in whole milliwatt-hours per quarter-hour: grid import - grid export = consumption of flats and
common - sun; heat produced = heat of the flats + loss of the pipes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

import numpy as np

from core.errors import BadInput
from core.time import microseconds
from simulators import boiler, residents
from simulators.building import FLAT_IDS
from simulators.chance import stream
from simulators.grid import EPOCH, Flags, Grid, Integers, grid
from simulators.meters import EPOCH_US, QUARTER_US, REGISTERS, Counter, Meter
from simulators.sun import solar_energy
from simulators.weather import Weather, weather

_LARGEST_MWH: Final = 2**62 // QUARTER_US


@dataclass(frozen=True)
class YearEnergies:
    """What happened in each quarter-hour of a year [mWh], pellets [mg]; flats have a column each."""

    solar: Integers
    flats: Integers
    common: Integers
    heat: Integers
    produced: Integers
    burnt: Integers
    low_tariff: Flags
    temperature: Integers


@lru_cache(maxsize=16)
def year_weather(seed: int, year: int) -> tuple[Grid, Weather]:
    """Return the quarter-hours of a year and their weather."""
    quarters = grid(year)
    return quarters, weather(seed, quarters)


@lru_cache(maxsize=16)
def year_energies(seed: int, year: int) -> YearEnergies:
    """Compute one year; years do not depend on each other."""
    quarters, sky = year_weather(seed, year)
    heat = residents.heat(seed, quarters, sky)
    produced = boiler.produced(sky, heat)
    return YearEnergies(
        solar=solar_energy(quarters, sky),
        flats=residents.electricity(seed, quarters),
        common=residents.common_electricity(seed, quarters),
        heat=heat,
        produced=produced,
        burnt=boiler.burnt(produced),
        low_tariff=quarters.low_tariff,
        temperature=np.rint(sky.temperature * 10).astype(np.int64),
    )


class World:
    """Everything that is true of one seed's building from the epoch to the end of a year.

    Parameters
    ----------
    seed
        Which building.
    last_year
        The last UTC year to know. More years never change earlier ones.
    """

    def __init__(self, seed: int, last_year: int) -> None:
        self.seed = seed
        years = [year_energies(seed, year) for year in range(EPOCH.year, last_year + 1)]
        self.solar = np.concatenate([year.solar for year in years])
        self.flats = np.concatenate([year.flats for year in years])
        self.common = np.concatenate([year.common for year in years])
        self.heat = np.concatenate([year.heat for year in years])
        self.produced = np.concatenate([year.produced for year in years])
        self.burnt = np.concatenate([year.burnt for year in years])
        self.temperature = np.concatenate([year.temperature for year in years])
        """Outdoor temperature in each quarter-hour [0.1 C]."""
        self.low_tariff = np.concatenate([year.low_tariff for year in years])
        self.burnt_before = _running(self.burnt, 0)
        """Pellets burnt since the epoch at the start of each quarter-hour [mg]."""
        net = self.flats.sum(axis=1) + self.common - self.solar
        if int(max(self.produced.max(), abs(net).max())) > _LARGEST_MWH:
            raise AssertionError("a quarter-hour's energy is too large for exact interpolation")
        self._energies = {
            "solar_generation": self.solar,
            "grid_import": np.maximum(net, 0),
            "grid_export": np.maximum(-net, 0),
            "heat_produced": self.produced,
        }
        self.counters = {meter.id: self._counter(meter) for meter in REGISTERS}

    def index(self, instant: datetime) -> int:
        """Return the quarter-hour an instant lies in, counted from the epoch."""
        return (microseconds(instant) - EPOCH_US) // QUARTER_US

    def energy_of(self, meter: Meter) -> Integers:
        """Return what a meter counts in each quarter-hour since the epoch [mWh]."""
        if meter.flat is not None:
            table = self.heat if meter.measures == "heat" else self.flats
            column: Integers = table[:, FLAT_IDS.index(meter.flat)]
            return column
        building: Integers = self._energies.get(meter.measures, self.common)
        return building

    def _counter(self, meter: Meter) -> Counter:
        energy = self.energy_of(meter)
        resolution = 10 ** (6 - meter.decimals)
        if meter.kind in ("p1", "grid"):
            steps: tuple[Integers, ...] = (np.where(self.low_tariff, energy, 0), np.where(self.low_tariff, 0, energy))
        else:
            steps = (energy,)
        parts = tuple(_running(step, self._start(meter, part)) for part, step in enumerate(steps))
        return Counter(energy, parts, steps, resolution)

    def _start(self, meter: Meter, part: int) -> int:
        """Return what the register showed at the epoch: it had been on the wall for some years [mWh]."""
        years = {"inverter": 3, "grid": 2, "p1": 2, "native": 1, "heat": 2, "boiler": 3}[meter.kind]
        typical = {"inverter": 16e9, "grid": 9e9, "p1": 1.1e9, "native": 3e9, "heat": 5e9, "boiler": 80e9}
        chance = stream(self.seed, "start", meter.id, part)
        return int(years * typical[meter.kind] * chance.uniform(0.6, 1.4))


def world_at(seed: int, instant: datetime) -> World:
    """Return the world that knows an instant; kept between calls.

    Raises
    ------
    BadInput
        If the instant lies before the building began.
    """
    if instant < EPOCH:
        raise BadInput(f"The simulated building begins on {EPOCH:%Y-%m-%d}; {instant} lies before that.")
    return _world(seed, instant.year)


@lru_cache(maxsize=4)
def _world(seed: int, last_year: int) -> World:
    return World(seed, last_year)


def _running(steps: Integers, start: int) -> Integers:
    totals = np.empty(len(steps) + 1, dtype=np.int64)
    totals[0] = start
    np.cumsum(steps, out=totals[1:])
    totals[1:] += start
    return totals
