"""What share of a year's heating a month has: the degree-day table, a convention and no weather.

It is the same every year, so it tells a January from a July and never a cold
January from a mild one.
"""

from __future__ import annotations

from fractions import Fraction

from core.time import Month
from settlement.degreedays import PER_MILLE


def ratio(before: Month, after: Month) -> Fraction:
    """How many times as much heat the second month takes as the first, by the table."""
    return PER_MILLE[after.month - 1] / PER_MILLE[before.month - 1]
