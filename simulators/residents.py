"""What residents use: electricity by the hour of their day, heat by the weather and their habits.

Means follow the flat's habits; noise, cooking, washing and holidays are drawn per quarter-hour or day. A vacant
flat keeps a fridge-less standby and frost protection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.building import FLATS, Flat, vacant
from simulators.chance import Floats, stream
from simulators.grid import QUARTER, Flags, Grid, Integers
from simulators.weather import Weather

_MWH_PER_WATT = QUARTER / 3600 * 1000  # milliwatt-hours in a quarter-hour of one watt
_HOURS = 8766.0
_HEATS_BELOW_C = 15.5
_VACANT_W = 22.0
_WATTS_PER_M2_K = 1.5


@dataclass(frozen=True)
class Habits:
    """How a flat's people live; drawn once per flat.

    Attributes
    ----------
    electricity_wh
        What they use in an ordinary year [Wh].
    base
        Share of it that never stops.
    late
        How much later their day runs than the neighbours' [h].
    home
        How much of a working day somebody is at home, 0 to 1.
    warmth
        Heat use against the average flat of that size.
    hot_water_w
        Mean heat for hot water [W].
    """

    electricity_wh: float
    base: float
    late: float
    home: float
    warmth: float
    hot_water_w: float


def habits(seed: int, flat: Flat) -> Habits:
    """Draw the habits of a flat."""
    chance = stream(seed, "habits", flat.id)
    size = flat.area / 62.0
    return Habits(
        electricity_wh=float(np.clip(2_150_000 * size * chance.lognormal(0, 0.25), 1_250_000, 3_400_000)),
        base=float(chance.uniform(0.22, 0.38)),
        late=float(chance.normal(0.0, 0.9)),
        home=float(chance.uniform(0.0, 1.0)),
        warmth=float(np.clip(chance.lognormal(0, 0.18), 0.72, 1.4)),
        hot_water_w=float(chance.uniform(30, 75) * size),
    )


def electricity(seed: int, grid: Grid) -> Integers:
    """Return what each flat uses in each quarter-hour [mWh], shape (quarter-hours, flats)."""
    columns = [_electricity(seed, grid, flat) for flat in FLATS]
    return np.rint(np.stack(columns, axis=1) * _MWH_PER_WATT).astype(np.int64)


def heat(seed: int, grid: Grid, weather: Weather) -> Integers:
    """Return the heat each flat takes in each quarter-hour [mWh], shape (quarter-hours, flats)."""
    columns = [_heat(seed, grid, weather, flat) for flat in FLATS]
    return np.rint(np.stack(columns, axis=1) * _MWH_PER_WATT).astype(np.int64)


def common_electricity(seed: int, grid: Grid) -> Integers:
    """Return what stairs, lift, pumps and ventilation use in each quarter-hour [mWh]."""
    chance = stream(seed, "common", grid.year)
    winter = 0.5 + 0.5 * np.cos(2 * np.pi * grid.season)
    dark = (grid.hour < 5.5 + 2.5 * winter) | (grid.hour > 22.0 - 5.5 * winter)
    awake = _bump(grid.hour, 13.0, 5.0)
    lift = 260.0 * awake * chance.gamma(1.5, 1 / 1.5, len(grid.starts))
    watts = 120.0 + 140.0 * dark + 110.0 * winter + lift
    return np.rint(watts * _MWH_PER_WATT).astype(np.int64)


def _electricity(seed: int, grid: Grid, flat: Flat) -> Floats:
    person = habits(seed, flat)
    chance = stream(seed, "electricity", flat.id, grid.year)
    count = len(grid.starts)
    hour = grid.hour - person.late
    light = 1.0 + 0.3 * np.cos(2 * np.pi * grid.season)
    morning = np.where(grid.weekend, _bump(hour, 9.3, 1.6), _bump(hour, 7.3, 0.9))
    daytime = np.where(grid.weekend, 0.7, person.home) * _bump(hour, 13.0, 2.6)
    evening = light * _bump(hour, 19.6, 1.9)
    routine = (0.7 * morning + 0.55 * daytime + 1.25 * evening) * chance.gamma(1.4, 1 / 1.4, count)
    cooking = 3.2 * (chance.random(count) < 0.30 * _bump(hour, 18.0, 0.7))
    washing = 2.6 * _runs(chance, grid, per_day=0.32)
    active = routine + cooking + washing
    fridge = 1.0 + 0.25 * np.sin(2 * np.pi * np.arange(count) / 3.4) * chance.uniform(0.6, 1.0)
    shape = person.base * fridge / fridge.mean() + (1 - person.base) * active / active.mean()
    away = grid.of_day(_away(seed, grid, flat).astype(np.float64)) > 0
    shape = np.where(away, person.base * 0.8 * fridge, shape)
    watts = shape * person.electricity_wh / _HOURS
    return np.where(vacant(seed, flat.id, grid.day), _VACANT_W, watts)


def _heat(seed: int, grid: Grid, weather: Weather, flat: Flat) -> Floats:
    person = habits(seed, flat)
    chance = stream(seed, "heat", flat.id, grid.year)
    count = len(grid.starts)
    felt = 0.65 * weather.mean_temperature + 0.35 * weather.temperature
    sun = 1.6 * (1 - weather.cloud) * _bump(grid.hour, 13.0, 3.0)
    missing = np.maximum(_HEATS_BELOW_C - felt - sun, 0.0)
    hour = grid.hour - 0.5 * person.late
    rhythm = 0.72 + 0.75 * _bump(hour, 7.4, 1.5) + 0.65 * _bump(hour, 19.5, 2.8)
    rhythm = np.where((hour < 5.5) | (hour > 23.0), 0.45, rhythm)
    empty = vacant(seed, flat.id, grid.day)
    away = grid.of_day(_away(seed, grid, flat).astype(np.float64)) > 0
    lived_in = np.where(empty, 0.18, np.where(away, 0.35, rhythm * chance.gamma(4.0, 0.25, count)))
    space = person.warmth * _WATTS_PER_M2_K * flat.area * missing * lived_in
    showers = chance.random(count) < 0.55 * (_bump(hour, 7.5, 1.0) + _bump(hour, 20.0, 1.8))
    water = person.hot_water_w * 8.0 * showers * chance.gamma(2.0, 0.5, count)
    return space + np.where(empty | away, 0.0, water)


def _away(seed: int, grid: Grid, flat: Flat) -> Flags:
    """Tell for each local day of the year whether the people are on holiday: two or three stays a year."""
    chance = stream(seed, "away", flat.id, grid.year)
    first, last = grid.days
    result = np.zeros(last - first + 1, dtype=np.bool_)
    for _ in range(int(chance.integers(2, 4))):
        summer = chance.random() < 0.6
        start = int(chance.normal(210, 20)) if summer else int(chance.integers(10, 350))
        result[start : start + int(chance.integers(4, 15))] = True
    return result


def _runs(chance: np.random.Generator, grid: Grid, per_day: float) -> Floats:
    """Machines that run for an hour: 1 while one runs."""
    likely = np.where(grid.weekend, 1.7, 0.75) * _bump(grid.hour, 12.5, 3.5)
    begun = chance.random(len(grid.starts)) < per_day / 96 * likely / likely.mean()
    running = np.convolve(begun.astype(np.float64), np.ones(4))[: len(begun)]
    return np.minimum(running, 1.0)


def _bump(hour: Floats, peak: float, width: float) -> Floats:
    """Return a smooth daily peak of height 1 around an hour of the day, meeting itself at midnight."""
    distance = (hour - peak + 12.0) % 24.0 - 12.0
    result: Floats = np.exp(-0.5 * (distance / width) ** 2)
    return result
