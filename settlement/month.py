"""The money path of one month, from readings to statement: pure, the same input gives the same bytes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

from core.community import Advance, Community
from core.errors import CheckFailed
from core.money import half_up
from core.time import Month, days_between, from_microseconds, rfc3339
from settlement import (
    balance,
    heat,
    intervals,
    invariants,
    pellets,
    plausibility,
    pools,
    readings,
    sun,
    tariffs,
    windows,
    work,
)
from settlement.charges import Charge, lines
from settlement.evidence import Behind
from settlement.ledger import Ledger, book_month
from settlement.model import Check, Finding, Line, Readings, Series, Spell
from settlement.sun import COMMON, Sun
from settlement.tariffs import Stretch, cents
from settlement.windows import Slot


@dataclass(frozen=True)
class Energy:
    """Quantities of the month, per meter and per spell [mWh, or millionths for allocator units]."""

    series: Mapping[str, Series]
    sun: Sun
    consumed: Mapping[Spell, int]
    shared: Mapping[Spell, int]
    heat: Mapping[Spell, int]
    heat_meters: tuple[Series, ...]
    heat_in_units: bool
    heat_produced: int | None


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
    charges: tuple[Charge, ...]
    charged: tuple[Mapping[Spell, Line], ...]
    advances: Mapping[Spell, int]
    ledger: Ledger
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]


def settle(community: Community, month: Month, known: Readings) -> Settled:
    """Settle one month.

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
    spells = tuple(tariffs.spells(community, month))
    stretches = tuple(tariffs.stretches(community, month))
    energy, findings = _energy(community, month, known, spells, stretches)
    slots = windows.slots(community, stretches, energy.sun)
    fuel = pellets.account(community, month, _heat_between(community, known))
    cost = heat.pool(community, month, fuel)
    labour = work.of_month(community, month, spells)
    owner = Spell(community.owner, "", month.first_day, month.end_day)
    charges = (
        *pools.of_sun(community, month, stretches, slots, spells, energy.sun, owner),
        *(
            heat.charges(community, stretches[0], spells, cost, energy.heat, in_units=energy.heat_in_units)
            if cost
            else ()
        ),
        *(work.charges(community, spells, labour) if labour else ()),
    )
    include_vat = stretches[0].tariff.prices_include_vat
    charged = tuple(lines(charge, community.community, str(month), include_vat=include_vat) for charge in charges)
    pairs = list(zip(charges, charged, strict=True))
    advances = _advances(community, month, spells)
    behind = Behind(community, month, slots, cost, fuel, labour)
    ledger = book_month(cost, fuel, pairs, advances, behind)
    checks = _proven(month, energy, fuel, cost, slots, pairs, advances, ledger)
    findings += plausibility.of_meters(community, energy.series, energy.sun.bounds)
    findings += labour.findings if labour else ()
    figures = balance.of_month(community, energy.series, energy.sun, fuel)
    findings += balance.findings(figures, fuel)
    return Settled(
        community, month, stretches, slots, spells, energy, fuel, cost, charges, charged, advances, ledger, checks,
        tuple(findings),
    )  # fmt: skip


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
            [invariants.of_heat(cost, charges)] if cost else [],
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


def _energy(
    community: Community, month: Month, known: Readings, spells: Sequence[Spell], stretches: Sequence[Stretch]
) -> tuple[Energy, list[Finding]]:
    bounds = readings.boundaries(community, month)
    size = len(bounds) - 1
    series, findings = intervals.of_all(community, known, bounds)
    findings = _up_to_now(findings, bounds, known)

    def of(measures: str, flat: str | None = None) -> list[Series]:
        return [series[m.id] for m in community.meters if m.measures == measures and m.flat == flat]

    used, quality = sun.consumption(community, series, size)

    divided = sun.share(community, stretches, bounds, sun.generation(community, series, size), used, quality)

    consumed, shared, warmth = {}, {}, {}
    for spell in spells:
        span = divided.between(community, spell.start, spell.until)
        consumed[spell] = used[spell.flat].total(span.start, span.stop)
        shared[spell] = divided.shared[spell.flat].total(span.start, span.stop)
        warmth[spell] = sum(one.known(span.start, span.stop) for one in of("heat", spell.flat))
    heat_meters = tuple(series[meter.id] for meter in community.meters_of("heat"))
    in_units = any(meter.unit == "units" for meter in community.meters_of("heat"))
    produced = sum(one.known() for one in of("heat_produced")) if of("heat_produced") else None
    return Energy(series, divided, consumed, shared, warmth, heat_meters, in_units, produced), findings


def _up_to_now(findings: list[Finding], bounds: Sequence[int], known: Readings) -> list[Finding]:
    """Say once that the rest of a month is not known yet, instead of once for every meter."""
    step = bounds[1] - bounds[0]
    ends = [one.times[-1] + (step if one.kind == "interval" else 0) for one in known.values()]
    newest = max(ends, default=bounds[-1])
    if newest >= bounds[-1]:
        return findings
    horizon = bounds[max(0, bisect_right(bounds, newest) - 1)]
    kept = [f for f in findings if f.code != "missing-intervals" or f.start is None or f.start < horizon]
    text = f"The month is not complete: no meter has readings after {rfc3339(from_microseconds(newest))}."
    return [*kept, Finding("month-incomplete", text, None, horizon, bounds[-1])]


def _heat_between(community: Community, known: Readings) -> pellets.HeatBetween:
    meters = community.meters_of("heat_produced")

    def between(start: int, end: int) -> int | None:
        parts = [readings.total_between(community, m, known[m.id], start, end) for m in meters if m.id in known]
        found = [part for part in parts if part is not None]
        return sum(found) if found else None

    return between


def _advances(community: Community, month: Month, spells: Sequence[Spell]) -> dict[Spell, int]:
    """Sum what each household pays in advance, by days, rounded half-up [cents]."""
    result = {}
    agreed: dict[str, list[Advance]] = {}
    for advance in community.advances:
        agreed.setdefault(advance.household, []).append(advance)
    for spell in spells:
        entries = agreed.get(spell.party, [])
        exact = Fraction(0)
        for day in days_between(spell.start, spell.until) if entries else ():
            started = [entry for entry in entries if entry.start <= day]
            if started:
                exact += cents(max(started, key=lambda entry: entry.start).eur_per_month) / month.days
        result[spell] = half_up(exact)
    return result
