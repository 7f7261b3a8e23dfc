"""How much a meter can count in an hour: what its connection carries."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from core.community import Measures, Meter
from core.units import ENERGY_UNITS, MILLIONTHS

HOUR: Final = 3_600_000_000
"""Microseconds."""
_AT_ONCE: Final = HOUR // 12
"""Meters count in steps and clocks jitter: what the connection carries in five minutes may come at once."""

USUAL_KW: Final[dict[Measures, Decimal]] = {
    "electricity": Decimal("17.25"),  # a flat's connection in the Netherlands: 3 x 25 A at 230 V
    "grid_import": Decimal("172.5"),  # a building's: up to 3 x 250 A
    "grid_export": Decimal("172.5"),
    "solar_generation": Decimal("172.5"),  # what the roof makes goes through the building's connection
    "heat": Decimal(60),  # a flat's heat exchanger for tap water gives some 35 kW, the largest 50
    "hot_water": Decimal(60),
    "heat_produced": Decimal(500),  # pellet boilers of blocks of flats end at some 300 kW; two may stand side by side
}
"""Power that a connection carries where the community file names none as ``max_kw`` [kW]."""
COMMON_KW: Final = Decimal("55.2")
"""The common area has lifts, pumps and charging points: 3 x 80 A, the largest small connection [kW]."""
MOST_WATER: Final = 3 * MILLIONTHS
"""Hot water of a flat in an hour; a tap gives some 0.7 m3 and a wide shower 1.2 [millionths of a m3]."""


def most_per_hour(meter: Meter) -> int | None:
    """Return the most a meter can count in an hour [mWh or millionths], None where nothing is known about it."""
    if meter.max_kw is None or meter.unit not in ENERGY_UNITS:
        return usual_per_hour(meter)
    return int(meter.max_kw * MILLIONTHS)


def usual_per_hour(meter: Meter) -> int | None:
    """Return what meters of a kind can count in an hour [mWh or millionths], whatever is said of this one.

    A statement depends on this and not on `most_per_hour`: ``max_kw`` decides only what the watch doubts.
    """
    if meter.unit == "m3":
        return MOST_WATER
    if meter.unit not in ENERGY_UNITS:
        return None
    return int((COMMON_KW if meter.common else USUAL_KW[meter.measures]) * MILLIONTHS)


def carried(most: int | None, rise: int, time: int) -> bool:
    """Whether a connection carries so much in so long; yes where nothing is known of it.

    Parameters
    ----------
    most
        In an hour [mWh or millionths].
    rise
        What was counted [mWh or millionths].
    time
        [microseconds]
    """
    return most is None or rise * HOUR <= most * max(time, _AT_ONCE)
