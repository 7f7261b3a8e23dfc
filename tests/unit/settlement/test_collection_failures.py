"""What collections of readings really went wrong by, each told apart from the others and found in its place."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import pytest

from core.community import Community
from core.errors import BadInput
from core.time import Month, from_microseconds, microseconds, parse_time, rfc3339
from settlement.model import MeterReadings
from settlement.selection import input_sha256
from settlement.watch.doubts import Doubt, doubts
from tests.support.watchtown import town

MINUTE = 60_000_000
START = microseconds(parse_time("2026-01-10T23:00:00Z"))  # local midnight


def look(
    values: Iterable[tuple[float, str]], community: Community | None = None, swapped: Iterable[int] = ()
) -> list[Doubt]:
    """Look at a register read at minutes since local midnight."""
    community = community or town()
    rows = sorted(values)
    times = tuple(START + int(minute * MINUTE) for minute, _ in rows)
    known = MeterReadings("register", times, tuple(Decimal(value) for _, value in rows))
    return doubts(community, community.meters[0], known, [START + minute * MINUTE for minute in swapped])


def told(found: list[Doubt]) -> list[tuple[str, float, float, bool]]:
    """Code, first and last minute, and whether it explained itself."""
    return [(one.code, (one.since - START) / MINUTE, (one.until - START) / MINUTE, one.explained) for one in found]


def steady(start: float = 5000, per_minute: float = 0.01, minutes: Iterable[int] = range(-60, 181)) -> dict[float, str]:
    return {minute: f"{start + per_minute * (minute + 60):.3f}" for minute in minutes}


def test_a_steady_register_is_not_doubted() -> None:
    assert look(steady().items()) == []


def test_yesterdays_daily_total_that_stays_after_midnight_and_then_drops_is_a_reset() -> None:
    # A daily total where a meter's register should be: it holds for seven minutes of the new day, then starts anew.
    values = {float(minute): "12.300" for minute in range(-30, 7)}
    values |= {float(minute): f"{(minute - 7) * 0.001:.3f}" for minute in range(7, 60)}
    assert told(look(values.items())) == [("register-reset", 6, 7, False)]


def test_a_true_zero_replaced_by_yesterdays_value_is_a_spike_and_nothing_was_used() -> None:
    values = {float(minute): "0.000" for minute in range(30)} | {12.0: "12.300"}
    assert told(look(values.items())) == [("register-spiked", 12, 12, True)]


def test_yesterdays_value_that_stays_for_some_polls_has_strayed() -> None:
    values = {float(minute): "0.000" for minute in range(30)} | dict.fromkeys((12.0, 13.0, 14.0), "12.300")
    assert told(look(values.items())) == [("register-strayed", 12, 14, False)]


def test_a_sum_of_strings_that_reads_zero_for_one_poll_is_no_reset() -> None:
    found = look((steady() | {30: "0"}).items())
    assert told(found) == [("register-zero", 30, 30, True)]
    assert (found[0].before, found[0].after) == ("5000.89", "0")


def test_a_zero_that_is_not_back_yet_looks_like_a_reset_until_the_next_reading() -> None:
    early = steady(minutes=range(-60, 30)) | {30: "0"}
    assert told(look(early.items())) == [("register-reset", 29, 30, False)]
    assert told(look((early | {31: "5000.910"}).items())) == [("register-zero", 30, 30, True)]


def test_a_lifetime_counter_that_is_away_for_hours_shows_a_negative_and_later_a_positive_spike() -> None:
    values = steady(minutes=range(-60, 1000)) | {float(minute): "0" for minute in range(60, 400)}
    assert told(look(values.items())) == [("register-strayed", 60, 399, False)]


def test_a_counter_that_is_away_for_days_is_told_at_both_ends() -> None:
    hours = range(24 * 5)
    values = {60.0 * hour: "0" if 30 <= hour < 90 else f"{5000 + hour}.000" for hour in hours}
    assert told(look(values.items())) == [
        ("register-reset", 29 * 60, 30 * 60, False),
        ("register-jumped", 89 * 60, 90 * 60, False),
    ]


@pytest.mark.parametrize("days", [10, 13])
def test_days_offline_and_then_one_giant_bar_is_a_gap_and_no_jump(days: int) -> None:
    values = steady(minutes=range(-60, 1)) | {days * 1440.0: "5140.000", days * 1440.0 + 1: "5140.010"}
    assert look(values.items()) == []


def test_a_bar_that_is_too_giant_for_the_days_offline_is_a_jump() -> None:
    values = steady(minutes=range(-60, 1)) | {10 * 1440.0: "9600.000", 10 * 1440.0 + 1: "9600.010"}
    assert told(look(values.items())) == [("register-jumped", 0, 14400, False)]


@pytest.mark.parametrize("bad", ["-32768", "4000", "-0.001"])
def test_a_bad_value_at_midnight_is_a_dip_and_no_reset(bad: str) -> None:
    assert told(look((steady() | {0: bad}).items())) == [("register-dipped", 0, 0, True)]


def swapped(values: dict[float, str], start: str) -> dict[float, str]:
    return {m: v if m < 60 else f"{Decimal(start) + Decimal(v) - 5001:.3f}" for m, v in values.items()}


@pytest.mark.parametrize("start", ["0.500", "17.000", "8123.000"])
def test_a_replaced_meter_is_told_by_its_serial_number_wherever_the_new_one_starts(start: str) -> None:
    found = look(swapped(steady(minutes=range(-60, 300)), start).items(), swapped=[65])
    assert [(one.code, one.explained) for one in found] == [("meter-replaced", False)]


@pytest.mark.parametrize("start", ["0", "17.000", "8123.000"])
def test_a_declared_replacement_leaves_nothing_to_doubt(start: str) -> None:
    moment = rfc3339(from_microseconds(START + 59 * MINUTE + 1))
    swap = {"meter": "m", "at": moment, "old_end": "5001.190", "new_start": start}
    values = swapped(steady(minutes=range(-60, 300)), str(Decimal(start) - Decimal("0.200")))
    assert look(values.items(), town(swap)) == []


def test_a_register_that_falls_to_the_middle_was_neither_reset_nor_rolled_over() -> None:
    values = {m: v if m < 60 else str(Decimal(v) - 2000) for m, v in steady(minutes=range(-60, 300)).items()}
    assert told(look(values.items(), town(digits="4"))) == [("register-fell", 59, 60, False)]


@pytest.mark.parametrize(("digits", "code"), [("4", "register-rolled-over"), (None, "register-reset")])
def test_a_roll_over_is_one_by_its_digits(digits: str | None, code: str) -> None:
    values = {m: str((Decimal(v) + 4999) % 10000) for m, v in steady(minutes=range(-60, 300)).items()}
    found = look(values.items(), town(**({"digits": digits} if digits else {})))
    assert [(one.code, one.explained) for one in found] == [(code, digits is not None)]


def test_what_a_connection_cannot_carry_is_a_jump_and_max_kw_says_what_it_carries() -> None:
    values = {m: v if m < 60 else str(Decimal(v) + 5) for m, v in steady().items()}
    assert told(look(values.items())) == [("register-jumped", 59, 60, False)]
    assert look(values.items(), town(max_kw="100")) == []


def test_whole_kilowatt_hours_come_in_steps_and_are_no_jumps() -> None:
    values = {float(m): str(5000 + m * 16 // 60) for m in range(600)}
    assert look(values.items()) == []


@pytest.mark.parametrize("factor", [1000, Decimal("0.001")])
def test_a_level_a_thousand_times_the_old_one_is_another_unit(factor: Decimal) -> None:
    values = {m: v if m < 60 else str(Decimal(v) * factor) for m, v in steady(minutes=range(-60, 400)).items()}
    ((code, since, until, explained),) = told(look(values.items()))
    assert (code, since, explained) == ("unit-slipped", 59, False)
    assert until in (60, 399)  # a register in another unit goes on too fast


def test_a_pace_a_thousand_times_the_old_one_is_another_unit() -> None:
    values, level = steady(minutes=range(-60, 60)), Decimal("5001.190")
    values |= {float(m): str(level + 10 * (m - 59)) for m in range(60, 300)}
    ((code, since, until, explained),) = told(look(values.items()))
    assert (code, since, until, explained) == ("unit-slipped", 59, 299, False)


def test_a_level_of_pellets_may_fall_and_rise_but_not_slip() -> None:
    silo = town(measures="pellet_stock", unit="kg")
    level = {float(m): str(2500 - m) for m in range(200)} | {float(m): str(4000 - m) for m in range(200, 300)}
    assert look(level.items(), silo) == []
    slipped = {m: v if m < 60 else str(Decimal(v) / 1000) for m, v in level.items() if m < 200}
    assert told(look(slipped.items(), silo)) == [("unit-slipped", 59, 60, False)]
    back = level | {float(m): str(Decimal(level[m]) / 1000) for m in range(60, 90)}
    assert told(look(back.items(), silo)) == [("unit-slipped", 60, 89, True)]


def test_what_a_meter_can_carry_changes_no_statement() -> None:
    month = Month(2026, 1)
    assert input_sha256(town(), month, {}) == input_sha256(town(max_kw="55"), month, {})


def test_water_has_no_power() -> None:
    with pytest.raises(BadInput, match="has no power"):
        town(measures="hot_water", unit="m3", max_kw="5")
