"""The yearly statement: final months added up, the fixed part of heat weighed by degree days, the advances.

Within a month the fixed part of heat is divided by days. Over a year that would let who lived in a flat from June to
August pay for as much standing heat as who lived there from December to February. So the year's fixed part is one pool
again: what the months charged for it together, corrections included, divided by floor area (or equally) times the
degree days of the days each party had the flat (`settlement.degreedays`). Whoever had a flat all year pays a year's
worth of it, vacant days are the owner's. Every other line is what the months said; the fixed part of hot water stays
by days. How a correction divided the fixed part within its month does not matter any more, only what it made of the
pool, and of the days.

Where the measure, the rate of VAT, or whether prices include it changes within the year, each stretch of months with
the same is a pool of its own: a change never reaches back. Where a flat's area changes, each month counts its own.

A party is a household (or the owner) and a flat, as in corrections: the owner's empty spells of a flat are one account.

Conservation, checked on every run: per code and rate of VAT, the parties' net, VAT and amount of the year = those of
the months; advances likewise. Of the fixed part of heat it is what is divided that stays the same to the cent, amounts
where prices include VAT and nets where they do not; the rest of the three follows it party by party, rounded as on any
line. Source: HeizkostenV section 9b and the twelve-month statement of service costs as the project's domain notes
state them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import groupby
from typing import Final

from core.errors import BadInput, CheckFailed
from core.time import Month
from core.units import decimal_text
from settlement import charges
from settlement.charges import Charge, per_part
from settlement.corrections import Party
from settlement.degreedays import weight
from settlement.model import Check, Spell
from settlement.yearly.months import FIXED_HEAT, Item, Money, MonthTotals, Span, joined

Items = Mapping[Item, Money]
_NOTHING: Final = Money()
_ORDER: Final = (
    "solar", "feed_in", "netting", "common", "fixed", "heat_measured", FIXED_HEAT, "hot_water_measured",
    "hot_water_fixed", "work",
)  # fmt: skip
"""Codes in the order of a statement's lines; others come after them."""


@dataclass(frozen=True)
class YearEntry:
    """A party's year in a flat: what every line came to, and what was paid in advance [cents].

    Attributes
    ----------
    party, flat
        Household or owner; the owner's own entry has an empty flat.
    days
        On which it had the flat.
    months
        What its months came to, corrections included.
    lines
        What the year comes to.
    advance
        What was paid beforehand.
    corrected
        Months of which a correction names it.
    """

    party: str
    flat: str
    days: tuple[Span, ...]
    months: Items
    lines: Items
    advance: int
    corrected: tuple[Month, ...]

    @property
    def total(self) -> int:
        """What the party pays for the year."""
        return _sum(self.lines).amount

    @property
    def balance(self) -> int:
        """Total - advance: what is still to be paid for the year; below zero it is given back."""
        return self.total - self.advance

    @property
    def months_balance(self) -> int:
        """What the months' statements and their corrections asked for together."""
        return _sum(self.months).amount - self.advance

    @property
    def difference(self) -> int:
        """Balance of the year - that of the months: what is left for who has settled every month."""
        return self.balance - self.months_balance

    def by_code(self) -> dict[str, Money]:
        """Lines of the year by code alone, over all rates of VAT."""
        found: dict[str, Money] = {}
        for item, money in self.lines.items():
            found[item.code] = found.get(item.code, _NOTHING).plus(money)
        return found


@dataclass(frozen=True)
class Year:
    """The yearly statement; entries are sorted by flat, then first day, the owner's own last."""

    community: str
    start: date
    until: date
    entries: tuple[YearEntry, ...]
    checks: tuple[Check, ...]


def year(months: Sequence[MonthTotals]) -> Year:
    """Add up the final months of a calendar year.

    Parameters
    ----------
    months
        Every month of the year, in any order; where the community began or ended within the year, those there are.

    Raises
    ------
    BadInput
        If there is no month, one is missing between others or there twice, or they are not of one year.
    CheckFailed
        If the year's cents are not those of its months.
    """
    final = _of_one_year(months)
    added: dict[Party, dict[Item, Money]] = {}
    for party, item, money in _lines(final):
        items = added.setdefault(party, {})
        items[item] = items.get(item, _NOTHING).plus(money)
    days = {party: _days(final, party) for party in _parties(final)}
    lines = {
        party: {item: money for item, money in added.get(party, {}).items() if item.code != FIXED_HEAT}
        for party in days
    }
    checks = [check for one in final for check in one.checks]
    for check, item, divided in _fixed_heat(final, days):
        checks.append(check)
        for party, money in divided.items():
            lines[party][item] = lines[party].get(item, _NOTHING).plus(money)
    entries = tuple(
        YearEntry(
            *party,
            days[party],
            stated(added.get(party, {})),
            stated(lines[party]),
            sum(one.advances.get(party, 0) for one in final),
            tuple(one.month for one in final if party in one.corrected),
        )
        for party in sorted(days, key=lambda party: (not party[1], party[1], days[party], party))
    )
    entries = tuple(entry for entry in entries if entry.days or entry.lines or entry.months or entry.advance)
    checks += _sums(final, entries)
    broken = [check for check in checks if not check.holds]
    if broken:
        raise CheckFailed(
            f"The year {final[0].month.year} was not settled: '{broken[0].name}' is off by {broken[0].difference}."
            " This is a fault of the program; please report it with the exports of its months."
        )
    return Year(final[0].community, final[0].month.first_day, final[-1].month.end_day, entries, tuple(checks))


def _of_one_year(months: Sequence[MonthTotals]) -> list[MonthTotals]:
    final = sorted(months, key=lambda one: one.month)
    if not final:
        raise BadInput("There is no final month to make a year of; make its months final first.")
    for place, one in enumerate(final):
        due = final[0].month.shift(place)
        if one.month != due:
            which = min(due, one.month)
            what = "is not final" if which == due else "is there twice"
            raise BadInput(f"The year cannot be settled: month {which} {what}.")
    if final[0].month.year != final[-1].month.year:
        raise BadInput(
            f"The months {final[0].month} to {final[-1].month} are of two years; a year is settled by itself."
        )
    return final


def _parties(final: Sequence[MonthTotals]) -> list[Party]:
    return list(dict.fromkeys(party for one in final for party in (*one.charged, *one.advances, *one.days)))


def _days(final: Sequence[MonthTotals], party: Party) -> tuple[Span, ...]:
    return joined([span for one in final for span in one.days.get(party, ())])


def _lines(final: Sequence[MonthTotals]) -> Iterator[tuple[Party, Item, Money]]:
    for one in final:
        for party, items in one.charged.items():
            for item, money in items.items():
                yield party, item, money


def stated(items: Items) -> dict[Item, Money]:
    """Leave out lines of nothing, such as of a rate that a correction took back; in the order of a statement."""
    return {item: items[item] for item in sorted(items, key=_place) if any(items[item])}


def _place(item: Item) -> tuple[int, Item]:
    return _ORDER.index(item.code) if item.code in _ORDER else len(_ORDER), item


def _fixed_heat(
    final: Sequence[MonthTotals], days: Mapping[Party, tuple[Span, ...]]
) -> Iterator[tuple[Check, Item, dict[Party, Money]]]:
    """Divide the year's fixed part of heat by area (or equally) and degree days, a pool per stretch of months."""
    for _, group in groupby(final, key=lambda one: one.terms.pooled):
        stretch = list(group)
        terms = stretch[0].terms
        start, until = stretch[0].month.first_day, stretch[-1].month.end_day
        item = terms.item
        fixed = [(one, terms.divided(money)) for _, one, money in _lines(stretch) if one.code == FIXED_HEAT]
        if terms.fixed_by is None and not fixed:
            continue
        pool = sum(cents for one, cents in fixed if one == item)
        # A lot between equal remainders is drawn by the party's name and its first day of the year.
        spells = {
            Spell(*party, spans[0].start, spans[-1].until): party
            for party, spans in days.items()
            if party[1] and spans and terms.fixed_by is not None
        }
        basis = {spell: _warmth(stretch, party) for spell, party in spells.items()}
        charge = Charge(FIXED_HEAT, basis, per_part(pool, basis), terms.vat_percent)
        divided = charges.lines(charge, stretch[0].community, f"{start}/{until}", include_vat=terms.include_vat)
        found = {spells[spell]: Money(line.net, line.vat, line.amount) for spell, line in divided.items()}
        off = sum(map(terms.divided, found.values())) - sum(cents for _, cents in fixed)
        name = f"year: {FIXED_HEAT} from {start} until {until} = sum of the months"
        yield Check(name, off == 0, decimal_text(off, 2)), item, found


def _warmth(stretch: Sequence[MonthTotals], party: Party) -> Fraction:
    """Sum up what a party's days in a flat weigh: degree days times area, or degree days alone."""
    parts = [one.terms.measure(party[1]) * weight(*span) for one in stretch for span in one.days.get(party, ())]
    return sum(parts, Fraction(0))


def _sums(final: Sequence[MonthTotals], entries: Sequence[YearEntry]) -> Iterator[Check]:
    """Compare what was only added up, per code and rate, what is shown of the months, and the advances."""
    due = whole(items for one in final for items in one.charged.values())
    months, lines = whole(entry.months for entry in entries), whole(entry.lines for entry in entries)
    for item, money in due.items():
        again = item.code == FIXED_HEAT
        shown = [months] if again else [months, lines]
        off = sum(sum(map(abs, money.minus(one.get(item, _NOTHING)))) for one in shown)
        what = "as the months charged it" if again else "= sum of the months"
        yield Check(f"year: {item.code} at {item.vat_percent} % {what}", off == 0, decimal_text(off, 2))
    off = sum(entry.advance for entry in entries) - sum(sum(one.advances.values()) for one in final)
    yield Check("year: advances = sum of the months", off == 0, decimal_text(off, 2))


def whole(parts: Iterable[Items]) -> dict[Item, Money]:
    """Add up lines of all parties, by code and rate."""
    found: dict[Item, Money] = {}
    for items in parts:
        for item, money in items.items():
            found[item] = found.get(item, _NOTHING).plus(money)
    return found


def _sum(items: Items) -> Money:
    found = _NOTHING
    for money in items.values():
        found = found.plus(money)
    return found
