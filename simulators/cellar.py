"""Pellets: trucks fill the silo, residents carry bags to the boiler's hopper, people count, a sensor guesses.

Stock is silo plus hopper. The sensor hangs over the middle of the silo, where a hollow forms as pellets are drawn,
and it is noisy: it is there to be wrong in a known way, and no amount depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from core.time import Month, microseconds, midnight
from simulators.chance import Floats, stream
from simulators.grid import EPOCH, QUARTER, ZONE, Integers
from simulators.world import World, world_at

SILO_KG: Final = 6000
HOPPER_KG: Final = 450
BAG_KG: Final = 15

_MG = 10**6
_SILO_AT_EPOCH, _HOPPER_AT_EPOCH = 4300, 360
_ASK_BELOW_KG = 225
_LAST_KG = 45
_ORDER_BELOW_KG = 2600
_HOLLOW_KG = 320.0


@dataclass(frozen=True)
class Delivery:
    """A truck: pellets blown into the silo [kg] and its invoice [euro cents, VAT included]."""

    at: datetime
    kg: int
    cents: int
    invoice: str


@dataclass(frozen=True)
class Refill:
    """Somebody carried bags from the silo to the hopper."""

    at: datetime
    bags: int


@dataclass(frozen=True)
class Cellar:
    """What happened in the cellar up to the end of the world's last year.

    Conservation: stock = opening + deliveries - burnt, and silo + hopper = stock.
    """

    seed: int
    world: World
    deliveries: tuple[Delivery, ...]
    refills: tuple[Refill, ...]

    def stock_mg(self, instant: datetime) -> int:
        """Return the pellets in silo and hopper together [mg]."""
        delivered = sum(delivery.kg for delivery in self.deliveries if delivery.at <= instant)
        return (_SILO_AT_EPOCH + _HOPPER_AT_EPOCH + delivered) * _MG - burnt_mg(self.world, instant)

    def counted_kg(self, month: Month) -> int:
        """Return what people wrote down when they took stock at a month's end [kg, in fives]; some ten kilos off."""
        error = stream(self.seed, "count", month).normal(0, 8)
        return 5 * round((self.stock_mg(count_time(self.seed, month)) / _MG + error) / 5)

    def level_kg(self, hours: Integers) -> Integers:
        """Return what the sensor in the silo says during each hour [kg].

        Parameters
        ----------
        hours
            Whole hours since the epoch.
        """
        seconds = hours * 3600 + int(EPOCH.timestamp())
        delivered = self._delivered[np.searchsorted(self._delivery_times, seconds, side="right")]
        carried = self._carried[np.searchsorted(self._refill_times, seconds, side="right")]
        since = np.searchsorted(self._delivery_times, seconds, side="right")
        silo = _SILO_AT_EPOCH + delivered - carried
        drawn = carried - self._carried_before_delivery[since]
        hollow = np.minimum(_HOLLOW_KG, 0.14 * drawn)
        shown: Integers = np.clip(np.rint(silo - hollow + 22.0 * self._noise[hours]), 0, SILO_KG).astype(np.int64)
        return shown

    @cached_property
    def _delivery_times(self) -> Integers:
        return np.array([int(delivery.at.timestamp()) for delivery in self.deliveries], dtype=np.int64)

    @cached_property
    def _refill_times(self) -> Integers:
        return np.array([int(refill.at.timestamp()) for refill in self.refills], dtype=np.int64)

    @cached_property
    def _delivered(self) -> Integers:
        return np.cumsum([0] + [delivery.kg for delivery in self.deliveries], dtype=np.int64)

    @cached_property
    def _carried(self) -> Integers:
        return np.cumsum([0] + [refill.bags * BAG_KG for refill in self.refills], dtype=np.int64)

    @cached_property
    def _carried_before_delivery(self) -> Integers:
        before = self._carried[np.searchsorted(self._refill_times, self._delivery_times, side="right")]
        return np.concatenate([np.zeros(1, dtype=np.int64), before])

    @cached_property
    def _noise(self) -> Floats:
        hours = len(self.world.burnt) // 4
        years = range(EPOCH.year, EPOCH.year + hours // 8760 + 1)
        return np.concatenate([_year_noise(self.seed, year) for year in years])[:hours]


def cellar_at(seed: int, instant: datetime) -> Cellar:
    """Return the cellar that knows an instant; kept between calls."""
    return _cellar(seed, world_at(seed, instant))


def count_time(seed: int, month: Month) -> datetime:
    """Return when people take stock: on the last evening of the month, so that it can be settled once it is over."""
    before_midnight = int(stream(seed, "count time", month).integers(90, 240))
    return midnight(month.end_day, ZONE) - timedelta(minutes=before_midnight)


def burnt_mg(world: World, instant: datetime) -> int:
    """Return the pellets burnt since the epoch [mg]; linear within a quarter-hour."""
    index, within = divmod(microseconds(instant) - microseconds(EPOCH), QUARTER * 10**6)
    step = int(world.burnt[index]) if within else 0
    return int(world.burnt_before[index]) + step * within // (QUARTER * 10**6)


@lru_cache(maxsize=4)
def _cellar(seed: int, world: World) -> Cellar:
    events = list(_events(seed, world))
    return Cellar(
        seed,
        world,
        tuple(event for event in events if isinstance(event, Delivery)),
        tuple(event for event in events if isinstance(event, Refill)),
    )


def _events(seed: int, world: World) -> Iterator[Delivery | Refill]:
    """Yield trucks and refills in order of time, until the world ends."""
    silo, carried, number = _SILO_AT_EPOCH, _HOPPER_AT_EPOCH, 0
    truck: Delivery | None = None
    trucks = 0
    while (refill_at := _refill_time(seed, world, carried, number)) is not None:
        if truck is not None and truck.at <= refill_at:
            yield truck
            silo, truck = silo + truck.kg, None
        level = carried - burnt_mg(world, refill_at) / _MG
        bags = min(int(HOPPER_KG - level) // BAG_KG, silo // BAG_KG)
        yield Refill(refill_at, bags)
        carried, silo, number = carried + bags * BAG_KG, silo - bags * BAG_KG, number + 1
        if truck is None and silo < _ORDER_BELOW_KG:
            truck, trucks = _order(seed, refill_at, silo, trucks), trucks + 1
    if truck is not None and truck.at < _end(world):
        yield truck


def _refill_time(seed: int, world: World, carried: int, number: int) -> datetime | None:
    """Return when somebody fills the hopper: some hours after it asks, by day, before it runs empty."""
    asks = _when_burnt(world, carried - _ASK_BELOW_KG)
    if asks is None:
        return None
    chance = stream(seed, "refill", number)
    comes = asks + timedelta(minutes=int(np.clip(chance.lognormal(5.3, 0.6), 20, 1200)))
    local = comes.astimezone(ZONE)
    if not 8 <= local.hour < 21:
        day = local.date() + timedelta(days=1 if local.hour >= 21 else 0)
        morning = datetime.combine(day, time(8), tzinfo=ZONE).astimezone(UTC)
        comes = morning + timedelta(minutes=int(chance.integers(0, 90)))
    latest = _when_burnt(world, carried - _LAST_KG)
    comes = comes if latest is None else min(comes, max(latest, asks))
    return comes if comes < _end(world) else None


def _when_burnt(world: World, kg: int) -> datetime | None:
    """Return the first quarter-hour by whose start so much was burnt since the epoch, or None if not yet."""
    index = int(np.searchsorted(world.burnt_before, kg * _MG))
    return EPOCH + timedelta(seconds=index * QUARTER) if index < len(world.burnt) else None


def _order(seed: int, ordered: datetime, silo: int, number: int) -> Delivery:
    """Return the truck that comes some days after it was ordered, on a working day away from month ends."""
    chance = stream(seed, "delivery", number)
    day = ordered.astimezone(ZONE).date() + timedelta(days=int(chance.integers(4, 9)))
    while day.weekday() > 4 or not 3 <= day.day <= 26:
        day += timedelta(days=1)
    at = datetime.combine(day, time(8), tzinfo=ZONE).astimezone(UTC) + timedelta(minutes=int(chance.integers(0, 420)))
    room = SILO_KG - silo - int(chance.integers(100, 400))
    kg = room // 10 * 10
    winter = 0.5 + 0.5 * np.cos(2 * np.pi * day.timetuple().tm_yday / 365)
    price = 0.292 + 0.055 * winter + float(chance.normal(0, 0.008))
    return Delivery(at, kg, round(kg * price * 100), f"P-{day.year}-{number + 1:02d}")


def _end(world: World) -> datetime:
    return EPOCH + timedelta(seconds=len(world.burnt) * QUARTER)


def _year_noise(seed: int, year: int) -> Floats:
    hours = (date(year + 1, 1, 1) - date(year, 1, 1)).days * 24
    return stream(seed, "silo", year).standard_normal(hours)
