"""What every source that asks has in common: a line to one place, and readers for the devices on it.

A line is one TCP connection, one serial port or one web server. It is used by one task only, so that its devices are
read one after another and no second connection is ever opened.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, Protocol

from collector.profile import Transport
from collector.raw import Raw


class Answer(NamedTuple):
    """One poll: what the device said, and the blocks that were not due this time."""

    raw: Raw
    resting: frozenset[str] = frozenset()


class Reader(Protocol):
    """One device on a line."""

    async def read(self) -> Answer:
        """Read the device once.

        Raises
        ------
        NoAnswer
            If it did not answer as it should; `NoConnection` if nothing could be asked.
        """

    def forget(self) -> None:
        """Look up anew whatever was remembered of the device."""


class Line(Protocol):
    """One place where devices are reached."""

    async def close(self) -> None:
        """Hang up; the next read connects anew."""


@dataclass(frozen=True)
class Manners:
    """What the devices on one line need; times in seconds.

    Attributes
    ----------
    timeout
        For connecting and for each answer: the slowest answer that is still one.
    connect_delay, request_gap
        Silence needed after connecting and between requests.
    keep_open
        Whether the connection may stay between two polls.
    idle_close
        A connection unused for so long is made anew: the other side has given it up.
    """

    timeout: float = 3.0
    connect_delay: float = 0.0
    request_gap: float = 0.0
    keep_open: bool = True
    idle_close: float = math.inf

    @classmethod
    def strictest(cls, links: Iterable[Transport]) -> Manners:
        """Return what suits all who share a line: the longest waits, and open only if all agree."""
        asked = tuple(links)
        return cls(
            max(link.timeout.total_seconds() for link in asked),
            max(_seconds(link.connect_delay) for link in asked),
            max(_seconds(link.request_gap) for link in asked),
            all(link.keep_open for link in asked),
            min(_seconds(link.idle_close, math.inf) for link in asked),
        )


def _seconds(span: timedelta | None, otherwise: float = 0.0) -> float:
    return otherwise if span is None else span.total_seconds()
