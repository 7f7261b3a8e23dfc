"""From raw readings to energy per settlement interval, each with its quality.

A register is made continuous first (`settlement.registers`), then its value at every interval boundary is taken by
linear interpolation, rounded half-even to a milliwatt-hour. Interval energy is the difference of its boundaries, so
that intervals telescope to the register difference and are never negative.

Source: contract section 3; the failure cases are those meters really show.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction

from core.community import Community, Meter
from core.time import Month, microseconds
from core.units import to_core
from settlement.model import Finding, MeterReadings, Quality, Series
from settlement.registers import Break, Point, across_replacements, rising_pieces

HOUR = 3_600_000_000
"""Microseconds."""
LONGEST_INTERPOLATED = 2 * HOUR
"""A gap in interval values is bridged linearly up to this length."""
_BREAKS = {
    "dipped": ("register-dipped", "fell for a moment and came back; the fall is left out"),
    "rolled-over": ("register-rolled-over", "passed its last digit and started again from zero"),
    "spiked": ("register-spiked", "jumped up for one reading and came back; the jump is left out"),
    "fell": ("register-fell", "counts lower than before: it was reset or replaced without a note"),
}
"""Code and words of a statement's finding for each kind of break."""


def boundaries(community: Community, month: Month) -> list[int]:
    """Boundaries of the month's settlement intervals [microseconds UTC], from local midnight to local midnight."""
    start, end = (microseconds(instant) for instant in month.bounds(community.zone))
    return list(range(start, end + 1, community.interval // timedelta(microseconds=1)))


def intervals(
    community: Community, meter: Meter, known: MeterReadings | None, bounds: Sequence[int]
) -> tuple[Series, list[Finding]]:
    """Energy of one meter in every interval.

    Parameters
    ----------
    community
        For replacements and the length of an interval.
    meter
        The meter; its unit, digits and normal spacing of readings.
    known
        Its readings, look-back and look-ahead included; None if there are none.
    bounds
        n + 1 interval boundaries [microseconds UTC].

    Returns
    -------
    series
        n intervals [mWh or millionths]. An interval between two known boundaries is ``measured`` when no enclosing
        readings are further apart than one and a half times the normal spacing, else ``estimated``; any other is
        ``missing``. Never negative. Sums to the register difference of the outermost boundaries.
    findings
        What was found wrong with the readings, and what is missing.
    """
    if known is None or not known.times:
        size = len(bounds) - 1
        absent: list[Quality] = ["missing"] * size
        series = Series(meter.id, (None,) * size, tuple(absent), (None,) * size)
        text = f"{_named(meter)} has no readings in this month."
        return series, [Finding("no-readings", text, meter.id, bounds[0], bounds[-1])]
    if known.kind == "interval":
        series = _from_quantities(meter, known, bounds)
        return series, gaps(meter, series, bounds)
    pieces, breaks = rising_pieces(meter, across_replacements(community, meter, known))
    series = _from_pieces(community, meter, pieces, bounds)
    inside = _findings(meter, [one for one in breaks if one.until >= bounds[0] and one.start <= bounds[-1]])
    return series, [*inside, *gaps(meter, series, bounds)]


def gaps(meter: Meter, series: Series, bounds: Sequence[int]) -> list[Finding]:
    """Name every stretch of missing and of estimated intervals of a meter, and the flat they concern."""
    findings = []
    first = 0
    for index in range(1, len(series.quality) + 1):
        quality = series.quality[first]
        if index < len(series.quality) and series.quality[index] == quality:
            continue
        if quality in ("missing", "estimated"):
            count = index - first
            text = f"{_named(meter)}: {count} interval{'s' if count > 1 else ''} {quality}."
            findings.append(Finding(f"{quality}-intervals", text, meter.id, bounds[first], bounds[index]))
        first = index
    return findings


def _named(meter: Meter) -> str:
    return f"Meter {meter.id} (flat {meter.flat})" if meter.flat else f"Meter {meter.id}"


def _findings(meter: Meter, breaks: Sequence[Break]) -> list[Finding]:
    return [
        Finding(_BREAKS[one.kind][0], f"{_named(meter)} {_BREAKS[one.kind][1]}.", meter.id, one.start, one.until)
        for one in breaks
    ]


def total_between(community: Community, meter: Meter, known: MeterReadings, start: int, end: int) -> int | None:
    """Quantity a meter counted between two instants, None where no reading lies on either side of them.

    Interpolates at both ends; the part of a reset that nobody saw is not in it. [mWh or millionths]
    """
    if known.kind == "interval":
        step = community.interval // timedelta(microseconds=1)
        inside = [
            to_core(value, meter.unit)
            for time, value in zip(known.times, known.values, strict=True)
            if start <= time and time + step <= end
        ]
        return sum(inside) if inside else None
    pieces, _ = rising_pieces(meter, across_replacements(community, meter, known))
    total, seen = 0, False
    for piece in pieces:
        times = [time for time, _ in piece]
        first, last = max(start, times[0]), min(end, times[-1])
        if first < last:
            total += _at(piece, times, last)[0] - _at(piece, times, first)[0]
            seen = True
    return total if seen else None


def _from_pieces(
    community: Community, meter: Meter, pieces: Sequence[Sequence[Point]], bounds: Sequence[int]
) -> Series:
    spacing = max(community.interval, meter.every or community.interval) // timedelta(microseconds=1)
    energy: list[int | None] = [None] * (len(bounds) - 1)
    quality: list[Quality] = ["missing"] * len(energy)
    method: list[str | None] = [None] * len(energy)
    for piece in pieces:
        times = [time for time, _ in piece]
        previous: tuple[int, int, int] | None = None
        for index in range(bisect_left(bounds, times[0]) if times else len(bounds), len(bounds)):
            if bounds[index] > times[-1]:
                break
            value, gap = _at(piece, times, bounds[index])
            if previous is not None:
                energy[index - 1] = value - previous[1]
                measured = 2 * max(gap, previous[2]) <= 3 * spacing
                quality[index - 1] = "measured" if measured else "estimated"
                method[index - 1] = None if measured else "linear"
            previous = (index, value, gap)
    return Series(meter.id, tuple(energy), tuple(quality), tuple(method))


def _at(piece: Sequence[Point], times: Sequence[int], instant: int) -> tuple[int, int]:
    """Register value at an instant, half-even, and the distance of the readings it lies between [microseconds]."""
    index = bisect_left(times, instant)
    time, value = piece[index]
    if time == instant:
        return value, 0
    earlier, base = piece[index - 1]
    span = time - earlier
    quotient, rest = divmod(base * span + (value - base) * (instant - earlier), span)
    if 2 * rest > span or (2 * rest == span and quotient % 2):
        quotient += 1
    return quotient, span


def _from_quantities(meter: Meter, known: MeterReadings, bounds: Sequence[int]) -> Series:
    given = {time: to_core(value, meter.unit) for time, value in zip(known.times, known.values, strict=True)}
    starts = bounds[:-1]
    energy: list[int | None] = [given.get(start) for start in starts]
    quality: list[Quality] = ["missing" if value is None else "measured" for value in energy]
    method: list[str | None] = [None] * len(starts)
    step = bounds[1] - bounds[0]
    for index, start in enumerate(starts):
        if energy[index] is not None:
            continue
        left, right = start, start
        while left not in given and start - left <= LONGEST_INTERPOLATED:
            left -= step
        while right not in given and right - start <= LONGEST_INTERPOLATED:
            right += step
        if left in given and right in given and right - left - step <= LONGEST_INTERPOLATED:
            share = Fraction(start - left, right - left)
            energy[index] = round(given[left] + (given[right] - given[left]) * share)
            quality[index], method[index] = "estimated", "linear"
    return Series(meter.id, tuple(energy), tuple(quality), tuple(method))
