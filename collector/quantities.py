"""Units devices count in, and how they become the unit a quantity is reported in."""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction
from typing import Final

from core.units import ENERGY_UNITS
from core.wire import QUANTITY_UNITS

EXACT: Final = Context(prec=1200)
"""Digits enough for any register, also a binary 64-bit float, times any scale: nothing is rounded."""

_RATIOS: Final[dict[str, tuple[str, Fraction]]] = {
    **{unit: ("kWh", factor / ENERGY_UNITS["kWh"]) for unit, factor in ENERGY_UNITS.items()},
    "W": ("W", Fraction(1)),
    "kW": ("W", Fraction(1000)),
    "g": ("kg", Fraction(1, 1000)),
    "kg": ("kg", Fraction(1)),
    "t": ("kg", Fraction(1000)),
    "°C": ("°C", Fraction(1)),
    "l": ("m3", Fraction(1, 1000)),
    "m3": ("m3", Fraction(1)),
    "units": ("units", Fraction(1)),
    "mm": ("mm", Fraction(1)),
    "cm": ("mm", Fraction(10)),
    "m": ("mm", Fraction(1000)),
    "Hz": ("Hz", Fraction(1)),
    "V": ("V", Fraction(1)),
    "A": ("A", Fraction(1)),
    "mA": ("A", Fraction(1, 1000)),
    "m3/h": ("m3/h", Fraction(1)),
    "l/h": ("m3/h", Fraction(1, 1000)),
    "%": ("%", Fraction(1)),
    "s": ("h", Fraction(1, 3600)),
    "min": ("h", Fraction(1, 60)),
    "h": ("h", Fraction(1)),
    "1": ("1", Fraction(1)),
    "": ("", Fraction(1)),
}
"""Reported unit, and how many of it make one of the device's."""

DEVICE_UNITS: Final = frozenset(_RATIOS)
"""Every unit a profile may name."""

_PLACES: Final = 6  # of a number that does not end, like GJ in kWh: milliwatt-hours


def fits(unit: str, quantity: str) -> bool:
    """Whether a device may count a quantity in this unit."""
    return unit in _RATIOS and _RATIOS[unit][0] == QUANTITY_UNITS[quantity]


def reported(value: Decimal, unit: str) -> Decimal:
    """Convert a device's value to the unit its quantity is reported in.

    Returns
    -------
    Decimal
        Exact where the result ends; else (GJ and MJ in kWh, minutes in hours) half-even to six decimals.
    """
    ratio = _RATIOS[unit][1]
    shift = len(str(ratio.numerator)) - len(str(ratio.denominator))
    if ratio == Fraction(10) ** shift:
        return value.scaleb(shift, EXACT)  # moves the point and keeps the digits the device gave
    return _to_places(Fraction(value) * ratio)


def converted(value: Decimal, source: str, target: str) -> Decimal | None:
    """Convert between units of one kind whose ratio is a power of ten; None for any other pair."""
    if source not in _RATIOS or target not in _RATIOS or _RATIOS[source][0] != _RATIOS[target][0]:
        return None
    ratio = _RATIOS[source][1] / _RATIOS[target][1]
    shift = len(str(ratio.numerator)) - len(str(ratio.denominator))
    return value.scaleb(shift, EXACT) if ratio == Fraction(10) ** shift else None


def divided(value: Decimal, divisor: Decimal) -> Decimal:
    """Divide; exact by a power of ten, else half-even to six decimals."""
    sign, digits, exponent = divisor.as_tuple()
    if digits == (1,) and not sign and isinstance(exponent, int):
        return value.scaleb(-exponent, EXACT)
    if divisor == divisor.to_integral_value() and str(abs(int(divisor))).strip("0") == "1" and not sign:
        return value.scaleb(1 - len(str(int(divisor))), EXACT)
    return _to_places(Fraction(value) / Fraction(divisor))


def _to_places(value: Fraction) -> Decimal:
    return Decimal(round(value * 10**_PLACES)).scaleb(-_PLACES, EXACT)
