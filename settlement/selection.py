"""Which readings a month is settled from, and the hash of everything that goes in.

Both ways to settle, from the database and from files, pass through `used`, so that an export replays to the same
bytes. ``docs/hashes.md`` describes the canonical form byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from core.community import Community, Meter
from core.time import Month, from_microseconds, local_day, microseconds, rfc3339
from settlement.failedmeters import Kind, references
from settlement.intervals import spans_needed
from settlement.model import MeterReadings, Readings
from settlement.pellets import COUNT_WINDOW, heat_needed_from
from settlement.readings import boundaries
from settlement.registers import RETURNS_WITHIN

_CONFIGURATION = (
    "community", "timezone", "currency", "settlement_interval", "estimates", "location", "owner", "flats",
    "households", "meters", "replacements", "edits", "sharing", "tariffs", "heat", "pellets", "costs", "advances",
    "work_credits", "work",
)  # fmt: skip
"""Parts of the community that can change a statement."""
_DECIDES_NOTHING = {"meters": {"__all__": {"max_kw"}}}
"""Fields in them that cannot."""
_SAYS_NOTHING = ("until", "windows", "solar_at_most_percent_of_grid", "netting_until")
"""Fields of a tariff that are left out where they are absent."""
_MILLISECOND = timedelta(milliseconds=1)


def used(community: Community, month: Month, known: Readings) -> dict[str, MeterReadings]:
    """Select what a month is settled from.

    Of every meter the month itself, the reading before it and the first one after, and an hour on either side for
    telling a dip from a reset. Of boiler heat also what values the pellets since the last count that is needed.
    Where a kind of meter has a long gap, of all meters of that kind also what bridges it. Where a heat
    or hot water meter failed and is estimated, of all meters of that kind also the months it is compared with. A pellet
    level decides nothing and is left out, unless it is held against the books.
    """
    selected = of_month(community, month, known)
    for kind, before in references(community, month, selected):
        selected = merged(selected, compared(community, kind, before, known))
    return selected


def of_month(community: Community, month: Month, known: Readings) -> dict[str, MeterReadings]:
    """Select what a month itself is settled from, without the months that failed meters are compared with."""
    windows = {meter.id: window(community, month, meter) for meter in community.meters}
    narrow = _within(community, windows, known)
    return _within(community, windows | wide_windows(community, month, narrow), known)


def compared(community: Community, kind: Kind, before: Month, known: Readings) -> dict[str, MeterReadings]:
    """Select the readings of a month that failed meters of a kind are compared with."""
    windows = {meter.id: window(community, before, meter) for meter in community.meters_of(kind)}
    return _within(community, windows, known)


def merged(first: Readings, second: Readings) -> dict[str, MeterReadings]:
    """Put two selections of the same readings together."""
    both = {}
    for meter in {**first, **second}:
        parts = [part[meter] for part in (first, second) if meter in part]
        values = {time: value for part in parts for time, value in zip(part.times, part.values, strict=True)}
        times = tuple(sorted(values))
        both[meter] = MeterReadings(parts[0].kind, times, tuple(values[time] for time in times))
    return both


def wide_windows(community: Community, month: Month, narrow: Readings) -> dict[str, tuple[int, int]]:
    """Windows of the meters that help to bridge the month's long gaps, wide enough for that.

    Parameters
    ----------
    community, month
        As of `used`.
    narrow
        Readings within the month's own windows.
    """
    spans = spans_needed(community, narrow, boundaries(community, month))
    found = {}
    for meter in community.meters:
        if meter.measures in spans:
            (start, end), span = window(community, month, meter), spans[meter.measures]
            found[meter.id] = (min(start, span.start), max(end, span.end))
    return found


def _within(community: Community, windows: Mapping[str, tuple[int, int]], known: Readings) -> dict[str, MeterReadings]:
    selected = {}
    for meter in community.meters:
        readings = known.get(meter.id)
        if readings is None or meter.id not in windows or not settles(community, meter):
            continue
        start, end = windows[meter.id]
        first = max(0, bisect_left(readings.times, start) - 1)
        last = bisect_right(readings.times, end) + 1
        times = tuple(readings.times[first:last])
        if times:
            selected[meter.id] = MeterReadings(readings.kind, times, tuple(readings.values[first:last]))
    return selected


def settles(community: Community, meter: Meter) -> bool:
    """Whether a meter's readings say anything in a statement: a pellet level only where it may not differ too much."""
    fuel = community.pellets
    return meter.measures != "pellet_stock" or (fuel is not None and fuel.level_tolerance_percent is not None)


def window(community: Community, month: Month, meter: Meter) -> tuple[int, int]:
    """Span of the readings of a meter that a month needs; one reading beyond each end belongs to it too."""
    start, end = month.bounds(community.zone)
    if meter.measures == "pellet_stock":
        return microseconds(end - COUNT_WINDOW), microseconds(end + COUNT_WINDOW)
    if meter.measures == "heat_produced":
        start = min(start, heat_needed_from(community, month) or start)
    return microseconds(start) - RETURNS_WITHIN, microseconds(end) + RETURNS_WITHIN


def input_sha256(community: Community, month: Month, selected: Readings) -> str:
    """SHA-256 over the canonical form of configuration, events and the readings used."""
    digest = hashlib.sha256()
    for part in canonical(community, month, selected):
        digest.update(part.encode())
    return digest.hexdigest()


def canonical(community: Community, month: Month, selected: Readings) -> Iterator[str]:
    """Yield the canonical form: one line of JSON, then one ``meter,time,value`` line per reading, sorted."""
    tree = _stable(community.model_dump(by_alias=True, include=set(_CONFIGURATION), exclude=_DECIDES_NOTHING))
    _, end = month.bounds(community.zone)
    late = rfc3339(end + COUNT_WINDOW)
    first_after = str(month.end_day)
    tree["households"] = sorted(_before(tree["households"], "from", first_after), key=lambda item: str(item["id"]))
    tree["advances"] = sorted(_before(tree["advances"], "from", first_after), key=_text)
    tree["costs"] = sorted(_before(tree["costs"], "date", first_after), key=_text)
    # Who swapped a meter and why changes no amount; who read one by hand stands in a finding.
    swaps = [{name: entry[name] for name in entry if name not in ("by", "why")} for entry in tree["replacements"]]
    tree["replacements"] = sorted(swaps, key=_text)
    tree["tariffs"] = [
        {name: value for name, value in tariff.items() if value or name not in _SAYS_NOTHING}
        for tariff in tree["tariffs"]
    ]
    work = [entry for entry in community.work if Month.of(local_day(entry.at, community.zone)) == month]
    tree["work"] = sorted((_stable(entry.model_dump(by_alias=True)) for entry in work), key=_text)
    if not community.work_credits:  # then work earns nothing, whoever did it
        del tree["work_credits"], tree["work"]
    tree["edits"] = sorted(tree["edits"], key=_text)
    if not tree["edits"]:
        del tree["edits"]
    if community.pellets:
        fuel = tree["pellets"]
        for section in ("deliveries", "counts", "corrections"):
            entries = [entry for entry in fuel[section] if entry["at"] <= late]  # the window's end counts
            fuel[section] = sorted(entries, key=_text)
        _leave_out(fuel, corrections=[], level_tolerance_percent=None)
    for rule in tree["heat"] or ():
        _leave_out(rule, hot_water=None, failed_meters="as_read")
    if community.estimates == "linear":  # then neither says anything about a statement
        del tree["estimates"], tree["location"]
    tree["month"] = str(month)
    yield _text(tree) + "\n"
    for meter in sorted(selected):
        readings = selected[meter]
        for time, value in zip(readings.times, readings.values, strict=True):
            kind = "" if readings.kind == "register" else ",interval"
            yield f"{meter},{rfc3339(from_microseconds(time))},{plain(value)}{kind}\n"


def plain(value: Decimal) -> str:
    """Print a decimal without exponent and without needless zeros, so that 1.50 and 1.5 are one value."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _before(entries: list[dict[str, Any]], field: str, limit: str) -> list[dict[str, Any]]:
    return [entry for entry in entries if str(entry[field]) < limit]


def _leave_out(entry: dict[str, Any], **silent: Any) -> None:
    """Take out of an entry the fields that say nothing, so that it reads as before there were such fields."""
    for name, value in silent.items():
        if entry[name] == value:
            del entry[name]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _stable(value: Any) -> Any:
    """Turn parsed values into JSON's own, in forms that belong to us and not to a library's version."""
    match value:
        case dict():
            return {name: _stable(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_stable(inner) for inner in value]
        case datetime():
            return rfc3339(value)
        case date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case timedelta():
            return value // _MILLISECOND
        case _:
            return value
