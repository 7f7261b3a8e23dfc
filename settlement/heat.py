"""The heat pool: what heat cost this month, and by which measures it is divided.

``cost_i = p K m_i / sum(m) + (1 - p) K A_i d_i / sum(A d)``: the measured part by metered heat, the fixed part by
floor area (or equally), both times days. If nothing was measured in the whole building, the measured part follows the
fixed measure too. Source: contract section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from core.community import Community, HeatRule
from core.money import half_up
from core.time import Month
from core.units import MILLIONTHS, decimal_text
from settlement.charges import Charge, Measure, per_part
from settlement.model import Spell
from settlement.pellets import PelletMonth
from settlement.tariffs import Stretch, cents, valid_on


@dataclass(frozen=True)
class HeatPool:
    """The month's heat cost in whole cents: ``measured + fixed = total``."""

    rule: HeatRule
    total: int
    measured: int
    fixed: int
    invoices: tuple[tuple[str, int], ...]


def pool(community: Community, month: Month, pellets: PelletMonth | None) -> HeatPool | None:
    """Add up the month's heat cost and part it; None if no heat is settled."""
    if community.heat is None:
        return None
    rule = valid_on(community.heat, month.first_day, "heat rule")
    invoices = invoices_of(community, month, "heat")
    total = (pellets.burnt_cents if pellets else 0) + sum(amount for _, amount in invoices)
    measured = half_up(total * Fraction(rule.measured_percent) / 100)
    return HeatPool(rule, total, measured, total - measured, invoices)


def invoices_of(community: Community, month: Month, pool_name: str) -> tuple[tuple[str, int], ...]:
    """Invoices of a pool dated in the month, by number [cents]."""
    found = [
        (cost.invoice, int(cents(cost.eur)))
        for cost in community.costs
        if cost.pool == pool_name and month.first_day <= cost.date < month.end_day
    ]
    return tuple(sorted(found))


def areas_by_days(community: Community, spells: Sequence[Spell]) -> dict[Spell, Fraction]:
    """Floor area times days of each spell [m2 days]."""
    areas = {flat.id: Fraction(flat.floor_area_m2 or 0) for flat in community.flats}
    return {spell: areas[spell.flat] * spell.days for spell in spells}


def fixed_measure(community: Community, rule: HeatRule, spells: Sequence[Spell]) -> dict[Spell, Fraction]:
    """Return the measure of the fixed part: floor area times days, or days alone."""
    if rule.fixed_by == "floor_area":
        return areas_by_days(community, spells)
    return {spell: Fraction(spell.days) for spell in spells}


def charges(
    community: Community,
    stretch: Stretch,
    spells: Sequence[Spell],
    cost: HeatPool,
    heat: Mapping[Spell, int],
    *,
    in_units: bool,
) -> Iterator[Charge]:
    """Charge the heat pool: the measured part by metered heat, the fixed part by area or equally, both by days.

    Parameters
    ----------
    stretch
        Of the month's first day; its VAT is the month's.
    heat
        Of each spell [mWh, or millionths of a unit].
    in_units
        Whether meters show allocator units.
    """
    rates = stretch.tariff.vat_percent
    vat = rates.electricity if rates.heat is None else rates.heat  # 0 percent is a rate
    fixed = fixed_measure(community, cost.rule, spells)
    unit = "m²·days" if cost.rule.fixed_by == "floor_area" else "days"
    by_fixed = {spell: Measure(_decimal(amount), unit) for spell, amount in fixed.items()}
    measured = {spell: Fraction(amount, MILLIONTHS) for spell, amount in heat.items()}
    if any(measured.values()):
        heat_unit = "units" if in_units else "kWh"
        shown = {spell: Measure(decimal_text(amount), heat_unit) for spell, amount in heat.items()}
    else:
        measured, shown = fixed, by_fixed
    yield Charge("heat_measured", measured, per_part(cost.measured, measured), vat, None, shown)
    yield Charge("heat_fixed", fixed, per_part(cost.fixed, fixed), vat, None, by_fixed)


def _decimal(amount: Fraction) -> str:
    places = 0
    while (amount * 10**places).denominator != 1:
        places += 1
    return decimal_text(int(amount * 10**places), places)
