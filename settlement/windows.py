"""Prices within a day: hours of the week with prices of their own, a cap on the price of the sun, and netting.

A settlement interval belongs to the window that its start lies in, by the local wall clock; what no window covers has
the tariff's own prices. A window over midnight belongs to the day it begins on. When clocks go back, the hour that
comes twice is in the same window twice; when they go forward, the hour that is missing is in none.

The cap: the price of the sun is never above a share of the grid price that holds at the same moment (Switzerland: not
above the standard product of the supplier outside). Netting: of the surplus on days with netting, as much as the
building drew from the grid on those days of the month is credited at the grid price, the rest at the feed-in price;
every kilowatt-hour of that surplus is netted by the same share (the Netherlands, until 2027).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from itertools import groupby
from typing import TypeVar
from zoneinfo import ZoneInfo

from core.community import WEEK_MINUTES, Community, Tariff, Window
from core.time import from_microseconds
from settlement.amounts import Amounts
from settlement.sun import Sun
from settlement.tariffs import Stretch

Item = TypeVar("Item")
_EXACT = Context(prec=100)
"""Products of prices and percentages as they can be written have far fewer digits."""


@dataclass(frozen=True)
class Price:
    """EUR per kWh, and the name of the window it holds in; None outside all windows, or where it is the same there."""

    eur: Decimal
    window: str | None = None


@dataclass(frozen=True)
class Slot:
    """Intervals of a stretch that have the same prices: those in one window, or those in none.

    ``runs`` are their positions in the month, as ranges in order.
    """

    stretch: Stretch
    window: Window | None
    runs: tuple[range, ...]

    @property
    def solar(self) -> Price:
        """What the sun costs here, after the cap."""
        tariff, window = self.stretch.tariff, self.window
        price, own = solar_eur(tariff, window), solar_eur(tariff, None)
        named = window is not None and (window.solar_eur_per_kwh is not None or price != own)
        return Price(price, window.name if window and named else None)

    @property
    def feed_in(self) -> Price:
        """What surplus earns here."""
        if self.window is not None and self.window.feed_in_eur_per_kwh is not None:
            return Price(self.window.feed_in_eur_per_kwh, self.window.name)
        return Price(self.stretch.tariff.feed_in_eur_per_kwh)

    @property
    def grid(self) -> Price | None:
        """What the grid costs here; None where nobody said so."""
        if self.window is not None and self.window.grid_eur_per_kwh is not None:
            return Price(self.window.grid_eur_per_kwh, self.window.name)
        own = self.stretch.tariff.grid_eur_per_kwh
        return None if own is None else Price(own)

    def within(self, span: range) -> Iterator[range]:
        """Yield the positions of this slot that lie in a span."""
        for run in self.runs:
            part = range(max(run.start, span.start), min(run.stop, span.stop))
            if part:
                yield part

    def total(self, values: Amounts[int] | Amounts[int | None], span: range | None = None) -> int:
        """Add up what is known of values over the slot, or over the part of it that lies in a span."""
        parts = self.runs if span is None else self.within(span)
        return sum(values.total(part.start, part.stop) for part in parts)


def solar_eur(tariff: Tariff, window: Window | None) -> Decimal:
    """Return the price of the sun, after the cap, exact [EUR per kWh]."""
    price = tariff.solar_eur_per_kwh
    if window is not None and window.solar_eur_per_kwh is not None:
        price = window.solar_eur_per_kwh
    grid = tariff.grid_eur_per_kwh
    if window is not None and window.grid_eur_per_kwh is not None:
        grid = window.grid_eur_per_kwh
    percent = tariff.solar_at_most_percent_of_grid
    if percent is None or grid is None:
        return price
    most = _EXACT.multiply(grid, percent).scaleb(-2, _EXACT)
    return price if price <= most else _plain(most)


def _plain(value: Decimal) -> Decimal:
    """Leave out zeros at the end of the fraction, so that 0.2560 is printed as 0.256; a percentage has a fraction."""
    return Decimal(format(value, "f").rstrip("0").rstrip("."))


def slots(community: Community, stretches: Sequence[Stretch], sun: Sun) -> tuple[Slot, ...]:
    """Cut stretches by their tariffs' windows.

    Returns
    -------
    tuple of Slot
        In the order of the stretches, within one what no window covers first, then the windows as in the file, each
        with at least one interval; every interval of the month is in exactly one.
    """
    found: list[Slot] = []
    for stretch in stretches:
        span = sun.between(community, stretch.start, stretch.until)
        windows = stretch.tariff.windows
        if not windows:
            found.append(Slot(stretch, None, (span,)))
            continue
        owner = _by_minute(windows)
        names = [owner.get(_week_minute(sun.bounds[index], community.zone)) for index in span]
        runs: dict[int | None, list[range]] = {None: [], **{number: [] for number in range(len(windows))}}
        at = span.start
        for number, group in groupby(names):
            length = len(list(group))
            runs[number].append(range(at, at + length))
            at += length
        found += [
            Slot(stretch, None if number is None else windows[number], tuple(parts))
            for number, parts in runs.items()
            if parts
        ]
    return tuple(found)


def _by_minute(windows: Sequence[Window]) -> Mapping[int, int]:
    return {minute: number for number, window in enumerate(windows) for part in window.minutes for minute in part}


def _week_minute(instant: int, zone: ZoneInfo) -> int:
    local = from_microseconds(instant).astimezone(zone)
    return (local.weekday() * 24 * 60 + local.hour * 60 + local.minute) % WEEK_MINUTES


def by_price(items: Iterable[Item], price: Callable[[Item], Price]) -> dict[Price, list[Item]]:
    """Group slots, or what is told of them, by price and window, in order."""
    groups: dict[Price, list[Item]] = {}
    for item in items:
        groups.setdefault(price(item), []).append(item)
    return groups


def netted_share(found: Sequence[Slot], sun: Sun) -> Fraction:
    """Return which part of the surplus on days with netting is credited at the grid price, between 0 and 1.

    ``min(S, G) / S`` with S the surplus and G the building's use from the grid (consumed - shared, common included, as
    far as it is known), both of the month's days with netting.
    """
    netting = [slot for slot in found if slot.stretch.netting]
    surplus = sum(slot.total(sun.surplus) for slot in netting)
    if not surplus:
        return Fraction(0)
    used, shared = (
        sum(slot.total(column) for column in columns.values() for slot in netting) for columns in (sun.used, sun.shared)
    )
    return Fraction(min(surplus, used - shared), surplus)
