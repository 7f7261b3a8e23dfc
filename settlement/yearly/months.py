"""What holds of a final month: its sealed statement plus every correction issued after it, and under which terms.

A year is made from sealed documents alone. So it says the same whenever it is made, until a correction is issued;
what only waits to be issued, or stands in today's community file, does not count.

- **Money.** A correction names a line by code, price, rate of VAT and window; one that puts a price right takes the old
  line back and adds a new one. Here lines are added up by code and rate, so both meet and what holds is left. Net, VAT
  and amount are each the final statement's plus the differences, whole cents; nothing is rounded again.
- **Advances** likewise; the owner's own entry too, whether it is there in the statement, came or went by a correction.
- **Days.** Who had a flat decides the year's fixed part of heat. A correction names only parties whose cents change, so
  a day can be given to somebody without being taken from somebody else who paid nothing for it. The newest document
  that gives a day to somebody decides; what a correction takes from a party and gives to nobody is the owner's.
- **Terms** (floor areas, measure, rate of VAT) are those that the newest document of the month was sealed with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any, Final, Literal, NamedTuple

from core.money import half_up
from core.time import Month, days_between
from core.units import decimal_text
from settlement import corrections as corrected
from settlement.corrections import Document, Party
from settlement.model import Check

FIXED_HEAT: Final = "heat_fixed"
"""Code of the line that a year divides again."""
_DAY: Final = timedelta(days=1)


class Item(NamedTuple):
    """What lines are added up by: code and rate of VAT as statements print it [percent, two decimals]."""

    code: str
    vat_percent: Decimal


class Money(NamedTuple):
    """Cents; ``amount`` = ``net`` + ``vat``."""

    net: int = 0
    vat: int = 0
    amount: int = 0

    def plus(self, other: Money) -> Money:
        """Add another."""
        return Money(*(one + two for one, two in zip(self, other, strict=True)))

    def minus(self, other: Money) -> Money:
        """Take another away."""
        return Money(*(one - two for one, two in zip(self, other, strict=True)))


class Span(NamedTuple):
    """Days in a row; ``until`` is the first that is not included."""

    start: date
    until: date


@dataclass(frozen=True)
class Terms:
    """By what the month's fixed part of heat was divided.

    Attributes
    ----------
    owner
        Who has the flats that nobody lives in.
    areas
        Of every flat [m2]; 0 where it is not known.
    fixed_by
        By floor area or equally; None where no heat is settled.
    vat_percent
        Rate of heat, with all its digits.
    include_vat
        Whether what is divided includes VAT.
    """

    owner: str
    areas: Mapping[str, Fraction]
    fixed_by: Literal["floor_area", "equal"] | None
    vat_percent: Decimal
    include_vat: bool

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> Terms:
        """Read them from the canonical line of rules that a document was sealed with (`settlement.changes.Inputs`)."""
        first = str(Month.parse(configuration["month"]).first_day)
        tariff = _in_force(configuration["tariffs"], first)
        rates = tariff["vat_percent"]
        return cls(
            configuration["owner"],
            {flat["id"]: Fraction(flat["floor_area_m2"] or 0) for flat in configuration["flats"]},
            _in_force(configuration["heat"], first)["fixed_by"] if configuration["heat"] else None,
            Decimal(rates["electricity"] if rates["heat"] is None else rates["heat"]),
            tariff["prices_include_vat"],
        )

    @property
    def item(self) -> Item:
        """The line of the fixed part of heat, its rate as statements print it."""
        return Item(FIXED_HEAT, Decimal(decimal_text(half_up(Fraction(self.vat_percent) * 100), 2)))

    @property
    def pooled(self) -> tuple[str | None, Decimal, bool]:
        """What must be the same for months to share a pool."""
        return self.fixed_by, self.vat_percent, self.include_vat

    def divided(self, money: Money) -> int:
        """Tell which of net and amount is divided, and so stays the same to the cent."""
        return money.amount if self.include_vat else money.net

    def measure(self, flat: str) -> Fraction:
        """By what a flat's degree days count: its area, or as much as every other's."""
        return self.areas[flat] if self.fixed_by == "floor_area" else Fraction(1)


@dataclass(frozen=True)
class MonthTotals:
    """What every party owes for a final month, its corrections included [cents].

    Attributes
    ----------
    charged
        By party, what its lines come to; items of nothing are left out.
    advances
        What it paid in advance.
    days
        Which days it had the flat; the owner's own entry has those of the month where it is there.
    corrected
        Parties that a correction of the month names.
    checks
        That sums and documents say the same.
    """

    community: str
    month: Month
    charged: Mapping[Party, Mapping[Item, Money]]
    advances: Mapping[Party, int]
    days: Mapping[Party, tuple[Span, ...]]
    terms: Terms
    corrected: frozenset[Party] = frozenset()
    checks: tuple[Check, ...] = ()


def month_totals(statement: Document, corrections: Sequence[Document], configuration: Mapping[str, Any]) -> MonthTotals:
    """Add up what holds of a final month.

    Parameters
    ----------
    statement
        Its ``statement.json`` as it was sealed.
    corrections
        Those issued after it, oldest first.
    configuration
        The canonical line of rules and events that the newest of these documents was sealed with.
    """
    month, terms = Month.parse(statement["month"]), Terms.of(configuration)
    standing = corrected.standing(statement, corrections)
    charged: dict[Party, dict[Item, Money]] = {}
    for party, account in standing.items():
        items: dict[Item, Money] = {}
        for line, amount in account.lines.items():
            item = Item(line.code, Decimal(line.vat_percent))
            items[item] = items.get(item, Money()).plus(Money(*amount.cents))
        charged[party] = {item: money for item, money in items.items() if any(money)}
    named = frozenset((entry["party"], entry["flat"] or "") for one in corrections for entry in one["statements"])
    return MonthTotals(
        statement["community"],
        month,
        charged,
        {party: account.advance for party, account in standing.items()},
        _days(month, terms, statement, corrections),
        terms,
        named,
        tuple(_told(month, corrections, standing)),
    )


def joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Put days that follow each other together; they come in order."""
    found: list[Span] = []
    for span in spans:
        if found and found[-1].until == span.start:
            found[-1] = Span(found[-1].start, span.until)
        else:
            found.append(span)
    return tuple(found)


def _days(
    month: Month, terms: Terms, statement: Document, corrections: Sequence[Document]
) -> dict[Party, tuple[Span, ...]]:
    """Tell who has which flat on which days, by the newest document that says so; no flat is without somebody."""
    holders: dict[tuple[str, date], str] = {}
    own: dict[Party, tuple[Span, ...]] = {}
    for entry in statement["statements"]:
        _give(holders, own, entry["party"], entry["flat"], [entry])
    for correction in corrections:
        changed = {(entry["party"], entry["flat"] or "") for entry in correction["statements"]}
        for (flat, day), party in list(holders.items()):
            if (party, flat) in changed:
                del holders[flat, day]
        for entry in correction["statements"]:
            _give(holders, own, entry["party"], entry["flat"], entry["days"]["recomputed"])
    spans: dict[Party, list[Span]] = {}
    for flat in terms.areas:
        held = [(holders.get((flat, day), terms.owner), day) for day in days_between(month.first_day, month.end_day)]
        for party, group in groupby(held, key=lambda one: one[0]):
            days = [day for _, day in group]
            spans.setdefault((party, flat), []).append(Span(days[0], days[-1] + _DAY))
    return {party: tuple(found) for party, found in spans.items()} | {name: days for name, days in own.items() if days}


def _give(
    holders: dict[tuple[str, date], str],
    own: dict[Party, tuple[Span, ...]],
    party: str,
    flat: str | None,
    written: Sequence[Mapping[str, str]],
) -> None:
    """Write down that a party has a flat on some days, whoever had it before."""
    spans = [Span(date.fromisoformat(one["from"]), date.fromisoformat(one["until"])) for one in written]
    if flat is None:
        own[party, ""] = tuple(spans)
        return
    for span in spans:
        for day in days_between(*span):
            holders[flat, day] = party


def _told(month: Month, corrections: Sequence[Document], standing: corrected.Standing) -> Iterator[Check]:
    """Compare the sums with the balances that the corrections themselves say hold."""
    told = {
        (entry["party"], entry["flat"] or ""): entry["balance_eur"]["recomputed"]
        for one in corrections
        for entry in one["statements"]
    }
    if told:
        off = sum(abs(standing[party].balance - int(Decimal(eur).scaleb(2))) for party, eur in told.items())
        yield Check(f"year: balances of {month} = those its corrections say hold", off == 0, decimal_text(off, 2))


def _in_force(entries: Sequence[Mapping[str, Any]], day: str) -> Mapping[str, Any]:
    """Return the entry of a dated list in force on a day; a month that was sealed had one."""
    return max((entry for entry in entries if entry["from"] <= day), key=lambda entry: str(entry["from"]))
