"""How even a benefit is: spread and Gini coefficient, as exact fractions.

The Gini coefficient of benefits b_1 .. b_n is half their mean absolute difference over their mean,
``sum over all pairs (i, j) of |b_i - b_j| / (2 n sum(b))``: 0 when all have the same, (n - 1) / n when one has all.
It is defined where no benefit is negative and not all are 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def gini(benefits: Sequence[Fraction | int]) -> Fraction | None:
    """Gini coefficient; None where it is not defined.

    >>> gini([1, 1, 2])
    Fraction(1, 6)
    """
    whole = Fraction(sum(benefits))
    if whole <= 0 or min(benefits) < 0:
        return None
    # Sorted, the differences telescope: the k-th smallest is added k - 1 times and taken away n - k times.
    size = len(benefits)
    ranked = sum(((2 * rank - size - 1) * part for rank, part in enumerate(sorted(benefits), 1)), Fraction(0))
    return Fraction(ranked, size * whole)


def spread(benefits: Sequence[Fraction | int]) -> Fraction | None:
    """Largest less smallest; None where there are none."""
    return Fraction(max(benefits) - min(benefits)) if benefits else None
