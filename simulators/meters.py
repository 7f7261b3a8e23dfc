"""The meters on the wall: what each counts, and how finely its register shows it.

Resolutions follow the devices: 1 Wh for the SunSpec inverter, 0.001 kWh for Dutch smart meters (each tariff cut off
apart), 1 kWh for the boiler's built-in heat meter, 0.1 or 1 kWh for the flats' heat meters, 1 kg for the silo.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

import numpy as np

from core.time import microseconds
from simulators.building import FLAT_IDS
from simulators.grid import EPOCH, QUARTER, Integers

Kind = Literal["inverter", "boiler", "grid", "p1", "native", "heat", "silo"]

EPOCH_US: Final = microseconds(EPOCH)
QUARTER_US: Final = QUARTER * 10**6


@dataclass(frozen=True)
class Meter:
    """A register on the wall.

    Attributes
    ----------
    id
        The meter's name in the community file.
    kind
        The device behind it.
    measures
        As in the community file.
    decimals
        Digits behind the point of the displayed value [kWh, kg].
    flat
        The flat it serves, if one.
    """

    id: str
    kind: Kind
    measures: str
    decimals: int
    flat: str | None = None

    def text(self, shown: int) -> str:
        """Print a displayed register as the device would, for instance ``4211.085``."""
        return format(Decimal(shown).scaleb(-self.decimals), "f")


def _meters() -> Iterator[Meter]:
    yield Meter("pv", "inverter", "solar_generation", 3)
    yield Meter("grid-in", "grid", "grid_import", 3)
    yield Meter("grid-out", "grid", "grid_export", 3)
    for flat in FLAT_IDS:
        yield Meter(f"el-{flat}", "p1", "electricity", 3, flat)
    yield Meter("el-common", "native", "electricity", 3)
    yield Meter("boiler-heat", "boiler", "heat_produced", 0)
    for flat in FLAT_IDS:
        yield Meter(f"heat-{flat}", "heat", "heat", 0 if flat.startswith("A") else 1, flat)
    yield Meter("silo", "silo", "pellet_stock", 0)


METERS: Final = {meter.id: meter for meter in _meters()}
REGISTERS: Final = tuple(meter for meter in METERS.values() if meter.kind != "silo")
"""Meters that count energy; the silo shows a level."""


@dataclass(frozen=True)
class Counter:
    """A register that counts up, as one or more parts that a device shows apart and cuts off apart.

    Attributes
    ----------
    energy
        What it counts in each quarter-hour since the epoch [mWh].
    parts
        Running totals at the start of each quarter-hour [mWh]; Dutch meters have one for the low and one for the
        normal tariff, other devices a single one.
    steps
        What each part counts in each quarter-hour [mWh].
    resolution
        Smallest step shown [mWh].
    """

    energy: Integers
    parts: tuple[Integers, ...]
    steps: tuple[Integers, ...]
    resolution: int

    def exact(self, instants: Integers) -> list[Integers]:
        """Return each part at the given instants [mWh], linear within a quarter-hour and rounded down.

        Parameters
        ----------
        instants
            Microseconds since 1970-01-01T00:00Z.
        """
        index, within = np.divmod(instants - EPOCH_US, QUARTER_US)
        return [
            part[index] + step[index] * within // QUARTER_US for part, step in zip(self.parts, self.steps, strict=True)
        ]

    def shown(self, instants: Integers) -> list[Integers]:
        """Return what each part shows, in steps of the resolution; never falls as time goes on."""
        return [part // self.resolution for part in self.exact(instants)]

    def total(self, instants: Integers) -> Integers:
        """Return what the register shows in all, in steps of the resolution."""
        parts = self.shown(instants)
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]
