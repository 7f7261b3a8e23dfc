"""The one rounding rule: a total is rounded half-up once, its parts by largest remainder, so that they add up.

Source: the contract's definition of amounts. Half-up means away from zero when negative, as bookkeepers round.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping
from fractions import Fraction
from math import floor, lcm
from typing import TypeVar

Party = TypeVar("Party", bound=Hashable)


def half_up(value: Fraction) -> int:
    """Nearest integer; a half goes away from zero.

    >>> half_up(Fraction(5, 2)), half_up(Fraction(-5, 2))
    (3, -3)
    """
    doubled = 2 * abs(value.numerator) + value.denominator
    size = doubled // (2 * value.denominator)
    return -size if value < 0 else size


def fair_rank(*key: object) -> bytes:
    """Order ties by a hash of what is being divided: stateless, reproducible, favouring nobody over time.

    Parameters
    ----------
    key
        What identifies the tie: community, month or interval, code, party. Printed and joined by ``|``.
    """
    return hashlib.sha256("|".join(map(str, key)).encode()).digest()


def fair_ranks(*key: object) -> Callable[[object], bytes]:
    """Return `fair_rank` of a key that a last part is added to: the same bytes, for many parties of one tie."""
    start = hashlib.sha256("".join(f"{part}|" for part in key).encode())

    def rank(last: object) -> bytes:
        digest = start.copy()
        digest.update(str(last).encode())
        return digest.digest()

    return rank


def spread(shares: Mapping[Party, Fraction], total: int, rank: Callable[[Party], bytes]) -> dict[Party, int]:
    """Divide a whole total over parties: the floor of each exact share, the rest to the largest remainders.

    Parameters
    ----------
    shares
        Exact share of each party; they add up to within one unit of ``total``.
    total
        Whole units to divide (cents, milliwatt-hours).
    rank
        Orders parties with equal remainders; the lowest comes first.

    Returns
    -------
    dict
        Whole units per party, in the order of ``shares``; they sum exactly to ``total`` and each differs from
        its exact share by less than one unit.

    Raises
    ------
    ValueError
        If the shares do not belong to the total (the rest is negative or larger than the number of parties).
    """
    parts = {party: floor(share) for party, share in shares.items()}
    rest = total - sum(parts.values())
    if rest == 0:
        return parts
    # Shares of one pool are multiples of one price: what their floors leave is counted in units of all of them.
    unit = lcm(*(share.denominator for share in shares.values()))
    left = {party: share.numerator * (unit // share.denominator) % unit for party, share in shares.items()}
    remainders = sorted(filter(None, left.values()), reverse=True)
    if not 0 < rest <= len(remainders):
        raise ValueError(f"shares summing to {sum(shares.values())} cannot be spread over a total of {total}")
    last = remainders[rest - 1]
    tied = sorted((party for party in left if left[party] == last), key=rank)
    more = [party for party in left if left[party] > last]
    for party in more + tied[: rest - len(more)]:
        parts[party] += 1
    return parts
