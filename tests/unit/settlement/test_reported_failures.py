"""What other programs were reported to do wrong with a meter's readings, as quarter-hours that can be settled.

`test_collection_failures` shows what is told of the same cases; here stands what is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal

import pytest

from core.community import Community
from core.time import from_microseconds, microseconds, parse_time, rfc3339
from settlement.model import MeterReadings, Series
from settlement.readings import intervals
from tests.support.watchtown import town

MINUTE = 60_000_000
QUARTER = 15 * MINUTE
START = microseconds(parse_time("2026-01-10T23:00:00Z"))  # local midnight
KWH = 10**6


def quarters(
    values: Mapping[float, str], first: int = -4, end: int = 12, community: Community | None = None
) -> tuple[Series, set[str]]:
    """Quarter-hours by number since local midnight, of a register read at minutes since then; and what is told."""
    community = community or town()
    rows = sorted(values.items())
    times = tuple(START + int(minute * MINUTE) for minute, _ in rows)
    known = MeterReadings("register", times, tuple(Decimal(value) for _, value in rows))
    series, findings = intervals(
        community, community.meters[0], known, [START + number * QUARTER for number in range(first, end + 1)]
    )
    return series, {finding.code for finding in findings}


def steady(minutes: Iterable[int] = range(-60, 181)) -> dict[float, str]:
    """A hundredth of a kWh every minute: 0.15 in a quarter-hour."""
    return {float(minute): f"{5000 + (minute + 60) / 100:.2f}" for minute in minutes}


EVEN = 150_000
"""What a quarter-hour of `steady` holds [mWh]."""


def test_a_daily_total_that_stays_after_midnight_and_then_drops_gives_nothing_negative() -> None:
    values = {float(minute): f"{12 + (minute + 60) * 0.005:.3f}" for minute in range(-60, 1)}
    values |= {float(minute): "12.300" for minute in range(1, 7)}
    values |= {float(minute): f"{(minute - 7) * 0.005:.3f}" for minute in range(7, 181)}
    series, told = quarters(values)
    # The quarter-hour of the drop is missing: nobody knows what was used between the two totals.
    assert series.quality[4] == "missing"
    assert [value for index, value in enumerate(series.energy) if index != 4] == [75_000] * 15
    assert told == {"register-fell", "missing-intervals"}


@pytest.mark.parametrize("polls", [1, 3, 20])
def test_a_true_zero_replaced_by_yesterdays_value_uses_nothing(polls: int) -> None:
    values = {float(minute): "0.000" for minute in range(-60, 181)}
    values |= {float(12 + poll): "12.300" for poll in range(polls)}
    series, _ = quarters(values)
    assert set(series.energy) == {0}


def test_a_sum_of_strings_that_reads_zero_for_one_poll_does_not_count_the_day_again() -> None:
    series, told = quarters(steady() | {30.0: "0"})
    assert set(series.energy) == {EVEN}
    assert told == {"register-dipped"}


@pytest.mark.parametrize("away", [10, 90, 160])
def test_a_lifetime_counter_that_is_away_gives_neither_a_negative_nor_a_positive_spike(away: int) -> None:
    series, _ = quarters(steady() | {float(minute): "0" for minute in range(5, 5 + away)})
    assert set(series.energy) == {EVEN}


@pytest.mark.parametrize("days", [10, 13])
def test_days_offline_are_spread_and_no_giant_bar(days: int) -> None:
    counted = days * 24 * 4
    values = {float(minute): str(5000 + (minute + 60) / 100) for minute in range(-60, 1)}
    values |= {days * 1440.0 + minute: f"{5000.6 + counted * 0.15 + minute / 100:.2f}" for minute in range(61)}
    series, told = quarters(values, 0, counted + 4)
    assert set(series.energy) == {EVEN}
    assert series.quality == (*["estimated"] * counted, *["measured"] * 4)
    assert told == {"estimated-intervals"}


@pytest.mark.parametrize("bad", ["-32768", "-0.001", "4000"])
def test_a_bad_value_at_midnight_is_no_reset(bad: str) -> None:
    series, told = quarters(steady() | {0.0: bad})
    assert set(series.energy) == {EVEN}
    assert told == {"register-dipped"}


@pytest.mark.parametrize("start", ["0", "17.25", "81230"])
def test_a_replaced_meter_counts_on_wherever_the_new_one_starts(start: str) -> None:
    at = rfc3339(from_microseconds(START + 37 * MINUTE))
    swap = {"meter": "m", "at": at, "old_end": "5000.97", "new_start": start}
    values = {m: v if m < 37 else str(Decimal(v) - Decimal("5000.97") + Decimal(start)) for m, v in steady().items()}
    series, told = quarters(values, community=town(swap))
    assert (set(series.energy), set(series.quality), told) == ({EVEN}, {"measured"}, set())


def test_days_that_only_hold_estimates_are_there_with_all_their_quarter_hours() -> None:
    values = {-60.0: "100", 4 * 1440.0: "500"}
    series, told = quarters(values, 96, 2 * 96)
    assert len(series.energy) == 96
    assert None not in series.energy
    assert set(series.quality) == {"estimated"}
    assert told == {"estimated-intervals"}
    exact = Decimal(400) * 1440 / (4 * 1440 + 60)
    assert abs(series.known() - exact * KWH) <= 1


@pytest.mark.parametrize(("day", "count"), [("2026-03-29", 92), ("2026-10-25", 100), ("2026-06-01", 96)])
def test_a_day_of_23_or_25_hours_holds_its_own_quarter_hours_and_all_of_its_use(day: str, count: int) -> None:
    community = town()
    first = parse_time(f"{day}T12:00:00Z").astimezone(community.zone).replace(hour=0)
    # The day begins and ends at local midnight, however many hours lie between.
    last = (first.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=community.zone)
    bounds = list(range(microseconds(first), microseconds(last) + 1, QUARTER))
    assert len(bounds) - 1 == count
    times = tuple(bounds[0] + number * 7 * MINUTE for number in range(count * 15 // 7 + 2))
    known = MeterReadings("register", times, tuple(Decimal(number * 7) / 100 for number in range(len(times))))
    series, _ = intervals(community, community.meters[0], known, bounds)
    assert (set(series.energy), len(series.energy)) == ({EVEN}, count)
