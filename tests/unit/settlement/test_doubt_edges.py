"""Doubts at the edges of their rules: what a named connection tells, runs of jumps, and other units for a moment."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from core.community import Community
from core.time import microseconds, parse_time
from settlement.model import MeterReadings
from settlement.watch import doubts as rule
from settlement.watch.doubts import Doubt, doubts
from tests.support.watchtown import town

MINUTE = 60_000_000
START = microseconds(parse_time("2026-01-10T23:00:00Z"))
NARROW = town(max_kw="1")
"""One kW: a rise of a kWh at once is a jump here, though not where nothing is said of the connection."""


def look(
    values: Mapping[int, str | Decimal], community: Community = NARROW, swapped: tuple[int, ...] = ()
) -> list[Doubt]:
    """Look at a register read at minutes."""
    times = tuple(START + minute * MINUTE for minute in sorted(values))
    known = MeterReadings("register", times, tuple(Decimal(values[minute]) for minute in sorted(values)))
    return doubts(community, community.meters[0], known, [START + minute * MINUTE for minute in swapped])


def told(found: list[Doubt]) -> list[tuple[str, float, float, bool]]:
    return [(one.code, (one.since - START) / MINUTE, (one.until - START) / MINUTE, one.explained) for one in found]


def steady(first: int = 0, last: int = 300, start: str = "5000") -> dict[int, Decimal]:
    """Six watt-hours a minute."""
    return {minute: Decimal(start) + Decimal("0.006") * minute for minute in range(first, last + 1)}


def raised(values: Mapping[int, Decimal], first: int, last: int, height: str = "1") -> dict[int, Decimal]:
    """Shift what was read from one minute to another."""
    return {minute: value + Decimal(height) * (first <= minute <= last) for minute, value in values.items()}


def test_two_days_around_an_instant_decide_about_it() -> None:
    assert rule.CONTEXT == 48 * 60 * MINUTE


def test_doubts_are_told_by_time_whatever_told_them() -> None:
    values = raised(steady(), 100, 300) | {50: Decimal(0), 200: Decimal(0)}
    assert told(look(values)) == [
        ("register-zero", 50, 50, True), ("register-jumped", 99, 100, False), ("register-zero", 200, 200, True),
    ]  # fmt: skip


def test_a_meter_that_was_never_read_is_not_doubted() -> None:
    assert look({}) == []


def test_the_finest_decimals_of_any_reading_say_how_large_a_step_is_and_whole_ones_that_it_is_one() -> None:
    # In a quarter of an hour 0.250 kWh are carried: 0.252 is too much by more than a thousandth, not by more than one.
    fine = raised({minute: Decimal("5000.000") for minute in range(201)}, 100, 200, "0.252") | {0: Decimal(5000)}
    assert told(look(fine)) == [("register-jumped", 99, 100, False)]
    whole = {minute: Decimal(5000 + (minute >= 100)) for minute in range(201)}
    assert look(whole) == []
    assert told(look(raised(whole, 100, 200))) == [("register-jumped", 99, 100, False)]


# ---- away and back, as a named connection tells


def test_a_jump_and_a_fall_back_have_strayed_though_only_the_named_connection_says_so() -> None:
    assert told(look(raised(steady(), 100, 110))) == [("register-strayed", 100, 110, False)]


def test_a_fall_and_a_jump_back_have_strayed_though_only_the_named_connection_says_so() -> None:
    assert told(look(raised(steady(), 100, 250, height="-1"))) == [("register-strayed", 100, 250, False)]


def test_two_that_strayed_one_after_the_other_are_two() -> None:
    twice = raised(raised(steady(last=500), 100, 110), 300, 310)
    assert told(look(twice)) == [("register-strayed", 100, 110, False), ("register-strayed", 300, 310, False)]


def test_what_is_a_thousand_times_the_last_good_value_meanwhile_was_another_unit() -> None:
    values = dict.fromkeys(range(30), "0.001") | dict.fromkeys(range(30, 35), "1.000")
    values |= dict.fromkeys(range(35, 60), "0.001")
    (one,) = look(values)
    assert told([one]) == [("unit-slipped", 30, 34, False)]
    assert (one.before, one.after) == ("0.001", "1.000")


def test_what_goes_on_higher_than_it_can_have_counted_meanwhile_is_a_jump_and_a_fall() -> None:
    values = raised(raised(steady(), 100, 110), 111, 300, height="0.5")
    assert told(look(values)) == [("register-jumped", 99, 100, False), ("register-fell", 110, 111, False)]


@pytest.mark.parametrize(("below", "strayed"), [("-0.067", True), ("-0.068", False)])
def test_a_register_that_comes_back_may_be_one_step_below_and_no_more(below: str, strayed: bool) -> None:
    # It had counted 0.066 kWh in eleven minutes, and is written to a thousandth.
    values = raised(raised(steady(), 100, 109), 110, 300, height=below)
    codes = [one.code for one in look(values)]
    assert codes == (["register-strayed"] if strayed else ["register-jumped", "register-fell"])


@pytest.mark.parametrize(("away", "strayed"), [(2879, True), (2880, False)])
def test_who_is_away_for_more_than_two_days_has_not_strayed(away: int, strayed: bool) -> None:
    # From the last good reading a minute before; a register of nobody at home.
    values = dict.fromkeys(range(100), "5000.000") | dict.fromkeys(range(100, 100 + away), "5001.000")
    values |= dict.fromkeys(range(100 + away, 3100), "5000.000")
    codes = [one.code for one in look(values)]
    assert codes == (["register-strayed"] if strayed else ["register-jumped", "register-fell"])


def test_where_nothing_is_known_of_a_connection_a_fall_and_a_rise_are_no_way_back() -> None:
    units = town(measures="heat", unit="units")
    values = dict.fromkeys(range(100), "5000") | dict.fromkeys(range(100, 200), "4000")
    values |= dict.fromkeys(range(200, 300), "4900")
    assert told(look(values, units)) == [("register-fell", 99, 100, False)]


@pytest.mark.parametrize(
    ("after", "code"),
    [("0", "register-reset"), ("50", "register-reset"), ("51", "register-fell"), ("-1", "register-fell")],
)
def test_where_nothing_is_known_of_a_connection_a_reset_ends_at_a_hundredth(after: str, code: str) -> None:
    units = town(measures="heat", unit="units")
    values = dict.fromkeys(range(100), "5000") | dict.fromkeys(range(100, 200), after)
    assert told(look(values, units)) == [(code, 99, 100, False)]


@pytest.mark.parametrize(("after", "code"), [("0.084", "register-reset"), ("0.085", "register-fell")])
def test_a_reset_starts_no_higher_than_the_connection_carries_since(after: str, code: str) -> None:
    # 1 kW for five minutes is 0.083 kWh, and a step of 0.001 kWh comes on top.
    values = steady() | {minute: Decimal(after) for minute in range(100, 301)}
    assert told(look(values)) == [(code, 99, 100, False)]


def test_a_young_register_is_reset_to_more_than_a_hundredth_where_the_connection_carries_that() -> None:
    values = steady(start="1") | dict.fromkeys(range(100, 301), Decimal("0.050"))
    assert told(look(values)) == [("register-reset", 99, 100, False)]


def test_a_register_that_falls_below_zero_was_not_reset() -> None:
    values = steady(start="10") | dict.fromkeys(range(100, 301), Decimal(-1))
    assert told(look(values)) == [("register-fell", 99, 100, False)]


# ---- jumps, and runs of them


@pytest.mark.parametrize(("height", "jumped"), [("0.251", False), ("0.252", True)])
def test_a_rise_is_held_against_what_is_carried_in_a_quarter_of_an_hour(height: str, jumped: bool) -> None:
    # 1 kW for 15 minutes is 0.250 kWh, and a step of 0.001 kWh comes on top; nothing else was used.
    values = raised({minute: Decimal("5000.000") for minute in range(201)}, 100, 200, height)
    assert told(look(values)) == ([("register-jumped", 99, 100, False)] if jumped else [])


@pytest.mark.parametrize(("height", "jumped"), [("1.001", False), ("1.002", True)])
def test_a_rise_since_a_reading_long_ago_is_held_against_all_the_time_since(height: str, jumped: bool) -> None:
    values = raised({minute: Decimal("5000.000") for minute in range(0, 601, 60)}, 300, 600, height)
    assert told(look(values)) == ([("register-jumped", 240, 300, False)] if jumped else [])


def test_jumps_more_than_a_quarter_of_an_hour_apart_are_two_and_nearer_ones_are_one() -> None:
    values = steady()
    far = raised(raised(values, 100, 300), 117, 300)
    assert told(look(far)) == [("register-jumped", 99, 100, False), ("register-jumped", 116, 117, False)]
    near = raised(raised(values, 100, 300), 116, 300)
    assert told(look(near)) == [("register-jumped", 99, 116, False)]


def test_a_jump_after_a_fall_is_another_jump_however_near() -> None:
    values = raised(raised(steady(), 100, 300), 105, 300, height="-4000")
    values = raised(values, 110, 300)
    assert told(look(values)) == [
        ("register-jumped", 99, 100, False), ("register-fell", 104, 105, False), ("register-jumped", 109, 110, False),
    ]  # fmt: skip


def test_a_run_of_jumps_after_a_day_of_nothing_is_no_other_unit() -> None:
    # A thousand times nothing is nothing: how fast it was before nobody can say.
    values = {minute: Decimal(5000) for minute in range(100)}
    values |= {minute: Decimal(5000) + 6 * (minute - 99) for minute in range(100, 131)}
    assert told(look(values)) == [("register-jumped", 99, 130, False)]


@pytest.mark.parametrize(
    ("times", "code"),
    [
        (299, "register-jumped"), (300, "unit-slipped"), (1000, "unit-slipped"), (3000, "unit-slipped"),
        (3001, "register-jumped"),
    ],
)  # fmt: skip
def test_a_pace_is_another_unit_from_three_hundred_to_three_thousand_times_the_old(times: int, code: str) -> None:
    values = {minute: Decimal(5000) + Decimal("0.001") * minute for minute in range(101)}
    values |= {minute: values[100] + Decimal("0.001") * times * (minute - 100) for minute in range(101, 131)}
    assert told(look(values)) == [(code, 100, 130, False)]


@pytest.mark.parametrize(("last", "code"), [(110, "register-jumped"), (111, "unit-slipped")])
def test_a_faster_pace_is_told_from_a_jump_once_it_lasts_ten_minutes(last: int, code: str) -> None:
    values = {minute: Decimal(5000) + Decimal("0.001") * minute for minute in range(101)}
    values |= {minute: values[100] + minute - 100 for minute in range(101, last + 1)}
    assert told(look(values)) == [(code, 100, last, False)]


def test_the_pace_before_is_that_of_the_last_day() -> None:
    # Ten times faster two days ago: that would make the new pace a hundredfold only.
    values = {minute: Decimal(5000) - Decimal("0.010") * -minute for minute in range(-2880, -1439)}
    level = values[-1440]
    values |= {minute: level + Decimal("0.001") * (minute + 1440) for minute in range(-1439, 1)}
    values |= {minute: values[0] + minute for minute in range(1, 31)}
    assert told(look(values)) == [("unit-slipped", 0, 30, False)]


def test_a_reading_just_a_day_before_counts_for_the_pace_before() -> None:
    values = {-1440: Decimal("5000.000"), -16: Decimal("5001.440"), 0: Decimal("5001.440")}
    values |= {minute: values[0] + minute for minute in range(1, 31)}
    assert told(look(values)) == [("unit-slipped", 0, 30, False)]


def test_the_pace_before_is_that_since_the_last_reset() -> None:
    values = steady() | {minute: Decimal("0.001") * (minute - 100) for minute in range(100, 201)}
    values |= {minute: values[200] + minute - 200 for minute in range(201, 231)}
    again = values | dict.fromkeys(range(231, 301), Decimal("0.002"))
    assert told(look(again)) == [
        ("register-reset", 99, 100, False), ("unit-slipped", 200, 230, False), ("register-reset", 230, 231, False),
    ]  # fmt: skip


def test_a_run_of_jumps_right_after_a_reset_has_no_pace_before() -> None:
    values = steady() | {minute: Decimal(minute - 100) for minute in range(100, 301)}
    assert told(look(values)) == [("register-reset", 99, 100, False), ("register-jumped", 100, 300, False)]


# ---- swaps told by serial numbers


@pytest.mark.parametrize(
    ("instant", "code"),
    [
        (1540, "meter-replaced"), (1541, "register-jumped"), (-1340, "meter-replaced"), (-1341, "register-jumped"),
    ],
)  # fmt: skip
def test_a_serial_number_counts_a_day_before_and_after_the_first_odd_reading(instant: int, code: str) -> None:
    values = raised(steady(), 100, 300)
    assert told(look(values, swapped=(instant,))) == [(code, 99, 100, False)]
    assert told(look(values, swapped=(99_999, instant))) == [(code, 99, 100, False)]


# ---- other units


@pytest.mark.parametrize(("factor", "code"), [("0.001", "unit-slipped"), ("0.002", "register-strayed")])
def test_hours_at_a_thousandth_are_another_unit_and_at_another_part_of_it_strayed(factor: str, code: str) -> None:
    values = steady()
    values |= {minute: values[minute] * Decimal(factor) for minute in range(100, 201)}
    assert told(look(values)) == [(code, 100, 200, False)]


# ---- other units that explain themselves


def test_one_reading_in_another_unit_between_good_ones_explains_itself_whichever_way_it_went() -> None:
    low = steady() | {100: Decimal("5.000600")}
    (one,) = look(low)
    assert told([one]) == [("unit-slipped", 100, 100, True)]
    assert (one.before, one.after) == ("5000.594", "5.0006")
    high = steady(start="5") | {100: Decimal(5600)}
    (one,) = look(high)
    assert told([one]) == [("unit-slipped", 100, 100, True)]
    assert (one.before, one.after) == ("5.594", "5600")


def test_a_dip_to_zero_and_one_to_something_else_have_different_names() -> None:
    assert told(look(steady() | {100: Decimal(0)})) == [("register-zero", 100, 100, True)]
    (one,) = look(steady() | {100: Decimal(4000)})
    assert (one.code, one.before, one.after) == ("register-dipped", "5000.594", "4000")


def test_a_roll_over_is_that_even_where_one_value_is_a_thousand_times_the_other() -> None:
    values = {0: Decimal("9.990"), 1: Decimal("9.999"), 2: Decimal("0.010"), 3: Decimal("0.016")}
    (one,) = look(values, town(digits="1"))
    assert told([one]) == [("register-rolled-over", 1, 2, True)]
    assert (one.before, one.after) == ("9.999", "0.01")


# ---- levels


def level(*values: str) -> list[tuple[str, float, float, bool, str, str]]:
    """Look at a silo read every hour."""
    found = look({60 * hour: value for hour, value in enumerate(values)}, town(measures="pellet_stock", unit="kg"))
    return [(*one, doubt.before, doubt.after) for one, doubt in zip(told(found), found, strict=True)]


def test_a_level_that_slips_shows_the_readings_around_it_as_they_were_read() -> None:
    assert level("2600", "2500.0", "2.50", "2.40") == [("unit-slipped", 60, 120, False, "2500.0", "2.50")]


def test_a_level_that_slips_and_is_back_explains_itself_whichever_way_it_went() -> None:
    assert level("2400", "2500.0", "2.50", "2490", "2600") == [("unit-slipped", 120, 120, True, "2500.0", "2.50")]
    assert level("3000", "2", "2000", "2", "1") == [("unit-slipped", 120, 120, True, "2", "2000")]


def test_a_level_that_slips_twice_the_same_way_is_not_back() -> None:
    assert level("5000", "5", "0.005") == [
        ("unit-slipped", 0, 60, False, "5000", "5"), ("unit-slipped", 60, 120, False, "5", "0.005"),
    ]  # fmt: skip


@pytest.mark.parametrize(("hours", "back"), [(48, True), (49, False)])
def test_a_level_that_is_back_after_more_than_two_days_was_in_another_unit(hours: int, back: bool) -> None:
    found = level("2500", *["2.5"] * hours, "2500")
    assert [one[:4] for one in found] == (
        [("unit-slipped", 60, 60 * hours, True)]
        if back
        else [("unit-slipped", 0, 60, False), ("unit-slipped", 60 * hours, 60 * (hours + 1), False)]
    )
