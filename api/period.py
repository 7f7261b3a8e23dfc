"""The span of time a caller asks about: ``from``, ``until`` and ``step``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import Depends, Query

from api.context import Now, TheCommunity
from core.community import Community
from core.errors import BadInput
from core.time import Month, local_day, midnight, parse_time

Step = Literal["15min", "1h", "1d", "1month"]

_LONGEST: Final = {"15min": 40, "1h": 100, "1d": 800, "1month": 8000}
"""Longest span that is answered at once, by step [days]."""


@dataclass(frozen=True)
class Period:
    """From an instant up to, not including, another, in steps."""

    start: datetime
    until: datetime
    step: Step

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Both ends."""
        return self.start, self.until


def parse_period(
    community: Community, now: datetime, start: str | None, until: str | None, step: Step = "1h"
) -> Period:
    """Read a period; by default today, hour by hour.

    Parameters
    ----------
    start, until
        A local day (its midnight) or an RFC 3339 time, which is moved back to the start of its interval; `until`
        is not included and is by default the end of the day, or with step ``1month`` of the month, of ``start``.

    Raises
    ------
    BadInput
        If a time cannot be read, the period is empty or backwards, or too long for its step.
    """
    first = _instant(community, start, "from") if start else midnight(local_day(now, community.zone), community.zone)
    if until:
        last = _instant(community, until, "until")
    else:
        day = local_day(first, community.zone)
        last = midnight(Month.of(day).end_day if step == "1month" else day + timedelta(days=1), community.zone)
    if last <= first:
        raise BadInput("'until' must be later than 'from'; it is the first instant no longer included.")
    if last - first > timedelta(days=_LONGEST[step], hours=2):
        raise BadInput(f"That is too long for steps of {step}; ask for at most {_LONGEST[step]} days at once.")
    return Period(first, last, step)


def _instant(community: Community, text: str, name: str) -> datetime:
    try:
        if len(text) == len("2026-01-31"):
            return midnight(date.fromisoformat(text), community.zone)
        moment = parse_time(text.replace(" ", "+"))  # an unescaped + arrives as a blank
    except (ValueError, OverflowError):
        raise BadInput(
            f"'{name}' is neither a day nor a time with a zone; write 2026-01-31 or 2026-01-31T00:00:00Z."
        ) from None
    epoch = midnight(date(2000, 1, 1), community.zone)
    return moment - (moment - epoch) % community.interval


def _period(
    community: TheCommunity,
    now: Now,
    start: Annotated[str | None, Query(alias="from", description="local day or RFC 3339 time; today")] = None,
    until: Annotated[str | None, Query(description="not included; by default a day later")] = None,
    step: Annotated[Step, Query(description="length of a row")] = "1h",
) -> Period:
    return parse_period(community, now, start, until, step)


Asked = Annotated[Period, Depends(_period)]
