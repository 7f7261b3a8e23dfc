"""The quarter-hours of one year in UTC, with what the local clock and calendar say in the middle of each.

Physics is computed a year at a time, so that a year's numbers never depend on which other years are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from simulators.chance import Floats

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

EPOCH: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""Where the simulated building begins; there is no truth before it."""
QUARTER: Final = 900
"""Length of a quarter-hour [s]."""
ZONE: Final = ZoneInfo("Europe/Amsterdam")

_HOUR = timedelta(hours=1)
_ORDINAL_1970 = date(1970, 1, 1).toordinal()
_MONDAY_OFFSET = 6  # ordinal 1 was a Monday: (ordinal + 6) % 7 is 0 on Mondays


@dataclass(frozen=True)
class Grid:
    """The quarter-hours of one UTC year; every array has one entry per quarter-hour.

    Attributes
    ----------
    year
        The UTC year.
    starts
        Start of each quarter-hour [s since 1970-01-01T00:00Z].
    hour
        Local time of day in the middle of the quarter-hour [h], 0 to 24.
    day
        Local day as a proleptic ordinal.
    season
        Position in the year, 0 to 1.
    """

    year: int
    starts: Integers
    hour: Floats
    day: Integers
    season: Floats

    @property
    def weekend(self) -> Flags:
        """Whether the local day is a Saturday or Sunday."""
        return np.asarray((self.day + _MONDAY_OFFSET) % 7 >= 5)

    @property
    def low_tariff(self) -> Flags:
        """Whether meters count in their low register: 23 to 7 h local, and weekends."""
        return np.asarray(self.weekend | (self.hour < 7) | (self.hour >= 23))

    @property
    def days(self) -> tuple[int, int]:
        """First and last local day."""
        return int(self.day[0]), int(self.day[-1])

    def of_day(self, per_day: Floats) -> Floats:
        """Spread one value per local day over the quarter-hours."""
        values: Floats = per_day[self.day - self.day[0]]
        return values


@lru_cache(maxsize=16)
def grid(year: int) -> Grid:
    """Return the quarter-hours of a UTC year."""
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    starts = np.arange(int(start.timestamp()), int(end.timestamp()), QUARTER, dtype=np.int64)
    offsets = [_offset(start + hour * _HOUR) for hour in range((end - start) // _HOUR)]
    local = starts + QUARTER // 2 + np.repeat(np.array(offsets, dtype=np.int64), 4)
    season = (starts - starts[0]) / (starts[-1] - starts[0])
    return Grid(year, starts, (local % 86400) / 3600.0, local // 86400 + _ORDINAL_1970, season)


def _offset(instant: datetime) -> int:
    offset = instant.astimezone(ZONE).utcoffset()
    if offset is None:
        raise AssertionError("a zoned time has an offset")
    return int(offset.total_seconds())
