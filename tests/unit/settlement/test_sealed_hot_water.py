"""Sealed months with hot water: the bundle's own program finds every line right, whatever was estimated."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from core.communityfile import build
from core.time import Month
from settlement.model import MeterReadings
from settlement.seal.verify import verify
from tests.support import heathouse as house
from tests.support.heathouse import utc
from tests.support.sealhouse import House, resealed, sealed_house

JANUARY = Month(2026, 1)
START, END = utc("2025-12-31 23:00"), utc("2026-01-31 23:00")
PROVED = {
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
