"""The heat pool: what heat cost this month, and by which measures it is divided.

``cost_i = p K m_i / sum(m) + (1 - p) K A_i d_i / sum(A d)``: the measured part by metered heat, the fixed part by
floor area (or equally), both times days. If nothing was measured in the whole building, the measured part follows the
fixed measure too. Source: contract section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from core.community import Community, HeatRule
from core.money import half_up
from core.time import Month
from settlement.model import Spell
from settlement.pellets import PelletMonth
from settlement.tariffs import cents, valid_on


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


def divided(amount: int | Fraction, measure: Mapping[Spell, Fraction]) -> dict[Spell, Fraction]:
    """Divide an amount exactly in proportion to a measure; nothing where the measure is zero throughout."""
    whole = sum(measure.values(), Fraction(0))
    if not whole:
        return dict.fromkeys(measure, Fraction(0))
    return {spell: amount * part / whole for spell, part in measure.items()}
