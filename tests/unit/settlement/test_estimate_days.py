"""Which days tell how a gap is shaped, and which way of telling is nearer: a building with four intervals a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest

from core.time import from_microseconds, microseconds, midnight
from settlement.estimates import Estimator
from settlement.model import Series
from settlement.shape import Shape
from settlement.sunlight import clear_sky
from tests.unit.settlement.test_estimates import ZONE, town

Day = Sequence[int | None]
Days = Mapping[int, Day]
"""By day, counted from the day of the gap (0), what a meter counted in four intervals [mWh]; None was not measured."""

QUARTER = 6 * 3600 * 10**6
GAP_DAY = date(2026, 2, 3)  # a Tuesday in winter
EVEN = (1, 1, 1, 1)
GONE = (None, None, None, None)


def grid(first: int, end: int, day: date = GAP_DAY) -> list[int]:
    """Four equal intervals a day, from the beginning of one day up to that of another; no clock changes meanwhile."""
    begin, until = (microseconds(midnight(day + timedelta(days=number), ZONE)) for number in (first, end))
    return list(range(begin, until + 1, QUARTER))


BOUNDS = grid(-35, 3)


def at(day: int, hour: int = 0) -> int:
    return microseconds(midnight(GAP_DAY + timedelta(days=day), ZONE)) + hour * 3600 * 10**6


Gap = tuple[int, int]
WHOLE_DAY: Gap = (at(0), at(1))


def series(days: Days, bounds: Sequence[int], other: Day) -> Series:
    values: list[int | None] = []
    for start in bounds[:-1]:
        local = from_microseconds(start).astimezone(ZONE)
        values.append(days.get((local.date() - GAP_DAY).days, other)[local.hour // 6])
    return Series.of("", values, ["missing" if one is None else "measured" for one in values], [None] * len(values))


def shaped(
    mine: Days,
    theirs: Days | None = None,
    *,
    gap: Gap = WHOLE_DAY,
    bounds: Sequence[int] = BOUNDS,
    else_mine: Day = EVEN,
) -> Shape | None:
    """The shape of a gap of el-A's; el-B is the only neighbour there can be."""
    community = town()
    measured = {"el-A": series({0: GONE, **mine}, bounds, else_mine)}
    if theirs is not None:
        measured["el-B"] = series(theirs, bounds, EVEN)
    meter = next(meter for meter in community.meters if meter.id == "el-A")
    return Estimator(community, bounds, measured).shape(meter, *gap)


def method(shape: Shape | None) -> str | None:
    return shape.method if shape else None


def spread(shape: Shape | None, gap: Gap = WHOLE_DAY, total: int = 4000) -> list[int]:
    """What the intervals of a gap are given of a total."""
    assert shape is not None
    start, until = gap
    levels = [shape.value((start, 0), (until, total), instant) for instant in range(start, until + 1, QUARTER)]
    return [later - earlier for earlier, later in pairwise(levels)]


def test_the_three_nearest_days_of_its_weekday_tell_and_no_fourth() -> None:
    weeks = {-7: (4, 0, 0, 0), -14: (0, 4, 0, 0), -21: (0, 0, 4, 0), -28: (0, 0, 0, 4)}
    assert spread(shaped(weeks, else_mine=GONE), total=3000) == [1000, 1000, 1000, 0]


def test_a_fourth_week_tells_where_a_nearer_one_was_not_measured_throughout_and_a_fifth_never() -> None:
    weeks: dict[int, Day] = {-7: (4, 0, 0, 0), -14: (0, 4, 0, 0), -21: (0, None, 4, 0), -28: (0, 0, 0, 4)}
    assert spread(shaped(weeks, else_mine=GONE), total=3000) == [1000, 1000, 0, 1000]
    weeks |= {-28: (0, 0, 0, None), -35: (0, 0, 0, 4)}
    assert spread(shaped(weeks, else_mine=GONE), total=3000) == [1500, 1500, 0, 0]
    assert shaped({-35: (4, 0, 0, 0)}, else_mine=GONE) is None


def test_the_day_with_which_the_grid_begins_tells_from_its_first_interval_on_and_none_before_it_does() -> None:
    assert spread(shaped({-7: (3, 1, 0, 0)}, else_mine=GONE, bounds=grid(-7, 1))) == [3000, 1000, 0, 0]
    assert spread(shaped({-28: (3, 1, 0, 0)}, else_mine=GONE, bounds=grid(-28, 1))) == [3000, 1000, 0, 0]


def test_a_day_is_wholly_measured_whatever_is_missing_beside_it() -> None:
    weeks = {-8: (1, 1, 1, None), -7: (1, 0, 0, 3), -6: (None, 1, 1, 1)}
    assert spread(shaped(weeks, else_mine=GONE)) == [1000, 0, 0, 3000]


def test_every_day_of_a_gap_needs_a_day_to_compare_with() -> None:
    gone = {0: GONE, 1: GONE, -7: (0, 4, 0, 0)}
    gap = (at(0), at(2))
    assert shaped(gone, gap=gap, else_mine=GONE) is None
    assert spread(shaped({**gone, -6: (0, 0, 4, 0)}, gap=gap, else_mine=GONE), gap) == [0, 2000, 0, 0, 0, 0, 2000, 0]


def test_days_that_a_gap_only_borders_on_need_none() -> None:
    assert spread(shaped({-7: (0, 4, 0, 0)}, else_mine=GONE)) == [0, 4000, 0, 0]


def test_the_end_of_one_day_and_the_beginning_of_the_next_belong_to_a_gap_over_midnight() -> None:
    gone = {0: (1, 1, 1, None), 1: (None, 1, 1, 1), -7: (9, 9, 9, 3), -6: (1, 9, 9, 9)}
    gap = (at(0, 18), at(1, 6))
    for bounds in (BOUNDS, [instant for instant in BOUNDS if instant <= gap[1]]):
        assert spread(shaped(gone, gap=gap, else_mine=GONE, bounds=bounds), gap) == [3000, 1000]
    evening = (at(0, 18), at(1))
    assert spread(shaped(gone, gap=evening, else_mine=GONE), evening) == [4000]


def test_neighbours_need_to_be_measured_during_the_gap_and_not_beside_it() -> None:
    gap = (at(0, 6), at(0, 18))
    beside: Days = {0: (None, 1, 3, None)}
    assert spread(shaped({}, beside, gap=gap, else_mine=GONE), gap) == [1000, 3000]
    for inside in ((1, None, 3, 1), (1, 1, None, 1)):
        assert shaped({}, {0: inside}, gap=gap, else_mine=GONE) is None


def test_a_neighbour_that_used_nothing_meanwhile_tells_nothing() -> None:
    assert shaped({}, {0: (0, 0, 0, 0)}, else_mine=GONE) is None


def nearer(real: Sequence[int], weeks: Sequence[Sequence[int]], neighbour: Sequence[int]) -> str:
    """Which way a day's use would have been estimated better, by the rule in words; in a draw the meter's own."""

    def off(weights: Sequence[int]) -> int:
        levels = [round(Fraction(sum(real) * sum(weights[:place]), sum(weights))) for place in range(5)]
        return sum(abs(b - a - one) for a, b, one in zip(levels, levels[1:], real, strict=False))

    own = off([sum(column) for column in zip(*weeks, strict=True)])
    return "weekday-profile" if own <= off(neighbour) else "neighbours"


def test_the_way_that_came_nearer_the_day_before_is_taken() -> None:
    chance, found = Random(5), set()
    for _ in range(250):
        real, one, two, three, neighbour = (
            [chance.choice((0, 0, 1, 2, 3, 5)) for _ in range(3)] + [chance.randint(1, 4)] for _ in range(5)
        )
        for days in (real, one, neighbour):
            chance.shuffle(days)
        before = {-1: real, -8: one, -15: two, -22: three}
        expected = nearer(real, (one, two, three), neighbour)
        assert method(shaped(before, {-1: neighbour})) == expected, (before, neighbour)
        found.add(expected)
    assert found == {"weekday-profile", "neighbours"}


# By its weekday the day before is 40 everywhere; it was 160 in the evening, and the neighbour tells that nearly.
TRIED: Days = {-1: (0, 0, 0, 160)}
NEIGHBOUR: Days = {-1: (0, 0, 3, 6)}


def test_the_day_that_is_tried_does_not_tell_about_itself() -> None:
    assert method(shaped(TRIED, NEIGHBOUR)) == "neighbours"


@pytest.mark.parametrize("beside", [{-2: (1, 1, 1, None)}, {0: (None, 1, 1, 1)}])
def test_the_day_that_is_tried_needs_the_neighbour_on_that_day_alone(beside: Days) -> None:
    found = shaped({**TRIED, 0: (1, None, None, None)}, {**NEIGHBOUR, **beside}, gap=(at(0, 6), at(1)))
    assert method(found) == "neighbours"


def test_days_are_tried_back_to_three_weeks_before_the_gap_and_told_by_the_four_weeks_before_it() -> None:
    """Of the third week's Tuesday the fourth tells what comes; what lies before that is never looked at."""
    weeks = {-7: (1, 1, 1, 1), -21: (0, 0, 0, 160), -28: (40, 40, 40, 40)}
    same = {-21: (0, 0, 3, 6)}
    assert method(shaped(weeks, {-7: GONE, **same}, else_mine=GONE)) == "neighbours"
    # The fifth would have told it to the milliwatt-hour.
    assert method(shaped({**weeks, -35: (0, 0, 0, 9000)}, {-7: GONE, **same}, else_mine=GONE)) == "neighbours"
    # The fourth week's Tuesday has none before it within the four weeks, so nothing speaks for the neighbour.
    late = {-7: (1, 1, 1, 1), -28: (0, 0, 0, 160), -35: (40, 40, 40, 40)}
    assert method(shaped(late, {-7: GONE, -28: (0, 0, 3, 6)}, else_mine=GONE)) == "weekday-profile"


def test_the_sun_of_the_last_three_days_is_taken_where_nobody_knows_the_place() -> None:
    community = town(place=False)
    roof = series({0: GONE, -1: (0, 3, 0, 0), -2: (0, 0, 2, 0), -3: (0, 0, 0, 3), -4: (9, 9, 9, 9)}, BOUNDS, EVEN)
    meter = next(meter for meter in community.meters if meter.id == "pv")
    shape = Estimator(community, BOUNDS, {"pv": roof}).shape(meter, at(0), at(1))
    assert method(shape) == "last-days"
    assert spread(shape) == [0, 1500, 1000, 1500]


def test_an_hour_that_clocks_left_out_of_a_day_counts_for_nothing_in_it() -> None:
    """Clocks went forward on 29 March: of the three Sundays before 5 April one had no hour from two to three."""
    community = town()
    begin, gap = (microseconds(midnight(day, ZONE)) for day in (date(2026, 3, 8), date(2026, 4, 5)))
    hour = QUARTER // 6
    bounds = list(range(begin, gap + 24 * hour + 1, hour))
    values = [int(from_microseconds(start).astimezone(ZONE).hour == 12) for start in bounds[:-1]]
    whole = Series.of("el-A", values, ["measured"] * len(values), [None] * len(values))
    meter = next(meter for meter in community.meters if meter.id == "el-A")
    shape = Estimator(community, bounds, {"el-A": whole}).shape(meter, gap, gap + 24 * hour)
    assert shape is not None
    levels = [shape.value((gap, 0), (gap + 24 * hour, 1000), gap + number * hour) for number in range(25)]
    assert levels == [0] * 13 + [1000] * 12


def test_the_sun_is_up_during_the_whole_of_a_gap_or_not_to_the_microsecond() -> None:
    """Only then is a short gap a straight line; else the clear sky shapes it. Intervals of half an hour."""
    community = town()
    assert community.location is not None
    half = QUARTER // 12
    bounds = list(range(at(0), at(1) + 1, half))
    meter = next(meter for meter in community.meters if meter.id == "pv")
    dark = Series.missing("pv", len(bounds) - 1)
    every = Estimator(community, bounds, {"pv": dark})
    light = [start for start, sky in zip(bounds, clear_sky(community.location, bounds), strict=False) if sky]
    sunrise, sunset = light[0], light[-1] + half
    assert at(0, 8) < sunrise < at(0, 9) < at(0, 16) < sunset < at(0, 18)

    def straight(start: int, until: int, known: Estimator = every) -> bool:
        return method(known.shape(meter, start, until)) is None

    assert straight(sunrise, sunrise + half)
    assert not straight(sunrise - 1, sunrise + half)
    assert straight(sunset - half, sunset)
    assert not straight(sunset - half, sunset + 1)
    # Where the last gap ends, there may be nothing more on the grid.
    noon = [instant for instant in bounds if instant <= at(0, 13)]
    assert straight(at(0, 12), at(0, 13), Estimator(community, noon, {"pv": Series.missing("pv", len(noon) - 1)}))


def test_a_microsecond_more_than_two_hours_is_shaped() -> None:
    assert shaped({}, gap=(at(0, 6), at(0, 8))) is None
    assert method(shaped({}, gap=(at(0, 6), at(0, 8) + 1))) == "weekday-profile"
