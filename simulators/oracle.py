"""What the settlement of a month must come to, worked out from the simulator's own registers with exact fractions.

Small and slow on purpose, and written from the definition of the amounts alone: it shares no rule with the
settlement, so that a mistake in either shows as a difference. Knows what the demo building needs: the proportional key
with common first, surplus to the owner, heat by meter and floor area, pellets by average, prices including VAT.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from math import floor

import numpy as np

from core.money import fair_rank
from core.time import Month, from_microseconds, microseconds, midnight, rfc3339
from simulators.building import COMMUNITY, FLAT_IDS, FLATS, OWNER
from simulators.description import MEASURED_PERCENT, PRICES, VAT_PERCENT, Prices, Story
from simulators.display import display
from simulators.grid import ZONE
from simulators.meters import METERS, QUARTER_US

Cents = int
MWh = int


@dataclass(frozen=True)
class Entry:
    """Somebody's days in a flat during the month; vacancy is the owner's. ``flat`` None is the owner himself."""

    party: str
    flat: str | None
    start: date
    until: date

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.until - self.start).days

    @property
    def label(self) -> str:
        """Name by which ties are decided."""
        return f"{self.party}|{self.flat}|{self.start}"


@dataclass(frozen=True)
class Quarters:
    """The month's quarter-hours by name of the consumer (flats and ``common``) [mWh]."""

    starts: list[int]
    sun: list[MWh]
    used: dict[str, list[MWh]]
    shared: dict[str, list[MWh]]

    def of(self, series: list[MWh], entry: Entry) -> MWh:
        """Add up an entry's own days."""
        first, end = (microseconds(midnight(day, ZONE)) for day in (entry.start, entry.until))
        return sum(value for start, value in zip(self.starts, series, strict=True) if first <= start < end)


@dataclass(frozen=True)
class PelletTruth:
    """A month of the stock account; ``burnt_kg`` = opening + deliveries - closing, likewise in cents."""

    burnt_kg: int
    burnt: Cents
    closing_kg: int
    closing: Cents


def quarters(seed: int, month: Month) -> Quarters:
    """Read the displays at every quarter-hour boundary of the month, and share the sun of each quarter-hour."""
    first, end = (microseconds(instant) for instant in month.bounds(ZONE))
    starts = list(range(first, end, QUARTER_US))
    names = {**{flat: f"el-{flat}" for flat in FLAT_IDS}, "common": "el-common"}
    used = {name: energy(seed, meter, first, end) for name, meter in names.items()}
    sun = energy(seed, "pv", first, end)
    shared: dict[str, list[MWh]] = {name: [] for name in used}
    for index, start in enumerate(starts):
        given = _share(start, sun[index], {name: values[index] for name, values in used.items()})
        for name, values in shared.items():
            values.append(given[name])
    return Quarters(starts, sun, used, shared)


def energy(seed: int, meter: str, first: int, end: int) -> list[MWh]:
    """Return the differences of a display at quarter-hour boundaries [mWh]."""
    one = METERS[meter]
    _, parts = display(seed, one, np.arange(first, end + 1, QUARTER_US, dtype=np.int64))
    total = sum(parts[1:], parts[0]) * 10 ** (6 - one.decimals)
    values: list[int] = np.diff(total).tolist()
    return values


def entries(story: Story, month: Month) -> list[Entry]:
    """Return who had which flat when, by flat and day, without a gap."""
    found = []
    for flat in FLAT_IDS:
        day = month.first_day
        for person in sorted((one for one in story.people if one.flat == flat), key=lambda one: one.start):
            start = max(person.start, month.first_day)
            until = min(person.until or date.max, month.end_day)
            if start >= until:
                continue
            if day < start:
                found.append(Entry(OWNER, flat, day, start))
            found.append(Entry(person.id, flat, start, until))
            day = until
        if day < month.end_day:
            found.append(Entry(OWNER, flat, day, month.end_day))
    return found


def prices(month: Month) -> Prices:
    """Return the prices of a month; they change on the first of a month only."""
    return max((price for price in PRICES if price.start <= month.first_day), key=lambda price: price.start)


def pellets(story: Story, month: Month) -> PelletTruth | None:
    """Follow the stock account from its opening, month after month; None if the month's count is not in yet."""
    kg, value = story.opening
    present = Month.of(story.start.astimezone(ZONE).date())
    while True:
        begin, end = present.bounds(ZONE)
        arrived = [truck for truck in story.deliveries if begin <= truck.at < end]
        closing = _count_near(story.counts, end)
        if closing is None:
            return None
        had_kg, had = kg + sum(truck.kg for truck in arrived), value + sum(truck.cents for truck in arrived)
        burnt_kg = had_kg - closing
        burnt = nearest(Fraction(had * burnt_kg, had_kg))
        kg, value = closing, had - burnt
        if present == month:
            return PelletTruth(burnt_kg, burnt, kg, value)
        present = present.shift(1)


def lines(story: Story, month: Month, own: list[Entry], measured: Quarters, heat: Mapping[Entry, MWh]) -> Lines:
    """Return what each entry pays by line code, VAT included [cents]."""
    price, stock = prices(month), pellets(story, month)
    area_days = {entry: Fraction(_area(entry)) * entry.days for entry in own}
    fuel = stock.burnt if stock else 0
    heat_cost = fuel + _invoices(story, month, "heat")
    by_meter = nearest(Fraction(heat_cost) * Fraction(MEASURED_PERCENT) / 100)
    if not any(heat.values()):
        heat = {entry: nearest(part * 10) for entry, part in area_days.items()}
    sun_cents = Fraction(price.solar) * 100 / 10**6
    common = sum(measured.shared["common"]) * sun_cents + _invoices(story, month, "common")
    shared = {entry: measured.of(measured.shared[entry.flat or ""], entry) for entry in own}
    fixed = Fraction(price.fixed) * 100
    exact = {
        "solar": {entry: part * sun_cents for entry, part in shared.items()},
        "common": in_proportion(common, area_days),
        "fixed": {entry: fixed * entry.days / month.days for entry in own},
        "heat_measured": in_proportion(Fraction(by_meter), {one: Fraction(part) for one, part in heat.items()}),
        "heat_fixed": in_proportion(Fraction(heat_cost - by_meter), area_days),
    }
    return {code: to_cents(parts, month, code) for code, parts in exact.items()}


Lines = dict[str, dict[Entry, Cents]]


def in_proportion(amount: Fraction, parts: Mapping[Entry, Fraction]) -> dict[Entry, Fraction]:
    """Divide exactly in proportion."""
    whole = sum(parts.values())
    return {entry: amount * part / whole for entry, part in parts.items()}


def to_cents(exact: Mapping[Entry, Fraction], month: Month, code: str) -> dict[Entry, Cents]:
    """Round the building's total half-up and the parts to it by largest remainder."""
    whole = {entry: floor(part) for entry, part in exact.items()}
    rest = nearest(sum(exact.values(), Fraction(0))) - sum(whole.values())
    order = sorted(exact, key=lambda one: (whole[one] - exact[one], fair_rank(COMMUNITY, month, code, one.label)))
    return {entry: cents + (entry in order[:rest]) for entry, cents in whole.items()}


def net_of(amount: Cents) -> Cents:
    """Take the VAT out of an amount, half-up."""
    return nearest(Fraction(amount) / (1 + Fraction(VAT_PERCENT) / 100))


def nearest(value: Fraction) -> int:
    """Round to a whole number; a half away from zero."""
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


def kwh(amount: MWh) -> str:
    """Print milliwatt-hours as kWh with six decimals."""
    return format(Decimal(amount).scaleb(-6), ".6f")


def eur(amount: Cents) -> str:
    """Print cents as euros."""
    return format(Decimal(amount).scaleb(-2), ".2f")


def _share(start: int, sun: MWh, used: Mapping[str, MWh]) -> dict[str, MWh]:
    given = {"common": min(sun, used["common"])}
    offered = sun - given["common"]
    wanted = sum(used[flat] for flat in FLAT_IDS)
    if offered >= wanted:
        return given | {flat: used[flat] for flat in FLAT_IDS}
    exact = {flat: Fraction(used[flat] * offered, wanted) for flat in FLAT_IDS}
    whole = {flat: floor(part) for flat, part in exact.items()}
    rest = offered - sum(whole.values())
    if rest:
        label = rfc3339(from_microseconds(start))
        order = sorted(FLAT_IDS, key=lambda flat: (whole[flat] - exact[flat], fair_rank(COMMUNITY, label, flat)))
        for flat in order[:rest]:
            whole[flat] += 1
    return given | whole


def _count_near(counts: Iterable[tuple[datetime, int]], end: datetime) -> int | None:
    near = [(abs((at - end).total_seconds()), kg) for at, kg in counts if abs((at - end).total_seconds()) <= 43200]
    return min(near)[1] if near else None


def _invoices(story: Story, month: Month, pool: str) -> Cents:
    return sum(cost.cents for cost in story.costs if cost.pool == pool and Month.of(cost.day) == month)


def _area(entry: Entry) -> str:
    return next(flat.floor_area_m2 for flat in FLATS if flat.id == entry.flat)
