"""Prices and rules by date: every local day has exactly one of each, or the settlement says which day has none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Protocol, TypeVar

from core.community import Community, Household, Sharing, Tariff
from core.errors import BadInput
from core.time import Month, days_between
from settlement.model import Spell


class _Dated(Protocol):
    @property
    def start(self) -> date: ...


Entry = TypeVar("Entry", bound=_Dated)


def valid_on(entries: Sequence[Entry], day: date, what: str) -> Entry:
    """Return the entry in force on a day: the latest that starts on or before it.

    Raises
    ------
    BadInput
        If none does; the message names the day.
    """
    started = [entry for entry in entries if entry.start <= day]
    if not started:
        raise BadInput(f"There is no {what} for {day}; add one with 'from' on or before that day.")
    return max(started, key=lambda entry: entry.start)


def tariff_on(tariffs: Sequence[Tariff], day: date) -> Tariff:
    """Return the tariff in force on a day; that two are cannot be, `core.consistency` refuses it.

    Raises
    ------
    BadInput
        If none is: none has started, or the last one that did has ended; the message names the day.
    """
    tariff = valid_on(tariffs, day, "tariff")
    if tariff.until is not None and tariff.until <= day:
        raise BadInput(
            f"There is no tariff for {day}: the one from {tariff.start} ends on {tariff.until};"
            " add one with 'from' on or before that day."
        )
    return tariff


@dataclass(frozen=True)
class Stretch:
    """Days of a month with one tariff and one sharing rule; ``until`` is not included.

    ``netting`` tells whether surplus of these days is credited at the grid price as far as the grid was used.
    """

    start: date
    until: date
    tariff: Tariff
    sharing: Sharing
    netting: bool = False

    def days_of(self, spell: Spell) -> int:
        """Days a spell has in this stretch."""
        return max(0, (min(self.until, spell.until) - max(self.start, spell.start)).days)


def stretches(community: Community, month: Month) -> list[Stretch]:
    """Cut a month where a tariff or sharing rule changes, or netting ends."""
    return stretches_between(community, month.first_day, month.end_day)


def stretches_between(community: Community, start: date, end: date) -> list[Stretch]:
    """Cut a span of days, ``end`` not included, where a tariff or sharing rule changes, or netting ends.

    Raises
    ------
    BadInput
        If a day has no tariff or no sharing rule; the message names the day.
    """
    found: list[Stretch] = []
    for day in days_between(start, end):
        tariff = tariff_on(community.tariffs, day)
        sharing = valid_on(community.sharing, day, "sharing rule")
        netting = tariff.netting_until is not None and day < tariff.netting_until
        until = day + timedelta(days=1)
        last = found[-1] if found else None
        if last and last.tariff is tariff and last.sharing is sharing and last.netting == netting:
            found[-1] = Stretch(last.start, until, tariff, sharing, netting)
        else:
            found.append(Stretch(day, until, tariff, sharing, netting))
    return found


def spells(community: Community, month: Month) -> list[Spell]:
    """Who has which flat on which days of the month; every day of every flat is in exactly one spell.

    Days without a household are vacancy and belong to the owner. Sorted by flat, then by first day.
    """
    found = []
    living: defaultdict[str, list[Household]] = defaultdict(list)
    for household in community.households:
        living[household.flat].append(household)
    for flat in sorted(community.flats, key=lambda flat: flat.id):
        households = sorted(living[flat.id], key=lambda household: household.start)
        day = month.first_day
        for household in households:
            start = max(household.start, month.first_day)
            until = min(household.until or month.end_day, month.end_day)
            if until <= start:
                continue
            if start > day:
                found.append(Spell(community.owner, flat.id, day, start))
            found.append(Spell(household.id, flat.id, start, until))
            day = until
        if day < month.end_day:
            found.append(Spell(community.owner, flat.id, day, month.end_day))
    return found


def cents(euros: Decimal) -> Fraction:
    """Exact cents of a euro amount."""
    return Fraction(euros) * 100
