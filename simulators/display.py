"""What every meter shows at any instant, as its device would say it: the truth cut off at the resolution."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import numpy as np

from core.errors import BadInput
from core.time import from_microseconds, microseconds
from simulators.cellar import cellar_at
from simulators.faults import Fault, shown
from simulators.grid import Flags, Integers
from simulators.meters import EPOCH_US, METERS, Meter
from simulators.world import world_at

_HOUR_US = 3600 * 10**6


def meter_named(name: str) -> Meter:
    """Return a meter of the building.

    Raises
    ------
    BadInput
        If the building has no such meter.
    """
    if name not in METERS:
        raise BadInput(f"The simulated building has no meter '{name}'.")
    return METERS[name]


def display(seed: int, meter: Meter, instants: Integers, faults: Iterable[Fault] = ()) -> tuple[Flags, list[Integers]]:
    """Return what a meter shows.

    Parameters
    ----------
    seed
        Which building.
    meter
        Which meter.
    instants
        When, in rising order [microseconds since 1970-01-01T00:00Z].
    faults
        What is wrong with meters, from `simulators.faults.plan`.

    Returns
    -------
    speaks
        Whether the meter says anything at each instant.
    parts
        What it shows, in steps of its resolution: one array, or low and normal tariff of a Dutch smart meter.
        Without faults a register never falls; the silo's level goes both ways and changes on the hour.
    """
    last = from_microseconds(int(instants[-1]))
    if meter.kind == "silo":
        parts = [cellar_at(seed, last).level_kg((instants - EPOCH_US) // _HOUR_US)]
    else:
        parts = world_at(seed, last).counters[meter.id].shown(instants)
    return shown(seed, meter.id, instants, parts, faults)


def parts_at(seed: int, meter: Meter, instant: datetime, faults: Iterable[Fault] = ()) -> list[int] | None:
    """Return what a meter shows at one instant, in steps of its resolution; None while it is silent."""
    speaks, parts = display(seed, meter, np.array([microseconds(instant)], dtype=np.int64), faults)
    return [int(part[0]) for part in parts] if speaks[0] else None


def value_at(seed: int, meter: Meter, instant: datetime) -> Decimal:
    """Return a meter's true reading at one instant [kWh, kg], with the digits the device shows."""
    _, parts = display(seed, meter, np.array([microseconds(instant)], dtype=np.int64))
    return Decimal(meter.text(sum(int(part[0]) for part in parts)))
