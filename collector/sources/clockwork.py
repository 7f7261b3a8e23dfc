"""When a device is asked: aligned to the clock, right behind every quarter-hour, and not all at once.

A device read every 10 s is read at :00, :10, :20, each a little later by its own share of `SPREAD`, so that a thousand
devices are not asked in the same millisecond.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

SPREAD: Final = timedelta(seconds=2)
"""Polls that fall due together are spread over this long."""
LONGEST_BREAK: Final = timedelta(minutes=5)
"""A device that does not answer is left alone for so long at most."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER: Final = timedelta(minutes=15)
_MOST_DOUBLINGS: Final = 10


def next_poll(now: datetime, every: timedelta, phase: timedelta = timedelta(0)) -> datetime:
    """Return the next multiple of ``every``, or the next quarter-hour if that is earlier; both later by ``phase``."""
    since = now - phase - _EPOCH
    return _EPOCH + phase + min((since // every + 1) * every, (since // _QUARTER + 1) * _QUARTER)


def phases(periods: list[timedelta]) -> list[timedelta]:
    """Return a share of the spread for each device, evenly in the order given; always less than its period."""
    return [min(every, SPREAD) * index / len(periods) for index, every in enumerate(periods)]


def pause(failures: int) -> timedelta:
    """How long to leave alone what failed so many times in a row: 2 s, then twice as long each time, capped."""
    return min(timedelta(seconds=1 << min(failures, _MOST_DOUBLINGS)), LONGEST_BREAK)
