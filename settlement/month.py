"""The money path of one month, from readings to statement: pure, the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, zip_longest

from core.community import Advance, Community
from core.errors import CheckFailed
from core.money import half_up
from core.time import Month
from settlement import balance, heat, invariants, pellets, plausibility, pools, stock, tariffs, windows, work
from settlement import energy as energies
from settlement.charges import Charge, lines
from settlement.energy import Energy, Metered
from settlement.evidence import Behind
from settlement.ledger import Ledger, book_month
from settlement.model import Check, Finding, Line, Readings, Spell
from settlement.sun import COMMON
from settlement.tariffs import Stretch, cents
from settlement.windows import Slot


@dataclass(frozen=True)
class Settled:
    """Everything a settled month consists of."""

    community: Community
    month: Month
    stretches: tuple[Stretch, ...]
    slots: tuple[Slot, ...]
    spells: tuple[Spell, ...]
    energy: Energy
    pellets: pellets.PelletMonth | None
    heat: heat.HeatPool | None
    figures: balance.Figures
    charges: tuple[Charge, ...]
    charged: tuple[Mapping[Spell, Line], ...]
    advances: Mapping[Spell, int]
    ledger: Ledger
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]


def settle(community: Community, month: Month, known: Readings) -> Settled:
    """Settle one month from its readings.

    Parameters
    ----------
    community
        Configuration and events.
    month
        Local month.
    known
        Readings of the month with their look-back and look-ahead (`settlement.selection.used`).

    Raises
    ------
    BadInput
        If a day has no price or rule, or a pellet stock is impossible.
    CheckFailed
        If a conservation identity is broken; nothing may be published then.
    """
    return settle_metered(community, month, energies.metered(community, month, known))


def settle_metered(community: Community, month: Month, found: Metered) -> Settled:
    """Settle one month whose intervals are known already; else as `settle`."""
    spells = tuple(tariffs.spells(community, month))
    stretches = tuple(tariffs.stretches(community, month))
    energy = energies.of_month(community, month, found, spells, stretches)
    slots = windows.slots(community, stretches, energy.sun)
    fuel = pellets.account(community, month, pellets.heat_between(community, found.readings))
    cost = heat.pool(community, month, fuel, energy.warmed)
    labour = work.of_month(community, month, spells)
    charges = tuple(_charges(community, month, stretches, slots, spells, energy, cost, labour))
    include_vat = stretches[0].tariff.prices_include_vat
    charged = tuple(lines(charge, community.community, str(month), include_vat=include_vat) for charge in charges)
    pairs = list(zip(charges, charged, strict=True))
    advances = _advances(community, month, spells)
    ledger = book_month(cost, fuel, pairs, advances, Behind(community, month, slots, cost, fuel, labour))
    checks = _proven(month, energy, fuel, cost, slots, pairs, advances, ledger)
    figures = balance.of_month(community, energy.series, energy.sun, fuel, energy.warmed)
    findings = (
        *found.findings,
        *plausibility.of_meters(community, energy.series, energy.sun.bounds),
        *energies.findings(community, energy, spells),
        *(labour.findings if labour else ()),
        *balance.findings(figures, fuel),
        *stock.findings(community, month, fuel, found.readings, found.until),
    )
    return Settled(
        community, month, stretches, slots, spells, energy, fuel, cost, figures, charges, charged, advances, ledger,
        checks, findings,
    )  # fmt: skip


def _charges(
    community: Community,
    month: Month,
    stretches: Sequence[Stretch],
    slots: Sequence[Slot],
    spells: Sequence[Spell],
    energy: Energy,
    cost: heat.HeatPool | None,
    labour: work.WorkMonth | None,
) -> Iterator[Charge]:
    owner = Spell(community.owner, "", month.first_day, month.end_day)
    yield from pools.of_sun(community, month, stretches, slots, spells, energy.sun, owner)
    if cost:
        yield from heat.charges(
            community, stretches[0], spells, cost, energy.heat_charged,
            in_units=energy.heat_in_units, warmed=energy.warmed,
        )  # fmt: skip
    if labour:
        yield from work.charges(community, spells, labour)


def _proven(
    month: Month,
    energy: Energy,
    fuel: pellets.PelletMonth | None,
    cost: heat.HeatPool | None,
    slots: Sequence[Slot],
    charged: Sequence[tuple[Charge, Mapping[Spell, Line]]],
    advances: Mapping[Spell, int],
    ledger: Ledger,
) -> tuple[Check, ...]:
    """Check every conservation identity; a broken one ends the run."""
    charges, groups = [charge for charge, _ in charged], [group for _, group in charged]
    include_vat = slots[0].stretch.tariff.prices_include_vat
    common = energy.sun.shared[COMMON].total() if COMMON in energy.sun.shared else 0
    totals = sum(line.amount for group in groups for line in group.values()) - sum(advances.values())
    checks = tuple(
        chain(
            invariants.of_sun(energy.sun),
            invariants.of_parties(energy.sun, energy.heat_meters, energy.shared, energy.heat, common),
            invariants.of_money(charges, groups, include_vat=include_vat),
            invariants.of_heat(cost, charges) if cost else [],
            invariants.of_pellets(fuel) if fuel else [],
            invariants.of_prices(slots, charges, energy.shared, energy.sun.surplus.total()),
            [invariants.of_work(groups)] if any(charge.code == "work" for charge in charges) else [],
            invariants.of_ledger(ledger, totals),
        )
    )
    broken = [check for check in checks if not check.holds]
    if broken:
        raise CheckFailed(
            f"Month {month} was not settled: '{broken[0].name}' is off by {broken[0].difference}."
            " This is a fault of the program; please report it with the export of this month."
        )
    return checks


def _advances(community: Community, month: Month, spells: Sequence[Spell]) -> dict[Spell, int]:
    """Sum what each household pays in advance, by days, rounded half-up [cents]."""
    result = {}
    agreed: dict[str, list[Advance]] = {}
    for advance in sorted(community.advances, key=lambda advance: advance.start):
        agreed.setdefault(advance.household, []).append(advance)
    for spell in spells:
        entries = agreed.get(spell.party, [])
        exact = Fraction(0)
        for entry, later in zip_longest(entries, entries[1:]):
            until = min(spell.until, later.start) if later else spell.until
            days = (until - max(spell.start, entry.start)).days
            if days > 0:
                exact += cents(entry.eur_per_month) * days / month.days
        result[spell] = half_up(exact)
    return result
