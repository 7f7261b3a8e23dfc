"""Serial numbers: which device is which, and which was swapped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple


class Serial(NamedTuple):
    """A serial number that a point of a device gave at an instant."""

    device: str
    point: str
    time: datetime
    text: str


class Change(NamedTuple):
    """A point of a device that gave another serial number than before."""

    device: str
    time: datetime
    before: str
    after: str


class Twin(NamedTuple):
    """A device that has the serial number of another one, and since when."""

    device: str
    other: str
    time: datetime
    serial: str


def changes(rows: Iterable[Serial]) -> list[Change]:
    """Return every change of a serial number, by time."""
    found = []
    last: dict[tuple[str, str], str] = {}
    for row in sorted(_meaningful(rows), key=lambda row: row.time):
        before = last.get((row.device, row.point))
        if before is not None and before != row.text:
            found.append(Change(row.device, row.time, before, row.text))
        last[row.device, row.point] = row.text
    return found


def twins(rows: Iterable[Serial]) -> list[Twin]:
    """Return every device that now gives the serial number of another one; both of a pair are named."""
    now: dict[tuple[str, str], Serial] = {}
    for row in sorted(_meaningful(rows)):  # by time, each point of a device
        known = now.get((row.device, row.point))
        if known is None or known.text != row.text:
            now[row.device, row.point] = row
    holders: defaultdict[str, dict[str, Serial]] = defaultdict(dict)
    for row in sorted(now.values(), key=lambda row: row.time):  # of two points the earlier says since when
        holders[row.text].setdefault(row.device, row)
    found = []
    for serial, devices in holders.items():
        for device, row in devices.items():
            others = sorted(name for name in devices if name != device)
            if others:
                found.append(Twin(device, ", ".join(others), row.time, serial))
    return sorted(found)


def _meaningful(rows: Iterable[Serial]) -> Iterable[Serial]:
    """Leave out what makers write where no number was given: nothing, zeros, blanks."""
    for row in rows:
        text = row.text.strip()
        if text.strip("0 -_"):
            yield row._replace(text=text)
