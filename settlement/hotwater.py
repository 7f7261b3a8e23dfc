"""Hot water apart: the part of the heat cost that hot water took, and by which measures it is divided.

A meter in kWh (or another unit of energy) says the heat itself; one in m3 by

    ``Q = 2.5 kWh/(m3 K) V (t_w - 10)``

with the volume V and the temperature t_w at which hot water leaves the boiler house. Hot water's part of the cost is Q
over the heat supplied: what the boilers gave where that is metered, else the heat measured in the flats and Q
together. It is never more than all of it, and none of it where nobody knows the heat supplied. Its cost is divided as
the community says, part by the meters and the rest by floor area or equally, both by days. What failed meters did
not count may be estimated (`settlement.failedmeters`): hot water is then what was measured and that together. Source:
HeizkostenV sections 8 and 9 as the project's domain notes state them; the settlement without this rule ignores hot
water meters.

Conservation: ``heat measured + heat fixed + hot water measured + hot water fixed = cost of heat``, in cents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from core.community import Community, HotWater
from core.consistency import COLD_CELSIUS
from core.money import half_up
from core.units import MILLIONTHS, decimal_text
from settlement.charges import Measure
from settlement.failedmeters import Failed
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
        Of each spell as measured, exact [mWh].
    volume
        Of each spell as measured [millionths of a m3]; None unless all meters are in m3.
    supplied
        Heat that boilers gave, or that was measured and estimated, hot water included [mWh]; None where nobody knows.
    failed
        Its meters that failed, with substitutes in millionths of a m3 where there is a ``volume``, else in mWh; None
        where the rule does not estimate them.
    """

    rule: HotWater
    heat: Mapping[Spell, Fraction]
    volume: Mapping[Spell, int] | None
    supplied: Fraction | None
    failed: Failed | None = None

    @property
    def by_fixed(self) -> bool:
        """Whether so many meters failed that the fixed measure divides everything."""
        return self.failed is not None and self.failed.by_fixed

    @property
    def estimated(self) -> dict[Spell, Fraction]:
        """Heat that failed meters would have counted besides, of the spells that have any [mWh]."""
        if self.volume is None:
            return {spell: Fraction(amount) for spell, amount in self._added.items()}
        return {spell: heat_of(amount, self.rule) for spell, amount in self._added.items()}

    @property
    def total(self) -> Fraction:
        """Heat of all hot water, measured and estimated [mWh]."""
        return sum((*self.heat.values(), *self.estimated.values()), Fraction(0))

    @property
    def part(self) -> Fraction:
        """Its part of the cost of heat, from 0 to 1."""
        if not self.supplied:
            return Fraction(0)
        return min(self.total / self.supplied, Fraction(1))

    @property
    def basis(self) -> dict[Spell, Fraction]:
        """What the measured part is divided by: m3 where all meters say m3, else kWh; with what was estimated."""
        return {spell: amount / MILLIONTHS for spell, amount in self._charged.items()}

    @property
    def shown(self) -> dict[Spell, Measure]:
        """What each party's line shows: m3, or kWh rounded half-up to six decimals."""
        unit = "kWh" if self.volume is None else "m³"
        return {spell: Measure(decimal_text(half_up(amount)), unit) for spell, amount in self._charged.items()}

    @property
    def _added(self) -> dict[Spell, int]:
        return {} if self.failed is None else {spell: one.amount for spell, one in self.failed.substitutes.items()}

    @property
    def _charged(self) -> dict[Spell, Fraction]:
        """Measured and estimated [millionths of a m3 or mWh]."""
        measured, added = self.heat if self.volume is None else self.volume, self._added
        return {spell: Fraction(amount) + added.get(spell, 0) for spell, amount in measured.items()}


def of_month(
    community: Community,
    rule: HotWater,
    spells: Sequence[Spell],
    series: Mapping[str, Series],
    spans: Mapping[Spell, range],
    measured: int | None,
    produced: int | None,
    failed: Failed | None = None,
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
        Heat of all flats for warm rooms, estimates included [mWh]; None where meters show allocator units.
    produced
        What the boilers gave [mWh]; None without a meter.
    failed
        Hot water meters that failed, in the measure of `worth`.
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
    all_in_m3 = all(meter.unit == "m3" for meter in meters)
    warmed = Warmed(rule, heat, volume if all_in_m3 else None, None, failed)
    # A boiler meter that gave nothing was not read: heat was used.
    supplied = Fraction(produced) if produced else None
    if supplied is None and measured is not None:
        supplied = measured + warmed.total
    return replace(warmed, supplied=supplied)


def worth(community: Community, rule: HotWater) -> dict[str, Fraction]:
    """Tell what amounts of hot water meters are multiplied by to be compared: nothing where all are of one kind.

    Where some are in m3 and some in units of energy, a millionth of a m3 is the heat it takes [mWh].
    """
    meters = community.meters_of("hot_water")
    in_m3 = [meter.id for meter in meters if meter.unit == "m3"]
    return {} if len(in_m3) == len(meters) else dict.fromkeys(in_m3, heat_of(1, rule))


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
