"""One sharing rule at work: the common area's turn, the key, and whose the surplus is by what nobody used.

`Divider.interval` divides one interval in numbers of any size and is the reference; `Divider.block` divides many at
once and gives the same, leaving to it the intervals whose numbers might not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from core.community import Community, Sharing
from core.money import fair_ranks
from core.time import from_microseconds, rfc3339
from settlement.amounts import FITS, MISSING, Mask, Whole
from settlement.remainders import DIVISOR_FITS, Parts, Rank, largest_remainder, largest_remainders, times_over
from settlement.sharing import divide, key_of

COMMON: Final = "common"
"""Name of the common area where flats are listed."""


class Divider:
    """One sharing rule, ready to divide intervals.

    Parameters
    ----------
    community, sharing
        The rule.
    names
        Whose consumption will be given: the flats, and ``common`` if it has a meter.
    """

    def __init__(self, community: Community, sharing: Sharing, names: Sequence[str]) -> None:
        self._slug = community.community
        self._mode = sharing.common if COMMON in names else "never"
        self._by_unused = sharing.surplus == "unused_share"
        self._key, self._weights = key_of(community, sharing)
        self._flats = [flat.id for flat in community.flats]
        self._parties = [*self._flats, COMMON] if len(self._weights) > len(self._flats) else self._flats
        self._names = tuple(names)
        place = {name: place for place, name in enumerate(self._names)}
        self._common = place.get(COMMON, -1)
        self._rows = np.array([place[name] for name in self._parties], dtype=np.intp)

    def interval(self, start: int, sun: int, use: Mapping[str, int | None]) -> tuple[dict[str, int], dict[str, int]]:
        """Divide one interval.

        Parameters
        ----------
        start
            Of the interval [microseconds UTC].
        sun
            Energy generated, above 0. [mWh]
        use
            Consumption by name; None takes no part. [mWh]

        Returns
        -------
        given
            What each name is given. [mWh]
        spare
            By ``unused_share``, which part of the surplus is whose; else, and without a surplus, nothing. [mWh]
        """
        given: dict[str, int] = {}
        common = use.get(COMMON) or 0
        offered = sun
        if self._mode == "first":
            given[COMMON] = min(sun, common)
            offered -= given[COMMON]
        wanted = [use.get(name) or 0 for name in self._parties]
        rank = self._rank(start)
        given |= zip(self._parties, divide(self._key, offered, wanted, rank), strict=True)
        if self._mode == "last":
            given[COMMON] = min(sun - sum(given.values()), common)
        surplus = sun - sum(given.values())
        return given, self._spare(offered, surplus, use, rank) if self._by_unused and surplus else {}

    def block(self, starts: Sequence[int], sun: Whole, use: Whole) -> tuple[Whole, Whole | None]:
        """Divide many intervals; the same as `interval` for each.

        Parameters
        ----------
        starts
            Of the intervals [microseconds UTC].
        sun
            Energy generated in each, above 0. [mWh]
        use
            Consumption, names by intervals; -1 takes no part. [mWh]

        Returns
        -------
        given
            Names by intervals. [mWh]
        spare
            Flats by intervals; None unless by ``unused_share``. [mWh]
        """
        whole = np.result_type(sun, use)
        given = np.zeros(use.shape, dtype=whole)
        spare = np.zeros((len(self._flats), len(sun)), dtype=whole) if self._by_unused else None
        fits = self._fits(sun, use)
        if fits.any():
            where = np.flatnonzero(fits)
            few = [starts[place] for place in where.tolist()]
            given[:, where], part = self._many(few, sun[where].astype(np.int64), use[:, where].astype(np.int64))
            if spare is not None and part is not None:
                spare[:, where] = part
        for place in np.flatnonzero(~fits).tolist():
            column = [None if value < 0 else value for value in use[:, place].tolist()]
            one, parts = self.interval(starts[place], int(sun[place]), dict(zip(self._names, column, strict=True)))
            given[:, place] = [one.get(name, 0) for name in self._names]
            if spare is not None:
                spare[:, place] = [parts.get(name, 0) for name in self._flats]
        return given, spare

    def _many(self, starts: Sequence[int], sun: Whole, use: Whole) -> tuple[Whole, Whole | None]:
        given = np.zeros_like(use)
        offered = sun
        if self._mode == "first":
            given[self._common] = np.minimum(sun, np.maximum(use[self._common], 0))
            offered = sun - given[self._common]
        parts = self._key.parts(offered, self._wanted(use))
        given[self._rows] += largest_remainders(parts, lambda place: self._rank(starts[place]))
        if self._mode == "last":
            given[self._common] = np.minimum(sun - given.sum(axis=0), np.maximum(use[self._common], 0))
        surplus = sun - given.sum(axis=0)
        return given, self._spares(starts, offered, surplus, use) if self._by_unused else None

    def _wanted(self, use: Whole) -> Whole:
        return np.maximum(use[self._rows], 0)

    def _fits(self, sun: Whole, use: Whole) -> Mask:
        """Say which intervals are sure to stay within 64 bits at every step."""
        most = FITS // (len(self._parties) + 1)
        small = np.asarray((sun < most) & (use < most).all(axis=0), dtype=np.bool_)
        where = np.flatnonzero(small)
        wanted = self._wanted(use[:, where].astype(np.int64))
        light = sun[where].astype(np.int64)
        small[where] = self._key.fits(light, wanted)
        if self._by_unused:
            limit = DIVISOR_FITS // sum(self._weights) - 1
            small[where] &= (light <= limit) & (wanted.max(axis=0, initial=0) <= limit)
        return small

    def _spare(self, offered: int, surplus: int, use: Mapping[str, int | None], rank: Rank) -> dict[str, int]:
        whole = sum(self._weights)
        # Against what was used, not the rounded share: else fractions of a milliwatt-hour would count as unused.
        entitled = [
            0 if own is None else max(0, weight * offered - own * whole)
            for own, weight in zip(map(use.get, self._flats), self._weights, strict=False)
        ]
        if not any(entitled):
            entitled = list(self._weights[: len(self._flats)])
        parts = largest_remainder([surplus * part for part in entitled], sum(entitled), rank)
        return dict(zip(self._flats, parts, strict=True))

    def _spares(self, starts: Sequence[int], offered: Whole, surplus: Whole, use: Whole) -> Whole:
        spare = np.zeros((len(self._flats), len(surplus)), dtype=np.int64)
        where = np.flatnonzero(surplus)
        if not len(where):
            return spare
        whole = sum(self._weights)
        weights = np.array(self._weights[: len(self._flats)], dtype=np.int64)[:, np.newaxis]
        own = use[self._rows[: len(self._flats)]][:, where]
        entitled = np.where(own == MISSING, 0, np.maximum(weights * offered[where] - own * whole, 0))
        entitled = np.where(entitled.any(axis=0), entitled, weights)
        # What is left over may be more than all entitlements together; whole times of it need no division.
        bottom, left = entitled.sum(axis=0), surplus[where]
        times = left // bottom
        floors, rests = times_over(entitled, left - times * bottom, bottom)
        parts = Parts(floors + entitled * times, rests, left)
        spare[:, where] = largest_remainders(parts, lambda place: self._rank(starts[int(where[place])]))
        return spare

    def _rank(self, start: int) -> Rank:
        rank = fair_ranks(self._slug, rfc3339(from_microseconds(start)))
        return lambda party: rank(self._parties[party])
