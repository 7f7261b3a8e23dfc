"""The span of time a caller asks about."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.period import parse_period
from core.communityfile import parse
from core.errors import BadInput
from tests.support.house import COMMUNITY, NOW

HOUSE = parse(COMMUNITY).community


def test_by_default_it_is_the_local_day() -> None:
    period = parse_period(HOUSE, NOW, None, None)
    assert period.span == (datetime(2026, 5, 12, 22, tzinfo=UTC), datetime(2026, 5, 13, 22, tzinfo=UTC))


def test_a_day_without_an_end_is_that_day_even_when_clocks_change() -> None:
    period = parse_period(HOUSE, NOW, "2026-03-29", None)
    assert (period.until - period.start).total_seconds() == 23 * 3600


def test_with_steps_of_a_month_the_default_end_is_the_months() -> None:
    assert parse_period(HOUSE, NOW, "2026-04-01", None, "1month").until == datetime(2026, 4, 30, 22, tzinfo=UTC)


def test_a_time_is_moved_back_to_the_start_of_its_interval() -> None:
    period = parse_period(HOUSE, NOW, "2026-05-13T10:07:30+02:00", "2026-05-13T10:59:59 02:00", "15min")
    assert period.span == (datetime(2026, 5, 13, 8, 0, tzinfo=UTC), datetime(2026, 5, 13, 8, 45, tzinfo=UTC))


@pytest.mark.parametrize(
    ("start", "until", "step", "reason"),
    [
        ("yesterday", None, "1h", "neither a day nor a time"),
        ("2026-05-13T10:00:00", None, "1h", "with a zone"),
        ("2026-02-30", None, "1h", "neither a day nor a time"),
        ("2026-05-13", "2026-05-13", "1h", "later than"),
        ("2026-05-13", "2026-05-12", "1h", "later than"),
        ("2026-01-01", "2026-05-12", "15min", "at most 40 days"),
        ("0001-01-01", None, "1h", "."),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(start: str, until: str | None, step: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        parse_period(HOUSE, NOW, start, until, step)  # type: ignore[arg-type]  # as the address gives it


def test_forty_days_of_quarter_hours_with_a_change_of_clocks_are_allowed() -> None:
    parse_period(HOUSE, NOW, "2026-10-01", "2026-11-10", "15min")
