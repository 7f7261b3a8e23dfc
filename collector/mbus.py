"""M-Bus telegrams: to be written."""

from __future__ import annotations

from collections.abc import Iterable

from collector.profile import Origin
from collector.refusal import NoValue
from collector.registers import Number


class Records:
    def read(self, place: Origin) -> Number | str:
        raise NoValue("missing", "the telegram has no such record")


def records_of(frames: Iterable[bytes]) -> Records:
    return Records()
