"""Everything the meters would have said in the past, fast: a reading every quarter-hour, the silo every hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from core.errors import BadInput, Unavailable
from core.time import Month, from_microseconds, local_day, microseconds
from simulators.display import display
from simulators.faults import Fault
from simulators.grid import EPOCH, ZONE, Integers
from simulators.meters import METERS, QUARTER_US, Meter

MONTHS = 13
"""Full months of history before the present one."""
_BLOCK = 96 * 7


def history_start(now: datetime) -> datetime:
    """Return the local start of the month that lies thirteen months before the present one."""
    return Month.of(local_day(now, ZONE)).shift(-MONTHS).bounds(ZONE)[0]


def history(seed: int, start: datetime, until: datetime, faults: Iterable[Fault] = ()) -> Iterator[str]:
    """Yield the readings of all meters as blocks of lines ``meter<TAB>time<TAB>value``, ready for COPY.

    Parameters
    ----------
    seed
        Which building.
    start, until
        Readings at every quarter-hour boundary from ``start`` up to and including ``until``.
    faults
        From `simulators.faults.plan`; none by default.

    Yields
    ------
    str
        About a week of readings, each line ending in a newline; values in kWh, of the silo in kg. They equal
        `simulators.truth.live_truth` at their times, so that the live minute follows without a seam.

    Raises
    ------
    BadInput
        If the span is empty or begins before the building does.
    """
    if start < EPOCH or until < start:
        raise BadInput(f"There is no history from {start} until {until}; the building begins on {EPOCH:%Y-%m-%d}.")
    planned = tuple(faults)
    for boundaries, times in _blocks(start, until):
        lines: list[str] = []
        for meter in METERS.values():
            lines += _lines(seed, meter, boundaries, times, planned)
        yield "".join(lines)


def history_csv(path: Path, seed: int, start: datetime, until: datetime, faults: Iterable[Fault] = ()) -> int:
    """Write the same readings as a readings file ``time,meter,value`` and return how many there are.

    Raises
    ------
    Unavailable
        If the file cannot be written.
    """
    count = 0
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.write("time,meter,value\n")
            for block in history(seed, start, until, faults):
                for line in block.splitlines():
                    meter, time, value = line.split("\t")
                    file.write(f"{time},{meter},{value}\n")
                    count += 1
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}.") from None
    return count


def _blocks(start: datetime, until: datetime) -> Iterator[tuple[Integers, list[str]]]:
    first = -(-microseconds(start) // QUARTER_US)
    last = microseconds(until) // QUARTER_US
    for begin in range(first, last + 1, _BLOCK):
        boundaries = np.arange(begin, min(begin + _BLOCK, last + 1), dtype=np.int64) * QUARTER_US
        opening = from_microseconds(int(boundaries[0]))
        quarter = timedelta(minutes=15)
        yield boundaries, [f"{opening + step * quarter:%Y-%m-%dT%H:%M:%SZ}" for step in range(len(boundaries))]


def _lines(seed: int, meter: Meter, boundaries: Integers, times: list[str], faults: tuple[Fault, ...]) -> list[str]:
    if meter.kind == "silo":
        hourly = boundaries % (4 * QUARTER_US) == 0
        boundaries, times = boundaries[hourly], [time for time, keep in zip(times, hourly, strict=True) if keep]
        if not times:
            return []
    speaks, parts = display(seed, meter, boundaries, faults)
    total = parts[0] if len(parts) == 1 else parts[0] + parts[1]
    if not speaks.all():
        total, times = total[speaks], [time for time, keep in zip(times, speaks, strict=True) if keep]
    name, digits = meter.id, meter.decimals
    if not digits:
        return [f"{name}\t{time}\t{value}\n" for time, value in zip(times, total.tolist(), strict=True)]
    whole, part = np.divmod(total, 10**digits)
    columns = zip(times, whole.tolist(), part.tolist(), strict=True)
    return [f"{name}\t{time}\t{before}.{after:0{digits}d}\n" for time, before, after in columns]
