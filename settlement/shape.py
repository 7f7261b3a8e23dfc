"""How the quantity counted over a gap is spread over its intervals, so that the register is met exactly at its end."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate


class Shape:
    """Weights of the intervals of a grid; a gap's quantity is spread in proportion to them.

    Parameters
    ----------
    method
        How the weights were found, as it stands beside an estimated interval.
    grid
        n + 1 interval boundaries [microseconds], evenly spaced.
    weights
        n whole numbers, none negative.
    """

    def __init__(self, method: str, grid: Sequence[int], weights: Sequence[int]) -> None:
        self.method = method
        self._grid = grid
        self._step = grid[1] - grid[0]
        self._weights = weights
        self._before = (0, *accumulate(weights))

    def covers(self, start: int, until: int) -> bool:
        """Whether the grid reaches over a gap and gives it any weight at all."""
        return self._grid[0] <= start and until <= self._grid[-1] and self._up_to(until) > self._up_to(start)

    def value(self, start: tuple[int, int], until: tuple[int, int], instant: int) -> int:
        """Register at an instant within a gap.

        Parameters
        ----------
        start, until
            The readings on either side: instant [microseconds] and value [mWh or millionths].
        instant
            Between them.

        Returns
        -------
        int
            Half-even; rises from one value to the other as the weights do, so that intervals telescope to the
            difference of the two readings and none is negative. [mWh or millionths]
        """
        low = self._up_to(start[0])
        part, whole = self._up_to(instant) - low, self._up_to(until[0]) - low
        quotient, rest = divmod((until[1] - start[1]) * part, whole)
        if 2 * rest > whole or (2 * rest == whole and (start[1] + quotient) % 2):
            quotient += 1
        return start[1] + quotient

    def _up_to(self, instant: int) -> int:
        """Weight before an instant, times the step of the grid: whole numbers only."""
        index = min(bisect_right(self._grid, instant) - 1, len(self._weights) - 1)
        return self._before[index] * self._step + self._weights[index] * (instant - self._grid[index])
