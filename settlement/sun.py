"""The month's sun, interval by interval: what each flat used, what it was given, what was left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from core.community import Community, Sharing
from core.money import fair_rank
from core.time import from_microseconds, microseconds, midnight, rfc3339
from settlement.amounts import FITS, MISSING, Amounts, Labels, Table
from settlement.model import WORST_FIRST, Quality, Series
from settlement.sharing import Key, Rank, divide, key_of, largest_remainder
from settlement.tariffs import Stretch

COMMON = "common"
"""Name of the common area where flats are listed."""


@dataclass(frozen=True)
class Sun:
    """Energy per interval [mWh]; ``used`` None where a consumption is missing, ``sun`` None where the sun is.

    In every interval with sun: sum of ``shared`` over flats and common + ``surplus`` = ``sun``.
    """

    bounds: Sequence[int]
    sun: Amounts[int | None]
    used: Table[int | None]
    quality: Mapping[str, Labels[Quality]]
    shared: Table[int]
    surplus: Amounts[int]
    unused: Table[int]

    def between(self, community: Community, start: date, until: date) -> range:
        """Positions of the intervals of local days, as far as they are here."""
        return between(community, self.bounds, start, until)


def total(series: Sequence[Series], size: int) -> Amounts[int | None]:
    """Add meters up, interval by interval; None where one of them is missing or there is none."""
    if not series:
        return Amounts.missing(size)
    if len(series) == 1:
        return series[0].energy
    columns = [one.energy for one in series]
    if sum(int(one.array.max(initial=0)) for one in columns) >= FITS:
        values = zip(*columns, strict=True)
        return Amounts.of([None if None in row else sum(filter(None, row)) for row in values])
    rows = np.array([one.array for one in columns])
    return Amounts(np.where((rows >= 0).all(axis=0), rows.sum(axis=0), MISSING))


def worst(series: Sequence[Series], size: int) -> Labels[Quality]:
    """Worst quality of several meters, interval by interval."""
    if not series:
        return Labels.all_of("missing", size, WORST_FIRST)
    return Labels(np.minimum.reduce([one.quality.codes for one in series]), WORST_FIRST)


def consumption(
    community: Community, series: Mapping[str, Series], size: int
) -> tuple[Table[int | None], dict[str, Labels[Quality]]]:
    """Consumption and its quality per flat, and of ``common`` if it has a meter, interval by interval."""
    used, quality = {}, {}
    of_flat: dict[str | None, list[Series]] = {flat.id: [] for flat in community.flats}
    for meter in community.meters_of("electricity"):
        of_flat.setdefault(meter.flat, []).append(series[meter.id])
    for flat, meters in of_flat.items():
        name = flat or COMMON
        used[name], quality[name] = total(meters, size), worst(meters, size)
    return Table.of(used, size), quality


def generation(community: Community, series: Mapping[str, Series], size: int) -> Amounts[int | None]:
    """Sun of all inverters together, interval by interval."""
    return total([series[meter.id] for meter in community.meters_of("solar_generation")], size)


def share(
    community: Community,
    stretches: Sequence[Stretch],
    bounds: Sequence[int],
    generated: Sequence[int | None],
    used: Mapping[str, Sequence[int | None]],
    quality: Mapping[str, Sequence[Quality]],
) -> Sun:
    """Divide the sun of every interval by the rule of its day.

    Parameters
    ----------
    community, stretches
        The rules.
    bounds
        n + 1 interval boundaries [microseconds UTC].
    generated
        Sun of each interval; None shares nothing. [mWh]
    used, quality
        Consumption of each flat and of ``common``, if it has a meter; None takes no part. [mWh]
    """
    names = [flat.id for flat in community.flats]
    size = len(bounds) - 1
    shared = {name: [0] * size for name in used}
    unused = {name: [0] * size for name in names}
    surplus = [0] * size
    for stretch in stretches:
        key, weights = key_of(community, stretch.sharing)
        divider = _Divider(community, stretch.sharing, key, weights, names)
        for index in between(community, bounds, stretch.start, stretch.until):
            sun = generated[index]
            if not sun:
                continue
            use = {name: values[index] for name, values in used.items()}
            given, spare = divider.interval(bounds[index], sun, use)
            for name, value in given.items():
                shared[name][index] = value
            for name, value in spare.items():
                unused[name][index] = value
            surplus[index] = sun - sum(given.values())
    return Sun(
        bounds,
        Amounts.of(generated),
        Table.of(used, size),
        {name: Labels.of(values, WORST_FIRST) for name, values in quality.items()},
        Table.of(shared, size),
        Amounts.of(surplus),
        Table.of(unused, size),
    )


def between(community: Community, bounds: Sequence[int], start: date, until: date) -> range:
    """Positions of the intervals of local days, as far as they are within ``bounds``."""
    first = bounds[0]
    step = bounds[1] - first
    begin, end = (microseconds(midnight(day, community.zone)) for day in (start, until))
    return range(max(0, (begin - first) // step), min(len(bounds) - 1, (end - first) // step))


class _Divider:
    """One sharing rule, ready to divide interval after interval."""

    def __init__(
        self, community: Community, sharing: Sharing, key: Key, weights: Sequence[int], names: Sequence[str]
    ) -> None:
        self._slug = community.community
        self._mode = sharing.common
        self._by_unused = sharing.surplus == "unused_share"
        self._key = key
        self._weights = weights
        self._parties = [*names, COMMON] if len(weights) > len(names) else list(names)
        self._flats = names

    def interval(self, start: int, sun: int, use: Mapping[str, int | None]) -> tuple[dict[str, int], dict[str, int]]:
        """Return what each party is given, and (by ``unused_share``) which part of the surplus is whose."""
        given: dict[str, int] = {}
        common = use.get(COMMON) or 0
        offered = sun
        if self._mode == "first" and COMMON in use:
            given[COMMON] = min(sun, common)
            offered -= given[COMMON]
        wanted = [use.get(name) or 0 for name in self._parties]
        rank = self._rank(start)
        given |= zip(self._parties, divide(self._key, offered, wanted, rank), strict=True)
        if self._mode == "last" and COMMON in use:
            given[COMMON] = min(sun - sum(given.values()), common)
        surplus = sun - sum(given.values())
        given = {name: value for name, value in given.items() if name in use}
        return given, self._spare(offered, surplus, use, rank) if self._by_unused and surplus else {}

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

    def _rank(self, start: int) -> Rank:
        label = rfc3339(from_microseconds(start))
        return lambda party: fair_rank(self._slug, label, self._parties[party])
