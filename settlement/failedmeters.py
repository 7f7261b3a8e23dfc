"""What a failed meter did not count: estimated by three methods in order, or everything by the fixed measure.

One rule for two kinds of meter, each by itself: heat, and hot water where that has a pool of its own. Either kind has
its own failures, its own 25 percent, and is compared with nothing but its own kind.

**Failed** is a meter of which more than 24 hours of a month's intervals together are still missing after its gaps
were bridged by the stated estimates (`settlement.readings`, `settlement.estimates`). What nobody can have read yet, in
a month that is not over, is not missing. Shorter misses stay as read, as all do under ``failed_meters: as_read``; a
statement's ``no-readings`` and ``missing-intervals`` name them and their flat either way.

Where the flats of failed meters have more than 25 percent of the floor area (exactly 25 is still allowed) the measured
part of that kind too is divided by its fixed measure, for everybody. Else the missing intervals of each spell are
estimated by the first of these that tells anything:

a) the same flat in a comparable period: its use of the same month last year, else of the month before, times what the
   working flats used during the missing intervals over what they used in that month. The flat must have been lived in
   throughout that month if it is now, or empty if it is now, and none of its intervals may be missing then;
b) comparable flats in the same period: floor area within 20 percent of its own, lived in or empty as it is. Their use
   per m2 during the missing intervals, which is per m2 and day, times its floor area;
c) all working flats of the building, likewise.

A working flat is one whose meters of the kind did not fail. Where it misses some of the intervals itself, less than
half of them, it is taken to have used its average there. What other meters of the same flat counted meanwhile is in
the estimate already. Measured intervals are never altered: an estimate is added to what was measured, per spell.

Amounts are those of the meters: mWh, millionths of allocator units, or millionths of a m3. Where a kind has meters in
m3 and in units of energy, what is compared is heat (`settlement.hotwater.worth`).

Source: HeizkostenV section 9a as the project's domain notes state it; that rule names the methods and the 25 percent,
the 24 hours, the 20 percent and the scaling are ours.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from functools import cached_property
from typing import Final, Literal

import numpy as np

from core.community import Community
from core.money import half_up
from core.time import Month
from core.units import decimal_text
from settlement import intervals, readings, tariffs
from settlement.amounts import Whole, total
from settlement.model import Finding, Readings, Series, Spell

MOST_MISSING: Final = timedelta(hours=24)
"""A meter that misses more than this in a month has failed."""
MOST_AREA: Final = Fraction(25, 100)
"""Above this part of the floor area nothing is estimated any more."""
ALIKE: Final = Fraction(20, 100)
"""Comparable flats differ by at most this part of a flat's own floor area."""

Kind = Literal["heat", "hot_water"]
"""What a meter of which estimates are made measures."""
Method = Literal["same_flat_last_year", "same_flat_last_month", "alike_flats", "building"]
_WORDS: Final[Mapping[Method, str]] = {
    "same_flat_last_year": "what the flat used in the same month last year, scaled by the other flats",
    "same_flat_last_month": "what the flat used in the month before, scaled by the other flats",
    "alike_flats": "flats of like floor area in the same time, per m2 and day",
    "building": "all flats with working meters in the same time, per m2 and day",
}
_NAMES: Final[Mapping[Kind, str]] = {"heat": "heat", "hot_water": "hot water"}


@dataclass(frozen=True)
class Failure:
    """A flat of which a meter failed: the meters, and the intervals of which its use is not known."""

    flat: str
    meters: tuple[str, ...]
    missing: tuple[int, ...]


@dataclass(frozen=True)
class Substitute:
    """What is added to what was measured for a spell [mWh, or millionths of a unit or m3], and how it was found."""

    amount: int
    method: Method


@dataclass(frozen=True)
class Failed:
    """The month's failed meters of a kind, and what becomes of them.

    ``area`` is their flats' part of the floor area; ``by_fixed`` when that is too much for estimates. Of the spells
    ``unknown`` intervals are missing, and nothing tells what they used.
    """

    failures: tuple[Failure, ...]
    area: Fraction
    substitutes: Mapping[Spell, Substitute]
    unknown: tuple[Spell, ...] = ()

    @property
    def by_fixed(self) -> bool:
        """Whether everything is divided by the fixed measure."""
        return self.area > MOST_AREA


Totals = Mapping[str, int | Fraction | None]
"""Use by flat in a whole month [mWh or millionths]; None where part of it is missing."""
Worth = Mapping[str, Fraction]
"""By meter, what its amounts are multiplied by to be compared; those of meters that are not named are as they are."""


def kinds(community: Community, month: Month) -> tuple[Kind, ...]:
    """Tell of which kinds of meter failures are estimated in a month; none where its rule does not say so."""
    started = [rule for rule in community.heat or () if rule.start <= month.first_day]
    rule = max(started, key=lambda rule: rule.start, default=None)
    if rule is None or rule.failed_meters != "estimate":
        return ()
    return ("heat",) if rule.hot_water is None else ("heat", "hot_water")


def references(community: Community, month: Month, known: Readings) -> tuple[tuple[Kind, Month], ...]:
    """Kinds of meter of which something is estimated in a month, each with the months it is compared with.

    Parameters
    ----------
    known
        Readings the month is settled from without any comparison.
    """
    found: list[tuple[Kind, Month]] = []
    for kind in kinds(community, month):
        bounds = readings.boundaries(community, month)
        series, _ = intervals.of_all(_only(community, kind), known, bounds)
        failures = failures_of(community, kind, series, bounds, readings.known_until(known, bounds))
        if failures and _area(community, failures) <= MOST_AREA:
            found += [(kind, month.shift(-12)), (kind, month.shift(-1))]
    return tuple(found)


def totals(community: Community, kind: Kind, month: Month, known: Readings, worth: Worth) -> Totals:
    """Use of every flat in a month to compare with, from its own readings alone; as of `estimate`."""
    series, _ = intervals.of_all(_only(community, kind), known, readings.boundaries(community, month))
    found: dict[str, int | Fraction | None] = {}
    for flat, meters in _meters(community, kind).items():
        whole = all(bool(series[meter].energy.known.all()) for meter in meters)
        found[flat] = sum(worth.get(meter, 1) * series[meter].known() for meter in meters) if whole else None
    return found


def failures_of(
    community: Community, kind: Kind, series: Mapping[str, Series], bounds: Sequence[int], until: int
) -> tuple[Failure, ...]:
    """Find the flats of which meters of a kind failed, in the order of their first meter.

    Parameters
    ----------
    bounds
        Of the month's intervals [microseconds].
    until
        What begins at or after this instant is not known yet; the month's end at the latest.
    """
    most = MOST_MISSING // timedelta(microseconds=1) // (bounds[1] - bounds[0])
    size = bisect_left(bounds, until)
    found = []
    for flat, meters in _meters(community, kind).items():
        missing = {meter: ~series[meter].energy.known[:size] for meter in meters}
        failed = tuple(meter for meter in meters if int(missing[meter].sum()) > most)
        if failed:
            anywhere = np.flatnonzero(np.logical_or.reduce(list(missing.values())))
            found.append(Failure(flat, failed, tuple(anywhere.tolist())))
    return tuple(found)


def estimate(
    community: Community,
    kind: Kind,
    month: Month,
    spells: Sequence[Spell],
    series: Mapping[str, Series],
    spans: Mapping[Spell, range],
    failures: tuple[Failure, ...],
    compared: Mapping[Month, Totals],
    worth: Worth,
) -> Failed:
    """Find a substitute for what failed meters of a kind did not count.

    Parameters
    ----------
    series
        By meter.
    spans
        Settlement intervals of each spell.
    failures
        `failures_of` the month.
    compared
        `totals` of the months of `references`; those that are not known may be left out.
    worth
        What meters of unlike units are compared by; substitutes are in that measure.
    """
    area = _area(community, failures)
    if area > MOST_AREA:
        return Failed(failures, area, {})
    failed = frozenset(failure.flat for failure in failures)
    building = _Building(community, kind, month, series, spans, compared, worth, failed)
    substitutes, unknown = {}, []
    for failure in failures:
        for spell in spells:
            missing = [index for index in failure.missing if index in spans[spell]]
            if spell.flat == failure.flat and missing:
                substitute = building.substitute(spell, missing)
                if substitute is not None:
                    substitutes[spell] = substitute
                else:
                    unknown.append(spell)
    return Failed(failures, area, substitutes, tuple(unknown))


@dataclass(frozen=True)
class _Building:
    """The working flats, and what they tell about the others; else as of `estimate`."""

    community: Community
    kind: Kind
    month: Month
    series: Mapping[str, Series]
    spans: Mapping[Spell, range]
    compared: Mapping[Month, Totals]
    worth: Worth
    failed: frozenset[str]

    @cached_property
    def _meters(self) -> dict[str, list[str]]:
        return _meters(self.community, self.kind)

    @cached_property
    def _working(self) -> list[str]:
        return [flat for flat in self._meters if flat not in self.failed]

    @cached_property
    def _areas(self) -> dict[str, Fraction]:
        return _areas(self.community)

    def substitute(self, spell: Spell, missing: Sequence[int]) -> Substitute | None:
        meanwhile = {flat: used for flat in self._working if (used := self._used(flat, missing)) is not None}
        counted = sum(worth * total(column) for worth, column in self._columns(spell.flat, missing))
        ways: tuple[tuple[Method, Fraction | None], ...] = (
            ("same_flat_last_year", self._as_in(self.month.shift(-12), spell, meanwhile)),
            ("same_flat_last_month", self._as_in(self.month.shift(-1), spell, meanwhile)),
            ("alike_flats", self._per_area(spell, self._alike(spell, meanwhile, missing))),
            ("building", self._per_area(spell, meanwhile)),
        )
        for method, exact in ways:
            if exact is not None:
                return Substitute(max(0, half_up(exact - counted)), method)
        return None

    def _used(self, flat: str, missing: Sequence[int]) -> Fraction | None:
        """Use of a flat in some intervals; at its average where it misses less than half of them itself."""
        columns = self._columns(flat, missing)
        known = np.logical_and.reduce([np.asarray(column >= 0, dtype=np.bool_) for _, column in columns])
        count = int(known.sum())
        if 2 * count <= len(missing):
            return None
        return Fraction(sum(worth * total(column[known]) for worth, column in columns) * len(missing), count)

    def _columns(self, flat: str, places: Sequence[int]) -> list[tuple[int | Fraction, Whole]]:
        """Amounts of each meter of a flat in some intervals, and what they are worth."""
        where = np.array(places, dtype=np.intp)
        return [(self.worth.get(meter, 1), self.series[meter].energy.array[where]) for meter in self._meters[flat]]

    def _as_in(self, before: Month, spell: Spell, meanwhile: Mapping[str, Fraction]) -> Fraction | None:
        totals = self.compared.get(before, {})
        own = totals.get(spell.flat)
        if own is None or not self._lived_in_as_then(spell, before):
            return None
        working = {flat: used for flat in meanwhile if (used := totals.get(flat)) is not None}
        then = sum(working.values())
        return Fraction(own) * sum((meanwhile[flat] for flat in working), Fraction(0)) / then if then else None

    def _lived_in_as_then(self, spell: Spell, before: Month) -> bool:
        then = [one.party for one in tariffs.spells(self.community, before) if one.flat == spell.flat]
        empty = self.community.owner
        return all((party == empty) == (spell.party == empty) for party in then)

    def _alike(self, spell: Spell, meanwhile: Mapping[str, Fraction], missing: Sequence[int]) -> dict[str, Fraction]:
        own, empty = self._areas[spell.flat], self.community.owner
        there = {
            flat: [
                one.party == empty
                for one in self.spans
                if one.flat == flat and any(index in self.spans[one] for index in missing)
            ]
            for flat in meanwhile
        }
        return {
            flat: used
            for flat, used in meanwhile.items()
            if abs(self._areas[flat] - own) <= ALIKE * own
            and all(vacant == (spell.party == empty) for vacant in there[flat])
        }

    def _per_area(self, spell: Spell, used: Mapping[str, Fraction]) -> Fraction | None:
        area = sum((self._areas[flat] for flat in used), Fraction(0))
        return self._areas[spell.flat] * sum(used.values(), Fraction(0)) / area if area else None


def findings(
    community: Community, kind: Kind, failed: Failed, spells: Sequence[Spell], besides: str = ""
) -> list[Finding]:
    """Say what was done about failed meters of a kind; never silently.

    Parameters
    ----------
    besides
        What else it does to the month's cost where the fixed measure divides everything: a sentence.
    """
    name, code = _NAMES[kind], _NAMES[kind].replace(" ", "-")
    flats = ", ".join(failure.flat for failure in failed.failures)
    if failed.by_fixed:
        percent = decimal_text(half_up(failed.area * 10_000), 2)
        text = (
            f"The {name} meters of {percent} % of the floor area failed (flats: {flats}), more than"
            f" {int(MOST_AREA * 100)} %: all {name} is divided by the fixed measure.{besides}"
        )
        return [Finding(f"{code}-by-fixed-measure", text)]
    unit = _unit(community, kind)
    found = []
    for failure in failed.failures:
        meters = ", ".join(failure.meters)
        own = [spell for spell in spells if spell.flat == failure.flat]
        known = any(spell in failed.substitutes for spell in own)
        for spell in own:
            substitute = failed.substitutes.get(spell)
            if known and spell in failed.unknown:
                text = (
                    f"Flat {failure.flat}: {name} meter {meters} failed, and nothing is known to estimate the days from"
                    f" {spell.start} until {spell.until} from."
                )
                found.append(Finding(f"{code}-not-estimated", text, failure.meters[0]))
            if substitute is not None:
                text = (
                    f"Flat {failure.flat}: {name} meter {meters} failed. From {spell.start} until {spell.until}"
                    f" {decimal_text(substitute.amount)} {unit} were estimated from {_WORDS[substitute.method]}."
                )
                found.append(Finding(f"{code}-estimated", text, failure.meters[0]))
        if not known:
            text = f"Flat {failure.flat}: {name} meter {meters} failed, and nothing is known to estimate it from."
            found.append(Finding(f"{code}-not-estimated", text, failure.meters[0]))
    return found


def _only(community: Community, kind: Kind) -> Community:
    return community.model_copy(update={"meters": community.meters_of(kind)})


def _unit(community: Community, kind: Kind) -> str:
    """Return the unit that estimates are told in; meters in m3 and in units of energy share one of heat."""
    units = {meter.unit for meter in community.meters_of(kind)}
    return "units" if units == {"units"} else "m³" if units == {"m3"} else "kWh"


def _meters(community: Community, kind: Kind) -> dict[str, list[str]]:
    """Meters of a kind by flat; flats without one are absent."""
    found: dict[str, list[str]] = {}
    for meter in community.meters_of(kind):
        found.setdefault(meter.flat or "", []).append(meter.id)
    return found


def _area(community: Community, failures: Sequence[Failure]) -> Fraction:
    """Part of the building's floor area that is affected."""
    failed = {failure.flat for failure in failures}
    areas = _areas(community)
    return sum((areas[flat] for flat in failed), Fraction(0)) / sum(areas.values())


def _areas(community: Community) -> dict[str, Fraction]:
    """Floor area of each flat [m2]."""
    return {flat.id: Fraction(flat.floor_area_m2 or 0) for flat in community.flats}
