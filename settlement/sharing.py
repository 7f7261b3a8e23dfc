"""Keys: who gets how much of the sun in one settlement interval.

For every key and interval, with G the sun offered, c_i the consumption and a_i the share of each party:
0 <= a_i <= c_i, and sum(a_i) + surplus = G exactly. A party whose consumption is missing takes no part. Exact shares
are rounded to whole milliwatt-hours by largest remainder over their total, itself rounded down.

Formulas: fixed and equal ``min(k_i G, c_i)``; proportional ``c_i min(G, C) / C``; optimal is weighted water-filling,
``min(c_i, l k_i)`` with l such that the whole is given away; hybrid a fixed round, then the rest in proportion to what
is still needed; priority in rank order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cmp_to_key
from typing import Any, Protocol

from core.community import Community, Sharing

Rank = Callable[[int], bytes]
"""Orders parties (by position) whose remainders are equal."""


class Key(Protocol):
    """One way to divide the sun of an interval."""

    def exact(self, sun: int, use: Sequence[int]) -> tuple[list[int], int]:
        """Exact shares as numerators over one common denominator.

        Parameters
        ----------
        sun
            Energy offered, >= 0. [mWh]
        use
            Consumption of each party, >= 0; 0 for one that takes no part. [mWh]
        """
        ...


def divide(key: Key, sun: int, use: Sequence[int], rank: Rank) -> list[int]:
    """Divide the sun of one interval in whole milliwatt-hours.

    Returns
    -------
    list of int
        Share of each party, between 0 and its use; they sum to at most ``min(sun, sum(use))``. [mWh]
    """
    if not sun or not any(use):
        return [0] * len(use)
    tops, bottom = key.exact(sun, use)
    return largest_remainder(tops, bottom, rank)


def largest_remainder(tops: Sequence[int], bottom: int, rank: Rank) -> list[int]:
    """Round shares ``tops / bottom`` to whole numbers that sum to their total rounded down."""
    shares = [top // bottom for top in tops]
    rest = sum(tops) // bottom - sum(shares)
    if rest:
        order = sorted(range(len(tops)), key=lambda party: (-(tops[party] % bottom), rank(party)))
        for party in order[:rest]:
            shares[party] += 1
    return shares


class Proportional:
    """In proportion to consumption; never a surplus while someone needs energy."""

    def exact(self, sun: int, use: Sequence[int]) -> tuple[list[int], int]:
        """See `Key.exact`."""
        total = sum(use)
        return [own * min(sun, total) for own in use], total


class Fixed:
    """By fixed weights in one round; what a party does not use is not offered again."""

    def __init__(self, weights: Sequence[int]) -> None:
        self.weights = weights

    def exact(self, sun: int, use: Sequence[int]) -> tuple[list[int], int]:
        """See `Key.exact`."""
        total = sum(self.weights)
        return [min(weight * sun, own * total) for weight, own in zip(self.weights, use, strict=True)], total


class Optimal:
    """By weights, again and again until nothing can be given: weighted water-filling in closed form."""

    def __init__(self, weights: Sequence[int]) -> None:
        self.weights = weights

    def exact(self, sun: int, use: Sequence[int]) -> tuple[list[int], int]:
        """See `Key.exact`."""
        open_weight, rest = sum(self.weights), sun
        full: set[int] = set()
        # A party is full before another when its use per weight is smaller, whatever the level of the water.
        parties = [party for party, weight in enumerate(self.weights) if weight]

        def fuller(one: int, other: int) -> int:
            return use[one] * self.weights[other] - use[other] * self.weights[one]

        for party in sorted(parties, key=cmp_to_key(fuller)):
            if use[party] * open_weight > rest * self.weights[party]:
                break
            full.add(party)
            rest -= use[party]
            open_weight -= self.weights[party]
        if not open_weight:
            return [own if party in full else 0 for party, own in enumerate(use)], 1
        return [
            own * open_weight if party in full else rest * self.weights[party] for party, own in enumerate(use)
        ], open_weight


class Hybrid:
    """One round by weights, then the rest in proportion to what each still needs."""

    def __init__(self, weights: Sequence[int]) -> None:
        self.weights = weights

    def exact(self, sun: int, use: Sequence[int]) -> tuple[list[int], int]:
        """See `Key.exact`."""
        first, total = Fixed(self.weights).exact(sun, use)
        needs = [own * total - given for own, given in zip(use, first, strict=True)]
        need = sum(needs)
        if not need:
            return first, total
        rest = min(sun * total - sum(first), need)
        return [given * need + own * rest for given, own in zip(first, needs, strict=True)], total * need


class Priority:
    """In rank order: each takes what it can use of what is left."""

    def __init__(self, order: Sequence[int]) -> None:
        self.order = order

    def exact(self, sun: int, use: Sequence[int]) -> tuple[list[int], int]:
        """See `Key.exact`."""
        shares = [0] * len(use)
        for party in self.order:
            shares[party] = min(use[party], sun)
            sun -= shares[party]
        return shares, 1


def key_of(community: Community, sharing: Sharing) -> tuple[Key, list[int]]:
    """Build the key of a sharing rule.

    Returns
    -------
    key
        For the flats in the file's order, then the common area if it is a participant.
    weights
        Of the same parties, for dividing the surplus; all 1 under a key without weights.
    """
    flats = [flat.id for flat in community.flats]
    participant = sharing.common == "participant" and any(meter.common for meter in community.meters)
    weights = [1] * (len(flats) + participant)
    if sharing.key in ("fixed", "optimal", "hybrid"):
        given = [(sharing.weights or {})[flat] for flat in flats]
        if participant:
            given.append(sharing.common_weight or type(given[0])(0))
        places = max(0, *(-int(weight.as_tuple().exponent) for weight in given))
        weights = [int(weight.scaleb(places)) for weight in given]
    match sharing.key:
        case "fixed" | "equal":
            return Fixed(weights), weights
        case "optimal":
            return Optimal(weights), weights
        case "hybrid":
            return Hybrid(weights), weights
        case "priority":
            order = [flats.index(flat) for flat in sharing.order or ()]
            return Priority([*order, *range(len(flats), len(weights))]), weights
        case _:
            return Proportional(), weights


def terms(sharing: Sharing) -> dict[str, Any]:
    """Return what a sharing rule decides by; fields its key does not use and its first day left out."""
    unused = {"start"}
    if sharing.key not in ("fixed", "optimal", "hybrid"):
        unused |= {"weights", "common_weight"}
    elif sharing.common != "participant":
        unused.add("common_weight")
    if sharing.key != "priority":
        unused.add("order")
    return sharing.model_dump(exclude=unused)
