"""What damage does to a month of real measurements: nothing to its total where the register allows it, and it is said.

A register knows what was counted however long nobody looked, so whatever leaves a good reading on either side costs
the month not one milliwatt-hour; only the place in time is estimated. What happened while a register was reset or
swapped without a note nobody knows: that interval is missing, and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from core.time import Month
from settlement.limits import HOUR
from tests.damage import table
from tests.damage.damages import DAMAGES, DAY
from tests.damage.subjects import Subject, homes, subjects
from tests.damage.trial import Outcome, begins, trials

Outcomes = list[Outcome]
KWH = 10**6
NAMES = [damage.name for damage in DAMAGES]

HARMLESS = {"meter swap, declared", "every row three times", "reversed order of arrival", "3 days arrive late"}
"""After these the month is what it was, interval by interval."""
NOTED_NOWHERE = {"reset to zero", "meter swap, not declared"}
"""Nobody knows what was counted between the last reading of the old register and the first of the new one."""
LIES_TOTAL = "swap to a higher register, not declared"
GAPS: dict[str, Callable[[int], int]] = {
    "gap of 3 h": lambda step: 3 * HOUR // step,
    "gap of 3 days": lambda step: 3 * DAY // step,
    "spike of one reading": lambda _step: 2,
    "dip of one poll": lambda _step: 2,
    "spike of 5 h": lambda step: 5 * HOUR // step + 1,
    "zero for 5 h": lambda step: 5 * HOUR // step + 1,
    "a thousand times for 6 h": lambda step: 6 * HOUR // step + 1,
    "a thousandth for 6 h": lambda step: 6 * HOUR // step + 1,
    "freeze of 30 h, set aside": lambda step: 30 * HOUR // step,
}
"""Damages that leave a gap between two good readings, and how many intervals it has."""
CLOCKS = ("clock one hour ahead for a day", "clock one hour behind for a day")
TOLD = {
    "spike of one reading": "register-spiked",
    "dip of one poll": "register-dipped",
    "spike of 5 h": "register-strayed",
    "zero for 5 h": "register-strayed",
    "a thousand times for 6 h": "unit-slipped",
    "a thousandth for 6 h": "unit-slipped",
    "reset to zero": "register-fell",
    "meter swap, not declared": "register-fell",
    LIES_TOTAL: "register-jumped",
}


@pytest.fixture(scope="module")
def chosen(shared_data: Path) -> list[Subject]:
    return subjects(shared_data)


@pytest.fixture(scope="module")
def linear(chosen: list[Subject]) -> Outcomes:
    return [outcome for subject in chosen for outcome in trials(subject, "linear")]


@pytest.fixture(scope="module")
def shaped(chosen: list[Subject]) -> Outcomes:
    return [outcome for subject in chosen for outcome in trials(subject, "shaped", table.SHAPED)]


def of(outcomes: Outcomes, *names: str) -> Iterator[Outcome]:
    found = [one for one in outcomes if one.damage in names]
    assert found
    return iter(found)


def places(one: Outcome) -> list[int]:
    """Intervals that are not what they were."""
    before, after = one.undamaged, one.damaged
    pairs = zip(before.energy, after.energy, before.quality, after.quality, strict=True)
    return [index for index, (was, now, good, bad) in enumerate(pairs) if (was, good) != (now, bad)]


def true(one: Outcome, where: list[int]) -> list[int]:
    return [one.undamaged.energy[index] or 0 for index in where]


def first(one: Outcome) -> int:
    """Interval in which the damage begins: the undamaged month is whole, so its places count from its start."""
    start = one.subject.month.bounds(one.subject.community("linear").community.zone)[0]
    return (begins(one.subject) - int(start.timestamp()) * KWH) // one.subject.step


def test_the_undamaged_months_are_measured_throughout_and_have_nothing_to_tell(linear: Outcomes) -> None:
    for one in of(linear, "reversed order of arrival"):
        assert set(one.undamaged.quality) == {"measured"}
        assert one.total > 10 * KWH


@pytest.mark.parametrize("name", sorted(HARMLESS))
def test_order_repetition_lateness_and_a_declared_swap_change_no_interval(name: str, linear: Outcomes) -> None:
    for one in of(linear, name):
        assert one.damaged == one.undamaged
        assert one.codes == ()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOTED_NOWHERE | {LIES_TOTAL}])
def test_the_month_is_right_to_the_milliwatt_hour_where_good_readings_enclose_the_damage(
    name: str, linear: Outcomes, shaped: Outcomes
) -> None:
    for one in of([*linear, *shaped], name):
        assert one.error == 0, one.subject.name
        assert one.missing == 0


@pytest.mark.parametrize("name", sorted(NOTED_NOWHERE))
def test_a_reset_or_an_undeclared_swap_costs_the_interval_it_fell_in_and_no_other(name: str, linear: Outcomes) -> None:
    for one in of(linear, name):
        (lost,) = places(one)
        assert (one.missing, one.error) == (1, -true(one, [lost])[0])
        assert lost == first(one)


def test_a_swap_to_a_higher_register_that_nobody_declared_is_counted_and_said(linear: Outcomes) -> None:
    for one in of(linear, LIES_TOTAL):
        (wrong,) = places(one)
        assert (one.error, wrong) == (6500 * KWH, first(one))


@pytest.mark.parametrize("name", sorted(TOLD))
def test_every_damage_is_told_by_its_own_finding(name: str, linear: Outcomes) -> None:
    for one in of(linear, name):
        assert one.codes == (TOLD[name],), one.subject.name


@pytest.mark.parametrize("name", sorted(GAPS))
def test_every_interval_that_was_not_seen_is_estimated_and_no_other(
    name: str, linear: Outcomes, shaped: Outcomes
) -> None:
    for one in of([*linear, *shaped], name):
        count = GAPS[name](one.subject.step)
        assert one.estimated == count
        begin = first(one)
        assert set(one.damaged.quality[begin : begin + count]) == {"estimated"}
        assert set(places(one)) <= set(range(begin, begin + count))


@pytest.mark.parametrize("name", sorted(GAPS))
def test_a_straight_line_misplaces_how_far_use_was_from_its_mean_and_no_more(name: str, linear: Outcomes) -> None:
    for one in of(linear, name):
        used = true(one, list(range(first(one), first(one) + GAPS[name](one.subject.step))))
        mean = Fraction(sum(used), len(used))
        exact = sum((abs(value - mean) for value in used), Fraction(0)) / 2
        # Every boundary is rounded to a milliwatt-hour.
        assert abs(one.misplaced - exact) <= len(used)


@pytest.mark.parametrize("name", CLOCKS)
def test_a_wrong_clock_moves_energy_by_its_hour_and_no_further(name: str, linear: Outcomes) -> None:
    for one in of(linear, name):
        per_hour = HOUR // one.subject.step
        begin, end = first(one) - per_hour, first(one) + (24 + 1) * per_hour
        assert set(places(one)) <= set(range(begin, end))
        # What moves is at most what each hour has more or less than the hour beside it.
        values = true(one, list(range(begin - per_hour, end + per_hour)))
        moved = sum(abs(later - earlier) for earlier, later in zip(values, values[per_hour:], strict=False))
        assert 0 < one.misplaced <= moved
        assert one.estimated == (HOUR + one.subject.step) // one.subject.step
        assert one.codes == ()


@pytest.mark.parametrize("name", ["freeze of 30 h", "freeze of 3 days"])
def test_a_meter_that_hung_counts_everything_in_the_interval_it_went_on_in_and_is_told(
    name: str, linear: Outcomes
) -> None:
    for one in of(linear, name):
        assert one.estimated == 0
        where = places(one)
        assert one.misplaced == sum(true(one, where)[:-1])
        assert {one.damaged.energy[index] for index in where[:-1]} == {0}
        assert set(one.codes) & {"register-frozen", "register-jumped"}, one.subject.name


def test_readings_of_a_hung_meter_that_are_set_aside_are_estimated_and_lie_far_better(
    linear: Outcomes, shaped: Outcomes
) -> None:
    hung = {one.subject.name: one for one in of(linear, "freeze of 30 h")}
    for one in of([*linear, *shaped], "freeze of 30 h, set aside"):
        assert 3 * one.misplaced <= 2 * hung[one.subject.name].misplaced
        assert one.codes == ()


def test_the_sun_of_a_gap_takes_the_shape_of_the_sky(linear: Outcomes, shaped: Outcomes) -> None:
    for name in ("gap of 3 h", "gap of 3 days", "zero for 5 h", "freeze of 30 h, set aside"):
        (line,) = (one for one in of(linear, name) if one.subject.kind == "roof")
        (sky,) = (one for one in of(shaped, name) if one.subject.kind == "roof")
        assert sky.methods == {"clear-sky"}
        assert 5 * sky.misplaced < line.misplaced


@pytest.mark.long
def test_shaped_days_lie_better_than_straight_ones_for_most_homes_and_in_all(shared_data: Path) -> None:
    """Not for every one: a home that hardly moves is a straight line, and no weekday tells what it will do."""
    months = [(home, Month(2016, month)) for month in (3, 6, 11) for home in range(18)]
    pairs = [
        [next(trials(subject, estimates, ("gap of 3 days",))) for estimates in ("linear", "shaped")]
        for subject in homes(shared_data, months)
    ]
    line, shape = (sum(pair[way].misplaced for pair in pairs) for way in (0, 1))
    assert 10 * shape < 9 * line
    assert sum(pair[1].misplaced < pair[0].misplaced for pair in pairs) > 36  # of 54


def test_the_page_about_gaps_holds_the_table_as_it_is_now(linear: Outcomes, shaped: Outcomes) -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    assert table.text(linear, shaped) in page, "write the table of docs/gaps.md anew: python -m tests.damage.table"


def test_the_intervals_of_every_month_are_evenly_spaced(chosen: list[Subject]) -> None:
    for subject in chosen:
        times = subject.before("linear")[subject.meter].times
        assert {later - earlier for earlier, later in pairwise(times)} == {subject.step}
