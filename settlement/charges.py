"""Charges: exact cents per party, rounded once for the building and spread so that the parts add up.

For each line code and price the building's exact total is rounded half-up to the cent; parties receive the floor of
their exact share and the remaining cents go to the largest remainders. With prices that include VAT the amount is
spread, ``net = amount / (1 + rate)`` half-up; without, the net is spread, ``vat = net rate`` half-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from core.money import fair_rank, half_up, spread
from settlement.model import Line, Spell


@dataclass(frozen=True)
class Measure:
    """What a line shows beside its amount: a printed quantity and its unit."""

    quantity: str
    unit: str


@dataclass(frozen=True)
class Charge:
    """One pool to be divided, and how: each party's exact share is its ``basis`` times ``factor``.

    Attributes
    ----------
    code
        Of the line.
    basis
        What each party is charged by: kWh, days, m2 days, heat; negative nowhere.
    factor
        Cents for one unit of the basis: a price, or a pool's cents divided by the sum of the basis; negative is a
        credit.
    vat_percent
        Rate of the line.
    price
        Printed beside the quantity, where the line has one [EUR].
    measures
        What each party's line shows beside its amount.
    window
        Name of the hours of the week that the price holds in; None where it holds outside all of them.
    """

    code: str
    basis: Mapping[Spell, Fraction]
    factor: Fraction
    vat_percent: Decimal
    price: Decimal | None = None
    measures: Mapping[Spell, Measure] | None = None
    window: str | None = None

    @property
    def shares(self) -> dict[Spell, Fraction]:
        """Exact cents of each party."""
        return {spell: part * self.factor for spell, part in self.basis.items()}

    @property
    def total(self) -> int:
        """The building's total: exact cents rounded half-up once."""
        return half_up(self.factor * sum(self.basis.values(), Fraction(0)))


def per_part(pool: int | Fraction, basis: Mapping[Spell, Fraction]) -> Fraction:
    """Return cents for one unit of a basis that a pool is divided by; 0 where the basis is zero throughout."""
    whole = sum(basis.values(), Fraction(0))
    return Fraction(pool) / whole if whole else Fraction(0)


def lines(charge: Charge, community: str, month: str, *, include_vat: bool) -> dict[Spell, Line]:
    """Divide a charge into lines; a party whose exact share is zero gets none.

    Returns
    -------
    dict
        Lines whose amounts (including VAT) or nets (excluding) sum exactly to ``charge.total``. [cents]
    """

    def rank(spell: Spell) -> bytes:
        return fair_rank(community, month, charge.code, spell.label)

    shares = {spell: share for spell, share in charge.shares.items() if share}
    parts = spread(shares, charge.total, rank)
    rate = Fraction(charge.vat_percent) / 100
    result = {}
    for spell, part in parts.items():
        if include_vat:
            net, amount = half_up(part / (1 + rate)), part
        else:
            net, amount = part, part + half_up(part * rate)
        shown = charge.measures.get(spell) if charge.measures else None
        result[spell] = Line(
            charge.code,
            shown.quantity if shown else None,
            shown.unit if shown else None,
            charge.price,
            net,
            charge.vat_percent,
            amount - net,
            amount,
            charge.window,
        )
    return result
