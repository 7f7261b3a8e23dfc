"""Instants in UTC, months and days in the community's zone.

A month runs from local midnight to local midnight, so that it has 2,972 quarter-hours in March and 2,980 in
October where clocks change. Intervals are labelled by their start, in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from core.errors import BadInput

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)")
_YEARS = range(1900, 2200)
"""Years a building may be in; calendars reckon on both sides of them without running out of dates."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def utc_now() -> datetime:
    """Return the present instant; called at the edge only, everything below takes the time as an argument."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that asks the clock


@lru_cache(maxsize=4096)  # meters that speak at the same second name it in the same words
def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time with a zone.

    Raises
    ------
    ValueError
        If the text is no time or names no zone; the message is a clause that fits behind "is".
    """
    if not _RFC3339.fullmatch(text):
        if re.fullmatch(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?", text):
            raise ValueError("a time without a zone; add one, like 2026-01-01T00:00:00+01:00")
        raise ValueError("not a time like 2026-01-01T00:00:00+01:00")
    try:
        instant = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError("not a time that exists") from None
    if instant.year not in _YEARS:
        raise ValueError(f"not a time between {_YEARS.start} and {_YEARS.stop}")
    return instant.astimezone(UTC)


def rfc3339(instant: datetime) -> str:
    """Print an instant in UTC, with a Z and no needless fraction."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z; exact, unlike ``timestamp()``."""
    return (instant - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """Inverse of `microseconds`."""
    return _EPOCH + timedelta(microseconds=value)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the UTC instant at which a local day starts."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """Return the local calendar day an instant lies in."""
    return instant.astimezone(zone).date()


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month in local time, printed as YYYY-MM."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read YYYY-MM.

        Raises
        ------
        BadInput
            If the text is not a month.
        """
        match = _MONTH.fullmatch(text)
        if match is None or int(match[1]) not in _YEARS:
            raise BadInput(f"'{text}' is not a month; write it as YYYY-MM, for instance 2026-01.")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> Month:
        """Return the month a day lies in."""
        return cls(day.year, day.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    def shift(self, months: int) -> Month:
        """Return the month so many months later, or earlier when negative."""
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)

    @property
    def first_day(self) -> date:
        """First day."""
        return date(self.year, self.month, 1)

    @property
    def end_day(self) -> date:
        """First day that is no longer in the month."""
        return self.shift(1).first_day

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end_day - self.first_day).days

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the month as UTC instants: from local midnight to local midnight."""
        return midnight(self.first_day, zone), midnight(self.end_day, zone)


def days_between(start: date, end: date) -> Iterator[date]:
    """Yield every day from ``start`` up to, not including, ``end``."""
    for offset in range((end - start).days):
        yield start + timedelta(days=offset)
