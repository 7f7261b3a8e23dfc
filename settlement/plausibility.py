"""Whether a meter's month can be believed: findings only, never a change of a measured value, never a broken check.

A meter that hangs and catches up later has lost no energy, only its place in time; a meter that was swapped without a
note may jump by a whole life. Numbers cannot tell the one from the other, so nothing is corrected here: a person sets
readings aside or declares a replacement, and the month is settled again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from core.community import Community, Meter
from core.units import MILLIONTHS
from settlement.amounts import runs, total
from settlement.limits import COMMON_KW, HOUR, usual_per_hour
from settlement.model import Finding, Series
from settlement.watch import standstill

ALWAYS_MOVING = ("electricity", "grid_import")
"""What never stands still for hours: a fridge alone moves it."""
OFTEN_OFF = ("heat", "hot_water")
"""What people turn off for weeks, in summer some and some not: only where all others went on it is told."""
LIVED_IN = 20 * MILLIONTHS
"""A flat that took so much heat in a month is lived in [mWh]."""
SHORTEST_FREEZE = 6 * HOUR
"""A standstill that is caught up at once is looked at from this length on [microseconds]."""


class Stand(NamedTuple):
    """Intervals ``first`` up to, not including, ``end`` in which a meter was read and counted nothing."""

    first: int
    end: int


def of_meters(community: Community, series: Mapping[str, Series], bounds: Sequence[int]) -> list[Finding]:
    """Look for meters that hung and for rises that no connection carries.

    Parameters
    ----------
    community
        Its meters.
    series
        By meter.
    bounds
        n + 1 interval boundaries [microseconds UTC].

    Returns
    -------
    list of Finding
        ``register-frozen``, ``register-jumped`` and ``heat-without-electricity``, in the order of the meters and flats.
    """
    stands = {name: standing(one) for name, one in series.items()}
    found: list[Finding] = []
    for meter in community.meters:
        if meter.id not in series:
            continue
        caught_up = _caught_up(meter, series[meter.id], stands[meter.id], bounds)
        if caught_up is not None:
            found.append(caught_up)
            continue
        found += _frozen(community, meter, stands[meter.id], series, bounds)
        found += _jumped(meter, series[meter.id], bounds)
    return [*found, *_dark(community, series)]


def standing(series: Series) -> list[Stand]:
    """Find every stretch in which a meter was measured and did not move."""
    still = np.asarray(series.energy.array == 0, dtype=np.bool_) & series.quality.are("measured")
    return [Stand(first, end) for first, end in runs(still)]


def named(meter: Meter) -> str:
    """Name a meter and its flat at the start of a sentence."""
    return f"Meter {meter.id} (flat {meter.flat})" if meter.flat else f"Meter {meter.id}"


def _length(stand: Stand) -> int:
    return stand.end - stand.first


def _caught_up(meter: Meter, series: Series, stands: Sequence[Stand], bounds: Sequence[int]) -> Finding | None:
    """Tell of a standstill after which a meter counted at once what it should have counted meanwhile.

    The interval after it must be the largest of the month and hold at least a quarter of what the meter counts in so
    long at other times. What always moves must not stand still even a third as long at any other time; what does not
    (the sun at night, heat in summer) not as long, and the interval must be three times as large as any other.
    """
    if meter.measures not in standstill.RULES or not stands:
        return None
    longest, *others = sorted(stands, key=_length, reverse=True)
    step = bounds[1] - bounds[0]
    rarer, larger = (3, 1) if meter.measures in ALWAYS_MOVING else (1, 3)
    if _length(longest) * step < SHORTEST_FREEZE or (others and rarer * _length(others[0]) >= _length(longest)):
        return None
    at_once = series.energy[longest.end] if longest.end < len(series.energy) else None
    if at_once is None:
        return None
    others_known = series.energy.known
    others_known[longest.end] = False
    rest = series.energy.array[others_known]
    moving = len(rest) - _length(longest)
    if not moving or at_once <= larger * int(rest.max()):
        return None
    if 4 * at_once * moving < total(rest) * _length(longest):
        return None
    text = (
        f"{named(meter)} stood still for {_length(longest) * step // HOUR} hours and then counted at once what it had"
        " missed: it hung. Nothing was changed; set what it showed meanwhile aside to have it estimated."
    )
    return Finding("register-frozen", text, meter.id, bounds[longest.first], bounds[longest.end])


def _frozen(
    community: Community, meter: Meter, stands: Sequence[Stand], series: Mapping[str, Series], bounds: Sequence[int]
) -> Iterator[Finding]:
    """Tell of a meter that stood still for longer than it ever does while its neighbours went on.

    A neighbour of which nothing is known meanwhile can tell nothing.
    """
    rule = standstill.RULES.get(meter.measures)
    if rule is None or not stands:
        return
    longest, *others = sorted(stands, key=_length, reverse=True)
    step = bounds[1] - bounds[0]
    standing_for = timedelta(microseconds=_length(longest) * step)
    if standing_for < rule.least:
        return

    still = {name: not one.known(*longest) for name, one in series.items() if one.energy[slice(*longest)].known.any()}
    alike = [still.get(one.id) for one in community.meters if one.measures == meter.measures and one != meter]
    if meter.measures in OFTEN_OFF and any(alike):
        return
    told_by = standstill.witnesses(meter, community.meters, still)
    before = timedelta(microseconds=_length(others[0]) * step) if others else None
    if told_by is not None and standstill.frozen(told_by, standstill.Past(before, standing_for)):
        meanwhile = " while others of its kind went on" if told_by == "companions" else ""
        text = f"{named(meter)} was read but stood still for {standing_for // timedelta(hours=1)} hours{meanwhile}."
        yield Finding("register-frozen", text, meter.id, bounds[longest.first], bounds[longest.end])


def _jumped(meter: Meter, series: Series, bounds: Sequence[int]) -> Iterator[Finding]:
    """Tell once of intervals that hold more than any connection of this kind carries.

    A flat is held against the largest small connection there is: the month must not doubt a flat that only has a
    larger one than usual.
    """
    most = usual_per_hour(meter)
    if most is None:
        return
    if meter.measures == "electricity":
        most = int(COMMON_KW * MILLIONTHS)
    limit = most * (bounds[1] - bounds[0]) // HOUR
    places = np.flatnonzero(series.energy.array > limit).tolist()
    if places:
        text = (
            f"{named(meter)} counted more at once than its connection can carry, and all of it is in the statement."
            " If it was replaced, declare that; if it hung or was wrong, set those readings aside."
        )
        yield Finding("register-jumped", text, meter.id, bounds[places[0]], bounds[places[-1] + 1])


def _dark(community: Community, series: Mapping[str, Series]) -> Iterator[Finding]:
    """Tell of flats that are heated and use no electricity at all, though their meter was read throughout."""
    of_flat: defaultdict[str | None, list[Meter]] = defaultdict(list)
    for meter in community.meters:
        of_flat[meter.flat].append(meter)
    for flat in community.flats:
        meters = of_flat[flat.id]
        electric = [meter for meter in meters if meter.measures == "electricity"]
        heat = sum(series[one.id].known() for one in meters if one.measures == "heat" and one.unit != "units")
        quality = {name for meter in electric for name, count in series[meter.id].quality.counts().items() if count}
        if heat >= LIVED_IN and quality == {"measured"} and not any(series[one.id].known() for one in electric):
            text = f"Flat {flat.id} took heat but no electricity; check whether its electricity meter hangs."
            yield Finding("heat-without-electricity", text, electric[0].id)
