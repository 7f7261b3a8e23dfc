"""Seeded chance that does not depend on how far ahead one looks.

Every use of chance has a stream of its own, named by seed, purpose and year, so that a longer horizon, another
device or another order of calls never changes a number that was drawn before.
"""

from __future__ import annotations

import hashlib
from datetime import date

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MEMORY_DAYS = 21


def stream(seed: int, *name: object) -> np.random.Generator:
    """Return the generator of one purpose; the same arguments give the same numbers."""
    digest = hashlib.sha256("|".join(map(str, (seed, *name))).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def daily(seed: int, name: str, first: int, last: int) -> Floats:
    """Return standard normal noise per day, the same for a day whatever range is asked.

    Parameters
    ----------
    seed, name
        Which noise.
    first, last
        Days as proleptic ordinals, both included.
    """
    years = range(date.fromordinal(first).year, date.fromordinal(last).year + 1)
    noise = np.concatenate([stream(seed, name, year).standard_normal(366)[: _days(year)] for year in years])
    offset = first - date(years[0], 1, 1).toordinal()
    return noise[offset : offset + last - first + 1]


def persistent(seed: int, name: str, first: int, last: int, memory: float) -> Floats:
    """Return daily noise of unit variance in which a day resembles the days before it.

    Parameters
    ----------
    seed, name, first, last
        As in `daily`.
    memory
        Correlation with the day before, 0 to 1; forgotten after three weeks.
    """
    weights = memory ** np.arange(_MEMORY_DAYS, dtype=np.float64)
    weights /= np.sqrt(np.sum(weights**2))
    noise = daily(seed, name, first - _MEMORY_DAYS + 1, last)
    windows = np.lib.stride_tricks.sliding_window_view(noise, _MEMORY_DAYS)
    mixed: Floats = (windows * weights[::-1]).sum(axis=1)
    return mixed


def _days(year: int) -> int:
    return (date(year + 1, 1, 1) - date(year, 1, 1)).days
