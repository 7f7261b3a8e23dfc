"""What is charged beside heat: the sun each party used, what was left over, the common area, the fixed amount.

Each pool is one `Charge` per price: what every party is charged by, and the cents for one unit of it. Source: contract
section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

from core.community import Community
from core.keys import KEYS
from core.money import half_up
from core.time import Month
from core.units import MILLIONTHS, decimal_text
from settlement import heat
from settlement.amounts import Amounts
from settlement.charges import Charge, Measure, per_part
from settlement.model import Spell
from settlement.sun import COMMON, Sun
from settlement.tariffs import Stretch, cents


def of_sun(
    community: Community,
    month: Month,
    stretches: Sequence[Stretch],
    spells: Sequence[Spell],
    sun: Sun,
    owner: Spell,
) -> Iterator[Charge]:
    """Yield the month's charges for sun, surplus, the common area and the fixed amount, in the order of the lines."""
    yield from _solar(community, stretches, spells, sun)
    yield from _feed_in(community, stretches, spells, sun, owner)
    yield from _common(community, month, stretches, spells, sun)
    yield from _fixed(month, stretches, spells)


def _solar(community: Community, stretches: Sequence[Stretch], spells: Sequence[Spell], sun: Sun) -> Iterator[Charge]:
    """Charge the sun each party used, one charge per price."""
    for price, group in _by_price(stretches, "solar_eur_per_kwh").items():
        used = {
            spell: sum(_within(community, sun, spell, part, sun.shared[spell.flat]) for part in group)
            for spell in spells
        }
        basis = {spell: Fraction(amount, MILLIONTHS) for spell, amount in used.items()}
        shown = {spell: Measure(decimal_text(amount), "kWh") for spell, amount in used.items()}
        yield Charge("solar", basis, cents(price), group[0].tariff.vat_percent.electricity, price, shown)


def _feed_in(
    community: Community, stretches: Sequence[Stretch], spells: Sequence[Spell], sun: Sun, owner: Spell
) -> Iterator[Charge]:
    """Credit what was left over, to whom the sharing rule says, one charge per price."""
    for price, group in _by_price(stretches, "feed_in_eur_per_kwh").items():
        credit: dict[Spell, Fraction] = dict.fromkeys([*spells, owner], Fraction(0))
        for stretch in group:
            span = sun.between(community, stretch.start, stretch.until)
            surplus = sun.surplus.total(span.start, span.stop)
            match stretch.sharing.surplus:
                case "owner":
                    credit[owner] += surplus
                case "community":
                    weights = stretch.sharing.weights if KEYS[stretch.sharing.key].weights else None
                    measure = {
                        spell: Fraction(weights[spell.flat] if weights else 1) * stretch.days_of(spell)
                        for spell in spells
                    }
                    each = per_part(surplus, measure)
                    for spell, part in measure.items():
                        credit[spell] += part * each
                case "unused_share":
                    for spell in spells:
                        credit[spell] += _within(community, sun, spell, stretch, sun.unused[spell.flat])
        basis = {spell: amount / MILLIONTHS for spell, amount in credit.items()}
        shown = {spell: Measure(decimal_text(half_up(amount)), "kWh") for spell, amount in credit.items()}
        yield Charge("feed_in", basis, -cents(price), group[0].tariff.vat_percent.electricity, price, shown)


def _common(
    community: Community, month: Month, stretches: Sequence[Stretch], spells: Sequence[Spell], sun: Sun
) -> Iterator[Charge]:
    """Charge the common area's sun and invoices, by floor area and days."""
    pool = Fraction(sum(amount for _, amount in heat.invoices_of(community, month, "common")))
    if COMMON in sun.shared:
        for stretch in stretches:
            span = sun.between(community, stretch.start, stretch.until)
            used = sun.shared[COMMON].total(span.start, span.stop)
            pool += Fraction(used, MILLIONTHS) * cents(stretch.tariff.solar_eur_per_kwh)
    if pool:
        basis = heat.areas_by_days(community, spells)
        yield Charge("common", basis, per_part(pool, basis), stretches[0].tariff.vat_percent.electricity)


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


def _within(community: Community, sun: Sun, spell: Spell, stretch: Stretch, values: Amounts[int]) -> int:
    start, until = max(spell.start, stretch.start), min(spell.until, stretch.until)
    if until <= start:
        return 0
    span = sun.between(community, start, until)
    return values.total(span.start, span.stop)
