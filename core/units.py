"""Exact conversion between the units of meters and the integers of the core.

Inside the core a quantity is an ``int`` of a millionth of its printed unit: energy in milliwatt-hours
(printed in kWh with six decimals), allocator units in millionths of a unit, volume in millionths of a cubic
metre, mass in milligrams (printed in kg). One scale for all keeps one rule for all.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

MILLIONTHS: Final = 10**6
"""Core integers per printed unit (kWh, unit, m3, kg)."""

ENERGY_UNITS: Final[dict[str, Fraction]] = {
    "Wh": Fraction(10**3),
    "kWh": Fraction(10**6),
    "MWh": Fraction(10**9),
    "MJ": Fraction(10**7, 36),
    "GJ": Fraction(10**10, 36),
}
"""Milliwatt-hours in one of each energy unit [mWh]. 1 kWh = 3.6 MJ exactly; 1 GJ does not terminate."""

OTHER_UNITS: Final[dict[str, Fraction]] = {
    "m3": Fraction(MILLIONTHS),
    "kg": Fraction(MILLIONTHS),
    "units": Fraction(MILLIONTHS),
}

UNITS: Final = ENERGY_UNITS | OTHER_UNITS


def to_core(value: Decimal, unit: str) -> int:
    """Convert a register reading once to the core's integer, half-even.

    Parameters
    ----------
    value
        A register reading or quantity, in ``unit``.
    unit
        One of ``UNITS``.

    Returns
    -------
    int
        Milliwatt-hours for energy units, else millionths of the unit. Exact for decimal units, half-even for
        MJ and GJ.
    """
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise TypeError(f"{value} is not a number")
    number = int("".join(map(str, digits)) or "0") * (-1 if sign else 1)
    factor = UNITS[unit]
    top, bottom = number * factor.numerator, factor.denominator
    if exponent >= 0:
        top *= 10**exponent
    else:
        bottom *= 10**-exponent
    quotient, rest = divmod(top, bottom)
    twice = 2 * rest
    return quotient + (1 if twice > bottom or (twice == bottom and quotient % 2) else 0)


def decimal_text(amount: int, decimals: int = 6) -> str:
    """Print an integer of 10^-decimals units as a plain decimal number, for instance mWh as kWh.

    >>> decimal_text(1234567)
    '1.234567'
    >>> decimal_text(-5, 2)
    '-0.05'
    """
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), 10**decimals)
    return f"{sign}{whole}.{part:0{decimals}d}" if decimals else f"{sign}{whole}"


def convert_exactly(value: Decimal, source: str, target: str) -> Decimal | None:
    """Convert between energy units where the result is a finite decimal, else None (GJ to kWh does not end).

    Raises
    ------
    KeyError
        If a unit is unknown.
    """
    if source == target:
        return value
    ratio = UNITS[source] / UNITS[target]
    bottom = ratio.denominator
    for prime in (2, 5):
        while bottom % prime == 0:
            bottom //= prime
    if bottom != 1:
        return None
    scaled = Decimal(ratio.numerator) / Decimal(ratio.denominator)
    return value * scaled
