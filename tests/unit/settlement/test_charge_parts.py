"""What one unit of a basis costs: a pool's cents divided by the whole basis, and nothing where there is no basis."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from settlement.charges import per_part
from settlement.model import Spell

A, B = (Spell(f"h-{flat}", flat, date(2026, 2, 1), date(2026, 3, 1)) for flat in "AB")


def test_a_unit_costs_the_pool_divided_by_all_units_exactly() -> None:
    assert per_part(7, {A: Fraction(1), B: Fraction(2)}) == Fraction(7, 3)
    assert per_part(Fraction(-1, 2), {A: Fraction(0), B: Fraction(1, 3)}) == Fraction(-3, 2)


def test_a_unit_costs_nothing_where_there_is_none() -> None:
    assert per_part(7, {A: Fraction(0), B: Fraction(0)}) == 0
    assert per_part(7, {}) == 0
