"""Kilograms of pellets from the distance a sensor sees between itself and their surface."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from collector.quantities import EXACT
from collector.refusal import NoValue
from core.community import Silo


def stock_kg(distance_mm: Decimal, silo: Silo) -> Decimal:
    """Volume under a level surface, times the density of loose pellets.

    Parameters
    ----------
    distance_mm
        From the sensor down to the pellets. [mm]
    silo
        Height of the sensor above the deepest point, the sections from there up, and the density.

    Returns
    -------
    Decimal
        [kg], exact but for one rounding, half-even to the gram. Within a section the area grows evenly with height, so
        its volume up to x of its height h is ``bottom * x + (top - bottom) * x**2 / (2 * h)``. A heap has no level
        surface: after a delivery this is off.

    Raises
    ------
    NoValue
        If the surface would be below the deepest point or above the top of the silo.
    """
    depth = Fraction(silo.sensor_mm) - Fraction(distance_mm)
    if depth < 0:
        raise NoValue("range", f"{distance_mm:f} mm is deeper than the silo, whose floor is at {silo.sensor_mm:f} mm")
    volume = Fraction(0)  # [m2 mm], which times kg/m3 is grams
    for section in silo.sections:
        height, bottom, top = map(Fraction, (section.height_mm, section.bottom_m2, section.top_m2))
        x = min(depth, height)
        depth -= x
        volume += bottom * x + (top - bottom) * x * x / (2 * height)
    if depth > 0:
        raise NoValue("range", f"{distance_mm:f} mm is above the top of the silo; is something in front of the sensor?")
    return Decimal(round(volume * Fraction(silo.kg_per_m3))).scaleb(-3, EXACT)
