"""How long what opens a sealed month's quarter-hours is kept; the setting changes no hash and no sealed byte."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from settlement import selection
from settlement.final.openings import kept_through
from settlement.seal import figures
from tests.support import finaltown
from tests.support.finaltown import FEBRUARY

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOON = timedelta(hours=12)


@pytest.mark.parametrize(
    ("sealed", "months", "last"),
    [
        (datetime(2026, 3, 5, 12, tzinfo=UTC), 24, date(2028, 3, 5)),
        (datetime(2026, 8, 31, 12, tzinfo=UTC), 6, date(2027, 2, 28)),  # a month without that day: its last one
        (datetime(2028, 2, 29, 12, tzinfo=UTC), 12, date(2029, 2, 28)),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), 1, date(2027, 2, 1)),  # the first of January in Amsterdam
    ],
)
def test_openings_are_kept_so_many_months_from_the_local_day_of_the_seal(
    sealed: datetime, months: int, last: date
) -> None:
    assert kept_through(sealed, months, AMSTERDAM) == last


@given(st.dates(date(2025, 1, 1), date(2060, 1, 1)), st.integers(1, 1200))
def test_no_month_of_keeping_is_cut_short(day: date, months: int) -> None:
    last = kept_through(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), months, AMSTERDAM)
    assert (last.year - day.year) * 12 + last.month - day.month == months
    assert last.day == min(day.day, monthrange(last.year, last.month)[1])


def test_how_long_openings_are_kept_changes_no_hash_and_no_sealed_rule() -> None:
    plain, dated = finaltown.town(), finaltown.town(final={"openings_kept_months": "24"})
    values = finaltown.registers()
    (one, first, _), (other, second, _) = (finaltown.settled(town, values) for town in (plain, dated))
    assert first == second
    selected = selection.used(plain, FEBRUARY, finaltown.readings(values))
    assert figures.rules(one, selected) == figures.rules(other, selected)


def test_without_a_setting_nothing_is_destroyed_by_itself() -> None:
    assert finaltown.town().final.openings_kept_months is None


@pytest.mark.parametrize("months", ["0", "1201", "-3", "1.5", "a year"])
def test_months_of_keeping_are_a_number_that_can_be_meant(months: str) -> None:
    with pytest.raises(BadInput, match=r"final\.openings_kept_months"):
        finaltown.town(final={"openings_kept_months": months})
