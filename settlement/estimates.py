"""Estimates for gaps in a register: which shape fits best, chosen from the building's own measurements.

Rules (reference: the estimation rules of the electricity sector, and the rule that an estimate is scaled to the
register):

- A gap of at most two hours is a straight line; for the sun only if it lies wholly between sunrise and sunset.
- A longer one takes the meter's own profile of the same weekday (the three nearest wholly measured ones before the
  gap, within four weeks), or the shape of its neighbours of the same kind during the gap, whichever would have come
  nearer on the nearest of those days.
- The sun takes the shape of the other inverters, else that of a clear sky, else that of its own last days.
- Where nothing is known it is a straight line.

A day that holds an estimate is never a day to compare with, so that no estimate grows out of another. All shapes look
only at what lies in the four weeks before the gap, or during it: what is found does not depend on the month that is
being settled, nor on the other gaps in it, so that two months find their parts of one and the same estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from core.community import Community, Meter
from core.time import from_microseconds, local_day, microseconds, midnight
from settlement.model import Series
from settlement.shape import Shape
from settlement.sunlight import clear_sky

LONGEST_LINEAR: Final = 7_200_000_000
"""Two hours [microseconds]."""
LOOK_BACK: Final = timedelta(days=28)
"""How far before a gap days to compare with may lie."""
_DAYS: Final = 3
_WEEK: Final = timedelta(days=7)


class Estimator:
    """Finds shapes for gaps, from what was measured.

    Parameters
    ----------
    community
        Its meters, time zone and place on earth.
    grid
        Interval boundaries over the gaps and the four weeks before them [microseconds].
    measured
        Every meter's intervals on that grid, as read; only those of quality ``measured`` are believed.
    """

    def __init__(self, community: Community, grid: Sequence[int], measured: Mapping[str, Series]) -> None:
        self._community, self._grid = community, grid
        self._series = {
            name: [
                value if quality == "measured" else None for value, quality in zip(one.energy, one.quality, strict=True)
            ]
            for name, one in measured.items()
        }
        self._days = _days(community, grid)
        self._sky: Shape | None = None

    def shape(self, meter: Meter, start: int, until: int) -> Shape | None:
        """Return the shape for a gap between two readings; None where a straight line is the rule or the best there is.

        Parameters
        ----------
        meter
            Whose gap.
        start, until
            Instants of the readings on either side [microseconds].
        """
        short = until - start <= LONGEST_LINEAR
        if meter.measures == "solar_generation":
            return None if short and self._bright(start, until) else self._of_sun(meter, start, until)
        if short:
            return None
        return self._of_use(meter, start, until)

    def _of_use(self, meter: Meter, start: int, until: int) -> Shape | None:
        first = self._day(start)
        own = self._weekdays(meter, start, until, first - LOOK_BACK)
        others = self._neighbours(meter, start, until)
        if own is None or others is None:
            return own or others
        return own if self._own_is_nearer(meter, first) else others

    def _of_sun(self, meter: Meter, start: int, until: int) -> Shape | None:
        for shape in (self._neighbours(meter, start, until), self._clear_sky(), self._last_days(meter, start, until)):
            if shape is not None and shape.covers(start, until):
                return shape
        return None

    def _bright(self, start: int, until: int) -> bool:
        """Whether the sun is up during the whole of a gap; where nobody knows the place on earth it may not be."""
        sky = self._clear_sky()
        return sky is not None and all(sky.covers(at, at + 1) for at in (start, until - 1))

    def _clear_sky(self) -> Shape | None:
        if self._sky is None and self._community.location is not None:
            self._sky = Shape("clear-sky", self._grid, clear_sky(self._community.location, self._grid))
        return self._sky

    def _weekdays(self, meter: Meter, start: int, until: int, since: date) -> Shape | None:
        """Spread as on the three nearest measured days of the same weekday, from a day on up to where a gap begins."""
        return self._as_on(meter, start, until, "weekday-profile", _WEEK, since)

    def _last_days(self, meter: Meter, start: int, until: int) -> Shape | None:
        return self._as_on(meter, start, until, "last-days", timedelta(days=1), self._day(start) - LOOK_BACK)

    def _as_on(self, meter: Meter, start: int, until: int, method: str, every: timedelta, since: date) -> Shape | None:
        weights = [0] * (len(self._grid) - 1)
        first = self._day(start)
        for day in self._days:
            if not self._meets(day, start, until):
                continue
            known = self._references(meter, day, first, every, since)
            if not known:
                return None
            for index in self._days[day]:
                weights[index] = sum(profile.get(self._clock(index), 0) for profile in known)
        shape = Shape(method, self._grid, weights)
        return shape if shape.covers(start, until) else None

    def _references(self, meter: Meter, day: date, first: date, every: timedelta, since: date) -> list[dict[str, int]]:
        """Profiles by local time of the nearest wholly measured days before the first, in steps of so many days."""
        found: list[dict[str, int]] = []
        while day >= first:
            day -= every
        while day >= since and len(found) < _DAYS:
            profile = self._profile(meter, day)
            if profile is not None:
                found.append(profile)
            day -= every
        return found

    def _profile(self, meter: Meter, day: date) -> dict[str, int] | None:
        places = self._days.get(day, range(0))
        values = [value for index in places if (value := self._series[meter.id][index]) is not None]
        if not values or len(values) < len(places):
            return None
        return {self._clock(index): value for index, value in zip(places, values, strict=True)}

    def _neighbours(self, meter: Meter, start: int, until: int) -> Shape | None:
        """Spread as the other meters of this kind did meanwhile, of those that were measured throughout."""
        inside = [
            index for index in range(len(self._grid) - 1) if self._grid[index] < until and self._grid[index + 1] > start
        ]
        others = [
            values
            for other in self._community.meters_of(meter.measures)
            if other.id != meter.id
            and other.unit != "units"
            and (values := self._series.get(other.id)) is not None
            and all(values[index] is not None for index in inside)
        ]
        weights = [0] * (len(self._grid) - 1)
        for index in inside:
            weights[index] = sum(values[index] or 0 for values in others)
        shape = Shape("neighbours", self._grid, weights)
        return shape if shape.covers(start, until) else None

    def _own_is_nearer(self, meter: Meter, first: date) -> bool:
        """Try both ways on the nearest measured day before a gap's first day whose shape both can tell."""
        for back in range(1, LOOK_BACK.days):  # where the four weeks begin, no day before tells of its weekday
            day = first - timedelta(days=back)
            real = self._profile(meter, day)
            if real is None:
                continue
            places = self._days[day]
            begin, end = self._grid[places.start], self._grid[places.stop]
            own, others = self._weekdays(meter, begin, end, first - LOOK_BACK), self._neighbours(meter, begin, end)
            if own is None or others is None:
                continue
            return self._error(meter, places, own) <= self._error(meter, places, others)
        return True

    def _error(self, meter: Meter, places: range, shape: Shape) -> int:
        """How far a shape is off on a measured day, all intervals together [mWh]."""
        real = [self._series[meter.id][index] or 0 for index in places]
        begin, end = (self._grid[places.start], 0), (self._grid[places.stop], sum(real))
        told = [shape.value(begin, end, self._grid[index + 1]) for index in places]
        steps = [told[0], *(later - earlier for earlier, later in pairwise(told))]
        return sum(abs(guess - value) for guess, value in zip(steps, real, strict=True))

    def _meets(self, day: date, start: int, until: int) -> bool:
        places = self._days[day]
        return self._grid[places.start] < until and self._grid[places.stop] > start

    def _day(self, instant: int) -> date:
        return local_day(from_microseconds(instant), self._community.zone)

    def _clock(self, index: int) -> str:
        return from_microseconds(self._grid[index]).astimezone(self._community.zone).strftime("%H:%M")


def _days(community: Community, grid: Sequence[int]) -> dict[date, range]:
    """Places of the intervals of every local day that the grid holds whole, or begins or ends with."""
    step = grid[1] - grid[0]
    days = {}
    day = local_day(from_microseconds(grid[0]), community.zone)
    while (begin := microseconds(midnight(day, community.zone))) < grid[-1]:
        end = microseconds(midnight(day + timedelta(days=1), community.zone))
        first, last = max(0, -(-(begin - grid[0]) // step)), min(len(grid) - 1, -(-(end - grid[0]) // step))
        if first < last:
            days[day] = range(first, last)
        day += timedelta(days=1)
    return days
