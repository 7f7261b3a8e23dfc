"""What share of a year's heating a month has: the degree-day table, a convention and no weather.

Per mille of a year, VDI 2067 / DIN 4713. It is the same every year, so it tells a January from a July and never a cold
January from a mild one.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from core.time import Month

PER_MILLE: Final = (
    Fraction(170), Fraction(150), Fraction(130), Fraction(80), Fraction(40), Fraction(40, 3), Fraction(40, 3),
    Fraction(40, 3), Fraction(30), Fraction(80), Fraction(120), Fraction(160),
)  # fmt: skip
"""January to December; they sum to 1,000."""


def ratio(before: Month, after: Month) -> Fraction:
    """How many times as much heat the second month takes as the first, by the table."""
    return PER_MILLE[after.month - 1] / PER_MILLE[before.month - 1]
