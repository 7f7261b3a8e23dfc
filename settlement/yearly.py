"""The yearly statement: twelve settled months added up, the fixed part of heat weighed by degree days, the advances.

Within a month the fixed part of heat is divided by days. Over a year that would let who lived in a flat from June to
August pay for as much standing heat as who lived there from December to February. So the year's fixed part is one pool
again: what the months charged for it together, divided by floor area (or equally) times the degree days of the days
each party had the flat (`settlement.degreedays`). Whoever had a flat all year pays a year's worth of it, vacant days
are the owner's. Every other line is what the months said; the fixed part of hot water stays by days.

Where the measure, the rate of VAT, or whether prices include it changes within the year, each stretch of months with
the same is a pool of its own: a change never reaches back.

Conservation: per line code, the parties' cents of the year = the cents the months charged; advances likewise. Source:
HeizkostenV section 9b and the twelve-month statement of service costs as the project's domain notes state them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any, Final, NamedTuple

from core.community import Community
from core.errors import BadInput, CheckFailed
from core.time import Month
from core.units import decimal_text
from settlement import charges, tariffs
from settlement.charges import Charge, per_part
from settlement.degreedays import weight
from settlement.model import Check, Spell

_WEIGHED: Final = "heat_fixed"


class Money(NamedTuple):
    """Cents; ``amount`` = ``net`` + ``vat``."""

    net: int
    vat: int
    amount: int


@dataclass(frozen=True)
class MonthTotals:
    """What a settled month charged every party, by line code, and the advances [cents]."""

    month: Month
    charged: Mapping[Spell, Mapping[str, Money]]
    advances: Mapping[Spell, int]


@dataclass(frozen=True)
class YearEntry:
    """A party's year in a flat: what every line came to, and what was paid in advance [cents].

    ``balance`` is what is still to be paid; below zero it is given back.
    """

    spell: Spell
    lines: Mapping[str, Money]
    advance: int

    @property
    def total(self) -> int:
        """What the party pays for the year."""
        return sum(money.amount for money in self.lines.values())

    @property
    def balance(self) -> int:
        """Total - advance."""
        return self.total - self.advance


@dataclass(frozen=True)
class Year:
    """The yearly statement; sorted by flat, then first day, then the owner's own entry."""

    start: date
    until: date
    entries: tuple[YearEntry, ...]
    checks: tuple[Check, ...]


def month_totals(statement: Mapping[str, Any]) -> MonthTotals:
    """Read the totals of a month from its ``statement.json``."""
    charged: dict[Spell, dict[str, Money]] = {}
    advances: dict[Spell, int] = {}
    for entry in statement["statements"]:
        spell = Spell(
            entry["party"], entry["flat"] or "", date.fromisoformat(entry["from"]), date.fromisoformat(entry["until"])
        )
        lines: dict[str, Money] = {}
        for line in entry["lines"]:
            money = Money(*(_cents(line[name]) for name in ("net_eur", "vat_eur", "amount_eur")))
            lines[line["code"]] = _plus(lines.get(line["code"]), money)
        charged[spell] = lines
        advances[spell] = _cents(entry["advance_eur"])
    return MonthTotals(Month.parse(statement["month"]), charged, advances)


def year(community: Community, months: Sequence[MonthTotals]) -> Year:
    """Add up the settled months of a calendar year.

    Parameters
    ----------
    community
        Floor areas, and the rules that divided the months.
    months
        Every month of the year, in any order; where the community began or ended within the year, those there are.

    Raises
    ------
    BadInput
        If there is no month, one is missing between others or there twice, or they are not of one year.
    CheckFailed
        If the year's cents are not those of its months.
    """
    settled = _of_one_year(months)
    spells = _spells(settled)
    lines: dict[Spell, dict[str, Money]] = {spell: {} for spell in spells}
    advances = dict.fromkeys(spells, 0)
    for one in settled:
        for part, charged in one.charged.items():
            spell = _whole(spells, part)
            advances[spell] += one.advances.get(part, 0)
            for code, money in charged.items():
                if code != _WEIGHED:
                    lines[spell][code] = _plus(lines[spell].get(code), money)
    checks = []
    for check, divided in _fixed_heat(community, settled, [spell for spell in spells if spell.flat]):
        checks.append(check)
        for spell, money in divided.items():
            lines[spell][_WEIGHED] = _plus(lines[spell].get(_WEIGHED), money)
    entries = tuple(YearEntry(spell, lines[spell], advances[spell]) for spell in spells)
    checks += _sums(settled, entries)
    broken = [check for check in checks if not check.holds]
    if broken:
        raise CheckFailed(
            f"The year {settled[0].month.year} was not settled: '{broken[0].name}' is off by {broken[0].difference}."
            " This is a fault of the program; please report it with the exports of its months."
        )
    return Year(settled[0].month.first_day, settled[-1].month.end_day, entries, tuple(checks))


def _of_one_year(months: Sequence[MonthTotals]) -> list[MonthTotals]:
    settled = sorted(months, key=lambda one: one.month)
    if not settled:
        raise BadInput("There is no settled month to make a year of; settle its months first.")
    for place, one in enumerate(settled):
        due = settled[0].month.shift(place)
        if one.month != due:
            what = "is there twice" if one.month < due else "is not settled"
            which = min(due, one.month)
            raise BadInput(f"The year cannot be settled: month {which} {what}.")
    if settled[0].month.year != settled[-1].month.year:
        raise BadInput(
            f"The months {settled[0].month} to {settled[-1].month} are of two years; a year is settled by itself."
        )
    return settled


def _spells(settled: Sequence[MonthTotals]) -> list[Spell]:
    """Join what the months cut: a party's days in a flat that follow each other are one spell."""
    parts = sorted(
        {spell for one in settled for spell in one.charged}, key=lambda s: (not s.flat, s.flat, s.party, s.start)
    )
    found: list[Spell] = []
    for part in parts:
        last = found[-1] if found else None
        own = not part.flat  # the owner's own entry is one for the year, though not every month has it
        if (
            last is not None
            and (last.party, last.flat) == (part.party, part.flat)
            and (own or last.until == part.start)
        ):
            found[-1] = Spell(part.party, part.flat, last.start, part.until)
        else:
            found.append(part)
    return sorted(found, key=lambda spell: (not spell.flat, spell.flat, spell.start))


def _whole(spells: Sequence[Spell], part: Spell) -> Spell:
    return next(
        spell
        for spell in spells
        if (spell.party, spell.flat) == (part.party, part.flat)
        and spell.start <= part.start
        and part.until <= spell.until
    )


class _Terms(NamedTuple):
    """What must be the same for months to share a pool."""

    fixed_by: str
    vat: Decimal
    include_vat: bool


def _terms(community: Community, month: Month) -> _Terms:
    rule = tariffs.valid_on(community.heat or (), month.first_day, "heat rule")
    tariff = tariffs.valid_on(community.tariffs, month.first_day, "tariff")
    rates = tariff.vat_percent
    vat = rates.electricity if rates.heat is None else rates.heat
    return _Terms(rule.fixed_by, vat, tariff.prices_include_vat)


def _fixed_heat(
    community: Community, settled: Sequence[MonthTotals], spells: Sequence[Spell]
) -> Iterator[tuple[Check, dict[Spell, Money]]]:
    """Divide the year's fixed part of heat by area (or equally) and degree days, a pool per stretch of months."""
    if community.heat is None:
        return
    areas = {flat.id: Fraction(flat.floor_area_m2 or 0) for flat in community.flats}
    for terms, group in groupby(settled, key=lambda one: _terms(community, one.month)):
        stretch = list(group)
        start, until = stretch[0].month.first_day, stretch[-1].month.end_day
        found = [charged[_WEIGHED] for one in stretch for charged in one.charged.values() if _WEIGHED in charged]
        pool = sum(money.amount if terms.include_vat else money.net for money in found)
        basis = {}
        for spell in spells:
            first, end = max(spell.start, start), min(spell.until, until)
            if first < end:
                each = areas[spell.flat] if terms.fixed_by == "floor_area" else Fraction(1)
                basis[spell] = each * weight(first, end)
        charge = Charge(_WEIGHED, basis, per_part(pool, basis), terms.vat)
        divided = charges.lines(charge, community.community, f"{start}/{until}", include_vat=terms.include_vat)
        off = sum(line.amount if terms.include_vat else line.net for line in divided.values()) - pool
        name = f"year: {_WEIGHED} from {start} until {until} = sum of the months"
        yield (
            Check(name, off == 0, decimal_text(off, 2)),
            {spell: Money(line.net, line.vat, line.amount) for spell, line in divided.items()},
        )


def _sums(settled: Sequence[MonthTotals], entries: Sequence[YearEntry]) -> Iterator[Check]:
    """Compare what was only added up, per line code, and the advances with the months."""
    codes = {code for one in settled for charged in one.charged.values() for code in charged} - {_WEIGHED}
    for code in sorted(codes):
        due = sum(c[code].amount for one in settled for c in one.charged.values() if code in c)
        off = sum(entry.lines[code].amount for entry in entries if code in entry.lines) - due
        yield Check(f"year: {code} = sum of the months", off == 0, decimal_text(off, 2))
    off = sum(entry.advance for entry in entries) - sum(sum(one.advances.values()) for one in settled)
    yield Check("year: advances = sum of the months", off == 0, decimal_text(off, 2))


def _cents(euros: str) -> int:
    return int(tariffs.cents(Decimal(euros)))


def _plus(first: Money | None, second: Money) -> Money:
    return second if first is None else Money(*(one + other for one, other in zip(first, second, strict=True)))
