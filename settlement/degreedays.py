"""Degree days: how much of a year's warmth falls in a span of days, by the fixed table of VDI 2067.

The table is a long-run convention, not this year's weather: it weighs who lived in a flat in winter against who lived
there in summer, and says nothing about one year against another. Months are exact fractions of a year; a day has its
month's part divided by the days of that month, so that a leap year weighs 1 too. Source: the project's domain notes,
section 2.2; the variant with 14, 13 and 13 per mille for the summer is not used.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Final

from core.time import Month

_SUMMER: Final = Fraction(40, 3)
PER_MILLE: Final = (
    Fraction(170), Fraction(150), Fraction(130), Fraction(80), Fraction(40), _SUMMER,
    _SUMMER, _SUMMER, Fraction(30), Fraction(80), Fraction(120), Fraction(160),
)  # fmt: skip
"""Of a year, from January to December; they add up to 1000."""


def weight(start: date, until: date) -> Fraction:
    """Return the part of a year's warmth that falls in the days from ``start`` up to, not including, ``until``.

    >>> from datetime import date
    >>> weight(date(2025, 1, 1), date(2025, 2, 1)), weight(date(2024, 1, 1), date(2025, 1, 1))
    (Fraction(17, 100), Fraction(1, 1))
    """
    total = Fraction(0)
    month = Month.of(start)
    while month.first_day < until:
        days = (min(until, month.end_day) - max(start, month.first_day)).days
        total += PER_MILLE[month.month - 1] * days / month.days
        month = month.shift(1)
    return total / 1000
