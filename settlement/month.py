"""The money path of one month, from readings to statement: pure, the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

from core.community import Community
from core.errors import CheckFailed
from core.money import half_up
from core.time import Month, days_between, from_microseconds, rfc3339
from settlement import (
    balance,
    failedmeters,
    heat,
    hotwater,
    intervals,
    invariants,
    pellets,
    plausibility,
    pools,
    readings,
    selection,
    stock,
    sun,
    tariffs,
)
from settlement.charges import Charge, lines
from settlement.failedmeters import Failed
from settlement.hotwater import Warmed
from settlement.ledger import Ledger, book_month
from settlement.model import Check, Finding, Line, Readings, Series, Spell
from settlement.sun import COMMON, Sun
from settlement.tariffs import Stretch, cents


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
    failed: Failed | None = None
    warmed: Warmed | None = None

    @property
    def heat_charged(self) -> Mapping[Spell, int]:
        """Heat that the measured part is divided by: measured, with what failed meters would have counted.

        Empty where so many failed that the fixed measure divides everything.
        """
        if self.failed is None:
            return self.heat
        if self.failed.by_fixed:
            return {}
        added = self.failed.substitutes
        return {s: amount + (added[s].amount if s in added else 0) for s, amount in self.heat.items()}


@dataclass(frozen=True)
class Settled:
    """Everything a settled month consists of."""

    community: Community
    month: Month
    stretches: tuple[Stretch, ...]
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
    known, compared = _compared(community, month, known)
    energy, findings = _energy(community, month, known, spells, stretches, compared)
    fuel = pellets.account(community, month, pellets.heat_between(community, known))
    cost = heat.pool(community, month, fuel, energy.warmed)
    charges = tuple(_charges(community, month, stretches, spells, energy, cost))
    include_vat = stretches[0].tariff.prices_include_vat
    charged = tuple(lines(charge, community.community, str(month), include_vat=include_vat) for charge in charges)
    advances = _advances(community, month, spells)
    ledger = book_month(cost, fuel, charged, advances)
    totals = sum(line.amount for group in charged for line in group.values()) - sum(advances.values())
    checks = _checks(energy, cost, fuel, charges, charged, ledger, totals, include_vat=include_vat)
    broken = [check for check in checks if not check.holds]
    if broken:
        raise CheckFailed(
            f"Month {month} was not settled: '{broken[0].name}' is off by {broken[0].difference}."
            " This is a fault of the program; please report it with the export of this month."
        )
    figures = balance.of_month(community, energy.series, energy.sun, fuel, energy.warmed)
    findings += _findings(community, month, known, spells, energy, fuel, figures)
    return Settled(
        community,
        month,
        stretches,
        spells,
        energy,
        fuel,
        cost,
        figures,
        charges,
        charged,
        advances,
        ledger,
        checks,
        tuple(findings),
    )


def _compared(community: Community, month: Month, known: Readings) -> tuple[Readings, dict[Month, failedmeters.Totals]]:
    """Part what is known into the month's own readings and the heat of the months that failed meters compare with."""
    if not failedmeters.estimates(community, month):
        return known, {}
    own = selection.of_month(community, month, known)
    return own, {
        before: failedmeters.totals(community, before, selection.compared(community, before, known))
        for before in failedmeters.references(community, month, own)
    }


def _charges(
    community: Community,
    month: Month,
    stretches: Sequence[Stretch],
    spells: Sequence[Spell],
    energy: Energy,
    cost: heat.HeatPool | None,
) -> Iterator[Charge]:
    owner = Spell(community.owner, "", month.first_day, month.end_day)
    yield from pools.of_sun(community, month, stretches, spells, energy.sun, owner)
    if cost:
        yield from heat.charges(
            community,
            stretches[0],
            spells,
            cost,
            energy.heat_charged,
            in_units=energy.heat_in_units,
            warmed=energy.warmed,
        )


def _checks(
    energy: Energy,
    cost: heat.HeatPool | None,
    fuel: pellets.PelletMonth | None,
    charges: Sequence[Charge],
    charged: Sequence[Mapping[Spell, Line]],
    ledger: Ledger,
    totals: int,
    *,
    include_vat: bool,
) -> tuple[Check, ...]:
    common = energy.sun.shared[COMMON].total() if COMMON in energy.sun.shared else 0
    return tuple(
        chain(
            invariants.of_sun(energy.sun),
            invariants.of_parties(energy.sun, energy.heat_meters, energy.shared, energy.heat, common),
            invariants.of_money(charges, charged, include_vat=include_vat),
            invariants.of_heat(cost, charges) if cost else [],
            invariants.of_pellets(fuel) if fuel else [],
            invariants.of_ledger(ledger, totals),
        )
    )


def _findings(
    community: Community,
    month: Month,
    known: Readings,
    spells: Sequence[Spell],
    energy: Energy,
    fuel: pellets.PelletMonth | None,
    figures: balance.Figures,
) -> Iterator[Finding]:
    yield from plausibility.of_meters(community, energy.series, energy.sun.bounds)
    if energy.failed:
        yield from failedmeters.findings(community, energy.failed, spells)
    if energy.warmed:
        yield from hotwater.findings(energy.warmed)
    yield from balance.findings(figures, fuel)
    if fuel:
        yield from stock.findings(community, month, fuel, known)


def _energy(
    community: Community,
    month: Month,
    known: Readings,
    spells: Sequence[Spell],
    stretches: Sequence[Stretch],
    compared: Mapping[Month, failedmeters.Totals],
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
    spans = {spell: divided.between(community, spell.start, spell.until) for spell in spells}
    for spell, span in spans.items():
        consumed[spell] = used[spell.flat].total(span.start, span.stop)
        shared[spell] = divided.shared[spell.flat].total(span.start, span.stop)
        warmth[spell] = sum(one.known(span.start, span.stop) for one in of("heat", spell.flat))
    heat_meters = tuple(series[meter.id] for meter in community.meters_of("heat"))
    in_units = any(meter.unit == "units" for meter in community.meters_of("heat"))
    produced = sum(one.known() for one in of("heat_produced")) if of("heat_produced") else None
    rule = heat.rule_of(community, month)
    failed, warmed = None, None
    if rule is not None and rule.failed_meters == "estimate":
        failures = failedmeters.failures_of(community, series, bounds, readings.known_until(known, bounds))
        failed = failedmeters.estimate(community, month, spells, series, spans, failures, compared)
    if rule is not None and rule.hot_water is not None:
        added = sum(one.amount for one in failed.substitutes.values()) if failed else 0
        rooms = None if in_units else sum(warmth.values()) + added
        warmed = hotwater.of_month(community, rule.hot_water, spells, series, spans, rooms, produced)
    return Energy(series, divided, consumed, shared, warmth, heat_meters, in_units, produced, failed, warmed), findings


def _up_to_now(findings: list[Finding], bounds: Sequence[int], known: Readings) -> list[Finding]:
    """Say once that the rest of a month is not known yet, instead of once for every meter."""
    step = bounds[1] - bounds[0]
    ends = [one.times[-1] + (step if one.kind == "interval" else 0) for one in known.values()]
    newest = max(ends, default=bounds[-1])
    if newest >= bounds[-1]:
        return findings
    horizon = readings.known_until(known, bounds)
    kept = [f for f in findings if f.code != "missing-intervals" or f.start is None or f.start < horizon]
    text = f"The month is not complete: no meter has readings after {rfc3339(from_microseconds(newest))}."
    return [*kept, Finding("month-incomplete", text, None, horizon, bounds[-1])]


def _advances(community: Community, month: Month, spells: Sequence[Spell]) -> dict[Spell, int]:
    """Sum what each household pays in advance, by days, rounded half-up [cents]."""
    result = {}
    for spell in spells:
        entries = [advance for advance in community.advances if advance.household == spell.party]
        exact = Fraction(0)
        for day in days_between(spell.start, spell.until) if entries else ():
            started = [entry for entry in entries if entry.start <= day]
            if started:
                exact += cents(max(started, key=lambda entry: entry.start).eur_per_month) / month.days
        result[spell] = half_up(exact)
    return result
