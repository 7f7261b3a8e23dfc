"""A value or an answer that did not come, and why, in words a volunteer can act on."""

from __future__ import annotations

from typing import Final, Literal

Code = Literal[
    "no_value",  # the device itself says it has none
    "missing",  # it did not answer, or left the field out
    "unreadable",  # what it sent is not what the profile describes
    "range",  # a number that cannot be
    "status",  # the device marks the value as bad
    "time",  # no usable time
    "stale",  # retained or repeated, without a time of its own
    "unchanged",  # left out of a message that only tells what has changed
    "identity",  # this is not the device the profile is for
]

UNREADABLE: Final = frozenset({"unreadable", "range", "time", "missing", "identity"})
"""Reasons that say a message is not as described, so that it is kept for a person to look at."""


class NoValue(Exception):  # noqa: N818 - not an error: a device may well have no value
    """A point has no value; carried inside the decoder only."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code: Code = code
        self.reason = reason


class NoAnswer(Exception):  # noqa: N818 - devices sleep; this is no error of ours
    """A device did not answer, or not with anything of use; the message is a clause."""


class NoConnection(NoAnswer):
    """Nothing could be asked: the host, the gateway or the serial port is away, for every device behind it."""
