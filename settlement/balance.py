"""The balance of the building: from pellets and sun down to the flats, with what nobody can explain at every branch.

::

    building = fuel + sun + grid import
      fuel = kilograms burnt x kWh per kg
        boiler heat                     rest: what the boiler lost
          flats' heat                   rest: what was lost on the way
      electricity = sun + grid import
        flats, common, grid export      rest: unexplained
    sun = used by flats + used by the common area + surplus

Nothing here changes a measured value or stops a month: a rest that is too large is a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median
from typing import Any, Final, Literal, NamedTuple

from core.community import Community, Measures, Meter
from core.money import half_up
from core.units import MILLIONTHS, decimal_text
from settlement.hotwater import Warmed
from settlement.model import Finding, Series
from settlement.pellets import PelletMonth
from settlement.sun import COMMON, Sun

EFFICIENCY_RANGE: Final = (Fraction(70, 100), Fraction(1))
"""Implied boiler efficiency outside this range says that kilograms or heat are wrong."""
SMALLEST_BURN_KG: Final = 100
"""Below this a month's burn is too small to say anything about efficiency."""
LEAST_RECORDED: Final = Fraction(34, 100)
"""Recording rate below which pipe heat dominates (a figure reported for VDI 2077)."""
ABOVE_MAIN: Final = Fraction(3, 100)
"""Sub-meters may count so much more than the main meter: each of class A is right to 2 percent, both err apart."""
UNEXPLAINED: Final = Fraction(10, 100)
"""A larger part of the electricity that no meter saw is a tap before the meters, or a meter that is not read."""
EXPORT_OFF: Final = Fraction(10, 100)
"""The export meter and the surplus may differ by this part of the sun: within an interval both ways may be used."""
LOSS_OFF: Final = Fraction(10, 100)
"""A month's share of lost heat may be so far above the median of the months before."""
LEAST_HISTORY: Final = 3
"""Months before from which a usual loss can be told."""

Name = Literal[
    "building", "fuel", "boiler_heat", "flats_heat", "hot_water", "electricity", "flats", "common", "grid_export",
    "sun", "sun_flats", "sun_common", "surplus",
]  # fmt: skip


@dataclass(frozen=True)
class Node:
    """Energy at one place, and where it went [mWh]; None where it is not known, which is not zero."""

    name: Name
    amount: int | None
    children: tuple[Node, ...] = ()

    @property
    def rest(self) -> int | None:
        """What its branches do not explain: amount - sum of children; None if one is not known or there are none."""
        known = _sum([child.amount for child in self.children])
        return None if self.amount is None or known is None or not self.children else self.amount - known


@dataclass(frozen=True)
class Figures:
    """What the month's meters and counts say [mWh, kg]; None where there is no meter or nothing was read.

    ``has`` are the kinds of meter there are; ``complete`` when none of them has a missing interval. ``hot_water`` is
    known only where its cost is divided apart.
    """

    has: frozenset[str]
    complete: bool
    sun: int | None = None
    sun_flats: int | None = None
    sun_common: int | None = None
    surplus: int | None = None
    grid_import: int | None = None
    grid_export: int | None = None
    flats: int | None = None
    common: int | None = None
    boiler_heat: int | None = None
    flats_heat: int | None = None
    burnt_kg: Fraction | None = None
    kwh_per_kg: Fraction | None = None
    hot_water: int | None = None

    @property
    def fuel(self) -> int | None:
        """Energy of the pellets burnt [mWh], half-up."""
        if self.burnt_kg is None or self.kwh_per_kg is None:
            return None
        return half_up(self.burnt_kg * self.kwh_per_kg * MILLIONTHS)

    @property
    def loss(self) -> Fraction | None:
        """Share of the boiler's heat that reached no flat; None where it is not known or there was none."""
        if not self.boiler_heat or self.flats_heat is None:
            return None
        return 1 - Fraction(self.flats_heat + (self.hot_water or 0), self.boiler_heat)

    @property
    def recording_rate(self) -> Fraction | None:
        """Part of the boiler's heat that the flats' heat meters saw, hot water deducted first; None as `loss`.

        Below 0.34 pipe heat dominates; it is told and never corrected for.
        """
        if self.boiler_heat is None or self.flats_heat is None:
            return None
        supplied = self.boiler_heat - (self.hot_water or 0)
        return Fraction(self.flats_heat, supplied) if supplied > 0 else None


@dataclass(frozen=True)
class Balance:
    """The tree of the whole building, and how its sun was used."""

    building: Node
    sun: Node
    figures: Figures = field(repr=False)


class Row(NamedTuple):
    """A branch or (``<name>_rest``) a rest, so far down the tree [mWh]."""

    name: str
    depth: int
    amount: int | None


def kinds(community: Community) -> frozenset[str]:
    """Kinds of meter a community has; electricity is that of ``flats`` or of the ``common`` area."""
    return frozenset(_kind(meter) for meter in community.meters)


def of_month(
    community: Community,
    series: Mapping[str, Series],
    sun: Sun,
    fuel: PelletMonth | None,
    warmed: Warmed | None = None,
) -> Figures:
    """Gather the figures of a month that is being settled.

    Parameters
    ----------
    community
        Its meters and the pellets' heat content.
    series
        By meter.
    sun
        How it was shared.
    fuel
        The pellet account.
    warmed
        Its hot water, where that is divided apart.
    """

    def total(*measures: Measures, common: bool | None = None) -> int | None:
        meters = [one for one in community.meters_of(*measures) if common in (None, one.common)]
        return sum(series[one.id].known() for one in meters) if any(series[one.id].any for one in meters) else None

    in_units = any(meter.unit == "units" for meter in community.meters_of("heat"))  # which are no energy
    given = {name: values.total() for name, values in sun.shared.items()}
    generated = total("solar_generation")
    return Figures(
        has=kinds(community),
        complete=all("missing" not in one.quality for one in series.values()),
        sun=generated,
        sun_flats=None if generated is None else sum(given.values()) - given.get(COMMON, 0),
        sun_common=given.get(COMMON) if generated is not None else None,
        surplus=None if generated is None else sun.surplus.total(),
        grid_import=total("grid_import"),
        grid_export=total("grid_export"),
        flats=total("electricity", common=False),
        common=total("electricity", common=True),
        boiler_heat=total("heat_produced"),
        flats_heat=None if in_units else total("heat"),
        burnt_kg=fuel.burnt_kg if fuel else None,
        kwh_per_kg=Fraction(community.pellets.kwh_per_kg) if community.pellets else None,
        hot_water=half_up(warmed.total) if warmed else None,
    )


def of_statement(community: Community, statement: Mapping[str, Any], grid: Mapping[str, int | None]) -> Figures:
    """Gather the figures of a month from its ``statement.json``.

    Parameters
    ----------
    community
        Its meters and the pellets' heat content.
    statement
        As it was settled.
    grid
        What the main meter counted as ``grid_import`` and ``grid_export``, which no statement holds [mWh].
    """
    has = kinds(community)
    energy, fuel = statement["energy"], statement["pellets"]
    silent = {one["meter"] for one in statement["findings"] if one["code"] == "no-readings"}
    entries = [entry["electricity"] for entry in statement["statements"] if entry["electricity"]]

    def seen(kind: str, amount: int) -> int | None:
        """Nothing where no meter of the kind was read at all, or there is none: a zero would be a claim."""
        meters = [one.id for one in community.meters if _kind(one) == kind]
        return None if silent.issuperset(meters) else amount

    flats, shared = (sum(_millionths(entry[name]) for entry in entries) for name in ("consumed_kwh", "shared_kwh"))
    return Figures(
        has=has,
        complete=not any(one["code"] in ("no-readings", "missing-intervals") for one in statement["findings"]),
        sun=seen("solar_generation", _millionths(energy["solar_kwh"])),
        sun_flats=seen("solar_generation", shared),
        sun_common=seen("solar_generation", _millionths(energy["shared_kwh"]) - shared) if COMMON in has else None,
        surplus=seen("solar_generation", _millionths(energy["surplus_kwh"])),
        grid_import=grid.get("grid_import"),
        grid_export=grid.get("grid_export"),
        flats=seen("flats", flats),
        common=seen(COMMON, _millionths(energy["consumed_kwh"]) - flats),
        boiler_heat=None
        if energy["heat_produced_kwh"] is None
        else seen("heat_produced", _millionths(energy["heat_produced_kwh"])),
        flats_heat=None
        if energy["heat_measured_kwh"] is None
        else seen("heat", _millionths(energy["heat_measured_kwh"])),
        burnt_kg=Fraction(fuel["burnt_kg"]) if fuel else None,
        kwh_per_kg=Fraction(community.pellets.kwh_per_kg) if community.pellets else None,
        hot_water=_millionths(energy["hot_water_kwh"]) if "hot_water_kwh" in energy else None,
    )


def balance(figures: Figures) -> Balance:
    """Grow the trees.

    A branch without a meter is left out; one whose meter was not read is there and not known. Without a main meter
    nobody knows what came in, so the electricity has no amount and no rest.
    """
    warm = [Node("flats_heat", figures.flats_heat)]
    if figures.hot_water is not None:
        warm.append(Node("hot_water", figures.hot_water))
    boiler = Node("boiler_heat", figures.boiler_heat, tuple(warm))
    fuel = Node("fuel", figures.fuel, (boiler,))
    used = [Node("flats", figures.flats)]
    if COMMON in figures.has:
        used.append(Node("common", figures.common))
    if figures.has & {"grid_export", "solar_generation"}:
        used.append(Node("grid_export", figures.grid_export))
    sources = [figures.grid_import, *([figures.sun] if "solar_generation" in figures.has else [])]
    electricity = Node("electricity", _sum(sources), tuple(used))
    branches = (*([fuel] if figures.has & {"heat_produced", "heat"} or figures.fuel is not None else []), electricity)
    own = [Node("sun_flats", figures.sun_flats)]
    if COMMON in figures.has:
        own.append(Node("sun_common", figures.sun_common))
    sun = Node("sun", figures.sun, (*own, Node("surplus", figures.surplus)))
    return Balance(Node("building", _sum([one.amount for one in branches]), branches), sun, figures)


def rows_of(whole: Balance) -> list[Row]:
    """Write the trees as rows of a table, each with its rest behind its branches; the sun's is always nothing."""
    return [row for tree in (*whole.building.children, whole.sun) for row in _rows(tree, 0)]


def findings(figures: Figures, fuel: PelletMonth | None) -> list[Finding]:
    """Tell where a month's branches do not fit together.

    Parameters
    ----------
    figures
        Of the month.
    fuel
        The pellet account; an estimated stock says nothing about the boiler.
    """
    return [*_electricity(figures), *_heat(figures), *_fuel(figures, fuel)]


def unusual_loss(figures: Figures, before: Sequence[Fraction]) -> list[Finding]:
    """Hold a month's share of lost heat against that of the months before it."""
    if figures.loss is None or not figures.complete or len(before) < LEAST_HISTORY:
        return []
    usual = median(before)
    if figures.loss <= usual + LOSS_OFF:
        return []
    text = (
        f"Of the boiler's heat {round(100 * figures.loss)} % reached no home; in the months before it was"
        f" {round(100 * usual)} %. Look for a leak, an open valve or a heat meter that is not read."
    )
    return [Finding("heat-loss-unusual", text)]


def document(tree: Node) -> dict[str, Any]:
    """Write a tree for a machine: kWh with six decimals, null where nothing is known."""
    found: dict[str, Any] = {"name": tree.name, "kwh": _text(tree.amount)}
    if tree.children:
        found |= {"children": [document(child) for child in tree.children], "rest_kwh": _text(tree.rest)}
    return found


def _rows(tree: Node, depth: int) -> Iterator[Row]:
    yield Row(tree.name, depth, tree.amount)
    for child in tree.children:
        yield from _rows(child, depth + 1)
    if tree.children and tree.name != "sun":
        yield Row(f"{tree.name}_rest", depth + 1, tree.rest)


def _electricity(figures: Figures) -> Iterator[Finding]:
    tree = balance(figures).building.children[-1]
    if not figures.complete:
        return
    if tree.rest is not None and tree.amount is not None and tree.rest < -ABOVE_MAIN * tree.amount:
        yield Finding(
            "submeters-above-main",
            f"The meters in the building counted {decimal_text(-tree.rest)} kWh more than came in by the main meter"
            " and from the roof; one of them is wrong, or the main meter is.",
        )
    elif COMMON in figures.has and tree.rest is not None and tree.amount and tree.rest > UNEXPLAINED * tree.amount:
        yield Finding(
            "electricity-unexplained",
            f"{decimal_text(tree.rest)} kWh of electricity came in and no meter saw where it went; a meter is missing,"
            " or one of them is wrong.",
        )
    if figures.sun and figures.grid_export is not None and figures.surplus is not None:
        off = figures.grid_export - figures.surplus
        if abs(off) > EXPORT_OFF * figures.sun:
            yield Finding(
                "export-differs",
                f"The main meter sent {decimal_text(figures.grid_export)} kWh to the grid, and"
                f" {decimal_text(figures.surplus)} kWh of sun was left over; one of the meters is wrong.",
            )


def _heat(figures: Figures) -> Iterator[Finding]:
    produced, measured = figures.boiler_heat, figures.flats_heat
    if produced is None or measured is None:
        return
    produced -= figures.hot_water or 0
    if produced < 0:  # hot water alone took more, which a finding of its own says
        return
    if measured > produced:
        yield Finding(
            "heat-lost-negative",
            f"The flats' heat meters counted {decimal_text(measured - produced)} kWh more than the boiler gave;"
            " one of the heat meters is wrong or was not read.",
        )
    elif figures.recording_rate is not None and figures.recording_rate < LEAST_RECORDED:
        yield Finding(
            "heat-recording-low",
            f"The flats' heat meters saw only {100 * measured // produced} % of the boiler's heat;"
            " much heat is lost on the way, or meters were not read.",
        )


def _fuel(figures: Figures, fuel: PelletMonth | None) -> Iterator[Finding]:
    if fuel is None:
        return
    if fuel.estimated:
        yield Finding("pellets-estimated", "The closing pellet stock is estimated from the heat; count the stock.")
    elif fuel.burnt_kg >= SMALLEST_BURN_KG and figures.boiler_heat and figures.kwh_per_kg:
        implied = Fraction(figures.boiler_heat, MILLIONTHS) / (fuel.burnt_kg * figures.kwh_per_kg)
        low, high = EFFICIENCY_RANGE
        if not low <= implied <= high:
            yield Finding(
                "efficiency-implausible",
                f"The boiler would have worked at {round(100 * implied)} %, which it cannot;"
                " check the stock counts, the deliveries and the boiler's heat meter.",
            )


def _kind(meter: Meter) -> str:
    return (COMMON if meter.common else "flats") if meter.measures == "electricity" else meter.measures


def _sum(parts: Sequence[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _millionths(amount: str) -> int:
    return int(Fraction(amount) * MILLIONTHS)


def _text(amount: int | None) -> str | None:
    return None if amount is None else decimal_text(amount)
