"""Which intervals of which meters new readings touch, gathered into blocks that are worked in together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

Ranges = Mapping[str, Sequence[tuple[int, int]]]
"""By meter, positions of intervals: first, and first no longer included."""
_MOST_STRETCHED: Final = 4


class Span(NamedTuple):
    """Between these two instants a meter's quarter-hours may have changed [microseconds]."""

    meter: str
    first: int
    last: int


class Block(NamedTuple):
    """Meters whose intervals from ``first`` up to, not including, ``end`` are derived together."""

    meters: tuple[str, ...]
    first: int
    end: int


def ranges(spans: Iterable[Span], bounds: Sequence[int]) -> dict[str, list[tuple[int, int]]]:
    """Positions of the intervals that spans touch, each once, in order of time; meters without any are left out."""
    step, size = bounds[1] - bounds[0], len(bounds) - 1
    found: dict[str, list[tuple[int, int]]] = {}
    for span in sorted(spans):
        first = max(0, (span.first - bounds[0]) // step)
        end = min(size, -(-(span.last - bounds[0]) // step))
        if first >= end:
            continue
        pieces = found.setdefault(span.meter, [])
        if pieces and first <= pieces[-1][1]:
            pieces[-1] = (pieces[-1][0], max(pieces[-1][1], end))
        else:
            pieces.append((first, end))
    return found


def blocks(touched: Ranges) -> list[Block]:
    """Gather ranges of about the same length that overlap.

    A meter that was away for days does not have the others read that far back with it: theirs are short and its own is
    long, so they are in different blocks.
    """
    by_length: dict[int, list[tuple[int, int, str]]] = {}
    for meter, pieces in touched.items():
        for first, end in pieces:
            by_length.setdefault((end - first).bit_length(), []).append((first, end, meter))
    found = []
    for length, alike in sorted(by_length.items()):
        most = _MOST_STRETCHED << length
        gathered: list[tuple[int, int, str]] = []
        reach = 0
        for piece in sorted(alike):
            if gathered and (piece[0] > reach or piece[1] - gathered[0][0] > most):
                found.append(_block(gathered))
                gathered = []
            reach = max(reach, piece[1])
            gathered.append(piece)
        found.append(_block(gathered))
    return found


def _block(pieces: Sequence[tuple[int, int, str]]) -> Block:
    meters = dict.fromkeys(meter for _, _, meter in pieces)
    return Block(tuple(meters), min(first for first, _, _ in pieces), max(end for _, end, _ in pieces))
