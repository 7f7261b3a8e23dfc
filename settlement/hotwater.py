"""Hot water apart: the part of the heat cost that hot water took, and by which measures it is divided.

A meter in kWh (or another unit of energy) says the heat itself; one in m3 by

    ``Q = 2.5 kWh/(m3 K) V (t_w - 10)``

with the volume V and the temperature t_w at which hot water leaves the boiler house. Hot water's part of the cost is Q
over the heat supplied: what the boilers gave where that is metered, else the heat measured in the flats and Q
together. It is never more than all of it, and none of it where nobody knows the heat supplied. Its cost is divided as
the community says, part by the meters and the rest by floor area or equally, both by days. Source: HeizkostenV sections
8 and 9 as the project's domain notes state them; the settlement without this rule ignores hot water meters.

Conservation: ``heat measured + heat fixed + hot water measured + hot water fixed = cost of heat``, in cents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from core.community import Community, HotWater
from core.consistency import COLD_CELSIUS
from core.money import half_up
from core.units import MILLIONTHS, decimal_text
from settlement.charges import Measure
from settlement.model import Finding, Series, Spell

KWH_PER_M3_KELVIN: Final = Fraction(5, 2)
"""Heat that a cubic metre takes for each degree, with what is lost on the way [kWh/(m3 K)]."""


@dataclass(frozen=True)
class Warmed:
    """The month's hot water.

    Attributes
    ----------
    rule
        How its cost is divided.
    heat
        Of each spell, exact [mWh].
    volume
        Of each spell [millionths of a m3]; None unless all meters are in m3.
    supplied
        Heat that boilers gave, or that was measured, hot water included [mWh]; None where nobody knows it.
    """

    rule: HotWater
    heat: Mapping[Spell, Fraction]
    volume: Mapping[Spell, int] | None
    supplied: Fraction | None

    @property
    def total(self) -> Fraction:
        """Heat of all hot water [mWh]."""
        return sum(self.heat.values(), Fraction(0))

    @property
    def part(self) -> Fraction:
        """Its part of the cost of heat, from 0 to 1."""
        if not self.supplied:
            return Fraction(0)
        return min(self.total / self.supplied, Fraction(1))

    @property
    def basis(self) -> dict[Spell, Fraction]:
        """What the measured part is divided by: m3 where all meters say m3, else kWh."""
        if self.volume is not None:
            return {spell: Fraction(amount, MILLIONTHS) for spell, amount in self.volume.items()}
        return {spell: amount / MILLIONTHS for spell, amount in self.heat.items()}

    @property
    def shown(self) -> dict[Spell, Measure]:
        """What each party's line shows: m3, or kWh rounded half-up to six decimals."""
        if self.volume is not None:
            return {spell: Measure(decimal_text(amount), "m³") for spell, amount in self.volume.items()}
        return {spell: Measure(decimal_text(half_up(amount)), "kWh") for spell, amount in self.heat.items()}


def of_month(
    community: Community,
    rule: HotWater,
    spells: Sequence[Spell],
    series: Mapping[str, Series],
    spans: Mapping[Spell, range],
    measured: int | None,
    produced: int | None,
) -> Warmed:
    """Gather the month's hot water.

    Parameters
    ----------
    rule
        Of the month.
    series
        By meter [mWh, or millionths of a m3].
    spans
        Settlement intervals of each spell.
    measured
        Heat of all flats for warm rooms [mWh]; None where meters show allocator units.
    produced
        What the boilers gave [mWh]; None without a meter.
    """
    heat: dict[Spell, Fraction] = {}
    volume: dict[Spell, int] = {}
    meters = community.meters_of("hot_water")
    for spell in spells:
        span = spans[spell]
        heat[spell], volume[spell] = Fraction(0), 0
        for meter in meters:
            if meter.flat != spell.flat:
                continue
            amount = series[meter.id].known(span.start, span.stop)
            if meter.unit == "m3":
                heat[spell] += heat_of(amount, rule)
                volume[spell] += amount
            else:
                heat[spell] += amount
    # A boiler meter that gave nothing was not read: heat was used.
    supplied = Fraction(produced) if produced else None
    if supplied is None and measured is not None:
        supplied = measured + sum(heat.values(), Fraction(0))
    all_in_m3 = all(meter.unit == "m3" for meter in meters)
    return Warmed(rule, heat, volume if all_in_m3 else None, supplied)


def heat_of(volume: int, rule: HotWater) -> Fraction:
    """Heat that so much hot water took [mWh], of a volume in millionths of a m3.

    >>> from decimal import Decimal
    >>> heat_of(100 * 10**6, HotWater(measured_percent=Decimal(65))) == 12_500 * 10**6
    True
    """
    return KWH_PER_M3_KELVIN * volume * (Fraction(rule.warm_celsius) - COLD_CELSIUS)


def findings(warmed: Warmed) -> list[Finding]:
    """Say where hot water took more than there was, so that its part was held at all of the cost."""
    if warmed.supplied is None:
        text = (
            "The boiler's heat meter was not read, and heat in units does not tell how much heat was supplied:"
            " no cost was put on hot water."
        )
        return [Finding("hot-water-part-unknown", text)]
    if warmed.total <= warmed.supplied:
        return []
    text = (
        f"Hot water would have taken {decimal_text(half_up(warmed.total))} kWh, more than the"
        f" {decimal_text(half_up(warmed.supplied))} kWh of heat that was supplied; all cost of heat was put on hot"
        " water. Check the hot water meters and the boiler's heat meter."
    )
    return [Finding("hot-water-above-supply", text)]
