"""What speaks for and against a reading: physics, time, the device's other numbers, and the building around it.

Every bound is wide: it must never turn away a true reading. A wrong word order or a wrong unit misses by a factor of
ten or far more, so wide bounds still find it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from collector.profile import Point, Profile
from collector.variants import ENERGY, POWER, Heard, Said
from core.wire import QUANTITY_UNITS

Weight = Literal["against", "open", "possible", "agrees"]
"""Cannot be; says nothing; can be; can be and most other scales could not."""

_CONNECTION_W: Final = Decimal(250_000)
"""More than any connection (3 x 250 A is 173 kW), roof or flat of a housing block carries."""
_BOILER_W: Final = Decimal(1_000_000)
_LIFETIME_KWH: Final = Decimal(10_000_000)

_LIMITS: Final[dict[str, tuple[Decimal, Decimal]]] = {
    **dict.fromkeys(ENERGY, (Decimal(0), _LIFETIME_KWH)),
    "volume": (Decimal(0), Decimal(10_000_000)),
    "heat_units": (Decimal(0), Decimal(100_000_000)),
    "fuel_mass_consumed": (Decimal(0), Decimal(10_000_000)),
    "fuel_stock": (Decimal(0), Decimal(100_000)),
    "active_power": (-_CONNECTION_W, _CONNECTION_W),
    "thermal_power": (-_BOILER_W, _BOILER_W),
    **dict.fromkeys(("flow_temperature", "return_temperature", "boiler_temperature"), (Decimal(-40), Decimal(200))),
    "outdoor_temperature": (Decimal(-60), Decimal(70)),
    "flue_gas_temperature": (Decimal(-40), Decimal(700)),
    "distance": (Decimal(0), Decimal(100_000)),
    "operating_time": (Decimal(0), Decimal(1_000_000)),
    "starts": (Decimal(0), Decimal(10_000_000)),
    "frequency": (Decimal(40), Decimal(70)),
    "voltage": (Decimal(0), Decimal(1500)),
    "current": (Decimal(-2000), Decimal(2000)),
    "volume_flow": (Decimal(-200), Decimal(200)),
    **dict.fromkeys(("modulation", "fuel_level"), (Decimal(0), Decimal(110))),
}
"""What can be, in the unit a quantity is reported in."""

_FASTEST: Final[dict[str, Decimal]] = {
    **dict.fromkeys(ENERGY, _CONNECTION_W / 1000),
    "thermal_energy": _BOILER_W / 1000,
    "volume": Decimal(200),
    "heat_units": Decimal(1000),
    "fuel_mass_consumed": Decimal(500),
    "operating_time": Decimal("1.5"),
    "starts": Decimal(240),
}
"""How much a counter can grow in an hour."""

_HOUR: Final = Decimal(3600)
_STEADY: Final = 3  # between two looks a load may change this much, and a counter lag behind
_PROVEN_STEPS: Final = 3  # a rise of fewer steps agrees with other scales as well
_SLACK_W: Final = Decimal(20)
_CLOCKS_DIFFER: Final = 60  # [s] the stored time may be that of the device's own clock
_NIGHT_DEGREES: Final = Decimal(-3)
_STANDBY_W: Final = Decimal(60)
_CLOUD_EDGE: Final = Decimal("1.5")  # reflected by clouds, the sun can be stronger than under a clear sky
_BURST_W: Final = Decimal(6000)  # what a flat can switch on at once, unseen in an hour's mean
_PHASE = re.compile(r"(?:^|[-_.])(?:l|phase[-_]?)([123])$", re.IGNORECASE)


class Reason(NamedTuple):
    """One thing that speaks for or against what a point says; ``text`` is a clause."""

    point: str
    weight: Weight
    text: str


@dataclass(frozen=True)
class Fed:
    """A meter of the building that a point fills, or would fill, and its newest stored value [reported unit]."""

    point: str
    meter: str
    measures: str
    value: Decimal | None = None
    time: datetime | None = None


@dataclass(frozen=True)
class Sun:
    """Where the sun stands [degrees above the horizon] and what a clear sky gives [share of 1000 W/m2]."""

    elevation: Decimal
    share: Decimal


class Balance(NamedTuple):
    """What a building took in lately and what its other meters counted of that [W, mean over ``minutes``]."""

    taken_w: Decimal
    others_w: Decimal
    minutes: int


@dataclass(frozen=True)
class Building:
    """What is known about the place where the device hangs; every part may be unknown.

    ``peak_w`` is the highest mean power of a quarter-hour of all inverters over about a year [W].
    """

    fed: tuple[Fed, ...] = ()
    sun: Sun | None = None
    peak_w: Decimal | None = None
    electricity: Balance | None = None
    heat: Balance | None = None

    def feeds(self, point: str) -> Fed | None:
        """Return the meter that a point fills."""
        return next((fed for fed in self.fed if fed.point == point), None)


def amount_text(amount: Decimal, unit: str) -> str:
    """Print an amount for people, like ``6,057.339 kWh``; a small energy in Wh."""
    if unit == "kWh" and Decimal("1e-9") < abs(amount) < 1:
        amount, unit = amount * 1000, "Wh"
    if amount and abs(amount) < Decimal("0.001"):
        return f"{amount:.0e} {unit}"
    text = f"{amount:,.3f}".rstrip("0").rstrip(".")
    return text if unit in ("", "1") else f"{text} {unit}"


def pairs(profile: Profile) -> list[tuple[list[str], str]]:
    """Return energy counters with the power that drives them, where a profile leaves no doubt about it.

    A hybrid inverter has one power for panels and battery: there nothing is paired.
    """
    shown = [point for point in profile.points if not point.internal]
    found = []
    for energy, power in ((ENERGY - {"thermal_energy"}, "active_power"), ({"thermal_energy"}, "thermal_power")):
        counters = [point for point in shown if point.quantity in energy]
        powers = [point for point in shown if point.quantity == power and not _PHASE.search(point.id)]
        quantities = {point.quantity for point in counters}
        mixed = "pv_energy" in quantities and len(quantities) > 1
        twice = len(counters) > len(quantities)
        if counters and len(powers) == 1 and not mixed and not twice:
            found.append(([point.id for point in counters], powers[0].id))
    return found


def alone(said: Said) -> Iterator[Reason]:
    """Judge a point by what is physically possible."""
    point, amount = said.point, said.amount
    if said.refused is not None and (said.refused.code == "range" or amount is None):
        yield _reason(said, "against" if said.refused.code == "range" else "open", said.refused.reason)
    if amount is None:
        return
    unit = QUANTITY_UNITS[point.quantity]
    low, high = _LIMITS[point.quantity]
    if said.absurd:
        yield _reason(said, "against", "so small a number is bits in the wrong order")
    elif amount > high:
        yield _reason(said, "against", f"more than {amount_text(high, unit)}, which is the most that is plausible")
    elif amount < low:
        yield _reason(said, "against", f"less than {amount_text(low, unit)}, which is the least that is plausible")
    elif amount:
        yield _reason(said, "possible", "possible")
    else:
        yield _reason(said, "open", "zero, which fits every scale")
    if point.kind == "counter":
        yield from _growth(said, unit)


def _growth(said: Said, unit: str) -> Iterator[Reason]:
    rise = said.rise
    if not rise:
        return
    span = f"in {said.seconds:.0f} seconds"
    if rise < 0:
        yield _reason(said, "against", f"fell by {amount_text(-rise, unit)} {span}; a counter never falls")
    elif rise > _FASTEST[said.point.quantity] * said.seconds / _HOUR + said.step:
        yield _reason(said, "against", f"rose by {amount_text(rise, unit)} {span}, faster than anything here can")


def together(counters: Iterable[Said], power: Said) -> Iterator[Reason]:
    """Judge whether counters rise as fast as the power shown; counters that stand still say nothing."""
    moved = [said for said in counters if said.rise is not None and said.rise > 0]
    if not moved or len(power.amounts) < 2 or power.amounts[0] * power.amounts[-1] < 0:  # noqa: PLR2004 - two looks
        return
    seconds, rise = moved[0].seconds, sum((said.rise or Decimal(0) for said in moved), Decimal(0))
    step = sum((said.step for said in moved), Decimal(0))
    slow, fast = sorted(abs(amount) for amount in power.amounts)
    least = slow / _STEADY * seconds / _HOUR / 1000 - step
    most = (fast * _STEADY + _SLACK_W) * seconds / _HOUR / 1000 + step
    expected = amount_text((slow + fast) / 2 * seconds / _HOUR / 1000, "kWh")
    text, watts = f"rose by {amount_text(rise, 'kWh')} in {seconds:.0f} seconds", amount_text(fast, "W")
    if least <= rise <= most:
        weight: Weight = "agrees" if rise >= _PROVEN_STEPS * step else "possible"
        yield _reason(moved[0], weight, f"{text}, which fits {watts}")
    else:
        yield _reason(moved[0], "against", f"{text}, but {watts} makes {expected} in that time")


def phases(profile: Profile, heard: Heard) -> Iterator[Reason]:
    """Judge whether three phases add up to the total, where a profile has both."""
    for quantity in POWER:
        points = [point for point in profile.points if point.quantity == quantity]
        parts = [heard[point.id] for point in points if _PHASE.search(point.id)]
        totals = [heard[point.id] for point in points if not _PHASE.search(point.id) and not _derived(point)]
        amounts = [said.amount for said in parts if said.amount is not None]
        if len(parts) != 3 or len(amounts) != 3 or len(totals) != 1 or totals[0].amount is None:  # noqa: PLR2004 - phases
            continue
        (total,), found = totals, sum(amounts, Decimal(0))
        slack = sum(map(abs, amounts), Decimal(0)) / 10 + 4 * max(said.step for said in (*parts, total)) + _SLACK_W
        sums = f"the phases add up to {amount_text(found, QUANTITY_UNITS[quantity])}"
        if abs(found - totals[0].amount) > slack:
            yield _reason(total, "against", f"{sums}, which is not this")
        elif found > slack:
            yield _reason(total, "agrees", sums)


def around(said: Said, building: Building, *, solar: bool) -> Iterator[Reason]:
    """Judge a point by the building: the meter's stored value, the sun, and what the building takes in.

    Parameters
    ----------
    said
        What the point says.
    building
        What is known.
    solar
        Whether the point is the power of panels and nothing else.
    """
    fed = building.feeds(said.point.id)
    if said.amount is None:
        return
    if fed is not None and said.point.kind == "counter":
        yield from _since(said, said.amount, fed)
    if solar and building.sun is not None:
        yield from _by_sun(said, said.amount, building.sun, building.peak_w)
    measures = {fed.measures for fed in building.fed}
    if said.point.quantity == "active_power" and measures == {"electricity"}:
        yield from _by_balance(said, said.amount, building.electricity)
    if said.point.quantity == "thermal_power" and measures == {"heat"}:
        yield from _by_balance(said, said.amount, building.heat)


def _since(said: Said, amount: Decimal, fed: Fed) -> Iterator[Reason]:
    if fed.value is None or fed.time is None:
        return
    unit = QUANTITY_UNITS[said.point.quantity]
    when = f"{fed.time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    stored = f"{amount_text(fed.value, unit)}, which meter {fed.meter} showed on {when}"
    hours = Decimal(str(max((said.times[-1] - fed.time).total_seconds(), 0) + _CLOCKS_DIFFER)) / _HOUR
    most = _FASTEST[said.point.quantity] * hours + said.step
    if amount < fed.value - said.step:
        yield _reason(said, "against", f"less than {stored}")
    elif amount > fed.value + most:
        yield _reason(said, "against", f"more than can have been added to {stored}")
    else:
        yield _reason(said, "agrees" if fed.value else "open", f"follows on {stored}")


def _by_sun(said: Said, amount: Decimal, sun: Sun, peak_w: Decimal | None) -> Iterator[Reason]:
    height = f"the sun stands {abs(sun.elevation):.0f} degrees"
    if sun.elevation < _NIGHT_DEGREES:
        if abs(amount) > _STANDBY_W:
            yield _reason(said, "against", f"{height} below the horizon, so there is no sun to make this")
        return
    most = (peak_w or _CONNECTION_W) * max(sun.share, Decimal(0)) * _CLOUD_EDGE + _STANDBY_W
    limit = f", for at most about {amount_text(most.quantize(Decimal(1)), 'W')} here"
    if amount > most:
        yield _reason(said, "against", f"{height} high{limit}")
    else:
        yield _reason(said, "open", f"{height} high{limit if peak_w else ''}")


def _by_balance(said: Said, amount: Decimal, balance: Balance | None) -> Iterator[Reason]:
    if balance is None:
        return
    text = (
        f"the building took in {amount_text(balance.taken_w, 'W')} on average over the last {balance.minutes} minutes"
    )
    if amount > _STEADY * balance.taken_w + _BURST_W:
        left = amount_text(max(balance.taken_w - balance.others_w, Decimal(0)), "W")
        yield _reason(said, "against", f"{text}, of which its other meters leave {left}")
    else:
        yield _reason(said, "open", text)


def _derived(point: Point) -> bool:
    return bool(point.sum or point.difference)


def _reason(said: Said, weight: Weight, text: str) -> Reason:
    return Reason(said.point.id, weight, text)
