"""How long the pellets last: stock on the books, a range of daily burn, and the sensor as a mere cross-check.

Stock = latest count (or the opening) + deliveries and corrections since - heat produced since / (kwh_per_kg x
efficiency).
The burn of the coming days is taken to be like that of the last fourteen whole local days: its mean, and its
10th and 90th percentile for the range. No weather is looked at; in spring and autumn the range says so by its width.
The level sensor never decides: pellets form hollows, and a sensor above a hollow cries wolf.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, quantiles
from typing import Final, Literal

from core.community import Community, Pellets, Task
from core.db.connection import Connection
from core.time import local_day, midnight, parse_time
from settlement.tasks import store

LOOK_BACK_DAYS: Final = 14
_REFILLS_LOOKED_AT: Final = 20
_KNOWN_ENOUGH: Final = 0.9
"""A day counts for the forecast when so much of its heat is known; the rest of it is filled with its own average."""
_LEVEL_TOLERANCE: Final = Decimal("0.15")
"""Part of the silo by which sensor and books may differ before a technician should look."""


@dataclass(frozen=True)
class Span:
    """How long something lasts [days]; all None when nothing burns, so that no end is in sight.

    ``low`` is the 10th percentile of the day it is empty (every day burns like a cold one), ``high`` the 90th.
    """

    left: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Hopper:
    """The day hopper that residents fill by hand [kg, days].

    ``filled_at`` is the last refill somebody wrote down.
    """

    kg: Decimal
    filled_at: datetime
    days_left: float | None
    days_low: float | None
    days_high: float | None


@dataclass(frozen=True)
class Outlook:
    """What is left of the pellets, and for how long [kg, kg per day, days].

    ``source`` says whether the stock rests on a count or on the opening, ``counted_at`` of when. ``level_kg`` is
    what the sensor says, None without one; ``level_differs`` when it is further from the books than 15 % of the
    silo, once a day's burn is known. ``hopper`` is None where no hopper is described or nobody has written down a
    refill yet.
    """

    stock_kg: Decimal
    counted_at: datetime
    source: Literal["count", "opening"]
    per_day_kg: float | None
    days_left: float | None
    days_low: float | None
    days_high: float | None
    level_kg: Decimal | None
    level_at: datetime | None
    level_differs: bool
    hopper: Hopper | None


def outlook(connection: Connection, community: Community, now: datetime) -> Outlook | None:
    """Tell what is left of the pellets and for how long.

    Parameters
    ----------
    community
        As the database knows it at ``now``: its deliveries and counts are the stock account.
    now
        Aware; events after it do not count.

    Returns
    -------
    Outlook or None
        None when the community burns no pellets, or its account opens later than ``now``.
    """
    pellets = community.pellets
    if pellets is None or pellets.opening.at > now:
        return None
    counts = [count for count in pellets.counts if count.at <= now]
    base = max(counts, key=lambda count: count.at, default=pellets.opening)
    delivered = sum((one.kg for one in pellets.deliveries if base.at < one.at <= now), Decimal(0))
    delivered += sum((one.kg for one in pellets.corrections if base.at < one.at <= now), Decimal(0))
    daily = daily_burn_kg(connection, community, pellets, now)
    burnt = burnt_kg(connection, community, pellets, [base.at, now], usual(daily))[0]
    stock = max(base.kg + delivered - burnt, Decimal(0))
    lasts = span(stock, daily)
    hopper = _hopper(connection, community, pellets, daily, now)
    level = store.newest_level(connection, community.community, [m.id for m in community.meters_of("pellet_stock")])
    return Outlook(
        stock_kg=stock,
        counted_at=base.at,
        source="count" if counts else "opening",
        per_day_kg=fmean(daily) if daily else None,
        days_left=lasts.left,
        days_low=lasts.low,
        days_high=lasts.high,
        level_kg=level[0] if level else None,
        level_at=level[1] if level else None,
        level_differs=level is not None and bool(daily) and _differs(level[0], stock, pellets, hopper),
        hopper=hopper,
    )


def burnt_kg(
    connection: Connection, community: Community, pellets: Pellets, edges: list[datetime], usual: float = 0
) -> list[Decimal]:
    """Pellets burnt between neighbouring instants, from the heat that was produced [kg].

    Parameters
    ----------
    usual
        What a day usually burns [kg]: taken between two instants of which no heat is known at all. Where some is
        known, the intervals without it burn like the average of those with it.
    """
    meters = [meter.id for meter in community.meters_of("heat_produced")]
    kwh_per_kg = pellets.kwh_per_kg * pellets.efficiency_percent / 100
    result = []
    heat = store.heat_between(connection, community.community, meters, edges)
    for (start, end), (energy, known) in zip(pairwise(edges), heat, strict=True):
        if known:
            expected = Decimal((end - start) / community.interval * len(meters))
            kg = Decimal(energy) * max(expected / known, Decimal(1)) / 10**6 / kwh_per_kg
        else:
            kg = Decimal(usual * ((end - start) / timedelta(days=1)))
        result.append(kg.quantize(Decimal("0.001")))
    return result


def daily_burn_kg(connection: Connection, community: Community, pellets: Pellets, now: datetime) -> list[float]:
    """Pellets burnt on each of the last whole local days of which the heat is known well enough [kg]."""
    today = local_day(now, community.zone)
    edges = [midnight(today - timedelta(days=back), community.zone) for back in range(LOOK_BACK_DAYS, -1, -1)]
    meters = [meter.id for meter in community.meters_of("heat_produced")]
    heat = store.heat_between(connection, community.community, meters, edges)
    burnt = burnt_kg(connection, community, pellets, edges)
    return [
        float(kg)
        for (start, end), (_, known), kg in zip(pairwise(edges), heat, burnt, strict=True)
        if known and known >= _KNOWN_ENOUGH * ((end - start) / community.interval) * len(meters)
    ]


def usual(daily: list[float]) -> float:
    """Return what a day burns on average, 0 when no day is known [kg]."""
    return fmean(daily) if daily else 0.0


def span(kg: Decimal, daily: list[float]) -> Span:
    """How long so many kilograms last when days burn like the given ones."""
    if not daily or not fmean(daily):
        return Span(None, None, None)
    stock, mean = float(kg), fmean(daily)
    if len(daily) == 1:
        return Span(stock / mean, stock / mean, stock / mean)
    deciles = quantiles(daily, n=10, method="inclusive")
    return Span(stock / mean, stock / deciles[-1], stock / deciles[0] if deciles[0] else None)


def _hopper(
    connection: Connection, community: Community, pellets: Pellets, daily: list[float], now: datetime
) -> Hopper | None:
    """Follow the hopper through its last refills: never fuller than full, never emptier than empty."""
    task = refill_task(community)
    if task is None or task.hopper_kg is None:
        return None
    refills = store.refills(connection, community.community, now, _REFILLS_LOOKED_AT)
    if not refills:
        return None
    edges = [parse_time(body["at"]) for body in refills] + [now]
    burnt = burnt_kg(connection, community, pellets, edges, usual(daily))
    level = Decimal(0)
    for body, taken in zip(refills, burnt, strict=True):
        level = min(level + int(body["bags"]) * Decimal(body["bag_kg"]), task.hopper_kg)
        level = max(level - taken, Decimal(0))
    lasts = span(level, daily)
    return Hopper(level, edges[-2], lasts.left, lasts.low, lasts.high)


def refill_task(community: Community) -> Task | None:
    """Return the task of filling the hopper, None where nobody has to."""
    return next((task for task in community.tasks if task.id == "refill"), None)


def _differs(level: Decimal, stock: Decimal, pellets: Pellets, hopper: Hopper | None) -> bool:
    in_silo = stock - (hopper.kg if hopper else 0)
    return pellets.silo_kg is not None and abs(level - in_silo) > _LEVEL_TOLERANCE * pellets.silo_kg
