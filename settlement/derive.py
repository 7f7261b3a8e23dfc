"""Keep the stored quarter-hours and shares up to date: what changed is recomputed, nothing else is touched.

Pages, dashboards and forecasts read these rows. A statement does not: it is always computed from raw readings.

Every row is what a settlement of its whole month would find (`settlement.intervals`). A register that only rises
around what is new needs no more than the readings there, with an hour and the next readings on either side: whatever
happened further away cannot matter. That part is worked out by columns. Where a register falls, where a person did
something to its readings, or where a gap takes a shape, the meter's whole month is computed as a statement computes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.community import Community, Meter
from core.db import config, timescale
from core.db.connection import Connection
from core.time import Month, from_microseconds, local_day, microseconds, midnight
from settlement import intervals, sun, tariffs
from settlement.derived import columns, store
from settlement.derived.columns import ESTIMATED, Columns
from settlement.derived.touched import Block, Span, blocks, ranges
from settlement.estimates import LOOK_BACK
from settlement.model import Series
from settlement.readings import boundaries, normal_spacing
from settlement.registers import RETURNS_WITHIN, STRAYS_FOR
from settlement.store import one_at_a_time, readings_for

_DAY = timedelta(days=1)
_READ_AT_ONCE: Final = 2_000_000
"""Readings; about 30 bytes each."""
_SHARED_AT_ONCE: Final = 96
"""Intervals."""


@dataclass
class _Work:
    """What is to be done in a month: spans to look at by columns, meters to compute whole."""

    spans: list[Span] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)


def update(connection: Connection, slug: str, now: datetime, *, since: date | None = None) -> int:
    """Work new readings into the stored quarter-hours.

    Parameters
    ----------
    connection
        Not in a transaction; every month is committed by itself.
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
    with one_at_a_time(connection, slug, "derive"):
        with connection.transaction():
            stale = store.stale(connection, slug)
            if stale is None:
                return 0
            community = config.load(connection, slug).community
        work = _Update(connection, community, now, since, everything=stale.everything)
        written = work.do(stale.spans)
        if written and min(span.first for span in stale.spans) < microseconds(now - 2 * _DAY):
            timescale.refresh(connection)
        if not work.left_out:
            with connection.transaction():
                store.mark(connection, slug, stale)
    return written


class _Update:
    """One run, month by month."""

    def __init__(
        self, connection: Connection, community: Community, now: datetime, since: date | None, *, everything: bool
    ) -> None:
        self._connection, self._community, self._now = connection, community, now
        self._everything = everything
        self._since = 0 if since is None else microseconds(midnight(since, community.zone))
        self._meters = {meter.id: meter for meter in community.meters if meter.measures != "pellet_stock"}
        self._months: dict[Month, _Work] = defaultdict(_Work)
        self.left_out = False

    def do(self, spans: Iterable[Span]) -> int:
        """Derive everything that spans touch; return how many quarter-hours were new or changed."""
        for span in self._with_hands(spans) if self._everything else spans:
            if span.meter not in self._meters:
                continue
            self.left_out |= span.first < self._since
            for month in self._months_of(span.first, span.last):
                self._months[month].spans.append(Span(span.meter, max(span.first, self._since), span.last))
        written = 0
        while self._months:
            month = max(self._months)  # the present matters to residents first
            with self._connection.transaction():
                written += self._derive(month, self._months.pop(month))
        return written

    def _with_hands(self, spans: Iterable[Span]) -> list[Span]:
        """Widen the spans of meters to what people did to them, before their first reading or after their last."""
        known = {span.meter: span for span in spans}
        for meter, since, until in _done_by_hand(self._community):
            span = known.get(meter, Span(meter, since, until))
            known[meter] = Span(meter, min(span.first, since), max(span.last, until))
        return list(known.values())

    def _months_of(self, first: int, last: int) -> Iterator[Month]:
        """Yield the months of a span [microseconds], without those that are left out."""
        month, end = (
            Month.of(local_day(from_microseconds(at), self._community.zone)) for at in (max(first, self._since), last)
        )
        while month <= end:
            yield month
            month = month.shift(1)

    def _derive(self, month: Month, work: _Work) -> int:
        bounds = boundaries(self._community, month)
        changed = np.zeros(len(bounds) - 1, dtype=np.bool_)
        written = 0
        touched = ranges(work.spans, bounds)
        for block in blocks(touched):
            written += self._by_columns(month, block, bounds, changed, work.whole)
        if self._community.estimates == "shaped":
            self._add_shaped(month, work)
        for meters in self._together(work.whole):
            written += self._whole(meters, bounds, changed)
        if self._everything:
            for pieces in touched.values():
                for first, end in pieces:
                    changed[first:end] = True
        for first, end in _stretches(changed):
            self._share(bounds[first : end + 1])
        return written

    def _by_columns(
        self, month: Month, block: Block, bounds: Sequence[int], changed: NDArray[np.bool_], whole: set[str]
    ) -> int:
        """Derive a block, a stretch of time after the other; meters that need more than that go to ``whole``."""
        written, first = 0, block.first
        size = _DAY // self._community.interval
        while first < block.end:
            end = min(first + size, block.end)
            some, seen = self._stretch(month, block.meters, bounds[first : end + 1], changed[first:end], whole)
            written += some
            size = max(1, min(2 * (end - first) * _READ_AT_ONCE // max(seen, _READ_AT_ONCE // 8), len(bounds)))
            first = end
        return written

    def _stretch(
        self, month: Month, meters: Sequence[str], bounds: Sequence[int], changed: NDArray[np.bool_], whole: set[str]
    ) -> tuple[int, int]:
        grid = np.array(bounds, dtype=np.int64)
        near = (bounds[0] - RETURNS_WITHIN, bounds[-1] + RETURNS_WITHIN)
        found: dict[str, Columns] = {}
        seen = 0
        for name, times, values in store.registers(
            self._connection, self._community.community, [meter for meter in meters if meter not in whole], *near
        ):
            seen += len(times)
            one = self._of_register(self._meters[name], times, values, grid, near)
            if one is not None and not (self._community.estimates == "shaped" and np.any(one.label == ESTIMATED)):
                found[name] = one
                continue
            whole.add(name)
            # Coming back from a stray says something about all of it, in the month before too.
            around = (near[0] - STRAYS_FOR, near[1] + STRAYS_FOR)
            known = [*around, *(int(times[place]) for place in (0, -1) if len(times))]
            for other in self._months_of(min(known), max(known)):
                if other != month:
                    self._months[other].whole.add(name)
        return self._save(found, bounds, changed, store.LABELS), seen

    def _of_register(
        self, meter: Meter, times: columns.Whole, data: bytes, bounds: columns.Whole, near: tuple[int, int]
    ) -> Columns | None:
        if self._by_hand(meter, times, near):
            return None
        raw = columns.numbers(data)
        values = None if raw is None else columns.in_core(raw, meter.unit)
        if values is None:
            return None
        return columns.of_register(times, values, bounds, normal_spacing(self._community, meter))

    def _by_hand(self, meter: Meter, times: columns.Whole, near: tuple[int, int]) -> bool:
        """Whether a person did anything to a meter that can matter between these readings."""
        first = int(times[0]) if len(times) and times[0] < near[0] else None
        last = int(times[-1]) if len(times) and times[-1] > near[1] else None
        return any(
            (last is None or since <= last) and (first is None or until >= first)
            for name, since, until in _done_by_hand(self._community)
            if name == meter.id
        )

    def _add_shaped(self, month: Month, work: _Work) -> None:
        """Add every meter of a kind whose gaps may take another shape now, here and in other months.

        A shape looks at the other meters of the kind during the gap and in the four weeks before it.
        """
        kinds = {self._meters[name].measures for name in work.whole}
        spans = [span for span in work.spans if self._meters[span.meter].measures not in kinds]
        for kind in {self._meters[span.meter].measures for span in spans} | kinds:
            touched = [span for span in work.spans if self._meters[span.meter].measures == kind]
            meters = [meter.id for meter in self._meters.values() if meter.measures == kind]
            if kind in kinds:
                work.whole.update(meters)
            if not touched:
                continue
            start = min(span.first for span in touched)
            until = from_microseconds(max(span.last for span in touched)) + LOOK_BACK + 2 * _DAY
            for at in store.estimated(self._connection, self._community.community, meters, start, microseconds(until)):
                other = Month.of(local_day(at, self._community.zone))
                (work if other == month else self._months[other]).whole.update(meters)

    def _together(self, whole: Iterable[str]) -> Iterator[list[Meter]]:
        """Gather meters that are computed together: those of a kind where gaps take shapes, else each alone."""
        meters = [meter for meter in self._meters.values() if meter.id in set(whole)]
        if self._community.estimates == "linear":
            yield from ([meter] for meter in meters)
            return
        meters.sort(key=lambda meter: meter.measures)
        for _, kind in groupby(meters, key=lambda meter: meter.measures):
            yield list(kind)

    def _whole(self, meters: Sequence[Meter], bounds: Sequence[int], changed: NDArray[np.bool_]) -> int:
        """Derive meters' month as a statement does."""
        some = self._community.model_copy(update={"meters": tuple(meters)})
        series, _ = intervals.of_all(some, readings_for(self._connection, some, bounds), bounds)
        labels = list(store.LABELS)
        found = {}
        for name, one in series.items():
            pairs = list(zip(one.quality, one.method, strict=True))
            labels += [pair for pair in dict.fromkeys(pairs) if pair not in labels]
            found[name] = Columns(one.energy.array, np.array([labels.index(pair) for pair in pairs], dtype=np.int16))
        return self._save(found, bounds, changed, labels)

    def _save(
        self, found: dict[str, Columns], bounds: Sequence[int], changed: NDArray[np.bool_],
        labels: Sequence[store.Label],
    ) -> int:  # fmt: skip
        """Write what differs, the meters that shares are made of first; say in ``changed`` where any of these did."""
        written = 0
        for decides in (True, False):
            some = [name for name in found if (self._meters[name].measures in _SHARED) is decides]
            if some:
                block = Columns(*(np.array([found[name][part] for name in some]) for part in (0, 1)))
                count, where = store.save(
                    self._connection, self._community.community, some, bounds, block, labels, self._now
                )
                written += count
                if decides:
                    changed |= where
        return written

    def _share(self, bounds: Sequence[int]) -> None:
        """Divide the sun of a stretch anew, from what is stored."""
        # Days before the first price or rule have readings but no shares.
        community = self._community
        ruled = max(min(entry.start for entry in rules) for rules in (community.tariffs, community.sharing))
        start = microseconds(midnight(ruled, community.zone))
        bounds = bounds[max(0, -(-(start - bounds[0]) // (bounds[1] - bounds[0]))) :]
        if len(bounds) <= 1:
            return
        meters = [meter.id for meter in community.meters if meter.measures in _SHARED]
        series: dict[str, Series] = store.series(self._connection, community.community, meters, bounds)
        size = len(bounds) - 1
        used, quality = sun.consumption(community, series, size)
        days = (local_day(from_microseconds(bounds[place]), community.zone) for place in (0, -2))
        first, last = days
        stretches = tariffs.stretches_between(community, first, last + _DAY)
        divided = sun.share(community, stretches, bounds, sun.generation(community, series, size), used, quality)
        store.save_shares(self._connection, community.community, divided)


_SHARED: Final = ("electricity", "solar_generation")


def _done_by_hand(community: Community) -> Iterator[Span]:
    """Yield what was set aside, read by hand or swapped, and when."""
    for edit in community.edits:
        yield Span(edit.meter, microseconds(edit.at), microseconds(edit.until or edit.at))
    for swap in community.replacements:
        yield Span(swap.meter, microseconds(swap.at), microseconds(swap.at))


def _stretches(changed: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield stretches of neighbouring positions that are set, none too long to hold in memory."""
    places = np.flatnonzero(changed).tolist()
    for _, run in groupby(enumerate(places), key=lambda item: item[1] - item[0]):
        stretch = [place for _, place in run]
        for first in range(0, len(stretch), _SHARED_AT_ONCE):
            piece = stretch[first : first + _SHARED_AT_ONCE]
            yield piece[0], piece[-1] + 1
