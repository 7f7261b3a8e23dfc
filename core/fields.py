"""The fields of the community file: how a text is read as a name, a number, a day, an instant or a span of time.

Each message is a clause that says what is wrong and, where it helps, what would be right.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator

from core.time import parse_time


def _slug(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        raise ValueError(f"'{value}' is not a short name; use letters, digits, '-', '_' and '.', like A01")
    return value


def _number(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,15}(\.\d{1,12})?", value):
        raise ValueError(f"'{value}' is not a plain number; write it like \"62.0\"")
    return Decimal(value)


def _amount(value: object) -> Decimal:
    number = _number(value)
    if number < 0:
        raise ValueError(f"'{value}' is negative; it must be 0 or more")
    return number


def _euro(value: object) -> Decimal:
    number = _number(value)
    if number != round(number, 2):
        raise ValueError(f"'{value}' has parts of a cent; write euros with two decimals")
    return number


def _percent(value: object) -> Decimal:
    number = _amount(value)
    if number > 100:  # noqa: PLR2004 - a percentage
        raise ValueError(f"'{value}' is more than 100 percent")
    return number


def _positive(value: object) -> Decimal:
    number = _amount(value)
    if not number:
        raise ValueError("0 is not possible here; it must be more than 0")
    return number


def _day(value: object) -> date:
    try:
        if not isinstance(value, str) or len(value) != len("2026-01-01"):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"'{value}' is not a day; write it like 2026-01-31") from None


def _instant(value: object) -> datetime:
    try:
        return parse_time(str(value))
    except ValueError as error:
        raise ValueError(f"'{value}' is {error}") from None


def _yes_no(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError(f"'{value}' is neither true nor false")
    return value == "true"


def _whole(value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,6}", value):
        raise ValueError(f"'{value}' is not a whole number")
    return int(value)


def _clock(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", value):
        raise ValueError(f"'{value}' is not a time of day; write it like 07:00, at most 24:00")
    return value


def _duration(value: object) -> timedelta:
    match = re.fullmatch(r"(\d{1,5})\s*(ms|s|min|h|d)", str(value))
    if match is None or not int(match[1]):
        raise ValueError(f"'{value}' is not a span of time; write it like 10s, 15min or 1h")
    milliseconds = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
    return timedelta(milliseconds=int(match[1]) * milliseconds[match[2]])


def _zone(value: object) -> str:
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{value}' is not a known time zone; write it like Europe/Amsterdam") from None
    return str(value)


Slug = Annotated[str, BeforeValidator(_slug)]
Number = Annotated[Decimal, BeforeValidator(_number)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
Percent = Annotated[Decimal, BeforeValidator(_percent)]
Positive = Annotated[Decimal, BeforeValidator(_positive)]
Euro = Annotated[Decimal, BeforeValidator(_euro)]
EuroPaid = Annotated[Decimal, BeforeValidator(_amount), BeforeValidator(_euro)]
Day = Annotated[date, BeforeValidator(_day)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
YesNo = Annotated[bool, BeforeValidator(_yes_no)]
Whole = Annotated[int, BeforeValidator(_whole)]
Clock = Annotated[str, BeforeValidator(_clock)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Zone = Annotated[str, BeforeValidator(_zone)]
