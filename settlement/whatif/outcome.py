"""What one sharing rule comes to: energy and cost of every party, in one month or added up over many.

Cost is what the statements say, in whole cents, plus what the electricity that is not from the roof costs at the grid
price, which everybody pays a supplier of their own. The grid's electricity is divided into whole cents as any pool is;
that of the common area by floor area and days, as its sun is. Heat is the same under every rule and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from core.community import Community
from core.time import Month
from core.units import MILLIONTHS
from settlement import heat, pools, windows
from settlement.charges import Charge, lines, per_part
from settlement.model import Spell
from settlement.sun import COMMON, Sun
from settlement.tariffs import Stretch, cents
from settlement.windows import Slot

Party = tuple[str, str]
"""Flat and party; the owner's own entry has an empty flat."""


@dataclass(frozen=True)
class Share:
    """What a party used and was given [mWh], and what it pays [cents].

    ``paid`` stands on its statements (without heat); ``grid`` is what the rest costs, None where a day has no grid
    price.
    """

    consumed: int = 0
    shared: int = 0
    paid: int = 0
    grid: int | None = 0

    def __add__(self, other: Share) -> Share:
        """Add two months up."""
        grid = None if self.grid is None or other.grid is None else self.grid + other.grid
        return Share(self.consumed + other.consumed, self.shared + other.shared, self.paid + other.paid, grid)

    @property
    def cost(self) -> int | None:
        """All that the party's electricity costs [cents]."""
        return None if self.grid is None else self.paid + self.grid


@dataclass(frozen=True)
class Outcome:
    """One rule's result; ``generated``, ``consumed``, ``shared`` and ``surplus`` are of the whole building [mWh].

    Where the sun is known ``shared + surplus = generated``; the common area is in the building's figures and in no
    party's.
    """

    parties: Mapping[Party, Share]
    generated: int = 0
    consumed: int = 0
    shared: int = 0
    surplus: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        """Add two months up."""
        names = dict.fromkeys([*self.parties, *other.parties])
        nothing = Share()
        return Outcome(
            {name: self.parties.get(name, nothing) + other.parties.get(name, nothing) for name in names},
            self.generated + other.generated,
            self.consumed + other.consumed,
            self.shared + other.shared,
            self.surplus + other.surplus,
        )

    def flat(self, flat: str) -> Share:
        """Everything of one flat, whoever lived there."""
        return sum((share for name, share in self.parties.items() if name[0] == flat), Share())


def outcome(
    community: Community, month: Month, stretches: Sequence[Stretch], spells: Sequence[Spell], sun: Sun
) -> Outcome:
    """Add up what a month's sun, divided, means for every party.

    Parameters
    ----------
    community, stretches
        With the rule that is tried.
    sun
        Divided by that rule.
    """
    owner = Spell(community.owner, "", month.first_day, month.end_day)
    slots = windows.slots(community, stretches, sun)
    prices = [cents(slot.grid.eur) for slot in slots if slot.grid is not None]
    priced = len(prices) == len(slots)
    paid = _by_spell(community, month, stretches, pools.of_sun(community, month, stretches, slots, spells, sun, owner))
    grid = _by_spell(community, month, stretches, _grid(community, slots, prices, spells, sun)) if priced else {}
    parties: dict[Party, Share] = {}
    for spell in [*spells, owner]:
        consumed = shared = 0
        if spell.flat:
            span = sun.between(community, spell.start, spell.until)
            consumed = sun.used[spell.flat].total(span.start, span.stop)
            shared = sun.shared[spell.flat].total(span.start, span.stop)
        own = Share(consumed, shared, paid.get(spell, 0), grid.get(spell, 0) if priced else None)
        name = (spell.flat, spell.party)
        parties[name] = parties.get(name, Share()) + own
    return Outcome(
        parties,
        sun.sun.total(),
        sum(column.total() for column in sun.used.values()),
        sum(column.total() for column in sun.shared.values()),
        sun.surplus.total(),
    )


def _by_spell(
    community: Community, month: Month, stretches: Sequence[Stretch], charges: Iterator[Charge]
) -> dict[Spell, int]:
    include_vat = stretches[0].tariff.prices_include_vat
    found: dict[Spell, int] = {}
    for charge in charges:
        for spell, line in lines(charge, community.community, str(month), include_vat=include_vat).items():
            found[spell] = found.get(spell, 0) + line.amount
    return found


def _grid(
    community: Community, slots: Sequence[Slot], prices: Sequence[Fraction], spells: Sequence[Spell], sun: Sun
) -> Iterator[Charge]:
    """Charge what is not from the roof at each slot's grid price; that of the common area by floor area and days."""
    for slot, each in zip(slots, prices, strict=True):
        vat = slot.stretch.tariff.vat_percent.electricity
        basis = {}
        for spell in spells:
            span = sun.between(community, spell.start, spell.until)
            basis[spell] = Fraction(_bought(sun, spell.flat, slot, span), MILLIONTHS)
        yield Charge("grid", basis, each, vat)
        if COMMON in sun.used:
            by_area = heat.areas_by_days(community, spells)
            pool = Fraction(_bought(sun, COMMON, slot), MILLIONTHS) * each
            yield Charge("grid_common", by_area, per_part(pool, by_area), vat)


def _bought(sun: Sun, name: str, slot: Slot, span: range | None = None) -> int:
    return slot.total(sun.used[name], span) - slot.total(sun.shared[name], span)
