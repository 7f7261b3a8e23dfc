"""Keys: who gets how much of the sun in one settlement interval.

For every key and interval, with G the sun offered, c_i the consumption and a_i the share of each party:
0 <= a_i <= c_i, and sum(a_i) + surplus = G exactly. A party whose consumption is missing takes no part. Exact shares
are rounded to whole milliwatt-hours by largest remainder over their total, itself rounded down.

Formulas: fixed and equal ``min(k_i G, c_i)``; proportional ``c_i min(G, C) / C``; optimal is weighted water-filling,
``min(c_i, l k_i)`` with l such that the whole is given away; hybrid a fixed round, then the rest in proportion to what
is still needed; priority in rank order.

A key is one class: it says its share twice, for one interval in numbers of any size and for many in 64 bits, and a
test holds the one against the other bit for bit. A new key is a class here and its name in `core.keys`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cmp_to_key
from math import gcd
from typing import Any, ClassVar, Final

import numpy as np

from core.community import Community, Sharing
from core.keys import KEYS, KeyName
from settlement.amounts import FITS, Mask, Whole
from settlement.remainders import DIVISOR_FITS, Parts, Rank, largest_remainder, times_over


class Key(ABC):
    """One way to divide the sun of an interval.

    Parameters
    ----------
    weights
        Whole number of each party, for keys that go by weights.
    order
        Every party once, the first served first, for keys that go by rank.
    """

    name: ClassVar[KeyName]

    def __init__(self, weights: Sequence[int] = (), order: Sequence[int] = ()) -> None:
        self.weights, self.order = weights, order

    @abstractmethod
    def exact(self, sun: int, use: Sequence[int]) -> tuple[list[int], int]:
        """Exact shares of one interval as numerators over one common denominator.

        Parameters
        ----------
        sun
            Energy offered, >= 0. [mWh]
        use
            Consumption of each party, >= 0; 0 for one that takes no part. [mWh]
        """

    @abstractmethod
    def parts(self, sun: Whole, use: Whole) -> Parts:
        """Exact shares of many intervals, those that `fits` allows.

        Parameters
        ----------
        sun
            Energy offered in each interval, >= 0. [mWh]
        use
            Consumption, parties by intervals, >= 0. [mWh]
        """

    def fits(self, sun: Whole, use: Whole) -> Mask:
        """In which intervals nothing that `parts` computes leaves 64 bits.

        All amounts, and the sum of the consumption, are below `settlement.amounts.FITS` already.
        """
        return np.asarray((sun < DIVISOR_FITS) & (use.sum(axis=0) < DIVISOR_FITS))


class Proportional(Key):
    """In proportion to consumption; never a surplus while someone needs energy."""

    name: ClassVar[KeyName] = "proportional"

    def exact(self, sun: int, use: Sequence[int]) -> tuple[list[int], int]:
        """See `Key.exact`."""
        total = sum(use)
        return [own * min(sun, total) for own in use], total

    def parts(self, sun: Whole, use: Whole) -> Parts:
        """See `Key.parts`."""
        total = use.sum(axis=0)
        given = np.minimum(sun, total)
        floors, rests = times_over(use, given, np.maximum(total, 1))
        return Parts(floors, rests, given)


class Weighted(Key):
    """By weights, whole numbers."""

    def fits(self, sun: Whole, use: Whole) -> Mask:
        """See `Key.fits`."""
        most = FITS // sum(self.weights) - 1
        return np.asarray((sun <= most) & (use.max(axis=0, initial=0) <= most))

    def _column(self) -> Whole:
        return np.array(self.weights, dtype=np.int64)[:, np.newaxis]


class Fixed(Weighted):
    """By fixed weights in one round; what a party does not use is not offered again."""

    name: ClassVar[KeyName] = "fixed"

    def exact(self, sun: int, use: Sequence[int]) -> tuple[list[int], int]:
        """See `Key.exact`."""
        total = sum(self.weights)
        return [min(weight * sun, own * total) for weight, own in zip(self.weights, use, strict=True)], total

    def parts(self, sun: Whole, use: Whole) -> Parts:
        """See `Key.parts`."""
        total = sum(self.weights)
        tops = np.minimum(self._column() * sun, use * total)
        floors = tops // total
        return Parts(floors, tops - floors * total, tops.sum(axis=0) // total)


class Equal(Fixed):
    """Everyone the same part, in one round."""

    name: ClassVar[KeyName] = "equal"


class Optimal(Weighted):
    """By weights, again and again until nothing can be given: weighted water-filling in closed form."""

    name: ClassVar[KeyName] = "optimal"

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

    def parts(self, sun: Whole, use: Whole) -> Parts:
        """See `Key.parts`.

        The water only rises when a full party is taken out, so that taking out all full ones at once, until none is
        full any more, finds the same level as taking them out one by one.
        """
        weights = self._column()
        full = np.zeros(use.shape, dtype=np.bool_)
        while True:
            rest = sun - np.where(full, use, 0).sum(axis=0)
            open_weight = np.where(full, 0, weights).sum(axis=0)
            new = ~full & (weights > 0) & (use * open_weight <= rest * weights)
            if not new.any():
                break
            full |= new
        bottom = np.maximum(open_weight, 1)
        level = np.where(full, 0, rest * weights)
        floors = level // bottom
        rests = level - floors * bottom
        held = sun - rest
        return Parts(np.where(full, use, floors), rests, np.where(open_weight > 0, sun, held))


class Hybrid(Weighted):
    """One round by weights, then the rest in proportion to what each still needs."""

    name: ClassVar[KeyName] = "hybrid"

    def exact(self, sun: int, use: Sequence[int]) -> tuple[list[int], int]:
        """See `Key.exact`."""
        first, total = Fixed(self.weights).exact(sun, use)
        needs = [own * total - given for own, given in zip(use, first, strict=True)]
        need = sum(needs)
        if not need:
            return first, total
        rest = min(sun * total - sum(first), need)
        return [given * need + own * rest for given, own in zip(first, needs, strict=True)], total * need

    def parts(self, sun: Whole, use: Whole) -> Parts:
        """See `Key.parts`.

        A share is ``(first + needs rest / need) / total``: the inner division leaves a rest that only tells apart what
        the outer one leaves equal.
        """
        total = sum(self.weights)
        wanted = use * total
        first = np.minimum(self._column() * sun, wanted)
        needs = wanted - first
        need = needs.sum(axis=0)
        rest = np.minimum(sun * total - first.sum(axis=0), need)
        more, finer = times_over(needs, rest, np.maximum(need, 1))
        tops = first + more
        floors = tops // total
        return Parts(floors, tops - floors * total, (first.sum(axis=0) + rest) // total, finer)

    def fits(self, sun: Whole, use: Whole) -> Mask:
        """See `Key.fits`."""
        most = DIVISOR_FITS // sum(self.weights) - 1
        return np.asarray((sun <= most) & (use.sum(axis=0) <= most))


class Priority(Key):
    """In rank order: each takes what it can use of what is left."""

    name: ClassVar[KeyName] = "priority"

    def exact(self, sun: int, use: Sequence[int]) -> tuple[list[int], int]:
        """See `Key.exact`."""
        shares = [0] * len(use)
        for party in self.order:
            shares[party] = min(use[party], sun)
            sun -= shares[party]
        return shares, 1

    def parts(self, sun: Whole, use: Whole) -> Parts:
        """See `Key.parts`."""
        order = np.array(self.order, dtype=np.intp)
        ranked = use[order]
        before = np.cumsum(ranked, axis=0) - ranked
        shares = np.zeros_like(use)
        shares[order] = np.minimum(ranked, np.maximum(sun - before, 0))
        return Parts(shares, np.zeros_like(use), shares.sum(axis=0))


CLASSES: Final[Mapping[KeyName, type[Key]]] = {
    key.name: key for key in (Fixed, Equal, Proportional, Optimal, Hybrid, Priority)
}


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


def key_of(community: Community, sharing: Sharing) -> tuple[Key, list[int]]:
    """Build the key of a sharing rule.

    Returns
    -------
    key
        For the flats in the file's order, then the common area if it is a participant.
    weights
        Of the same parties, for dividing the surplus: whole numbers without a common divisor; all 1 under a key
        without weights.
    """
    flats = [flat.id for flat in community.flats]
    participant = sharing.common == "participant" and any(meter.common for meter in community.meters)
    weights = [1] * (len(flats) + participant)
    if KEYS[sharing.key].weights:
        given = [(sharing.weights or {})[flat] for flat in flats]
        if participant:
            given.append(sharing.common_weight or type(given[0])(0))
        places = max(0, *(-int(weight.as_tuple().exponent) for weight in given))
        weights = [int(weight.scaleb(places)) for weight in given]
        common = gcd(*weights)
        weights = [weight // common for weight in weights]
    places_of = {flat: place for place, flat in enumerate(flats)}
    order = [places_of[flat] for flat in sharing.order or () if flat in places_of]
    return CLASSES[sharing.key](weights, [*order, *range(len(flats), len(weights))]), weights


def terms(sharing: Sharing) -> dict[str, Any]:
    """Return what a sharing rule decides by; fields its key does not use and its first day left out."""
    unused = {"start"}
    if not KEYS[sharing.key].weights:
        unused |= {"weights", "common_weight"}
    elif sharing.common != "participant":
        unused.add("common_weight")
    if not KEYS[sharing.key].order:
        unused.add("order")
    return sharing.model_dump(exclude=unused)
