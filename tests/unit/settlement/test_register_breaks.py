"""Where a register did not just count on: what each break is, between which readings, and what is left of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from core.time import microseconds
from core.units import to_core
from settlement.model import MeterReadings
from settlement.registers import Break, across_replacements, rising_pieces, thousandfold
from tests.support.watchtown import town

HOUR = 3_600_000_000
START = microseconds(datetime(2026, 1, 10, 23, tzinfo=UTC))
TICK = 1 / HOUR
"""A microsecond, in hours."""


def look(values: Mapping[float, str], **meter: Any) -> tuple[list[dict[float, str]], list[Break]]:
    """The pieces of a flat's register of a connection of 17.25 kW, by hours [kWh], and its breaks."""
    hours = sorted(values)
    times = tuple(START + round(hour * HOUR) for hour in hours)
    known = MeterReadings("register", times, tuple(Decimal(values[hour]) for hour in hours))
    community = town(**meter)
    pieces, breaks = rising_pieces(community.meters[0], across_replacements(community, community.meters[0], known))
    at = dict(zip(times, hours, strict=True))
    return [{at[time]: str(Decimal(value) / 10**6) for time, value in piece} for piece in pieces], breaks


def told(one: Break) -> tuple[str, int, float, float, str, str]:
    """A break with its hours and its values [kWh]."""
    start, until = ((instant - START) / HOUR for instant in (one.start, one.until))
    return one.kind, one.place, start, until, *(str(Decimal(value) / 10**6) for value in (one.before, one.after))


def but(values: Mapping[float, str], *odd: float) -> dict[float, str]:
    return {hour: value for hour, value in values.items() if hour not in odd}


# ---- dips


@pytest.mark.parametrize(("back", "kind"), [(3.0, "dipped"), (3 + TICK, "strayed")])
def test_a_register_that_is_back_within_the_hour_has_dipped(back: float, kind: str) -> None:
    values = {0.0: "100", 1.0: "101", 2.0: "0", back: "101", 5.0: "105"}
    pieces, breaks = look(values)
    assert [one.kind for one in breaks] == [kind]
    assert pieces == [but(values, 2)]


def test_a_dip_is_told_with_the_last_good_value_and_the_odd_one() -> None:
    _, (one,) = look({0.0: "100", 1.0: "101", 1.5: "3", 2.0: "102"})
    assert told(one) == ("dipped", 2, 1.5, 1.5, "101", "3")


def test_dips_that_follow_each_other_are_one_up_to_the_highest_of_them() -> None:
    values = {0.0: "100", 1.0: "101", 1.25: "0", 1.5: "5", 1.75: "3", 2.0: "102"}
    pieces, breaks = look(values)
    assert [told(one) for one in breaks] == [("dipped", 4, 1.25, 1.75, "101", "5")]
    assert pieces == [but(values, 1.25, 1.5, 1.75)]


def test_dips_with_a_good_reading_between_them_are_two() -> None:
    _, breaks = look({0.0: "100", 1.0: "101", 1.25: "0", 1.5: "101", 1.75: "3", 2.0: "102"})
    assert [told(one) for one in breaks] == [
        ("dipped", 2, 1.25, 1.25, "101", "0"), ("dipped", 4, 1.75, 1.75, "101", "3"),
    ]  # fmt: skip


def test_a_dip_right_after_a_spike_is_a_break_of_its_own() -> None:
    values = {0.0: "100", 1.0: "900", 2.0: "102", 2.5: "0", 3.0: "103"}
    pieces, breaks = look(values)
    assert [told(one) for one in breaks] == [("spiked", 2, 1, 1, "900", "102"), ("dipped", 3, 2.5, 2.5, "102", "0")]
    assert pieces == [but(values, 1, 2.5)]


# ---- spikes


def test_the_second_reading_ever_may_be_a_spike() -> None:
    values = {0.0: "100", 1.0: "900", 2.0: "102", 3.0: "103"}
    pieces, breaks = look(values)
    assert [told(one) for one in breaks] == [("spiked", 2, 1, 1, "900", "102")]
    assert pieces == [but(values, 1)]


def test_the_first_reading_ever_is_no_spike_for_nothing_tells_where_the_register_was() -> None:
    pieces, breaks = look({0.0: "900", 1.0: "101", 2.0: "102"})
    assert [told(one) for one in breaks] == [("fell", 1, 0, 1, "900", "101")]
    assert pieces == [{0.0: "900"}, {1.0: "101", 2.0: "102"}]


# ---- low for a while


def test_what_strayed_is_left_out_and_every_reading_after_it_counts() -> None:
    values = {0.0: "100", 1.0: "101", 2.0: "1", 3.0: "2", 4.0: "104", 5.0: "110", 6.0: "111"}
    pieces, breaks = look(values)
    assert [told(one) for one in breaks] == [("strayed", 4, 2, 3, "101", "1")]
    assert pieces == [but(values, 2, 3)]


def test_a_single_reading_may_stray() -> None:
    values = {0.0: "100", 1.0: "101", 2.0: "0", 4.0: "104"}
    pieces, breaks = look(values)
    assert [told(one) for one in breaks] == [("strayed", 3, 2, 2, "101", "0")]
    assert pieces == [but(values, 2)]


def test_a_register_that_is_back_at_exactly_its_old_value_is_back() -> None:
    values = {0.0: "100", 1.0: "101", 2.0: "0", 3.0: "0", 4.0: "101", 5.0: "102"}
    pieces, breaks = look(values)
    assert [told(one) for one in breaks] == [("strayed", 4, 2, 3, "101", "0")]
    assert pieces == [but(values, 2, 3)]


@pytest.mark.parametrize(("back", "kind"), [(49.0, "strayed"), (49 + TICK, "fell")])
def test_a_register_is_away_for_at_most_two_days_since_its_last_good_value(back: float, kind: str) -> None:
    _, breaks = look({0.0: "100", 1.0: "101", 2.0: "0", 48.0: "0", back: "149"})
    assert [one.kind for one in breaks] == [kind]


@pytest.mark.parametrize(
    ("low", "kind"),
    [
        ("86.75", "fell"),  # up to 104 it is 17.25 kWh, in an hour: that the connection carries
        ("86.749999", "strayed"),
    ],
)
def test_the_last_step_back_must_be_more_than_is_carried_in_its_own_time(low: str, kind: str) -> None:
    _, breaks = look({0.0: "100", 1.0: "101", 2.0: "0", 3.0: low, 4.0: "104"})
    assert [one.kind for one in breaks] == [kind]
    # In two hours twice as much is carried; how long it was low before that tells nothing.
    _, breaks = look({0.0: "100", 1.0: "101", 2.0: low, 3.0: low, 4.0: "104"})
    assert [one.kind for one in breaks] == [kind]


@pytest.mark.parametrize(("back", "kind"), [("152.75", "strayed"), ("152.750001", "fell")])
def test_what_was_counted_meanwhile_must_be_carried(back: str, kind: str) -> None:
    """Three hours since the last good value of 101: 51.75 kWh."""
    _, breaks = look({0.0: "100", 1.0: "101", 2.0: "0", 3.0: "0", 4.0: back})
    assert [one.kind for one in breaks] == [kind]


# ---- high for a while


def test_what_went_away_right_after_the_first_reading_and_came_back_has_strayed() -> None:
    values = {0.0: "100", 1.0: "900", 2.0: "901", 3.0: "103", 4.0: "104"}
    pieces, breaks = look(values)
    assert [told(one) for one in breaks] == [("strayed", 3, 1, 2, "100", "900")]
    assert pieces == [but(values, 1, 2)]


def test_what_falls_below_everything_before_has_not_come_back() -> None:
    pieces, breaks = look({0.0: "100", 1.0: "900", 2.0: "901", 3.0: "99", 4.0: "104"})
    assert [told(one) for one in breaks] == [("fell", 3, 2, 3, "901", "99")]
    assert pieces == [{0.0: "100", 1.0: "900", 2.0: "901"}, {3.0: "99", 4.0: "104"}]


@pytest.mark.parametrize(("back", "kind"), [(48.0, "strayed"), (48 + TICK, "fell")])
def test_a_register_is_too_high_for_at_most_two_days_since_its_last_good_value(back: float, kind: str) -> None:
    _, breaks = look({0.0: "100", 1.0: "900", 2.0: "901", back: "148"})
    assert [one.kind for one in breaks] == [kind]


@pytest.mark.parametrize(("high", "kind"), [("272.5", "fell"), ("272.500001", "strayed")])
def test_a_rise_that_is_carried_in_its_own_time_is_no_jump_that_a_fall_could_undo(high: str, kind: str) -> None:
    """172.5 kWh in ten hours."""
    _, breaks = look({0.0: "100", 10.0: high, 11.0: "280", 12.0: "103"})
    assert [one.kind for one in breaks] == [kind]


# ---- after a roll-over


def test_after_a_roll_over_dips_and_strays_are_told_as_the_dial_shows_them() -> None:
    values = {
        0.0: "998",
        1.0: "999",
        2.0: "0",
        3.0: "1",
        4.0: "2",
        4.5: "1",
        5.0: "3",
        6.0: "500",
        7.0: "501",
        8.0: "6",
    }
    pieces, breaks = look(values, digits="3")
    assert [told(one) for one in breaks] == [
        ("rolled-over", 2, 1, 2, "999", "0"),
        ("dipped", 5, 4.5, 4.5, "2", "1"),
        ("strayed", 9, 6, 7, "3", "500"),
    ]
    on = {0.0: "998", 1.0: "999", 2.0: "1000", 3.0: "1001", 4.0: "1002", 5.0: "1003", 8.0: "1006"}
    assert pieces == [on]


# ---- other units


@pytest.mark.parametrize(
    ("one", "other", "so"),
    [
        (1, 1000, True), (0, 0, False), (0, 1000, False), (-1, -1000, False),
        (99, 100_000, True), (99, 100_001, False),  # 1000 of 100000 is a hundredth
        (101, 100_000, True), (101, 99_999, False),
    ],
)  # fmt: skip
def test_a_thousand_times_a_value_is_that_to_a_hundredth_whichever_came_first(one: int, other: int, so: bool) -> None:
    assert thousandfold(one, other) is so
    assert thousandfold(other, one) is so


def test_the_dial_is_as_large_in_any_unit() -> None:
    assert to_core(Decimal(1000), "MWh") == 10**12
    pieces, breaks = look({0.0: "999.999", 1.0: "0.001"}, digits="3", unit="MWh")
    assert [one.kind for one in breaks] == ["rolled-over"]
    assert pieces == [{0.0: "999999", 1.0: "1000001"}]
