"""The house itself: twelve flats and who lives in them.

The C staircase is let for some months at a time: every calendar month one of its four flats changes hands in the
middle of the month, with some days of vacancy, so that any month has a move to settle. A and B are long lets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import numpy as np

from core.time import Month
from simulators.chance import stream
from simulators.grid import EPOCH, Flags, Integers

COMMUNITY: Final = "de-ster"
NAME: Final = "Flat De Ster"
OWNER: Final = "owner"
LATITUDE: Final = 53.20
LONGITUDE: Final = 5.80
ALTITUDE_M: Final = 2

_AREAS_M2 = {
    "A01": "62.0", "A02": "62.0", "A03": "78.5", "A04": "78.5",
    "B01": "62.0", "B02": "62.0", "B03": "78.5", "B04": "71.0",
    "C01": "48.0", "C02": "48.0", "C03": "55.5", "C04": "55.5",
}  # fmt: skip


@dataclass(frozen=True)
class Flat:
    """A flat and the habits it draws; areas as text, as the community file prints them [m2]."""

    id: str
    floor_area_m2: str

    @property
    def area(self) -> float:
        """Floor area [m2]."""
        return float(self.floor_area_m2)


FLATS: Final = tuple(Flat(name, area) for name, area in _AREAS_M2.items())
FLAT_IDS: Final = tuple(flat.id for flat in FLATS)
_CHANGING = ("C01", "C02", "C03", "C04")


@dataclass(frozen=True)
class Household:
    """Who lives in a flat; ``until`` is the first day not included."""

    id: str
    flat: str
    start: date
    until: date | None


@lru_cache(maxsize=16)
def households(seed: int, last: Month) -> tuple[Household, ...]:
    """Return everyone who lived in the house up to the end of a month, by flat and day.

    A longer list only adds to a shorter one: an open end may get a day, nothing else changes.
    """
    begin = EPOCH.date()
    open_ends = dict.fromkeys(FLAT_IDS, begin)
    turns = dict.fromkeys(FLAT_IDS, 1)
    result: list[Household] = []
    month = Month.of(begin)
    while month <= last:
        flat = _CHANGING[(month.month - 1) % len(_CHANGING)]
        chance = stream(seed, "move", month)
        out = month.first_day + timedelta(days=int(chance.integers(5, 12)))
        result.append(Household(_name(flat, turns[flat]), flat, open_ends[flat], out))
        turns[flat] += 1
        open_ends[flat] = out + timedelta(days=int(chance.integers(4, 10)))
        month = month.shift(1)
    result += [Household(_name(flat, turns[flat]), flat, open_ends[flat], None) for flat in FLAT_IDS]
    return tuple(sorted(result, key=lambda household: (household.flat, household.start)))


def vacant(seed: int, flat: str, days: Integers) -> Flags:
    """Return for each local day (ordinals) whether the flat stands empty."""
    last = Month.of(date.fromordinal(int(days.max())))
    occupied = np.zeros(len(days), dtype=np.bool_)
    for household in households(seed, last):
        if household.flat == flat:
            until = household.until.toordinal() if household.until else np.iinfo(np.int64).max
            occupied |= (days >= household.start.toordinal()) & (days < until)
    return ~occupied


def _name(flat: str, turn: int) -> str:
    return f"h-{flat}" if flat not in _CHANGING else f"h-{flat}-{turn}"
