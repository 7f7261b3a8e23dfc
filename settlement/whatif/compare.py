"""A span of months under every rule: intervals are derived once a month, the sun divided once per key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import add

from core.community import Community
from core.errors import BadInput
from core.time import Month
from settlement import intervals, readings, selection, sun, tariffs
from settlement.model import Quality, Readings
from settlement.sun import Sun
from settlement.whatif.candidates import Candidate, Impossible, candidates
from settlement.whatif.fairness import gini, spread
from settlement.whatif.outcome import Outcome, Party, outcome


@dataclass(frozen=True)
class MonthKnown:
    """How much of a month is known: counts of intervals of flats, the common area and the sun together.

    ``silent`` names who has missing intervals: flats, ``common`` or ``sun``.
    """

    month: Month
    intervals: int
    missing: int
    estimated: int
    silent: tuple[str, ...]

    @property
    def counted(self) -> bool:
        """Whether the month tells anything at all; one without readings is left out of every sum."""
        return self.missing < self.intervals


@dataclass(frozen=True)
class Tried:
    """A rule and what it comes to over the whole span."""

    candidate: Candidate
    outcome: Outcome


@dataclass(frozen=True)
class Comparison:
    """Every rule side by side.

    ``today`` is what the file says; ``without`` the same months if there were no sun on the roof.
    """

    community: Community
    months: tuple[MonthKnown, ...]
    today: Outcome
    without: Outcome
    tried: tuple[Tried, ...]
    impossible: tuple[Impossible, ...]

    @property
    def priced(self) -> bool:
        """Whether every day has a grid price; without one nobody can say what sun is worth."""
        return all(share.grid is not None for share in self.today.parties.values())

    def gain(self, tried: Outcome, party: Party) -> int | None:
        """Tell how much less a party's electricity costs than under today's rule, in cents; negative is a loss."""
        return _less(self.today.parties[party].cost, tried.parties[party].cost)

    def benefit(self, tried: Outcome, party: Party) -> int | None:
        """Tell how much less a party's electricity costs than without a roof [cents]; None without grid prices."""
        return _less(self.without.parties[party].cost, tried.parties[party].cost)

    def gain_of_flat(self, tried: Outcome, flat: str) -> int | None:
        """Tell the same of a flat, whoever lived there [cents]."""
        return _less(self.today.flat(flat).cost, tried.flat(flat).cost)

    def benefits(self, tried: Outcome) -> dict[str, int] | None:
        """Tell how much less each flat's electricity costs than without a roof [cents]; None without grid prices."""
        found = {}
        for flat in self.community.flats:
            less = _less(self.without.flat(flat.id).cost, tried.flat(flat.id).cost)
            if less is None:
                return None
            found[flat.id] = less
        return found

    def benefits_per_kwh(self, tried: Outcome) -> dict[str, Fraction] | None:
        """Tell each flat's benefit per kWh it used [cents/kWh], of those that used any."""
        found = self.benefits(tried)
        if found is None:
            return None
        used = {flat: tried.flat(flat).consumed for flat in found}
        return {flat: Fraction(found[flat] * 10**6, used[flat]) for flat in found if used[flat]}

    def fairness(self, tried: Outcome) -> Mapping[str, Fraction | None]:
        """Spread and Gini coefficient of the benefit of flats, in all [cents] and per kWh used [cents/kWh]."""
        whole, each = self.benefits(tried), self.benefits_per_kwh(tried)
        return {
            "spread": None if whole is None else spread(list(whole.values())),
            "gini": None if whole is None else gini(list(whole.values())),
            "spread_per_kwh": None if each is None else spread(list(each.values())),
            "gini_per_kwh": None if each is None else gini(list(each.values())),
        }


def compare(community: Community, first: Month, last: Month, known: Readings) -> Comparison:
    """Replay a span of months under every rule that can be tried.

    Parameters
    ----------
    community
        As the file says it.
    first, last
        Both included.
    known
        Readings of the whole span.

    Raises
    ------
    BadInput
        If the span is backwards, a day has no price or rule, or no month of it has readings of electricity or sun.
    """
    if last < first:
        raise BadInput(f"--until {last} lies before --from {first}; give the earlier month first.")
    community = _electric(community)
    tried, impossible = candidates(community, first, last)
    months = []
    month = first
    while month <= last:
        months.append(_of_month(community, tried, month, known))
        month = month.shift(1)
    counted = [one for one in months if one[0].counted]
    if not counted:
        raise BadInput(
            f"There are no readings of electricity or sun from {first} to {last}; choose months the readings file has."
        )
    summed = [reduce(add, outcomes) for outcomes in zip(*(one[1] for one in counted), strict=True)]
    return Comparison(
        community,
        tuple(one[0] for one in months),
        summed[0],
        summed[1],
        tuple(Tried(candidate, result) for candidate, result in zip(tried, summed[2:], strict=True)),
        tuple(impossible),
    )


def _of_month(
    community: Community, tried: Sequence[Candidate], month: Month, known: Readings
) -> tuple[MonthKnown, list[Outcome]]:
    """Return one month under today's rule, without sun, and under every candidate, in this order."""
    selected = selection.used(community, month, known)
    bounds = readings.boundaries(community, month)
    size = len(bounds) - 1
    series, _ = intervals.of_all(community, selected, bounds)
    used, quality = sun.consumption(community, series, size)
    generated = sun.generation(community, series, size)
    spells = tariffs.spells(community, month)

    def divide(by: Community, offered: Sequence[int | None]) -> Sun:
        return sun.share(by, tariffs.stretches(by, month), bounds, offered, used, quality)

    def result(by: Community, divided: Sun) -> Outcome:
        return outcome(by, month, tariffs.stretches(by, month), spells, divided)

    # The surplus rule changes nothing about who is given what; only `unused_share` also tells what is left of whose.
    suns: dict[str, Sun] = {}
    for candidate in sorted(tried, key=lambda one: one.surplus != "unused_share"):
        if candidate.division not in suns:
            suns[candidate.division] = divide(candidate.community, generated)
    found = [result(community, divide(community, generated)), result(community, divide(community, [0] * size))]
    found += [result(candidate.community, suns[candidate.division]) for candidate in tried]
    return _known(month, used, quality, generated), found


def _known(
    month: Month,
    used: Mapping[str, Sequence[int | None]],
    quality: Mapping[str, Sequence[Quality]],
    generated: Sequence[int | None],
) -> MonthKnown:
    columns = {**used, "sun": generated}
    silent = {name: sum(value is None for value in column) for name, column in columns.items()}
    estimated = sum(grade in ("estimated", "edited") for column in quality.values() for grade in column)
    return MonthKnown(
        month,
        sum(len(column) for column in columns.values()),
        sum(silent.values()),
        estimated,
        tuple(name for name, count in silent.items() if count),
    )


def _electric(community: Community) -> Community:
    """Leave heat out: no rule about the sun changes it."""
    meters = tuple(community.meters_of("electricity", "solar_generation"))
    return community.model_copy(update={"meters": meters, "heat": None, "pellets": None})


def _less(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else before - after
