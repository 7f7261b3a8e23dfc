"""Once a night, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.time import midnight
from settlement.jobs import passes_night

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize("late", [timedelta(seconds=1), timedelta(minutes=20), timedelta(minutes=59)])
@pytest.mark.parametrize("zone", [AMSTERDAM, ZoneInfo("UTC"), ZoneInfo("Asia/Kolkata"), ZoneInfo("America/Lima")])
def test_of_all_hours_of_a_year_one_a_night_settles(zone: ZoneInfo, late: timedelta) -> None:
    start = midnight(date(2026, 1, 1), zone)
    first = start.replace(minute=30) if start.minute <= 30 else start
    turns = [first + timedelta(hours=hour) + late for hour in range(365 * 24)]
    nights = [turn.astimezone(zone).date() for turn in turns if passes_night(turn, zone)]
    assert len(nights) == len(set(nights)) == 365


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_nights_in_which_the_clock_changes_count_once(day: date) -> None:
    start = midnight(day, AMSTERDAM)
    turns = [start + timedelta(hours=hour, minutes=30, seconds=1) for hour in range(12)]
    assert sum(passes_night(turn, AMSTERDAM) for turn in turns) == 1


def test_the_afternoon_is_no_night() -> None:
    assert not passes_night(datetime(2026, 1, 1, 14, 30, tzinfo=UTC), AMSTERDAM)
