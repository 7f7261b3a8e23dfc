"""What people did to readings: values read by hand put in, wrong ones set aside; what is stored stays as it came."""

from __future__ import annotations

from collections.abc import Sequence

from core.community import Community, Edit, Meter
from core.time import microseconds, rfc3339
from settlement.model import Finding, MeterReadings


def applied(community: Community, meter: Meter, known: MeterReadings | None) -> MeterReadings | None:
    """Return a meter's readings as they count.

    Parameters
    ----------
    community
        Its edits.
    meter
        Whose readings.
    known
        As they came; None if there are none.

    Returns
    -------
    MeterReadings or None
        Without those that were set aside, with those read by hand; where both a meter and a person give a value for the
        same instant the person's counts. The very same object where nobody did anything.
    """
    edits = _edits_of(community, meter)
    if not edits:
        return known
    values = {} if known is None else dict(zip(known.times, known.values, strict=True))
    for edit in edits:
        if edit.exclude:
            first, last = microseconds(edit.at), microseconds(edit.until or edit.at)
            for time in [time for time in values if first <= time <= last]:
                del values[time]
    by_hand = {microseconds(edit.at): edit.value for edit in edits if edit.value is not None}
    values |= by_hand
    if not values:
        return None
    times = tuple(sorted(values))
    kind = "register" if known is None else known.kind
    return MeterReadings(kind, times, tuple(values[time] for time in times), frozenset(by_hand))


def findings(community: Community, meter: Meter, bounds: Sequence[int]) -> list[Finding]:
    """Tell of every edit of a meter that falls into a span, with who made it and why."""
    found = []
    for edit in _edits_of(community, meter):
        start, until = microseconds(edit.at), microseconds(edit.until or edit.at)
        if start <= bounds[-1] and until >= bounds[0]:
            photo = f" Photo: {edit.photo}." if edit.photo else ""
            text = f"{_what(edit)} by {edit.by}: {edit.why}.{photo}"
            code = "readings-excluded" if edit.exclude else "reading-by-hand"
            found.append(Finding(code, f"Meter {meter.id}: {text}", meter.id, start, until))
    return found


def _edits_of(community: Community, meter: Meter) -> list[Edit]:
    return [edit for edit in community.edits if edit.meter == meter.id]


def _what(edit: Edit) -> str:
    if edit.value is not None:
        return f"{edit.value} was read by hand"
    if edit.until is None or edit.until == edit.at:
        return f"the reading of {rfc3339(edit.at)} was set aside"
    return f"the readings from {rfc3339(edit.at)} to {rfc3339(edit.until)} were set aside"
