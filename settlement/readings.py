"""From raw readings to energy per settlement interval, each with its quality.

A register is made continuous first (`settlement.registers`), then its value at every interval boundary is taken by
linear interpolation, rounded half-even to a milliwatt-hour. Interval energy is the difference of its boundaries, so
that intervals telescope to the register difference and are never negative.

Source: contract section 3; the failure cases are those meters really show.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import median_low

from core.community import Community, Meter
from core.time import Month, microseconds
from core.units import to_core
from settlement import edits
from settlement.amounts import runs
from settlement.limits import HOUR
from settlement.model import Finding, MeterReadings, Quality, Readings, Series
from settlement.registers import RETURNS_WITHIN, Break, Point, across_replacements, rising_pieces
from settlement.shape import Shape

LONGEST_INTERPOLATED = 2 * HOUR
"""A gap in interval values is bridged linearly up to this length."""
_BREAKS = {
    "dipped": ("register-dipped", "fell for a moment and came back; the fall is left out"),
    "rolled-over": ("register-rolled-over", "passed its last digit and started again from zero"),
    "spiked": ("register-spiked", "jumped up for one reading and came back; the jump is left out"),
    "strayed": ("register-strayed", "showed something else for a while and came back; what it showed is left out"),
    "slipped": ("unit-slipped", "showed another unit for a while and came back; what it showed is left out"),
    "fell": ("register-fell", "counts lower than before: it was reset or replaced without a note"),
}
"""Code and words of a statement's finding for each kind of break."""

_BY_HAND = "by-hand"
_QUALITY: dict[str | None, Quality] = {None: "measured", _BY_HAND: "edited"}


def _certainty(how: str | None) -> int:
    return {None: 2, _BY_HAND: 1}.get(how, 0)


Shaper = Callable[[Meter, int, int], Shape | None]
"""Says how to spread what a meter counted between two readings that lie too far apart; None for a straight line."""


def boundaries(community: Community, month: Month) -> list[int]:
    """Boundaries of the month's settlement intervals [microseconds UTC], from local midnight to local midnight."""
    start, end = (microseconds(instant) for instant in month.bounds(community.zone))
    step = community.interval // timedelta(microseconds=1)
    return list(range(start, end + 1, step))


def intervals(
    community: Community,
    meter: Meter,
    known: MeterReadings | None,
    bounds: Sequence[int],
    shaper: Shaper | None = None,
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
    shaper
        Shapes the gaps of a register; without one every gap is a straight line.

    Returns
    -------
    series
        n intervals [mWh or millionths]. An interval between two known boundaries is ``measured`` when no enclosing
        readings are further apart than one and a half times the normal spacing, else ``estimated``; any other is
        ``missing``. Never negative. Sums to the register difference of the outermost boundaries.
    findings
        What was found wrong with the readings, and what is missing.
    """
    edited = edits.findings(community, meter, bounds)
    known = edits.applied(community, meter, known)
    if known is None or not known.times:
        series = Series.missing(meter.id, len(bounds) - 1)
        text = f"{_named(meter)} has no readings in this month."
        return series, [*edited, Finding("no-readings", text, meter.id, bounds[0], bounds[-1])]
    if known.kind == "interval":
        series = _from_quantities(meter, known, bounds)
        return series, [*edited, *gaps(meter, series, bounds)]
    pieces, breaks = rising_pieces(meter, across_replacements(community, meter, known))
    series = _from_pieces(community, meter, pieces, bounds, shaper, known.by_hand)
    inside = _findings(meter, [one for one in breaks if one.until >= bounds[0] and one.start <= bounds[-1]])
    return series, [*edited, *inside, *gaps(meter, series, bounds)]


def gaps(meter: Meter, series: Series, bounds: Sequence[int]) -> list[Finding]:
    """Name every stretch of missing and of estimated intervals of a meter, and the flat they concern."""
    kinds: tuple[Quality, ...] = ("missing", "estimated")
    stretches = sorted((*run, quality) for quality in kinds for run in runs(series.quality.are(quality)))
    findings = []
    for first, end, quality in stretches:
        count = end - first
        text = f"{_named(meter)}: {count} interval{'s' if count > 1 else ''} {quality}."
        findings.append(Finding(f"{quality}-intervals", text, meter.id, bounds[first], bounds[end]))
    return findings


def _named(meter: Meter) -> str:
    return f"Meter {meter.id} (flat {meter.flat})" if meter.flat else f"Meter {meter.id}"


def _findings(meter: Meter, breaks: Sequence[Break]) -> list[Finding]:
    """Say what breaks a register had; those of a kind that follow each other within the hour are said once."""
    runs: list[list[Break]] = []
    for one in breaks:
        if runs and runs[-1][-1].kind == one.kind and one.start - runs[-1][-1].until <= RETURNS_WITHIN:
            runs[-1].append(one)
        else:
            runs.append([one])
    findings = []
    for run in runs:
        code, words = _BREAKS[run[0].kind]
        often = f" ({len(run)} times)" if len(run) > 1 else ""
        findings.append(Finding(code, f"{_named(meter)} {words}{often}.", meter.id, run[0].start, run[-1].until))
    return findings


def known_until(known: Readings, bounds: Sequence[int]) -> int:
    """Return the boundary up to which a month can be known: the last one that any meter's readings reach."""
    step = bounds[1] - bounds[0]
    newest = max(
        (one.times[-1] + (step if one.kind == "interval" else 0) for one in known.values()), default=bounds[-1]
    )
    return bounds[max(0, bisect_right(bounds, newest) - 1)]


def total_between(community: Community, meter: Meter, known: MeterReadings, start: int, end: int) -> int | None:
    """Quantity a meter counted between two instants, None where no reading lies on either side of them.

    Interpolates at both ends; the part of a reset that nobody saw is not in it. [mWh or millionths]
    """
    counted = edits.applied(community, meter, known)
    if counted is None:
        return None
    known = counted
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
            total += _at(piece, times, last) - _at(piece, times, first)
            seen = True
    return total if seen else None


def uncounted(
    community: Community, meter: Meter, known: MeterReadings | None, start: int, end: int
) -> list[tuple[int, int]]:
    """Find the spans between two instants of which `total_between` holds nothing, whatever the meter counted then.

    A register bridges a hole in its readings by counting on, and so does a declared swap. Lost is what it counted
    before its first reading, after its last, and across a reset that nobody noted; of quantities per interval, every
    interval that is not there. [microseconds, in order]

    As much as lies between two readings of a register anyway is no span.
    """
    counted = edits.applied(community, meter, known)
    step = community.interval // timedelta(microseconds=1)
    if counted is None:
        covered, least = [], 1
    elif counted.kind == "interval":
        covered, least = [(time, time + step) for time in counted.times], step
    else:
        pieces, _ = rising_pieces(meter, across_replacements(community, meter, counted))
        covered = [(piece[0][0], piece[-1][0]) for piece in pieces if len(piece) > 1]
        least = normal_spacing(community, meter) * 3 // 2 + 1
    found, reached = [], start
    for first, last in [*covered, (end, end)]:
        if min(first, end) - reached >= least:
            found.append((reached, min(first, end)))
        reached = max(reached, last)
    return found


def register_gaps(
    community: Community, meter: Meter, known: MeterReadings | None, bounds: Sequence[int]
) -> list[tuple[int, int]]:
    """Find the pairs of neighbouring readings between which something was left out [microseconds].

    A gap is one and a half times longer than both the normal spacing and the meter's own rhythm, the median of its
    spacings within ``bounds``: a meter that is always read once a day has no gaps every day. A reset is no gap either:
    what was counted across it nobody knows. A meter that only people read has gaps as others have.
    """
    counted = edits.applied(community, meter, known)
    if counted is None or counted.kind != "register":
        return []
    pairs = [
        (start, until)
        for piece in rising_pieces(meter, across_replacements(community, meter, counted))[0]
        for (start, _), (until, _) in pairwise(piece)
        if start < bounds[-1] and until > bounds[0]
    ]
    if not pairs:
        return []
    rhythm = max(normal_spacing(community, meter), median_low(until - start for start, until in pairs))
    return [(start, until) for start, until in pairs if 2 * (until - start) > 3 * rhythm]


def normal_spacing(community: Community, meter: Meter) -> int:
    """Return the normal distance between two readings [microseconds]."""
    return max(community.interval, meter.every or community.interval) // timedelta(microseconds=1)


def _from_pieces(
    community: Community,
    meter: Meter,
    pieces: Sequence[Sequence[Point]],
    bounds: Sequence[int],
    shaper: Shaper | None,
    by_hand: frozenset[int],
) -> Series:
    spacing = normal_spacing(community, meter)
    energy: list[int | None] = [None] * (len(bounds) - 1)
    quality: list[Quality] = ["missing"] * len(energy)
    method: list[str | None] = [None] * len(energy)
    for piece in pieces:
        times = [time for time, _ in piece]
        register = _Register(meter, piece, times, spacing, shaper, by_hand)
        before: tuple[int, str | None] | None = None
        for index in range(bisect_left(bounds, times[0]), len(bounds)):
            if bounds[index] > times[-1]:
                break
            value, how = register.at(bounds[index])
            if before is not None:
                energy[index - 1] = value - before[0]
                method[index - 1] = min(before[1], how, key=_certainty)
                quality[index - 1] = _QUALITY.get(method[index - 1], "estimated")
            before = (value, how)
    return Series.of(meter.id, energy, quality, method)


class _Register:
    """A piece of a register that never falls, at any instant between its first and its last reading."""

    def __init__(
        self,
        meter: Meter,
        piece: Sequence[Point],
        times: Sequence[int],
        spacing: int,
        shaper: Shaper | None,
        by_hand: frozenset[int],
    ) -> None:
        self._meter, self._piece, self._times, self._spacing, self._shaper = meter, piece, times, spacing, shaper
        self._by_hand = by_hand
        self._gap: tuple[int, Shape | None] = (0, None)  # before the first reading, where no gap is

    def at(self, instant: int) -> tuple[int, str | None]:
        """Value at an instant, half-even, and how it was come by if it was not simply measured."""
        index = bisect_left(self._times, instant)
        if self._times[index] == instant:
            return self._piece[index][1], _BY_HAND if instant in self._by_hand else None
        start, until = self._piece[index - 1], self._piece[index]
        if 2 * (until[0] - start[0]) <= 3 * self._spacing:
            hand = start[0] in self._by_hand or until[0] in self._by_hand
            return between(start, until, instant), _BY_HAND if hand else None
        shape = self._shape(index, start[0], until[0])
        if shape is None:
            return between(start, until, instant), "linear"
        return shape.value(start, until, instant), shape.method

    def _shape(self, index: int, start: int, until: int) -> Shape | None:
        if self._gap[0] != index:
            self._gap = (index, None if self._shaper is None else self._shaper(self._meter, start, until))
        return self._gap[1]


def _at(piece: Sequence[Point], times: Sequence[int], instant: int) -> int:
    """Register value at an instant by a straight line."""
    index = bisect_left(times, instant)
    return piece[index][1] if times[index] == instant else between(piece[index - 1], piece[index], instant)


def between(start: Point, until: Point, instant: int) -> int:
    """Value on the straight line between two readings, half-even."""
    span = until[0] - start[0]
    quotient, rest = divmod(start[1] * span + (until[1] - start[1]) * (instant - start[0]), span)
    if 2 * rest > span or (2 * rest == span and quotient % 2):
        quotient += 1
    return quotient


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
    return Series.of(meter.id, energy, quality, method)
