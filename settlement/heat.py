"""The heat pool: what heat cost this month, and by which measures it is divided.

``cost_i = p K m_i / sum(m) + (1 - p) K A_i d_i / sum(A d)``: the measured part by metered heat, the fixed part by
floor area (or equally), both times days. If nothing was measured in the whole building, the measured part follows the
fixed measure too. Source: contract section 3. Hot water may have a pool of its own (`settlement.hotwater`), and heat
that failed meters did not count may be estimated (`settlement.failedmeters`); both only where the rule says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from core.community import Community, HeatRule, HotWater
from core.money import half_up
from core.time import Month
from core.units import MILLIONTHS, decimal_text
from settlement.charges import Charge, Measure, per_part
from settlement.hotwater import Warmed
from settlement.model import Spell
from settlement.pellets import PelletMonth
from settlement.tariffs import Stretch, cents, valid_on


@dataclass(frozen=True)
class HeatPool:
    """The month's heat cost in whole cents.

    ``measured + fixed + hot_water_measured + hot_water_fixed = total``.
    """

    rule: HeatRule
    total: int
    measured: int
    fixed: int
    invoices: tuple[tuple[str, int], ...]
    hot_water_measured: int = 0
    hot_water_fixed: int = 0


def rule_of(community: Community, month: Month) -> HeatRule | None:
    """Return the rule of a month, that of its first day; None if no heat is settled."""
    return None if community.heat is None else valid_on(community.heat, month.first_day, "heat rule")


def pool(
    community: Community, month: Month, pellets: PelletMonth | None, warmed: Warmed | None = None
) -> HeatPool | None:
    """Add up the month's heat cost and part it; None if no heat is settled.

    Hot water's part of the total is rounded half-up to the cent, then the measured part of either pool.
    """
    rule = rule_of(community, month)
    if rule is None:
        return None
    invoices = invoices_of(community, month, "heat")
    total = (pellets.burnt_cents if pellets else 0) + sum(amount for _, amount in invoices)
    water = half_up(total * warmed.part) if warmed else 0
    water_measured = half_up(water * Fraction(warmed.rule.measured_percent) / 100) if warmed else 0
    rooms = total - water
    measured = half_up(rooms * Fraction(rule.measured_percent) / 100)
    return HeatPool(rule, total, measured, rooms - measured, invoices, water_measured, water - water_measured)


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


def fixed_measure(community: Community, rule: HeatRule | HotWater, spells: Sequence[Spell]) -> dict[Spell, Fraction]:
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
    warmed: Warmed | None = None,
) -> Iterator[Charge]:
    """Charge the heat pool: the measured part by metered heat, the fixed part by area or equally, both by days.

    Hot water likewise, where it has a pool of its own: by its own fixed measure where too many of its meters failed.

    Parameters
    ----------
    stretch
        Of the month's first day; its VAT is the month's.
    heat
        Of each spell [mWh, or millionths of a unit]; without any the measured part follows the fixed measure.
    in_units
        Whether meters show allocator units.
    warmed
        The month's hot water.
    """
    rates = stretch.tariff.vat_percent
    vat = rates.electricity if rates.heat is None else rates.heat  # 0 percent is a rate
    fixed, by_fixed = _fixed(community, cost.rule, spells)
    measured = {spell: Fraction(amount, MILLIONTHS) for spell, amount in heat.items()}
    if any(measured.values()):
        heat_unit = "units" if in_units else "kWh"
        shown = {spell: Measure(decimal_text(amount), heat_unit) for spell, amount in heat.items()}
    else:
        measured, shown = fixed, by_fixed
    yield Charge("heat_measured", measured, per_part(cost.measured, measured), vat, None, shown)
    yield Charge("heat_fixed", fixed, per_part(cost.fixed, fixed), vat, None, by_fixed)
    if warmed is not None:
        fixed, by_fixed = _fixed(community, warmed.rule, spells)
        basis, shown = (fixed, by_fixed) if warmed.by_fixed else (warmed.basis, warmed.shown)
        yield Charge("hot_water_measured", basis, per_part(cost.hot_water_measured, basis), vat, None, shown)
        yield Charge("hot_water_fixed", fixed, per_part(cost.hot_water_fixed, fixed), vat, None, by_fixed)


def _fixed(
    community: Community, rule: HeatRule | HotWater, spells: Sequence[Spell]
) -> tuple[dict[Spell, Fraction], dict[Spell, Measure]]:
    fixed = fixed_measure(community, rule, spells)
    unit = "m²·days" if rule.fixed_by == "floor_area" else "days"
    return fixed, {spell: Measure(_decimal(amount), unit) for spell, amount in fixed.items()}


def _decimal(amount: Fraction) -> str:
    places = 0
    while (amount * 10**places).denominator != 1:
        places += 1
    return decimal_text(int(amount * 10**places), places)
