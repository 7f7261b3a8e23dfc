"""The measurements as they were published: hourly means, labelled by the start of the hour, in UTC.

Eighteen Belgian homes' electricity, three homes' gas, and the weather of 2016; source opengridcc/opengrid, Apache-2.0.
The data are not part of this repository, only monthly sums of them are.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from core.time import microseconds, parse_time

HOUR = 3_600_000_000
"""Microseconds."""
HOURS = 8784
"""2016 in Brussels, from local midnight to local midnight."""


@dataclass(frozen=True)
class Hourly:
    """Columns of one file, exact as written, one value per hour of the local year.

    ``starts`` are interval starts [microseconds UTC], an hour apart without a gap.
    """

    starts: Sequence[int]
    columns: Mapping[str, Sequence[Decimal]]


def read(path: Path) -> Hourly:
    """Read one file of the folder of real data; its last row belongs to the next year and is left out."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        names = next(reader)[1:]
        rows = list(reader)[:HOURS]
    starts = [microseconds(parse_time(row[0])) for row in rows]
    if len(starts) != HOURS or starts != list(range(starts[0], starts[0] + HOURS * HOUR, HOUR)):
        raise ValueError(f"{path.name} does not hold every hour of 2016")
    return Hourly(starts, {name: [Decimal(row[column]) for row in rows] for column, name in enumerate(names, start=1)})
