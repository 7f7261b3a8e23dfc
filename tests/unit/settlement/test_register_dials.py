"""A register counts on over swaps of its meter and over its last digit, and over nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.community import Community
from core.errors import BadInput
from core.time import from_microseconds, microseconds, rfc3339
from settlement.model import MeterReadings
from settlement.registers import across_replacements, rising_pieces
from tests.support.watchtown import town

HOUR = 3_600_000_000
KWH = 10**6
START = microseconds(datetime(2026, 1, 10, 23, tzinfo=UTC))


def swap(hour: float, old_end: str, new_start: str) -> dict[str, str]:
    return {"meter": "m", "at": rfc3339(from_microseconds(START + int(hour * HOUR))), "old_end": old_end,
            "new_start": new_start}  # fmt: skip


def read(values: Mapping[float, str]) -> MeterReadings:
    times = tuple(START + int(hour * HOUR) for hour in sorted(values))
    return MeterReadings("register", times, tuple(Decimal(values[hour]) for hour in sorted(values)))


def continued(values: Mapping[float, str], community: Community) -> dict[float, float]:
    """A register at hours over every swap [kWh]."""
    points = across_replacements(community, community.meters[0], read(values)).points
    assert len({time for time, _ in points}) == len(points)  # each instant once
    return {(time - START) / HOUR: value / KWH for time, value in points}


def counted(values: Mapping[float, str], community: Community) -> tuple[list[dict[float, float]], list[str]]:
    """What a register counted from each start, by hours [kWh], and its breaks by kind."""
    meter = community.meters[0]
    pieces, breaks = rising_pieces(meter, across_replacements(community, meter, read(values)))
    told = [{(time - START) / HOUR: (value - piece[0][1]) / KWH for time, value in piece} for piece in pieces]
    return told, [one.kind for one in breaks]


def an_hour_each(first: int, last: int) -> dict[float, float]:
    return {float(hour): float(hour - first) for hour in range(first, last + 1)}


# ---- swaps


def test_swaps_are_taken_by_their_time_however_they_are_listed() -> None:
    values = {0.0: "100", 1.0: "101", 3.0: "1", 4.0: "2", 6.0: "51"}
    whole = {0.0: 100, 1.0: 101, 2.0: 102, 3.0: 103, 4.0: 104, 5.0: 105, 6.0: 106}
    first, second = swap(2, "102", "0"), swap(5, "3", "50")
    assert continued(values, town(first, second)) == continued(values, town(second, first)) == whole


def test_a_meter_that_was_swapped_before_it_was_first_read_starts_with_the_end_of_the_old_one() -> None:
    assert continued({2.0: "1", 3.0: "2"}, town(swap(1, "734", "0"))) == {1.0: 734, 2.0: 735, 3.0: 736}
    assert continued({2.0: "1", 3.0: "2"}, town(swap(1, "34", "0"), digits="2")) == {1.0: 34, 2.0: 35, 3.0: 36}


def test_two_swaps_after_the_last_reading_follow_each_other() -> None:
    """The meter that was put in at 3 and taken out at 4 had counted 2: 103, and 2 more."""
    known = {0.0: "100", 1.0: "101"}
    whole = {0.0: 100, 1.0: 101, 3.0: 103, 4.0: 105, 5.0: 106}
    assert continued(known, town(swap(3, "103", "10"), swap(4, "12", "0"), swap(5, "1", "7"))) == whole


@pytest.mark.parametrize("shown", ["101", "102", "0", "900"])
def test_at_the_instant_of_a_swap_what_was_declared_holds_whatever_was_read(shown: str) -> None:
    values = {0.0: "100", 2.0: shown, 3.0: "1", 4.0: "2"}
    assert continued(values, town(swap(2, "102", "0"))) == {0.0: 100, 2.0: 102, 3.0: 103, 4.0: 104}


def test_a_meter_replaced_twice_at_the_same_instant_is_refused() -> None:
    """Declared twice by mistake, the whole life of the old meter would be counted a second time."""
    with pytest.raises(BadInput, match=r"meter 'm' was replaced 2 times at 2026-01-11 01:00:00\+00:00; keep one"):
        town(swap(2, "102", "0"), swap(3, "5", "0"), swap(2, "102", "0"))


def test_a_dial_that_did_not_pass_its_last_digit_before_a_swap_is_not_taken_to_have() -> None:
    values = {0.0: "996", 1.0: "997", 3.0: "1", 4.0: "2"}
    whole = {0.0: 996, 1.0: 997, 2.0: 998, 3.0: 999, 4.0: 1000}
    assert continued(values, town(swap(2, "998", "0"), digits="3")) == whole
    assert continued({0.0: "100", 1.0: "100"}, town(swap(2, "100", "0"), digits="3"))[2.0] == 100


def test_a_dial_that_passed_its_last_digit_unseen_before_a_swap_did_so_wherever_its_zero_lies() -> None:
    """The second meter was put in at 990 of the count, showed 998 last and 3 when it was taken out: 5 more."""
    values = {0.0: "100", 2.0: "996", 3.0: "998", 5.0: "0", 6.0: "1"}
    swaps = swap(1, "101", "995"), swap(4, "3", "0")
    whole = {0.0: 100, 1.0: 101, 2.0: 102, 3.0: 104, 4.0: 109, 5.0: 109, 6.0: 110}
    assert continued(values, town(*swaps, digits="3")) == whole
    # The first dial's zero is that of the count, the second's lies 894 below it and then, a turn later, 106 above it.
    community = town(*swaps, digits="3")
    zeros = across_replacements(community, community.meters[0], read(values)).zeros
    assert zeros == [zero * KWH for zero in (0, 0, -894, -894, 106, 109, 109)]
    late = {0.0: "100", 2.0: "996", 3.0: "998"}
    assert continued(late, town(*swaps, digits="3")) == {hour: whole[hour] for hour in (0.0, 1.0, 2.0, 3.0, 4.0)}


# ---- the last digit


@pytest.mark.parametrize(
    ("before", "after", "rolled"),
    [
        ("750", "1", False), ("750.000001", "1", True), ("999.999999", "0", True), ("1000", "1", False),
        ("999", "249.999999", True), ("999", "250", False), ("999", "0", True), ("999", "-0.000001", False),
        ("1990", "5", False), ("-1", "-2", False),
    ],
)  # fmt: skip
def test_a_roll_over_goes_from_the_last_quarter_of_the_dial_to_its_first(before: str, after: str, rolled: bool) -> None:
    told, kinds = counted({0.0: before, 1.0: after}, town(digits="3"))
    assert kinds == (["rolled-over"] if rolled else ["fell"])
    rise = round(1000 + Decimal(after) - Decimal(before), 6)
    assert told == ([{0.0: 0.0, 1.0: float(rise)}] if rolled else [{0.0: 0.0}, {1.0: 0.0}])


def test_a_register_that_counts_below_zero_did_not_pass_its_last_digit_every_hour() -> None:
    """It would be billed nearly a whole dial for every unit that it goes down."""
    told, kinds = counted({float(hour): str(2 - hour) for hour in range(6)}, town(digits="3"))
    assert kinds == ["fell"] * 5
    assert told == [{float(hour): 0.0} for hour in range(6)]


def test_a_register_with_more_digits_than_declared_that_is_reset_is_cut_and_not_bent_down() -> None:
    told, kinds = counted({0.0: "1992", 1.0: "1993", 2.0: "5", 3.0: "6"}, town(digits="3"))
    assert (told, kinds) == ([{0.0: 0.0, 1.0: 1.0}, {2.0: 0.0, 3.0: 1.0}], ["fell"])


def test_without_digits_no_register_passes_its_last_one() -> None:
    assert counted({0.0: "0.000002", 1.0: "0.000001"}, town())[1] == ["fell"]


def test_a_meter_that_was_swapped_passes_its_own_last_digit() -> None:
    """The old one ended at 733.5 and the new one began at 996.5: its zero lies elsewhere in the count."""
    shown = ("732", "733", "997", "998", "999", "0", "1", "2")
    values = {float(hour): value for hour, value in enumerate(shown)}
    told, kinds = counted(values, town(swap(1.5, "733.5", "996.5"), digits="3"))
    assert (told, kinds) == ([an_hour_each(0, 7) | {1.5: 1.5}], ["rolled-over"])


def test_a_meter_that_passes_its_last_digit_right_after_it_was_put_in_counts_on() -> None:
    values = {0.0: "99", 1.0: "100", 3.0: "1", 4.0: "2"}
    told, kinds = counted(values, town(swap(2, "101", "0"), digits="3"))
    assert (told, kinds) == ([an_hour_each(0, 4)], [])
    used = {0.0: "99", 1.0: "100", 3.0: "0", 4.0: "1"}
    told, kinds = counted(used, town(swap(2, "101", "999"), digits="3"))
    assert (told, kinds) == ([an_hour_each(0, 4)], ["rolled-over"])


def test_a_swapped_meter_that_is_reset_in_the_middle_of_its_dial_did_not_pass_its_last_digit() -> None:
    """In the whole count it falls from 801 to 100, from the last quarter to the first; on its own dial from 701."""
    values = {0.0: "99", 1.0: "100", 100.0: "700", 101.0: "701", 102.0: "0", 103.0: "1"}
    told, kinds = counted(values, town(swap(2, "100", "0"), digits="3"))
    assert (told[1:], kinds) == ([{102.0: 0.0, 103.0: 1.0}], ["fell"])


def test_a_meter_passes_its_last_digit_twice() -> None:
    values = {float(hour): str((90 + 5 * hour) % 100) for hour in range(25)}
    told, kinds = counted(values, town(digits="2"))
    assert (told, kinds) == ([{float(hour): 5.0 * hour for hour in range(25)}], ["rolled-over"] * 2)
