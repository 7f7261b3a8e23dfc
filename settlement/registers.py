"""A register made continuous, and everything in it that was no steady rise: the one place that tells these apart.

The settlement cuts and mends a register by what is found here; the watch over readings says it to people. Roll-overs
and declared swaps are continued, dips and spikes taken out, resets cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from core.community import Community, Meter
from core.time import microseconds
from core.units import to_core
from settlement.model import MeterReadings

RETURNS_WITHIN = 3_600_000_000
"""A register that fell and is back at its old value within this time has dipped, not been reset [microseconds]."""

Point = tuple[int, int]
"""Instant [microseconds] and register value [mWh]."""


class Break(NamedTuple):
    """A place where a register did not just count on.

    ``place`` is the index of the reading that showed it; ``start`` and ``until`` are the instants of the last good
    reading and of the first odd one (the same for a dip and a spike, which are about one reading) [microseconds];
    ``before`` and ``after`` are the values there, as the register showed them [mWh or millionths].
    """

    kind: Literal["dipped", "rolled-over", "spiked", "fell"]
    place: int
    start: int
    until: int
    before: int
    after: int


def across_replacements(community: Community, meter: Meter, known: MeterReadings) -> list[Point]:
    """Continue the register over every declared swap of the meter, as if one register had counted on."""
    points: list[Point] = []
    swaps = sorted(
        (microseconds(swap.at), to_core(swap.old_end, meter.unit), to_core(swap.new_start, meter.unit))
        for swap in community.replacements
        if swap.meter == meter.id
    )
    offset, turn = 0, _turn(meter)
    for time, value in zip(known.times, known.values, strict=True):
        while swaps and time >= swaps[0][0]:
            at, old_end, new_start = swaps.pop(0)
            before = points[-1][1] if points else None
            if before is not None and turn and before - offset > old_end and _rolled(before - offset, old_end, turn):
                offset += turn
            points.append((at, old_end + offset))
            offset += old_end - new_start
        if points and points[-1][0] == time:
            continue
        points.append((time, to_core(value, meter.unit) + offset))
    for at, old_end, new_start in swaps:
        points.append((at, old_end + offset))
        offset += old_end - new_start
    return points


def rising_pieces(meter: Meter, points: Sequence[Point]) -> tuple[list[list[Point]], list[Break]]:
    """Cut a register into pieces that never fall.

    Parameters
    ----------
    meter
        Its digits say where it rolls over.
    points
        Sorted by time, each instant once.

    Returns
    -------
    pieces
        Roll-overs continued, dips and spikes left out, a new piece after every reset.
    breaks
        Whatever was not a rise, in the order it was read.
    """
    breaks: list[Break] = []
    pieces: list[list[Point]] = [[]]
    offset, turn = 0, _turn(meter)
    for index, (time, raw) in enumerate(points):
        piece, value = pieces[-1], raw + offset
        if piece and value < piece[-1][1]:
            before, last = piece[-1][0], piece[-1][1] - offset
            if _returns(points, index, last):
                breaks.append(Break("dipped", index, time, time, last, raw))
                continue
            if turn and _rolled(last, raw, turn):
                offset += turn
                value += turn
                breaks.append(Break("rolled-over", index, before, time, last, raw))
            elif len(piece) > 1 and value >= piece[-2][1]:
                breaks.append(Break("spiked", index, before, before, last, raw))
                piece.pop()
            else:
                breaks.append(Break("fell", index, before, time, last, raw))
                pieces.append([])
        pieces[-1].append((time, value))
    return pieces, breaks


def _turn(meter: Meter) -> int:
    return to_core(Decimal(10) ** meter.digits, meter.unit) if meter.digits else 0


def _rolled(before: int, after: int, turn: int) -> bool:
    # From the last quarter of the dial to its first quarter; anything else is no roll-over a meter can make.
    return 4 * (before % turn) > 3 * turn and 4 * after < turn


def _returns(points: Sequence[Point], fallen: int, level: int) -> bool:
    for time, value in points[fallen + 1 :]:
        if time - points[fallen][0] > RETURNS_WITHIN:
            return False
        if value >= level:
            return True
    return False
