"""A register made continuous, and everything in it that was no steady rise: the one place that tells these apart.

The settlement cuts and mends a register by what is found here; the watch over readings says it to people. Roll-overs
and declared swaps are continued; dips, spikes and whatever strayed and came back are taken out; resets are cut. Nothing
is taken out but what the register itself disowns, by going on from where it was before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from core.community import Community, Meter
from core.time import microseconds
from core.units import UNITS, to_core
from settlement.limits import HOUR, carried, usual_per_hour
from settlement.model import MeterReadings

RETURNS_WITHIN: Final = HOUR
"""A register that fell and is back at its old value within this time has dipped, not been reset [microseconds]."""
STRAYS_FOR: Final = 48 * HOUR
"""A register that jumped away and back has strayed if it was away for at most so long [microseconds]."""
_SLIP: Final = 1000

Point = tuple[int, int]
"""Instant [microseconds] and register value [mWh]."""


class Break(NamedTuple):
    """A place where a register did not just count on.

    ``place`` is the index of the reading that showed it; ``start`` and ``until`` are the instants of the last good
    reading and of the first odd one; of a dip, a spike and what strayed or slipped to another unit, those of the first
    and the last odd one [microseconds]. ``before`` and ``after`` are the last good value and the first odd one (of a
    spike the odd one and that after it), as the dial in place showed them [mWh or millionths].
    """

    kind: Literal["dipped", "rolled-over", "spiked", "strayed", "slipped", "fell"]
    place: int
    start: int
    until: int
    before: int
    after: int


class Continued(NamedTuple):
    """A register over the swaps of its meter, as if one had counted on.

    ``zeros`` tell, point by point, where the zero of the dial lies that showed it: a roll-over is one of that dial
    [mWh or millionths].
    """

    points: list[Point]
    zeros: list[int]


def across_replacements(community: Community, meter: Meter, known: MeterReadings) -> Continued:
    """Continue the register over every declared swap of the meter.

    At the instant of a swap the old register ends with what was declared, whatever was read then.
    """
    points: list[Point] = []
    zeros: list[int] = []
    swaps = sorted(
        (microseconds(swap.at), to_core(swap.old_end, meter.unit), to_core(swap.new_start, meter.unit))
        for swap in community.replacements
        if swap.meter == meter.id
    )
    zero, turn, done = 0, _turn(meter), 0
    for at, old_end, new_start in swaps:
        points += _read(meter, known, slice(done, bisect_left(known.times, at)), zero)
        zeros += [zero] * (len(points) - len(zeros))
        done = bisect_right(known.times, at)
        if points and _rolled(points[-1][1] - zero, old_end, turn):
            zero += turn
        points.append((at, old_end + zero))
        zeros.append(zero)
        zero += old_end - new_start
    points += _read(meter, known, slice(done, None), zero)
    zeros += [zero] * (len(points) - len(zeros))
    return Continued(points, zeros)


def rising_pieces(meter: Meter, register: Continued) -> tuple[list[list[Point]], list[Break]]:
    """Cut a register into pieces that never fall.

    Parameters
    ----------
    meter
        Its digits say where it rolls over, its kind what its connection carries.
    register
        Its points sorted by time, each instant once.

    Returns
    -------
    pieces
        Roll-overs continued; dips, spikes and what strayed left out; a new piece after every reset.
    breaks
        Whatever was not a rise, in the order it was read.
    """
    points, zeros = register
    breaks: list[Break] = []
    pieces: list[list[Point]] = [[]]
    offset, turn, most = 0, _turn(meter), usual_per_hour(meter)
    index = -1
    while (index := index + 1) < len(points):
        time, raw = points[index]
        piece, value = pieces[-1], raw + offset
        if piece and value < piece[-1][1]:
            before, last, zero = piece[-1][0], piece[-1][1] - offset, zeros[index]
            showed = last - zero, raw - zero
            if _returns(points, index, last):
                _dipped(breaks, Break("dipped", index, time, time, *showed))
                continue
            back = _comes_back(points, index, (before, last), most)
            if back is not None:
                breaks.append(Break(_strayed(*showed), back, time, points[back - 1][0], *showed))
                index = back - 1
                continue
            good = _went_away(piece, (time, value), most)
            if _rolled(*showed, turn):
                offset += turn
                value += turn
                breaks.append(Break("rolled-over", index, before, time, *showed))
            elif len(piece) > 1 and value >= piece[-2][1]:
                breaks.append(Break("spiked", index, before, before, *showed))
                piece.pop()
            elif good is not None:
                showed = piece[good][1] - offset - zero, piece[good + 1][1] - offset - zero
                breaks.append(Break(_strayed(*showed), index, piece[good + 1][0], before, *showed))
                del piece[good + 1 :]
            else:
                breaks.append(Break("fell", index, before, time, *showed))
                pieces.append([])
        pieces[-1].append((time, value))
    return pieces, breaks


def may_have_strayed(
    community: Community, meter: Meter, known: MeterReadings, bounds: Sequence[int]
) -> tuple[int, int] | None:
    """Tell from where to where readings are needed to see whether a register strayed over an end of a span.

    Parameters
    ----------
    community, meter
        For replacements, digits and what the connection carries.
    known
        Its readings in the span and an hour on either side.
    bounds
        Of the span [microseconds].

    Returns
    -------
    tuple or None
        From two days before to two days after the falls and jumps near the ends that nothing explains
        [microseconds]; None where there are none.
    """
    if known.kind != "register":
        return None
    first = bisect_right(known.times, bounds[0] + STRAYS_FOR)
    last = max(first, bisect_left(known.times, bounds[-1] - STRAYS_FOR) - 1)
    odd: list[int] = []
    for part in (slice(0, first + 1), slice(last, None)):
        near = MeterReadings("register", known.times[part], known.values[part])
        if _plainly_rises(meter, near):
            continue
        pieces, breaks = rising_pieces(meter, across_replacements(community, meter, near))
        odd += [instant for one in breaks if one.kind == "fell" for instant in (one.start, one.until)]
        most = usual_per_hour(meter)
        for piece in pieces:
            for start, until in pairwise(piece):
                if not carried(most, until[1] - start[1], until[0] - start[0]):
                    odd += [start[0], until[0]]
    return (min(odd) - STRAYS_FOR, max(odd) + STRAYS_FOR) if odd else None


def thousandfold(before: int, after: int) -> bool:
    """Whether one value is a thousand times the other, to a hundredth; a register may count on meanwhile."""
    low, high = sorted((before, after))
    return low > 0 and abs(high - _SLIP * low) * 100 <= high


def _read(meter: Meter, known: MeterReadings, part: slice, zero: int) -> list[Point]:
    """Give a part of what was read, on a dial whose zero lies there."""
    rows = zip(known.times[part], known.values[part], strict=True)
    return [(time, to_core(value, meter.unit) + zero) for time, value in rows]


def _plainly_rises(meter: Meter, known: MeterReadings) -> bool:
    """Whether nothing can be odd: each value is at or above the one before, and by no more than may come at once.

    So it is with most meters, and it takes no conversion to be told so.
    """
    most = usual_per_hour(meter)
    at_once = Decimal("Infinity") if most is None else _in_unit(most // 12, meter)
    return all(0 <= later - earlier <= at_once for earlier, later in pairwise(known.values))


def _in_unit(amount: int, meter: Meter) -> Decimal:
    exact = amount / UNITS[meter.unit]
    return Decimal(exact.numerator) / exact.denominator


def _dipped(breaks: list[Break], one: Break) -> None:
    """Note a dip; those that follow each other reading by reading are one."""
    if breaks and breaks[-1].kind == "dipped" and breaks[-1].place == one.place - 1:
        joined = breaks.pop()
        one = joined._replace(place=one.place, until=one.until, after=max(joined.after, one.after))
    breaks.append(one)


def _strayed(before: int, after: int) -> Literal["strayed", "slipped"]:
    return "slipped" if thousandfold(before, after) else "strayed"


def _comes_back(points: Sequence[Point], fallen: int, good: Point, most: int | None) -> int | None:
    """Find the reading that jumps back to where a register was before it fell, as if it had counted on.

    The jump must be more than the connection carries, and what was counted since the last good reading must not be.
    """
    for index in range(fallen + 1, len(points)):
        time, value = points[index]
        if time - good[0] > STRAYS_FOR:
            return None
        if value >= good[1]:
            jump = value - points[index - 1][1], time - points[index - 1][0]
            fits = not carried(most, *jump) and carried(most, value - good[1], time - good[0])
            return index if fits else None
    return None


def _went_away(piece: Sequence[Point], back: Point, most: int | None) -> int | None:
    """Find the reading before a jump that a fall undoes, so that the register goes on as if it had counted on."""
    place = bisect_right(piece, back[1], key=lambda point: point[1]) - 1
    if place < 0:
        return None
    good, odd = piece[place], piece[place + 1]
    if back[0] - good[0] > STRAYS_FOR or carried(most, odd[1] - good[1], odd[0] - good[0]):
        return None
    return place if carried(most, back[1] - good[1], back[0] - good[0]) else None


def _turn(meter: Meter) -> int:
    return to_core(Decimal(10) ** meter.digits, meter.unit) if meter.digits else 0


def _rolled(before: int, after: int, turn: int) -> bool:
    # From the last quarter of the dial to its first quarter; anything else is no roll-over a meter can make. What is
    # not on the dial, below zero or with more digits, did not roll over either.
    return 3 * turn < 4 * before < 4 * turn and 0 <= 4 * after < turn


def _returns(points: Sequence[Point], fallen: int, level: int) -> bool:
    for time, value in points[fallen + 1 :]:
        if time - points[fallen][0] > RETURNS_WITHIN:
            return False
        if value >= level:
            return True
    return False
