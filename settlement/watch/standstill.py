"""A meter that is read and does not move, or crawls, while others of its kind go on.

A register that stands still may be right: nobody heats in July, and the sun does not shine at night. So it is held
against its companions, and against how long it stood still before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from statistics import median
from typing import Final, Literal, NamedTuple

from core.community import Measures, Meter

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
HISTORY: Final = timedelta(days=28)
"""How far back a meter's own standstills count."""
_FAR_LONGER: Final = 3
_CRAWL: Final = (300, 3000)
"""A pace is about a thousandth of the old one when the old one is between these times the new one."""
_COMPANIONS_SLOWER: Final = 10
"""Where the companions have become so many times slower too, it is the season and not the meter."""


class _Rule(NamedTuple):
    """From how long a standstill is looked at, and whose movement says that it should have moved."""

    least: timedelta
    companions: Measures


RULES: Final[dict[Measures, _Rule]] = {
    "electricity": _Rule(2 * DAY, "electricity"),  # a fridge alone moves it every day
    "grid_import": _Rule(2 * DAY, "grid_import"),
    "solar_generation": _Rule(2 * DAY, "solar_generation"),  # a winter night is 17 hours, a day under snow happens
    "heat": _Rule(WEEK, "heat"),  # a resident who turns the heating off for some days is no fault
    "hot_water": _Rule(WEEK, "hot_water"),
    "heat_produced": _Rule(2 * DAY, "heat"),  # no flat takes heat from a boiler that makes none
    "pellet_stock": _Rule(WEEK, "heat_produced"),  # heat burns pellets
}
"""What can stand still wrongly. Not ``grid_export``: a building may use all of its sun for weeks."""


@dataclass(frozen=True)
class Course:
    """What a meter showed of late, in its own unit.

    ``newest`` is its latest reading, at ``at``; ``then`` what it showed `RULES`' time before that, ``day`` and ``week``
    what it showed one day and eight days before; None where it was not read yet. ``low`` and ``high`` bound the
    readings since ``then``, and differ where a level went down and up again.
    """

    newest: Decimal
    then: Decimal | None
    low: Decimal
    high: Decimal
    day: Decimal | None
    week: Decimal | None

    @property
    def still(self) -> bool:
        """Whether it did not move."""
        return self.then is not None and self.then == self.newest == self.low == self.high

    @property
    def slower(self) -> Decimal | None:
        """How many times more a day it counted in the week before the last day; None where either was nothing."""
        if self.day is None or self.week is None or self.newest <= self.day or self.day <= self.week:
            return None
        return (self.day - self.week) / 7 / (self.newest - self.day)


@dataclass(frozen=True)
class Past:
    """When a meter last moved, and for how long it stood still before that at the most (None: nothing is known)."""

    longest: timedelta | None
    standing: timedelta


def suspects(meters: Collection[Meter], courses: Mapping[str, Course]) -> dict[str, Literal["alone", "companions"]]:
    """Meters that stand still and should not, as far as their companions can tell.

    Returns
    -------
    dict
        Meter to ``companions`` where more than half of them moved meanwhile, or ``alone`` where it has none, so that
        only its own past can tell. A meter whose companions stand still too is no suspect.
    """
    found: dict[str, Literal["alone", "companions"]] = {}
    still = {name: course.still for name, course in courses.items()}
    for meter in meters:
        told_by = witnesses(meter, meters, still) if still.get(meter.id) and meter.measures in RULES else None
        if told_by is not None:
            found[meter.id] = told_by
    return found


def witnesses(
    meter: Meter, meters: Collection[Meter], still: Mapping[str, bool]
) -> Literal["alone", "companions"] | None:
    """Say who can tell whether a meter that stands still should not.

    Parameters
    ----------
    still
        Of the meters that were read meanwhile, whether each stood still.

    Returns
    -------
    str or None
        As of `suspects`; None where half its companions or more stood still too.
    """
    kind = RULES[meter.measures].companions
    others = [still[one.id] for one in meters if one.id != meter.id and one.measures == kind and one.id in still]
    if not others:
        return "alone"
    return "companions" if 2 * others.count(False) > len(others) else None


def frozen(told_by: Literal["alone", "companions"], past: Past) -> bool:
    """Whether a suspect stands still for longer than it ever did, or far longer where nobody else can tell."""
    if told_by == "companions":
        return past.longest is None or past.standing > past.longest
    return past.longest is not None and past.standing > _FAR_LONGER * past.longest


def crawling(meters: Collection[Meter], courses: Mapping[str, Course]) -> list[str]:
    """Meters that count about a thousandth of what they did, while their companions go on as before."""
    low, high = _CRAWL
    found = []
    for meter in meters:
        course = courses.get(meter.id)
        slower = course.slower if course is not None and meter.measures != "pellet_stock" else None
        if slower is None or not low <= slower <= high:
            continue
        paces = [other.slower for other in _companions(meter, meters, courses)]
        known = [pace for pace in paces if pace is not None]
        if known and median(known) < _COMPANIONS_SLOWER:
            found.append(meter.id)
    return found


def _companions(meter: Meter, meters: Collection[Meter], courses: Mapping[str, Course]) -> list[Course]:
    kind = RULES[meter.measures].companions if meter.measures in RULES else meter.measures
    return [courses[one.id] for one in meters if one.id != meter.id and one.measures == kind and one.id in courses]
