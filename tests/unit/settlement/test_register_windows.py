"""Where readings beyond a span are needed: two days around what is odd near its ends, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest

from core.time import from_microseconds, microseconds, rfc3339
from settlement.model import MeterReadings
from settlement.registers import may_have_strayed
from tests.support.watchtown import town

HOUR = 3_600_000_000
START = microseconds(datetime(2026, 1, 10, 23, tzinfo=UTC))
LAST = 240
"""Hours of the span: ten days."""
BOUNDS = [START + hour * HOUR for hour in range(LAST + 1)]
ALL = range(-1, LAST + 2)


def steady(hours: Iterable[float] = ALL) -> dict[float, Decimal]:
    """A kilowatt-hour an hour."""
    return {hour: Decimal(5000) + Decimal(hour) for hour in hours}


def lifted(values: Mapping[float, Decimal], first: int, by: int) -> dict[float, Decimal]:
    """The same from an hour on by so much higher."""
    return {hour: value + by * (hour >= first) for hour, value in values.items()}


def reach(
    values: Mapping[float, Decimal], *swaps: dict[str, str], kind: Literal["register", "interval"] = "register",
    **meter: Any,
) -> tuple[float, float] | None:  # fmt: skip
    """From which hour to which readings are needed of a flat's meter."""
    community = town(*swaps, **meter)
    hours = sorted(values)
    times = tuple(START + round(hour * HOUR) for hour in hours)
    known = MeterReadings(kind, times, tuple(values[hour] for hour in hours))
    found = may_have_strayed(community, community.meters[0], known, BOUNDS)
    return None if found is None else ((found[0] - START) / HOUR, (found[1] - START) / HOUR)


@pytest.mark.parametrize("by", [-50, 100])
@pytest.mark.parametrize(("first", "near"), [(0, True), (1, True), (49, True), (50, False), (120, False),
                                             (191, False), (192, True), (240, True), (241, True)])  # fmt: skip
def test_a_fall_and_a_jump_count_up_to_two_days_from_an_end(first: int, near: bool, by: int) -> None:
    """From the reading just 48 hours after the start, and up to that just 48 hours before the end."""
    assert reach(lifted(steady(), first, by)) == ((first - 1 - 48, first + 48) if near else None)


def test_the_window_holds_all_that_is_odd_near_either_end() -> None:
    assert reach(lifted(lifted(steady(), 20, -50), 10, -50)) == (9 - 48, 20 + 48)
    assert reach(lifted(lifted(steady(), 230, 100), 10, -50)) == (9 - 48, 230 + 48)
    assert reach(lifted(lifted(steady(), 230, -50), 10, 100)) == (9 - 48, 230 + 48)


@pytest.mark.parametrize(("hours", "first"), [(range(200, 241), 201), (range(-1, 40), 39), (range(192, 241), 230)])
def test_a_meter_that_is_read_at_one_end_only_is_looked_at_there(hours: range, first: int) -> None:
    assert reach(steady(hours)) is None
    assert reach(lifted(steady(hours), first, -50)) == (first - 1 - 48, first + 48)


def test_a_meter_that_is_read_once_in_ten_days_is_looked_at_between() -> None:
    assert reach(lifted(steady([-1, 241]), 241, -1000)) == (-1 - 48, 241 + 48)
    assert reach(steady([-1, 241])) is None
    assert reach(steady([5])) is None
    assert reach({}) is None


def test_what_explains_itself_near_an_end_needs_nothing_more() -> None:
    assert reach(steady() | {20.5: Decimal(0)}) is None  # a dip
    assert reach(steady() | {20.0: Decimal(9000)}) is None  # a spike
    assert reach(steady() | dict.fromkeys((20.0, 21.0, 22.0), Decimal(0))) is None  # back already
    rolled = {hour: (value + 4980) % 10000 for hour, value in steady().items()}
    assert reach(rolled, digits="4") is None
    assert reach(rolled) == (19 - 48, 20 + 48)
    swap = {"meter": "m", "at": rfc3339(from_microseconds(START + 20 * HOUR)), "old_end": "5020", "new_start": "0"}
    assert reach(lifted(steady(), 20, -5020), swap) is None


def test_what_the_connection_carries_in_the_time_between_two_readings_is_no_jump() -> None:
    assert reach(lifted(steady(), 20, 16)) is None  # 17 kWh in an hour of 17.25
    assert reach(lifted(steady(), 20, 17)) == (19 - 48, 20 + 48)
    silent = steady(hour for hour in ALL if not 10 < hour < 34)
    assert reach(lifted(silent, 34, 390)) is None  # 414 kWh in a day
    assert reach(lifted(silent, 34, 391)) == (10 - 48, 34 + 48)


def test_quantities_have_no_register_that_could_stray() -> None:
    assert reach(lifted(steady(), 20, -50), kind="interval") is None
    assert reach(lifted(steady(), 20, 100), kind="interval") is None


@pytest.mark.parametrize(
    ("unit", "measures", "carried", "jump"),
    [("GJ", "heat", "0.216", "0.217"), ("MWh", "heat", "0.060", "0.061"), ("m3", "hot_water", "3", "3.001")],
)
def test_a_jump_is_one_in_any_unit(unit: str, measures: str, carried: str, jump: str) -> None:
    """60 kW for an hour are 0.216 GJ; 3 m3 of hot water are the most."""
    still = {float(hour): Decimal(100) for hour in ALL}
    for height, odd in ((carried, False), (jump, True)):
        values = {hour: value + Decimal(height) * (hour >= 20) for hour, value in still.items()}
        assert reach(values, unit=unit, measures=measures) == ((19 - 48, 20 + 48) if odd else None)


def test_where_nothing_is_known_of_a_meter_it_falls_but_does_not_jump() -> None:
    heat = {"measures": "heat", "unit": "units"}
    assert reach(lifted(steady(), 20, 10**9), **heat) is None
    assert reach(lifted(steady(), 20, -50), **heat) == (19 - 48, 20 + 48)


def test_a_young_register_that_falls_by_little_fell_too() -> None:
    values = {float(hour): Decimal("0.5") if hour < 20 else Decimal("0.1") for hour in ALL}
    assert reach(values) == (19 - 48, 20 + 48)
