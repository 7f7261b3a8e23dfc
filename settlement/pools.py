"""What is charged beside heat: the sun each party used, what was left over, the common area, the fixed amount.

Each pool is one `Charge` per price and window of the week: what every party is charged by, and the cents for one unit
of it. Source: contract section 3; windows, the cap and netting: `settlement.windows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from core.community import Community
from core.keys import KEYS
from core.money import half_up
from core.time import Month
from core.units import MILLIONTHS, decimal_text
from settlement import heat
from settlement.charges import Charge, Measure, per_part
from settlement.model import Spell
from settlement.sun import COMMON, Sun
from settlement.tariffs import Stretch, cents
from settlement.windows import Price, Slot, by_price, netted_share


def of_sun(
    community: Community,
    month: Month,
    stretches: Sequence[Stretch],
    slots: Sequence[Slot],
    spells: Sequence[Spell],
    sun: Sun,
    owner: Spell,
) -> Iterator[Charge]:
    """Yield the month's charges for sun, surplus, the common area and the fixed amount, in the order of the lines."""
    yield from _solar(community, slots, spells, sun)
    yield from _surplus(community, slots, spells, sun, owner)
    yield from _common(community, month, slots, spells, sun)
    yield from _fixed(month, stretches, spells)


def _solar(community: Community, slots: Sequence[Slot], spells: Sequence[Spell], sun: Sun) -> Iterator[Charge]:
    """Charge the sun each party used, one charge per price and window."""
    spans = _spans(community, spells, sun)
    for price, group in by_price(slots, lambda slot: slot.solar).items():
        used = {spell: sum(slot.total(sun.shared[spell.flat], spans[spell]) for slot in group) for spell in spells}
        basis = {spell: Fraction(amount, MILLIONTHS) for spell, amount in used.items()}
        shown = {spell: Measure(decimal_text(amount), "kWh") for spell, amount in used.items()}
        yield Charge("solar", basis, cents(price.eur), _vat(group), price.eur, shown, price.window)


def _surplus(
    community: Community, slots: Sequence[Slot], spells: Sequence[Spell], sun: Sun, owner: Spell
) -> Iterator[Charge]:
    """Credit what was left over, to whom the sharing rule says, one charge per price and window.

    Where surplus is netted, its netted part is credited as ``netting`` at the grid price, the rest as ``feed_in``.
    """
    spans = _spans(community, spells, sun)
    share = netted_share(slots, sun)
    left = [
        _Left(slot, _credit(slot, spans, sun, owner), share if slot.stretch.netting else Fraction(0)) for slot in slots
    ]
    for price, group in by_price(left, lambda one: one.slot.feed_in).items():
        whole, rest = (
            _together((one.credit, Fraction(1)) for one in group),
            _together((one.credit, 1 - one.netted) for one in group),
        )
        # Printed parts of a party's surplus add up to it: the netted part is rounded, the rest is what remains.
        shown = {spell: half_up(amount) - sum(one.printed(spell) for one in group) for spell, amount in whole.items()}
        yield _credited("feed_in", price, rest, shown, group)
    for price, group in by_price((one for one in left if one.netted), _Left.grid).items():
        part = _together((one.credit, one.netted) for one in group)
        shown = {spell: sum(one.printed(spell) for one in group) for spell in part}
        yield _credited("netting", price, part, shown, group)


@dataclass(frozen=True)
class _Left:
    """Surplus of a slot: whose it is [exact mWh], and which part of it is netted."""

    slot: Slot
    credit: Mapping[Spell, Fraction]
    netted: Fraction

    def printed(self, spell: Spell) -> int:
        """Netted part of a party's surplus, as it is printed [mWh]."""
        return half_up(self.credit[spell] * self.netted)

    def grid(self) -> Price:
        """Return what the grid costs; whoever nets must say so (`core.consistency`)."""
        if self.slot.grid is None:
            raise LookupError("a tariff with netting has no grid price")
        return self.slot.grid


def _credit(slot: Slot, spans: Mapping[Spell, range], sun: Sun, owner: Spell) -> dict[Spell, Fraction]:
    """Tell whose the surplus of a slot is, in exact milliwatt-hours that add up to it."""
    credit: dict[Spell, Fraction] = dict.fromkeys([*spans, owner], Fraction(0))
    sharing = slot.stretch.sharing
    match sharing.surplus:
        case "owner":
            credit[owner] += slot.total(sun.surplus)
        case "community":
            weights = sharing.weights if KEYS[sharing.key].weights else None
            measure = {
                spell: Fraction(weights[spell.flat] if weights else 1) * slot.stretch.days_of(spell) for spell in spans
            }
            each = per_part(slot.total(sun.surplus), measure)
            for spell, part in measure.items():
                credit[spell] += part * each
        case "unused_share":
            for spell, span in spans.items():
                credit[spell] += slot.total(sun.unused[spell.flat], span)
        case never:
            assert_never(never)
    return credit


def _together(parts: Iterable[tuple[Mapping[Spell, Fraction], Fraction]]) -> dict[Spell, Fraction]:
    """Add up shares of credits [mWh]."""
    whole: dict[Spell, Fraction] = {}
    for credit, share in parts:
        for spell, amount in credit.items():
            whole[spell] = whole.get(spell, Fraction(0)) + amount * share
    return whole


def _credited(
    code: str, price: Price, credit: Mapping[Spell, Fraction], printed: Mapping[Spell, int], group: Sequence[_Left]
) -> Charge:
    basis = {spell: amount / MILLIONTHS for spell, amount in credit.items()}
    shown = {spell: Measure(decimal_text(amount), "kWh") for spell, amount in printed.items()}
    return Charge(code, basis, -cents(price.eur), _vat([one.slot for one in group]), price.eur, shown, price.window)


def _common(
    community: Community, month: Month, slots: Sequence[Slot], spells: Sequence[Spell], sun: Sun
) -> Iterator[Charge]:
    """Charge the common area's sun and invoices, by floor area and days."""
    pool = Fraction(sum(amount for _, amount in heat.invoices_of(community, month, "common")))
    if COMMON in sun.shared:
        for slot in slots:
            pool += Fraction(slot.total(sun.shared[COMMON]), MILLIONTHS) * cents(slot.solar.eur)
    if pool:
        basis = heat.areas_by_days(community, spells)
        yield Charge("common", basis, per_part(pool, basis), _vat(slots))


def _fixed(month: Month, stretches: Sequence[Stretch], spells: Sequence[Spell]) -> Iterator[Charge]:
    """Charge the fixed monthly amount by days, one charge per price."""
    for price, group in _by_price(stretches, "fixed_eur_per_month").items():
        days = {spell: sum(stretch.days_of(spell) for stretch in group) for spell in spells}
        basis = {spell: Fraction(count) for spell, count in days.items()}
        shown = {spell: Measure(str(count), "days") for spell, count in days.items()}
        each = cents(price) / month.days
        yield Charge("fixed", basis, each, group[0].tariff.vat_percent.electricity, price, shown)


def _by_price(stretches: Sequence[Stretch], field: str) -> dict[Decimal, list[Stretch]]:
    groups: dict[Decimal, list[Stretch]] = {}
    for stretch in stretches:
        groups.setdefault(getattr(stretch.tariff, field), []).append(stretch)
    return groups


def _spans(community: Community, spells: Sequence[Spell], sun: Sun) -> dict[Spell, range]:
    return {spell: sun.between(community, spell.start, spell.until) for spell in spells}


def _vat(group: Sequence[Slot]) -> Decimal:
    return group[0].stretch.tariff.vat_percent.electricity
