"""Whole milliwatt-hours from exact shares: the floor of each, what is left to the largest remainders.

Once for a single interval with whole numbers of any size, which is the reference, and once for many intervals with
64-bit whole numbers, which gives the same to the last bit. Equal remainders are put in order by a hash, which is
computed only where it decides something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from settlement.amounts import FITS, Whole

Rank = Callable[[int], bytes]
"""Orders parties (by position) whose remainders are equal; the lowest comes first."""

DIVISOR_FITS: Final = 2**56
"""A divisor below this leaves bits enough to divide a product piece by piece."""
_BITS: Final = 62


class Parts(NamedTuple):
    """Exact shares of many intervals: floors, what is left of each, and what all of them come to.

    Attributes
    ----------
    floors
        Parties by intervals [mWh].
    rests
        Parties by intervals: what the floor leaves of each share, in any unit that is the same for all parties of an
        interval.
    total
        By interval: the sum of the exact shares, rounded down [mWh].
    finer
        Where two rests are equal, the one with more of this has the larger remainder; None where equal is equal.
    """

    floors: Whole
    rests: Whole
    total: Whole
    finer: Whole | None = None


def largest_remainder(tops: Sequence[int], bottom: int, rank: Rank) -> list[int]:
    """Round shares ``tops / bottom`` to whole numbers that sum to their total rounded down."""
    shares = [top // bottom for top in tops]
    rest = sum(tops) // bottom - sum(shares)
    if rest:
        order = sorted(range(len(tops)), key=lambda party: (-(tops[party] % bottom), rank(party)))
        for party in order[:rest]:
            shares[party] += 1
    return shares


def largest_remainders(parts: Parts, rank_of: Callable[[int], Rank]) -> Whole:
    """Round the shares of many intervals.

    Parameters
    ----------
    parts
        Exact shares.
    rank_of
        Gives the order of ties in an interval (by position); asked only where a tie decides.

    Returns
    -------
    array
        Parties by intervals; they sum to ``parts.total``. [mWh]
    """
    shares = parts.floors.copy()
    left = parts.total - shares.sum(axis=0)
    places = np.flatnonzero(left)
    if not len(places):
        return shares
    left = left[places]
    # Intervals by parties from here: numbers to be sorted lie side by side.
    rests = np.ascontiguousarray(parts.rests[:, places].T)
    ordered = np.sort(rests, axis=1)
    last = ordered[np.arange(len(places)), rests.shape[1] - left][:, np.newaxis]
    up, tied = rests > last, rests == last
    open_places = left - up.sum(axis=1)
    decided = tied.sum(axis=1) == open_places
    up |= tied & decided[:, np.newaxis]
    for row in np.flatnonzero(~decided).tolist():
        place = int(places[row])
        rank = rank_of(place)
        parties: list[int] = np.flatnonzero(tied[row]).tolist()
        if parts.finer is None:
            parties.sort(key=rank)
        else:
            finer = parts.finer[:, place].tolist()
            parties.sort(key=lambda party: (-finer[party], rank(party)))
        up[row, parties[: open_places[row]]] = True
    shares[:, places] += up.T
    return shares


def times_over(first: Whole, second: Whole, divisor: Whole) -> tuple[Whole, Whole]:
    """Quotient and rest of ``first x second / divisor``, exactly, though the product may not fit.

    Parameters
    ----------
    first
        Numbers from 0 on, parties by intervals.
    second
        By interval, from 0 up to the divisor.
    divisor
        By interval, above 0 and below ``DIVISOR_FITS``.
    """
    most = int(first.max(initial=0))
    if most * int(second.max(initial=0)) < FITS:
        product = first * second
        quotient = product // divisor
        return quotient, product - quotient * divisor
    # From the highest bits of the first number down, as one divides by hand; a step's rest and its next piece fit.
    step = _BITS - 1 - int(divisor.max()).bit_length()
    if step <= 0:
        raise ValueError(f"divisor {divisor.max()} is too large to divide piece by piece")
    count = -(-most.bit_length() // step)
    quotient, rest = np.zeros_like(first), np.zeros_like(first)
    for place in reversed(range(count)):
        piece = (first >> (place * step)) & ((1 << step) - 1)
        value = (rest << step) + piece * second
        digit = value // divisor
        rest = value - digit * divisor
        quotient = (quotient << step) + digit
    return quotient, rest
