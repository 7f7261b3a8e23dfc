"""Intervals of a register that only rises, by columns of 64-bit whole numbers.

Gives exactly what `settlement.readings.intervals` gives, many times faster, or nothing: a register that ever falls, or
numbers that might not fit, are left to that module. Bounds are checked before anything is multiplied.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.units import UNITS
from settlement.readings import between

Whole = NDArray[np.int64]
Small = NDArray[np.int16]

MISSING: Final = 0
MEASURED: Final = 1
ESTIMATED: Final = 2
"""Labels of an interval here; an estimate is always a straight line."""

DECIMALS: Final = 8
"""Of a register, in its own unit, that are read exactly."""
NUMERIC_WORDS: Final = 10
"""Words of 16 bits that a ``numeric`` is given in: a head of four, then at most six digits to the base of 10,000."""
_HEAD: Final = 4
_DIGITS: Final = NUMERIC_WORDS - _HEAD
_BASE: Final = 10_000
_PLACES: Final = DECIMALS // 4
_POWERS: Final = np.array([0] * _DIGITS + [_BASE**power for power in range(5)], dtype=np.int64)
"""What a digit counts for; a digit further behind the point than is read is zero and counts for nothing."""
_HIGHEST_DIGIT: Final = 400
"""The leading digit of 10^8 units must be smaller: 400 times 10^16 still fits."""
_FITS: Final = 2**62


class Columns(NamedTuple):
    """Energy [mWh or millionths] and label of every interval; energy is -1 where it is missing."""

    energy: Whole
    label: Small


def numbers(data: bytes) -> Whole | None:
    """Read numbers in PostgreSQL's binary form of ``numeric``, each filled up with zeros to the same length.

    Parameters
    ----------
    data
        ``NUMERIC_WORDS`` big-endian words each: count of digits, weight of the first, sign, printed decimals, digits.

    Returns
    -------
    array or None
        Each times 10^``DECIMALS``; None where one is negative, no number, too large, or has more decimals than that.
    """
    words = np.frombuffer(data, dtype=">i2").reshape(-1, NUMERIC_WORDS).astype(np.int64)
    count, weight, sign, first = words[:, 0], words[:, 1], words[:, 2], words[:, _HEAD]
    large = (weight > 2) | ((weight == 2) & (first >= _HIGHEST_DIGIT))  # noqa: PLR2004 - 10^8 units
    # So few places before and behind the point also mean that no digit was cut off.
    if np.any(sign) or np.any(large) or np.any(count - 1 - weight > _PLACES):
        return None
    value = np.zeros(len(words), dtype=np.int64)
    for place in range(_DIGITS):
        value += words[:, _HEAD + place] * _POWERS[weight + (_DIGITS + _PLACES - place)]
    return value


def in_core(raw: Whole, unit: str) -> Whole | None:
    """Convert registers times 10^``DECIMALS`` to the core's integers, half-even, as `core.units.to_core` does."""
    factor = Fraction(UNITS[unit], 10**DECIMALS)
    if len(raw) and int(raw.max()) >= _FITS // factor.numerator:
        return None
    quotient, rest = np.divmod(raw * factor.numerator, factor.denominator)
    return _half_even(quotient, rest, factor.denominator)


def of_register(times: Whole, values: Whole, bounds: Whole, spacing: int) -> Columns | None:
    """Energy of a register in every interval.

    Parameters
    ----------
    times
        Of the readings, rising strictly [microseconds].
    values
        Registers then [mWh or millionths].
    bounds
        n + 1 interval boundaries [microseconds].
    spacing
        Normal distance between two readings [microseconds]; half as much again is no gap yet.

    Returns
    -------
    Columns or None
        n intervals; None if the register ever falls.
    """
    if len(times) == 0:
        return Columns(np.full(len(bounds) - 1, -1, dtype=np.int64), np.zeros(len(bounds) - 1, dtype=np.int16))
    if np.any(values[1:] < values[:-1]):
        return None
    place = np.searchsorted(times, bounds)
    known = (place < len(times)) & (bounds >= times[0])
    after = np.minimum(place, len(times) - 1)
    met = times[after] == bounds
    before = np.where(met, after, np.maximum(after - 1, 0))
    level = _levels(times, values, bounds, before, after, known & ~met)
    sure = 2 * (times[after] - times[before]) <= 3 * spacing
    both = known[:-1] & known[1:]
    energy = np.where(both, level[1:] - level[:-1], -1)
    label = np.where(both, np.where(sure[:-1] & sure[1:], MEASURED, ESTIMATED), MISSING)
    return Columns(energy, label.astype(np.int16))


def _levels(
    times: Whole, values: Whole, bounds: Whole, before: Whole, after: Whole, inside: NDArray[np.bool_]
) -> Whole:
    """Register at every boundary: as read, or on the straight line where it lies inside two readings."""
    level = values[before]
    where = np.flatnonzero(inside)
    first, last = before[where], after[where]
    span, rise, passed = times[last] - times[first], values[last] - values[first], bounds[where] - times[first]
    # A product that might not fit is left to whole numbers without bounds; the float only says how large it is.
    fits = rise.astype(np.float64) * passed.astype(np.float64) < _FITS
    quotient, rest = np.divmod(rise[fits] * passed[fits], span[fits])
    level[where[fits]] = _half_even(level[where[fits]] + quotient, rest, span[fits])
    for index in np.flatnonzero(~fits):
        one, other = ((int(times[at]), int(values[at])) for at in (first[index], last[index]))
        level[where[index]] = between(one, other, int(bounds[where[index]]))
    return level


def _half_even(quotient: Whole, rest: Whole, whole: Whole | int) -> Whole:
    up = (2 * rest > whole) | ((2 * rest == whole) & (quotient % 2 == 1))
    rounded: Whole = quotient + up.astype(np.int64)
    return rounded
