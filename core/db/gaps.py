"""What is missing: stretches of time in which a meter should have been read and nothing is stored.

Readings carry no number, so a loss shows only as time: two neighbours further apart than the meter is normally read.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from core.db.connection import Connection


class Gap(NamedTuple):
    """No reading between two instants; ``missing`` is how many there should have been."""

    after: datetime
    before: datetime
    missing: int


def gaps(
    connection: Connection, community: str, meter: str, every: timedelta, since: datetime, until: datetime
) -> list[Gap]:
    """Return the stretches without readings, oldest first.

    Parameters
    ----------
    connection, community, meter
        Whose readings.
    every
        How often the meter is normally read. Up to one and a half times this is no gap.
    since, until
        The span looked at, its end not included. Its borders stand for the readings outside it, so that a gap may
        begin at ``since`` and end at ``until``.
    """
    key = {"community": community, "meter": meter, "every": every, "since": since, "until": until}
    rows = connection.execute(
        "SELECT earlier, time FROM (SELECT lag(time) OVER (ORDER BY time) AS earlier, time, lead(time)"
        " OVER (ORDER BY time) AS later FROM reading WHERE (community, meter) = (%(community)s, %(meter)s)"
        " AND time >= %(since)s AND time < %(until)s) AS neighbours"
        " WHERE earlier IS NULL OR later IS NULL OR time - earlier > 1.5 * %(every)s::interval ORDER BY time",
        key,
    ).fetchall()
    if not rows:
        return _worth([Gap(since, until, (until - since) // every)])
    (_, first), (_, last) = rows[0], rows[-1]
    found = [Gap(since, first, (first - since) // every)]
    found += [Gap(earlier, time, _between(time - earlier, every)) for earlier, time in rows if earlier is not None]
    found.append(Gap(last, until, _between(until - last, every)))
    return _worth(found)


def _between(apart: timedelta, every: timedelta) -> int:
    """How many readings belong between two that are so far apart: the nearest whole spacing less one."""
    return -((every / 2 - apart) // every) - 1


def _worth(found: list[Gap]) -> list[Gap]:
    return [gap for gap in found if gap.missing > 0]
