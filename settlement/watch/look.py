"""The watch itself: looks at what became known, writes what is doubted, and closes what is explained.

Nothing here depends on how readings came or in which order. New readings are looked at with their neighbours only;
where anything is odd there, or was before, the meter is looked at again with two days on either side, which is as far
as any doubt reaches. So a look costs what is new, and says what one look at everything would say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, get_args

from core.community import Community, Meter
from core.db import config
from core.db.connection import Connection
from core.time import from_microseconds, microseconds
from settlement.store import one_at_a_time
from settlement.watch import serials, standstill, store
from settlement.watch.doubts import CONTEXT, DAY, Code, Doubt, doubts
from settlement.watch.sentences import local
from settlement.watch.store import Finding, Span

REMEMBERED: Final = timedelta(days=31)
"""A finding about a meter stays open for this long at most; what is older is settled and is not looked at."""
_REGISTER_CODES: Final = get_args(Code)
_AT_A_TIME: Final = 50 * DAY
"""Readings of so many meter-days are held in memory at once."""


def look(connection: Connection, slug: str, now: datetime, *, again: bool = False) -> None:
    """Look at the readings that became known since the last look.

    Parameters
    ----------
    connection
        In autocommit; what is found about one meter is committed together.
    again
        Look at every open finding once more: a swap may have been declared meanwhile, or a batch taken back.
    """
    community = config.load(connection, slug).community
    meters = {meter.id: meter for meter in community.meters}
    oldest = now - REMEMBERED
    with one_at_a_time(connection, slug, "look"):
        new = store.known_since_last(connection, slug)
        spans = {
            meter: Span(max(span.first, microseconds(oldest)), span.last)
            for meter, span in (new[1] if new else {}).items()
            if meter in meters and span.last >= microseconds(oldest)
        }
        known = [one for one in store.findings(connection, slug, _REGISTER_CODES) if one.meter in meters]
        odd = [(meter, spans[meter]) for meter in _odd(connection, community, spans, known)]
        if again:
            odd += [(one.meter, _span(one)) for one in known if one.meter is not None]
        swaps = _swaps(connection, community, oldest) if odd else {}
        for meter, span in _joined(odd).items():
            _judge(connection, community, meters[meter], _widened(span), swaps.get(meter, []), now)
        store.close_old(connection, slug, oldest, now)
        if new is not None:
            store.mark_looked(connection, slug, new[0])


def look_around(connection: Connection, slug: str, now: datetime) -> None:
    """Look at what shows by comparison only: standstill, serial numbers, clocks; and at every open finding again."""
    look(connection, slug, now, again=True)
    community = config.load(connection, slug).community
    found = [
        *_standing(connection, community, now),
        *_serials(connection, community, now),
        *_clocks(connection, community),
    ]
    codes = {"register-frozen", "register-crawls", "serial-changed", "serial-duplicate", "clock-wrong"}
    with connection.transaction():
        _keep(connection, slug, found, store.findings(connection, slug, codes), now)


def _odd(
    connection: Connection, community: Community, spans: dict[str, Span], known: Collection[Finding]
) -> Iterator[str]:
    """Meters whose new readings are odd, or lie near something odd that is known already."""
    near = {
        one.meter
        for one in known
        if one.meter in spans
        and _widened(_span(one)).first <= spans[one.meter].last
        and spans[one.meter].first <= _widened(_span(one)).last
    }
    meters = {meter.id: meter for meter in community.meters}
    for part in _parts(spans):
        for name, rows in store.readings_of(connection, community.community, part).items():
            if name in near or doubts(community, meters[name], rows):
                yield name


def _judge(
    connection: Connection, community: Community, meter: Meter, zone: Span, swapped: list[int], now: datetime
) -> None:
    """Look at a meter with all that a doubt within the zone depends on, and keep what is found in it."""
    slug = community.community
    known = store.readings_of(connection, slug, {meter.id: _widened(zone)}).get(meter.id)
    found = [] if known is None else doubts(community, meter, known, swapped)
    inside = [doubt for doubt in found if zone.first <= doubt.since <= zone.last]
    with connection.transaction():
        before = [
            one
            for one in store.findings(connection, slug, _REGISTER_CODES)
            if one.meter == meter.id and zone.first <= microseconds(one.since) <= zone.last
        ]
        explained = [_finding(meter, doubt, now) for doubt in inside if doubt.explained]
        for one in explained:
            store.put_finding(connection, slug, one, now, explained=True)
        _keep(connection, slug, [_finding(meter, doubt, now) for doubt in inside if not doubt.explained], before, now)


def _keep(
    connection: Connection, slug: str, found: Iterable[Finding], before: Iterable[Finding], now: datetime
) -> None:
    """Write the open findings, and close those that were open before and are found no more."""
    kept = set()
    for one in found:
        store.put_finding(connection, slug, one, now, explained=False)
        kept.add((one.code, one.meter, one.device, one.since))
    gone = [one for one in before if (one.code, one.meter, one.device, one.since) not in kept]
    store.close_findings(connection, slug, gone, now)


def _finding(meter: Meter, doubt: Doubt, now: datetime) -> Finding:
    since, until = from_microseconds(doubt.since), from_microseconds(doubt.until)
    facts = {"before": doubt.before, "after": doubt.after, "unit": meter.unit}
    return Finding(doubt.code, meter.id, None, since, until, facts, now, None)


def _swaps(connection: Connection, community: Community, oldest: datetime) -> dict[str, list[int]]:
    """When devices that feed a meter changed their serial number, by meter [microseconds]."""
    changed = serials.changes(store.serials(connection, community.community, oldest))
    found: dict[str, list[int]] = {}
    for device in community.devices:
        instants = [microseconds(one.time) for one in changed if one.device == device.id]
        for meter in device.feeds.values():
            found.setdefault(meter, []).extend(instants)
    return found


def _standing(connection: Connection, community: Community, now: datetime) -> Iterator[Finding]:
    slug = community.community
    meters = {meter.id: meter for meter in community.meters}
    least = {meter.id: standstill.RULES[meter.measures].least for meter in meters.values()
             if meter.measures in standstill.RULES}  # fmt: skip
    courses = store.courses(connection, slug, least, now)
    for name, told_by in standstill.suspects(community.meters, courses).items():
        since, newest, past = store.past(connection, slug, name, now)
        if standstill.frozen(told_by, past):
            facts = {"before": format(courses[name].newest, "f"), "unit": meters[name].unit}
            yield Finding("register-frozen", name, None, since, newest, facts, now, None)
    known = {one.meter: one.since for one in store.findings(connection, slug, ["register-crawls"])}
    for name in standstill.crawling(community.meters, courses):
        course = courses[name]
        if course.day is None or course.week is None:
            continue
        facts = {
            "before": format(round((course.day - course.week) / 7, 3), "f"),
            "after": format(course.newest - course.day, "f"),
            "unit": meters[name].unit,
        }
        yield Finding("register-crawls", name, None, known.get(name, now), now, facts, now, None)


def _serials(connection: Connection, community: Community, now: datetime) -> Iterator[Finding]:
    rows = [
        row
        for row in store.serials(connection, community.community, now - REMEMBERED)
        if row.device in {device.id for device in community.devices}
    ]
    for one in serials.changes(rows):
        if now - one.time <= REMEMBERED and not _declared(community, one):
            facts = {"before": one.before, "after": one.after}
            yield Finding("serial-changed", None, one.device, one.time, one.time, facts, now, None)
    for twin in serials.twins(rows):
        facts = {"other": twin.other, "serial": twin.serial}
        yield Finding("serial-duplicate", None, twin.device, twin.time, twin.time, facts, now, None)


def _declared(community: Community, change: serials.Change) -> bool:
    """Whether the swap behind another serial number was written down, to a day or two."""
    feeds = next(device.feeds.values() for device in community.devices if device.id == change.device)
    return any(
        swap.meter in feeds and abs(swap.at - change.time) <= timedelta(days=2) for swap in community.replacements
    )


def _clocks(connection: Connection, community: Community) -> Iterator[Finding]:
    devices = {device.id for device in community.devices}
    for device, since, said in store.wrong_clocks(connection, community.community):
        if device in devices:
            yield Finding("clock-wrong", None, device, since, since, {"said": local(said, community.zone)}, since, None)


def _span(one: Finding) -> Span:
    return Span(microseconds(one.since), microseconds(one.until))


def _widened(span: Span) -> Span:
    return Span(span.first - CONTEXT, span.last + CONTEXT)


def _joined(spans: Iterable[tuple[str, Span]]) -> dict[str, Span]:
    """One span per meter that covers all of its spans."""
    found: dict[str, Span] = {}
    for meter, span in spans:
        known = found.get(meter, span)
        found[meter] = Span(min(known.first, span.first), max(known.last, span.last))
    return found


def _parts(spans: dict[str, Span]) -> Iterator[dict[str, Span]]:
    """Split the spans into parts that fit into memory together, at least one meter each."""
    part: dict[str, Span] = {}
    size = 0
    for meter, span in spans.items():
        length = span.last - span.first
        if part and size + length > _AT_A_TIME:
            yield part
            part, size = {}, 0
        part[meter] = span
        size += length
    if part:
        yield part
