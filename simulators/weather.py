"""Seeded weather: temperature from season, spells of days and time of day; cloud from spells and hours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.chance import Floats, persistent, stream
from simulators.grid import Grid

_MEAN_C, _SWING_C = 10.3, 7.3  # northern Netherlands: about 3 C in late January, 17.5 C in late July
_COLDEST = 24 / 365
_SPELL_C = 3.3


@dataclass(frozen=True)
class Weather:
    """Weather per quarter-hour.

    Attributes
    ----------
    temperature
        Outdoor air [C].
    mean_temperature
        What the walls of the building have noticed: the mean of the last day or so [C].
    cloud
        Cloud cover, 0 clear to 1 overcast.
    """

    temperature: Floats
    mean_temperature: Floats
    cloud: Floats


def weather(seed: int, grid: Grid) -> Weather:
    """Return the weather of one year."""
    first, last = grid.days
    seasonal = _MEAN_C - _SWING_C * np.cos(2 * np.pi * (grid.season - _COLDEST))
    spells = persistent(seed, "temperature", first - 1, last, 0.82)
    today, yesterday = grid.of_day(spells[1:]), grid.of_day(spells[:-1])
    progress = grid.hour / 24.0
    spell = _SPELL_C * (yesterday + (today - yesterday) * progress)
    cloud = _cloud(seed, grid)
    summer = 0.5 - 0.5 * np.cos(2 * np.pi * grid.season)
    swing = (1.2 + 3.6 * summer) * (1.15 - 0.75 * cloud)
    daily = -swing * np.cos(2 * np.pi * (grid.hour - 3.0) / 24.0)
    return Weather(seasonal + spell + daily, seasonal + spell, cloud)


def _cloud(seed: int, grid: Grid) -> Floats:
    first, last = grid.days
    summer = 0.5 - 0.5 * np.cos(2 * np.pi * grid.season)
    day = grid.of_day(persistent(seed, "cloud", first, last, 0.55))
    hourly = stream(seed, "cloud-hour", grid.year).standard_normal(len(grid.starts) // 4 + 1)
    position = np.arange(len(grid.starts)) / 4.0
    passing = np.interp(position, np.arange(len(hourly)), hourly)
    quick = stream(seed, "cloud-quarter", grid.year).standard_normal(len(grid.starts))
    latent = 1.45 - 0.65 * summer + 1.25 * day + 0.55 * passing + 0.3 * quick
    cover: Floats = 1.0 / (1.0 + np.exp(-latent))
    return cover
