"""The month's sun, interval by interval: what each flat used, what it was given, what was left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from core.community import Community
from core.time import microseconds, midnight
from settlement.amounts import FITS, MISSING, Amounts, Labels, Table
from settlement.division import COMMON, Divider
from settlement.model import WORST_FIRST, Quality, Series
from settlement.tariffs import Stretch

__all__ = ["COMMON", "Sun", "between", "consumption", "generation", "share", "total", "worst"]
_AT_ONCE: Final = 2**20
"""Amounts divided at once; more would only take more memory."""


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
    size = len(bounds) - 1
    offered, table = Amounts.of(generated), Table.of(used, size)
    names = tuple(flat.id for flat in community.flats)
    whole = np.int64 if offered.array.dtype == table.rows.dtype == np.int64 else object
    shared, unused = (np.zeros((len(rows), size), dtype=whole) for rows in (table.names, names))
    surplus = np.zeros(size, dtype=whole)
    for stretch in stretches:
        divider = Divider(community, stretch.sharing, table.names)
        span = between(community, bounds, stretch.start, stretch.until)
        lit = span.start + np.flatnonzero(offered.array[span.start : span.stop] > 0)
        for places in np.array_split(lit, -(-len(lit) * len(table) // _AT_ONCE) or 1):
            sun = offered.array[places]
            given, spare = divider.block([bounds[place] for place in places.tolist()], sun, table.rows[:, places])
            shared[:, places], surplus[places] = given, sun - given.sum(axis=0)
            if spare is not None:
                unused[:, places] = spare
    return Sun(
        bounds,
        offered,
        table,
        {name: Labels.of(values, WORST_FIRST) for name, values in quality.items()},
        Table(table.names, shared),
        Amounts(surplus),
        Table(names, unused),
    )


def between(community: Community, bounds: Sequence[int], start: date, until: date) -> range:
    """Positions of the intervals of local days, as far as they are within ``bounds``."""
    first = bounds[0]
    step = bounds[1] - first
    begin, end = (microseconds(midnight(day, community.zone)) for day in (start, until))
    return range(max(0, (begin - first) // step), min(len(bounds) - 1, (end - first) // step))
