"""The pellet boiler: heat produced is what the flats take plus what the pipes lose; fuel follows the efficiency."""

from __future__ import annotations

from typing import Final

import numpy as np

from simulators.grid import QUARTER, Integers
from simulators.weather import Weather

KWH_PER_KG: Final = 4.8
NOMINAL_W: Final = 60_000.0

_PIPES_WINTER_W, _PIPES_SUMMER_W = 1_100.0, 380.0


def produced(weather: Weather, flats: Integers) -> Integers:
    """Return the heat leaving the boiler in each quarter-hour [mWh]: the flats' heat plus the pipes' loss.

    Parameters
    ----------
    weather
        The year's weather.
    flats
        Heat taken by the flats, shape (quarter-hours, flats) [mWh].
    """
    season = np.clip((15.0 - weather.mean_temperature) / 12.0, 0.0, 1.0)
    loss_w = _PIPES_SUMMER_W + (_PIPES_WINTER_W - _PIPES_SUMMER_W) * season
    loss = np.rint(loss_w * (QUARTER / 3600 * 1000)).astype(np.int64)
    total: Integers = flats.sum(axis=1) + loss
    return total


def burnt(produced_mwh: Integers) -> Integers:
    """Return the pellets burnt in each quarter-hour [mg]; efficiency rises from 0.80 to 0.88 with the load."""
    load = produced_mwh / (NOMINAL_W * QUARTER / 3600 * 1000)
    efficiency = 0.80 + 0.08 * np.minimum(load / 0.5, 1.0)
    return np.rint(produced_mwh / (KWH_PER_KG * efficiency)).astype(np.int64)
