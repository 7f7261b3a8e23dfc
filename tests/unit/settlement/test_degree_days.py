"""Degree days: the table, any span of days, and a year that weighs one."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.degreedays import PER_MILLE, weight

DAYS = st.dates(date(2023, 1, 1), date(2029, 12, 31))


def test_the_table_adds_up_and_is_exact() -> None:
    assert sum(PER_MILLE) == 1000
    assert PER_MILLE[5] == PER_MILLE[6] == PER_MILLE[7] == Fraction(40, 3)


@pytest.mark.parametrize("year", [2024, 2025, 2100])
def test_a_year_weighs_one_leap_or_not(year: int) -> None:
    assert weight(date(year, 1, 1), date(year + 1, 1, 1)) == 1


def test_h7_a_january_of_a_hundred_square_metres_counts_for_seventeen() -> None:
    assert 100 * weight(date(2025, 1, 1), date(2025, 2, 1)) == 17


@pytest.mark.parametrize(
    ("day", "per_mille"),
    [
        ("2025-01-07", "5.484"), ("2025-02-07", "5.357"), ("2024-02-29", "5.172"), ("2025-03-07", "4.194"),
        ("2025-04-07", "2.667"), ("2025-05-07", "1.290"), ("2025-06-07", "0.444"), ("2025-07-07", "0.430"),
        ("2025-09-07", "1.000"), ("2025-10-07", "2.581"), ("2025-11-07", "4.000"), ("2025-12-07", "5.161"),
    ],
)  # fmt: skip
def test_a_day_has_its_months_part(day: str, per_mille: str) -> None:
    first = date.fromisoformat(day)
    assert f"{float(1000 * weight(first, first + timedelta(days=1))):.3f}" == per_mille


def test_no_days_weigh_nothing() -> None:
    assert weight(date(2025, 3, 5), date(2025, 3, 5)) == 0


@given(DAYS, st.integers(0, 800), st.integers(0, 800))
def test_a_span_weighs_what_its_days_weigh(start: date, first: int, more: int) -> None:
    middle, end = start + timedelta(days=first), start + timedelta(days=first + more)
    by_days = Fraction(0)
    day = start
    while day < end:
        tomorrow = day + timedelta(days=1)
        length = (date(day.year + day.month // 12, day.month % 12 + 1, 1) - date(day.year, day.month, 1)).days
        by_days += [170, 150, 130, 80, 40, Fraction(40, 3), Fraction(40, 3), Fraction(40, 3), 30, 80, 120, 160][
            day.month - 1
        ] / Fraction(1000 * length)
        day = tomorrow
    assert weight(start, end) == weight(start, middle) + weight(middle, end) == by_days
