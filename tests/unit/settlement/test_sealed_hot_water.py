"""Sealed months with hot water: the bundle's own program finds every line right, whatever was estimated."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from core.communityfile import build
from core.time import Month
from settlement import statement
from settlement.model import MeterReadings
from settlement.seal.bundle import COMMON, SUN, resident_bundle
from settlement.seal.commitments import canonical
from settlement.seal.verify import verify
from tests.support import heathouse as house
from tests.support.heathouse import utc
from tests.support.sealhouse import House, flipped, leaves_of, resealed, sealed_house

JANUARY = Month(2026, 1)
START, END = utc("2025-12-31 23:00"), utc("2026-01-31 23:00")
COUNTED = "Hot water of all entries is that of the building."
PROVED = {
    COUNTED,
    "Every amount is its basis x factor, rounded once for the building and spread by the rule.",
    "Quantities on lines are those they are charged by.",
    "Postings sum to zero and agree with the statements.",
}


def sealed(*, area: str = "50", warm: str = "60", mixed: bool = False) -> House:
    """January; flat A's hot water meter failed, and flat B's began with a millionth of a m3."""
    areas = {"A": area, "B": "50", "C": "50", "D": "50"}
    rule = {"measured_percent": "60", "warm_celsius": warm}
    tree = house.with_water(house.tree(areas, failed_meters="estimate", hot_water=rule))
    if mixed:
        next(meter for meter in tree["meters"] if meter["id"] == "hot-D")["unit"] = "kWh"
    known = house.quantities(areas, lambda flat, hour: 1000, START, END)
    known |= house.quantities([*"BCD"], lambda flat, hour: 10, START, END, "hot")
    first = known["hot-B"]
    known["hot-B"] = MeterReadings("interval", first.times, (Decimal("0.000001"), *first.values[1:]))
    return sealed_house(build(tree, "the case"), JANUARY, known)


@pytest.mark.parametrize(("area", "method"), [("50", "alike_flats"), ("51", "fixed_measure")])
def test_estimates_of_hot_water_are_proved_to_the_cent_as_those_of_heat_are(area: str, method: str) -> None:
    made = sealed(area=area)
    assert made.statement["statements"][0]["heat"]["hot_water"]["estimated_by"] == method
    report = verify(made.sealed.bundle)
    assert report.wrong == []
    assert set(report.proved) >= PROVED
    told = [text for text in report.unchecked if "does not know its rule" in text]
    assert told  # and what an estimate comes from it says it has not checked


def test_hot_water_from_m3_beside_kwh_is_right_though_it_is_a_fraction_of_a_milliwatt_hour() -> None:
    made = sealed(warm="57.5", mixed=True)
    basis = next(charge.basis for charge in made.settled.charges if charge.code == "hot_water_measured")
    assert any((part * 10**6).denominator == 4 for part in basis.values())
    report = verify(made.sealed.bundle)
    assert report.wrong == []
    assert set(report.proved) >= PROVED


@pytest.mark.parametrize(("name", "value"), [("quantity", "7.430002"), ("unit", "kg")])
def test_another_quantity_or_unit_of_hot_water_is_found(name: str, value: str) -> None:
    files = sealed().sealed.files
    document = json.loads(files["statement.json"])
    line = next(one for one in document["statements"][1]["lines"] if one["code"] == "hot_water_measured")
    assert (line["quantity"], line["unit"]) == ("7.430001", "m³")
    line[name] = value
    report = verify(resealed(files, {"statement.json": json.dumps(document).encode()}))
    assert [text for text in report.wrong if "Quantities on lines" in text]


# What no estimate is in is proved as far as the meters.

FOLLOWS = {
    "The cost of heat is the pellets burnt and the invoices, parted by the rule.",
    "Lines for heat follow from its cost, heat meters, areas and days.",
}


def counted(
    unit: str = "m3", mixed: bool = False, heat: str = "kWh", boiler: int | None = None, by: str = "floor_area"
) -> House:
    """January, every meter read; 10 litres of hot water an hour, or Wh, and 1 kWh of heat, in each of four flats.

    Nobody lives in flat D from the 11th on, and flat C has no hot water meter.
    """
    areas = {"A": "50", "B": "60", "C": "70", "D": "80"}
    rule = {"measured_percent": "60", "warm_celsius": "57.5", "fixed_by": by}
    tree = house.with_water(house.tree(areas, unit=heat, cost="1234.57", hot_water=rule), unit)
    tree["meters"] = [meter for meter in tree["meters"] if meter["id"] != "hot-C"]
    tree["households"][3]["until"] = "2026-01-11"
    if mixed:
        tree["meters"].append({"id": "hot-A2", "measures": "hot_water", "flat": "A", "unit": "kWh"})
    known = house.quantities(areas, lambda flat, hour: 1000, START, END)
    known |= house.quantities([*"AB", "D"], lambda flat, hour: 7 + ord(flat) % 5, START, END, "hot")
    if mixed:
        known |= {"hot-A2": house.quantities("A", lambda flat, hour: 333, START, END)["heat-A"]}
    if boiler is not None:
        tree["meters"].append({"id": "heat-boiler", "measures": "heat_produced", "unit": "kWh"})
        known |= house.quantities(["boiler"], lambda flat, hour: boiler, START, END)
    return sealed_house(build(tree, "the case"), JANUARY, known)


CASES: list[dict[str, Any]] = [
    {},
    {"unit": "kWh"},
    {"mixed": True},
    {"boiler": 9_000},
    {"boiler": 1_000},  # hot water alone would have taken more
    {"boiler": 0},
    {"heat": "units", "boiler": 9_000},
    {"heat": "units", "boiler": 0},  # nobody knows the heat supplied
    {"by": "equal", "mixed": True, "boiler": 9_000},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_how_hot_water_is_parted_and_divided_is_proved_as_far_as_the_meters(case: dict[str, Any]) -> None:
    sealed = counted(**case).sealed
    report = verify(sealed.bundle, seal_sha256=sealed.sha256, openings=list(sealed.openings.values()))
    assert report.wrong == []
    assert set(report.proved) >= PROVED | FOLLOWS
    assert report.unchecked == []
    for label in set(sealed.openings) - {SUN, COMMON}:
        own = verify(resident_bundle(sealed.bundle, label, sealed.openings))
        assert own.wrong == []
        assert "Your intervals are what was sealed, and come to your totals." in own.proved


@pytest.mark.parametrize("case", [{}, {"mixed": True, "boiler": 9_000}], ids=str)
def test_no_figure_of_hot_water_can_be_another(case: dict[str, Any]) -> None:
    files = counted(**case).sealed.files
    tried = 0
    for name in ("statement.json", "totals.json", "community.json", "charges.json"):
        tree = json.loads(files[name])
        for at, value in leaves_of(tree):
            charge = name == "charges.json" and "hot_water" in tree[at[0]]["code"] and at[1] != "origin"
            if not charge and "hot_water" not in at and "hot_water_kwh" not in at:
                continue
            if value is None and at[-1] in ("m3", "mwh"):
                continue  # that a flat has a meter which counted nothing, nothing follows from; its opening tells
            changed = flipped(tree, at)
            forged = statement.dump(changed) if name == "statement.json" else canonical(changed)
            report = verify(resealed(files, {name: forged}))
            assert report.wrong, (name, at)
            tried += 1
    assert tried > 40


def test_hot_water_that_was_not_counted_is_found_by_whoever_opens_it() -> None:
    """Whoever seals may make all figures fit; the intervals do not."""
    made = counted()
    label = next(one for one in made.sealed.openings if one.startswith("h-A|"))
    files = made.sealed.files
    totals = json.loads(files["totals.json"])
    totals["entries"][label]["hot_water"]["m3"] += 1
    bundle = resealed(files, {"totals.json": canonical(totals)})
    report = verify(bundle, openings=[made.sealed.openings[label]])
    assert [text for text in report.wrong if "Hot water comes to another sum." in text]
    opened = json.loads(made.sealed.openings[label])
    opened["content"]["hot_water"]["m3"][5] += 1
    told = verify(made.sealed.bundle, openings=[canonical(opened)]).wrong
    assert [text for text in told if "It is not what was sealed." in text]


def test_a_bundle_that_does_not_say_what_was_counted_is_not_called_wrong() -> None:
    made = counted()
    files = dict(made.sealed.files)
    totals = json.loads(files["totals.json"])
    for entry in totals["entries"].values():
        del entry["hot_water"]
    report = verify(resealed(files, {"totals.json": canonical(totals)}))
    assert report.wrong == []
    assert sum("is not in this bundle" in text for text in report.unchecked) == 3
    assert not set(report.proved) & (FOLLOWS | {COUNTED})
