"""Keep the stored quarter-hours and shares up to date: what changed is recomputed, nothing else is touched.

Pages, dashboards and forecasts read these rows. A statement does not: it is always computed from raw readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from core.community import Community
from core.db import config, timescale
from core.db.connection import Connection
from core.time import Month, local_day, microseconds, midnight
from settlement import intervals, store, sun, tariffs
from settlement.model import Series

_DAY = timedelta(days=1)


def update(connection: Connection, slug: str, now: datetime, *, since: date | None = None) -> int:
    """Work new readings into the stored quarter-hours.

    Parameters
    ----------
    connection
        Not in a transaction; every chunk of at most a month is committed by itself.
    slug
        Community.
    now
        Becomes ``known_at`` of the rows that change.
        since
        Leave out days before this one; a later call without it works them in.


    Returns
    -------
    int
        Quarter-hours that were new or changed. Running it again changes nothing.
    """
    with store.one_at_a_time(connection, slug, "derive"):
        with connection.transaction():
            community = config.load(connection, slug).community
            changed = store.changed_since_derived(connection, slug)
            span = _affected(connection, community, changed[1]) if changed else None
        if changed is None or span is None:
            return 0
        written = 0
        first_day = max(span[0], since) if since else span[0]
        chunks = list(_chunks(first_day, span[1]))
        for first, end in reversed(chunks):  # the present matters to residents first
            with connection.transaction():
                written += _derive(connection, community, first, end, now)
        if span[0] < local_day(now, community.zone) - 2 * _DAY:
            timescale.refresh(connection)
        if first_day == span[0]:
            with connection.transaction():
                store.mark_derived(connection, slug, changed[0])
    return written


def _affected(
    connection: Connection, community: Community, changed: Sequence[tuple[str, datetime]]
) -> tuple[date, date] | None:
    """Local days whose intervals may change: from the reading before the first new one to the last reading."""
    span = store.span_of(connection, community.community)
    deriving = {meter.id for meter in community.meters if meter.measures != "pellet_stock"}
    starts = [
        store.previous_reading(connection, community.community, meter, time) or time
        for meter, time in changed
        if meter in deriving
    ]
    if span is None or not starts:
        return None
    return local_day(min(starts), community.zone), local_day(span[1], community.zone) + _DAY


def _chunks(first: date, end: date) -> Iterator[tuple[date, date]]:
    day = first
    while day < end:
        until = min(end, Month.of(day).end_day)
        yield day, until
        day = until


def _derive(connection: Connection, community: Community, first: date, end: date, now: datetime) -> int:
    start, stop = (microseconds(midnight(day, community.zone)) for day in (first, end))
    bounds = list(range(start, stop + 1, community.interval // timedelta(microseconds=1)))
    known = store.readings_for(connection, community, bounds)
    series, _ = intervals.of_all(community, known, bounds)
    written, newest = 0, start
    for meter in community.meters:
        if meter.id in known:
            newest = max(newest, min(known[meter.id].times[-1], stop))
            written += store.save_series(connection, community.community, meter, series[meter.id], bounds, now)
    _share(connection, community, first, end, bounds, series, newest)
    return written


def _share(
    connection: Connection, community: Community, first: date, end: date, bounds: Sequence[int],
    series: dict[str, Series], newest: int,
) -> None:  # fmt: skip
    # Days before the first price or rule have readings but no shares.
    ruled = max(min(entry.start for entry in rules) for rules in (community.tariffs, community.sharing))
    if first < ruled:
        first = min(ruled, end)
        start = microseconds(midnight(first, community.zone))
        skipped = (start - bounds[0]) // (bounds[1] - bounds[0])
        bounds = bounds[skipped:]
        series = {
            name: Series(name, one.energy[skipped:], one.quality[skipped:], one.method[skipped:])
            for name, one in series.items()
        }
    if first >= end:
        return
    size = len(bounds) - 1
    used, quality = sun.consumption(community, series, size)
    stretches = tariffs.stretches_between(community, first, end)
    divided = sun.share(community, stretches, bounds, sun.generation(community, series, size), used, quality)
    store.save_shares(connection, community.community, divided, newest)
