"""Months from their stored quarter-hours: for years at a time, where reading every register again would take too long.

Statements are settled from readings, since their input hash is over readings. Whoever wants many months fast takes the
intervals that the worker derived from the same readings: the money is the same to the cent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, pairwise

from core.community import Community
from core.db.connection import Connection
from core.time import Month
from settlement import failedmeters, store
from settlement.derived.store import series
from settlement.energy import Metered, metered
from settlement.month import Settled, settle_metered
from settlement.readings import boundaries


def settle_stored(connection: Connection, community: Community, months: Sequence[Month]) -> Iterator[Settled]:
    """Settle months from their stored intervals, or from readings where their rules look at more than those.

    While one month is settled here, the database reads the next: two months are in memory, and the connection is not
    the caller's until the last has come.

    Yields
    ------
    Settled
        Of each month, in their order, what `settlement.month.settle` gives of the readings, but for findings about
        single readings, which are not stored with the intervals.

    Raises
    ------
    BadInput, CheckFailed
        As of `settlement.month.settle`.
    """
    with ThreadPoolExecutor(1) as reader:
        reads = (reader.submit(stored, connection, community, month) for month in months)
        last: Future[Metered] = Future()
        # A pair is given when its second has been asked for.
        for month, (read, _) in zip(months, pairwise(chain(reads, [last])), strict=True):
            yield settle_metered(community, month, read.result())


def stored(connection: Connection, community: Community, month: Month) -> Metered:
    """Read what all meters counted in a month; an interval that was never derived is missing."""
    if failedmeters.kinds(community, month):
        return metered(community, month, store.month_readings(connection, community, month))
    bounds = boundaries(community, month)
    names = [meter.id for meter in community.meters if meter.measures != "pellet_stock"]
    # The pellet account looks at the boiler's registers and at levels, over spans of its own.
    fuel = community.model_copy(update={"meters": community.meters_of("heat_produced", "pellet_stock")})
    readings = metered(fuel, month, store.month_readings(connection, fuel, month)).readings
    found = series(connection, community.community, names, bounds)
    return Metered(bounds, found, (), bounds[-1], {}, readings)
