"""The pellet stock as a bookkeeper reads it: every movement of a month with what was there after it.

The stock starts with what the month before left. Deliveries and corrections change it when they come; what was burnt is
written off in one line at the month's end, in kilograms and at the value the account gives it, and what is left then is
the account's closing stock exactly. Between, bags carried from the store to the hopper and stock takes stand as notes:
they move nothing. A stock take's difference is what was counted minus what the books expected just then, from the
stock known before it, what came since, and the heat produced since.

Nothing here decides anything. The silo's level is held against the books only where the community says by how much
they may differ: loose pellets weigh 600 to 750 kg/m3, which is +- 11 percent around the middle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from core.community import Community, Correction, Delivery, Meter, Pellets
from core.money import half_up
from core.time import Month, from_microseconds, local_day, microseconds, rfc3339
from core.units import decimal_text
from settlement import edits
from settlement.limits import HOUR
from settlement.model import Finding, MeterReadings, Readings
from settlement.pellets import (
    COUNT_WINDOW,
    HeatBetween,
    PelletMonth,
    account,
    closing_count,
    expected_kg,
    heat_between,
    heat_needed_from,
    known_before,
    movements,
)
from settlement.readings import uncounted
from settlement.tariffs import cents

What = Literal["opening", "start", "delivery", "correction", "bags", "count", "burnt"]


@dataclass(frozen=True)
class Refill:
    """Bags that were carried from the store to the hopper [kg together]."""

    at: datetime
    bags: int
    kg: Fraction


@dataclass(frozen=True)
class Row:
    """A line of the stock ledger.

    Attributes
    ----------
    at
        When; the month's end for what was burnt in it.
    what
        Of ``bags`` and ``count`` nothing moves.
    document
        Invoice, reason or number of bags.
    kg, cents
        What came, or went where negative.
    stock_kg, stock_cents
        What is there by the books after it.
    noted_kg
        What was carried or counted.
    difference_kg
        Counted minus expected; None where it is not known what to expect.
    """

    at: datetime
    what: What
    document: str
    kg: Fraction = Fraction(0)
    cents: int = 0
    stock_kg: Fraction = Fraction(0)
    stock_cents: int = 0
    noted_kg: Fraction | None = None
    difference_kg: Fraction | None = None


def ledger(
    community: Community,
    month: Month,
    heat: HeatBetween,
    refills: Sequence[Refill] = (),
    *,
    all_heat_between: HeatBetween | None = None,
) -> list[Row] | None:
    """Write a month's stock ledger; None where the account of pellets has no such month.

    Parameters
    ----------
    community
        Its pellet settings and events.
    month
        Local month.
    heat
        For months that end without a stock take.
    refills
        Bags that were carried; those of other months are left out.
    all_heat_between
        For the differences of stock takes (`all_heat`): None where part of the heat is not known. Without it, as
        ``heat``.

    Raises
    ------
    BadInput
        As of `settlement.pellets.account`.
    """
    pellets, fuel = community.pellets, account(community, month, heat)
    if pellets is None or fuel is None:
        return None
    start, end = month.bounds(community.zone)
    begins, what = _beginning(pellets, start)
    rows = [Row(begins, what, "", stock_kg=fuel.start_kg, stock_cents=fuel.start_cents)]
    entries = sorted(
        [
            *_moved(pellets, start, end),
            *_carried(refills, start, end),
            *_counted(pellets, start, end, all_heat_between or heat),
        ],
        key=lambda row: (row.at, row.what in ("bags", "count")),
    )
    written_off = "counted" if not fuel.estimated else "estimated"
    burnt = Row(end, "burnt", written_off, -fuel.burnt_kg, -fuel.burnt_cents)
    during = [row for row in entries if row.at < end]
    after = [row for row in entries if row.at >= end]  # the count that decides the month's end may come after it
    for row in (*during, burnt, *after):
        kg, value = rows[-1].stock_kg + row.kg, rows[-1].stock_cents + row.cents
        rows.append(replace(row, stock_kg=kg, stock_cents=value))
    return rows


def heat_needed_since(community: Community, month: Month) -> datetime | None:
    """Return the instant from which heat readings are needed to write a month's ledger; None without pellets."""
    pellets = community.pellets
    if pellets is None:
        return None
    last = known_before(pellets, month.bounds(community.zone)[0])
    return min(last, heat_needed_from(community, month) or last)


def all_heat(community: Community, known: Readings) -> HeatBetween:
    """Make a source of heat that says nothing where a boiler's readings do not hold all of its heat in the span."""
    between = heat_between(community, known)
    meters = community.meters_of("heat_produced")

    def holds(meter: Meter, start: int, end: int) -> bool:
        one = known.get(meter.id)
        reach = one is not None and one.times[0] <= start and end <= one.times[-1]
        return reach and not uncounted(community, meter, one, start, end)

    def whole(start: int, end: int) -> int | None:
        return between(start, end) if all(holds(meter, start, end) for meter in meters) else None

    return whole


def _beginning(pellets: Pellets, start: datetime) -> tuple[datetime, What]:
    """Return what a month of the account begins with, and when: the opening stock, or what the month before left."""
    return (pellets.opening.at, "opening") if start <= pellets.opening.at else (start, "start")


def _moved(pellets: Pellets, start: datetime, end: datetime) -> Iterator[Row]:
    for one in movements(pellets, start, end):
        what, document = _named(one)
        yield Row(one.at, what, document, Fraction(one.kg), int(cents(one.eur)))


def _named(one: Delivery | Correction) -> tuple[What, str]:
    if isinstance(one, Correction):
        return "correction", f"{one.why} ({one.by})"
    return "delivery", one.invoice


def _carried(refills: Sequence[Refill], start: datetime, end: datetime) -> Iterator[Row]:
    for one in refills:
        if start <= one.at < end:
            yield Row(one.at, "bags", f"{one.bags}", noted_kg=one.kg)


def _counted(pellets: Pellets, start: datetime, end: datetime, heat: HeatBetween) -> Iterator[Row]:
    first = _beginning(pellets, start)[1] == "opening"
    before, decides = None if first else closing_count(pellets, start), closing_count(pellets, end)
    for count in pellets.counts:
        of_before = before is not None and before[0] == count.at
        of_end = decides is not None and decides[0] == count.at
        if of_end or (start <= count.at < end and not of_before):
            expected = expected_kg(pellets, count.at, heat)
            counted = Fraction(count.kg)
            off = None if expected is None else counted - expected
            yield Row(count.at, "count", "", noted_kg=counted, difference_kg=off)


def kilograms(amount: Fraction | None) -> str:
    """Print kilograms with three decimals, half-up; nothing where there are none."""
    return "" if amount is None else decimal_text(half_up(amount * 1000), 3)


def findings(
    community: Community, month: Month, fuel: PelletMonth | None, known: Readings, until: int
) -> list[Finding]:
    """Name the month's corrections, what an estimated stock leaves out, and where the silo's level and books differ.

    Loose pellets weigh 600 to 750 kg/m3, +- 11 percent around the middle, so a level is a coarse check. It is held
    against the books only where the community says by how much it may differ, and it never decides.

    Parameters
    ----------
    known
        Readings of the boilers since the last stock that was known, and the levels around the month's end.
    until
        Boundary up to which the month can be known [microseconds UTC].
    """
    pellets = community.pellets
    if pellets is None or fuel is None:
        return []
    start, end = month.bounds(community.zone)
    found = [
        Finding(
            "pellets-corrected",
            f"On {local_day(one.at, community.zone)} {one.by} corrected the pellet stock by {_signed(one.kg)} kg"
            f" and {one.eur:+.2f} EUR: {one.why}",
            None,
            microseconds(one.at),
            microseconds(one.at),
        )
        for one in movements(pellets, start, end)
        if isinstance(one, Correction)
    ]
    if fuel.estimated:
        span = microseconds(known_before(pellets, end)), microseconds(end)
        for meter in community.meters_of("heat_produced"):
            found += _lost(community, meter, known.get(meter.id), span, until)
    level = _level(community, microseconds(end), known)
    tolerance = pellets.level_tolerance_percent
    if tolerance is not None and level is not None:
        off = abs(level - fuel.closing_kg)
        if off > Fraction(tolerance) / 100 * fuel.closing_kg:
            text = (
                f"At the end of the month the silo's level was {kilograms(level)} kg and the books said"
                f" {kilograms(fuel.closing_kg)} kg, more than {tolerance} % apart; count the stock."
            )
            found.append(Finding("pellets-level-differs", text))
    return found


def _lost(
    community: Community, meter: Meter, known: MeterReadings | None, span: tuple[int, int], until: int
) -> Iterator[Finding]:
    """Tell of heat that no estimate of the stock holds: before a boiler was first read, after it last was, between.

    What was burnt for it is missing in the months of the estimate, and the next count puts all of it into its own.
    """
    counted = edits.applied(community, meter, known)
    if counted is None or not counted.times:
        yield _not_read(meter, "before", *span)
        return
    holes = uncounted(community, meter, known, span[0], min(span[1], until))
    within = []
    for start, end in holes:
        if counted.times[0] >= end:
            yield _not_read(meter, "before", start, counted.times[0])
        elif counted.times[-1] <= start:
            yield _not_read(meter, "after", start, end)
        else:
            within.append((start, end))
    if within:
        yield _not_known(meter, within)


def _not_read(meter: Meter, when: Literal["before", "after"], start: int, end: int) -> Finding:
    first, last = (rfc3339(from_microseconds(instant)) for instant in (start, end))
    what = {
        "before": f"was not read before {last}: what its boiler burnt since {first}",
        "after": f"was not read after {first}: what its boiler burnt until {last}",
    }[when]
    text = f"Meter {meter.id} {what} is not in the estimated pellet stock; count the stock."
    return Finding("pellets-heat-unknown", text, meter.id, start, end)


def _not_known(meter: Meter, holes: Sequence[tuple[int, int]]) -> Finding:
    start, end = holes[0][0], holes[-1][1]
    often = ""
    if len(holes) > 1:
        tenths = half_up(Fraction(10 * sum(last - first for first, last in holes), HOUR))
        often = f" ({len(holes)} times, {decimal_text(tenths, 1)} hours in all)"
    text = (
        f"What meter {meter.id} counted between {rfc3339(from_microseconds(start))} and"
        f" {rfc3339(from_microseconds(end))} is not known{often}: what was burnt for it is not in the estimated pellet"
        " stock; count the stock."
    )
    return Finding("pellets-heat-unknown", text, meter.id, start, end)


def _level(community: Community, end: int, known: Readings) -> Fraction | None:
    """Pellets in all silos by their sensors' readings nearest the month's end [kg]; None if one has none near it."""
    silos = community.meters_of("pellet_stock")
    levels = [level for silo in silos if (level := _nearest(known.get(silo.id), end)) is not None]
    return sum(levels, Fraction(0)) if silos and len(levels) == len(silos) else None


def _nearest(readings: MeterReadings | None, end: int) -> Fraction | None:
    if readings is None:
        return None
    reach = COUNT_WINDOW // timedelta(microseconds=1)
    near = [
        (abs(time - end), time, value)
        for time, value in zip(readings.times, readings.values, strict=True)
        if abs(time - end) <= reach
    ]
    return Fraction(min(near)[2]) if near else None


def _signed(kg: Decimal) -> str:
    return f"{kg:+f}"
