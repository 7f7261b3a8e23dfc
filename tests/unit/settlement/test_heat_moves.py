"""Moves within a month: each household pays the heat of its own days, by the register of the moving day; none twice."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from core.communityfile import build
from core.time import Month, microseconds
from settlement.model import MeterReadings
from tests.support import heathouse as house
from tests.support.heathouse import HOUR, Tree, amounts, settled, utc

JANUARY = Month(2026, 1)
START, END = utc("2025-12-31 23:00"), utc("2026-01-31 23:00")
AREAS = {"A": "50", "B": "70"}


def registers(flats: dict[str, str]) -> dict[str, MeterReadings]:
    """Heat meters read every hour; what they count changes with the day of the month."""
    known = {}
    for place, flat in enumerate(flats):
        times, values, count = [], [], 5000 + place
        for hour in house.hours(START - HOUR, END + 2 * HOUR):
            times.append(microseconds(hour))
            values.append(Decimal(count))
            count += hour.day * (place + 1)
        known[f"heat-{flat}"] = MeterReadings("register", tuple(times), tuple(values))
    return known


def counted(known: dict[str, MeterReadings], flat: str, start: str, end: str) -> Decimal:
    """Register difference between two instants in UTC [kWh]."""
    meter = known[f"heat-{flat}"]
    at = [meter.values[meter.times.index(microseconds(utc(instant)))] for instant in (start, end)]
    return at[1] - at[0]


@pytest.fixture
def moved() -> Tree:
    """h-A leaves on the 10th; somebody else moves in on the same day."""
    town = house.tree(AREAS)
    town["households"][0]["until"] = "2026-01-10"
    town["households"].append({"id": "h-new", "flat": "A", "from": "2026-01-10"})
    return town


def test_a_move_on_the_10th_bills_nobody_twice(moved: Tree) -> None:
    known = registers(AREAS)
    told = settled(moved, known, JANUARY)[1]
    heat = {entry["party"]: Decimal(entry["heat"]["measured_kwh"]) for entry in told["statements"]}
    midnight = "2026-01-09 23:00"
    assert heat["h-A"] == counted(known, "A", "2025-12-31 23:00", midnight)
    assert heat["h-new"] == counted(known, "A", midnight, "2026-01-31 23:00")
    assert heat["h-A"] + heat["h-new"] == counted(known, "A", "2025-12-31 23:00", "2026-01-31 23:00")
    whole = sum(heat.values())
    for party, amount in amounts(told, "heat_measured").items():
        assert abs(Fraction(amount) - 650 * Fraction(heat[party]) / Fraction(whole)) < Fraction(1, 100)
    assert sum(amounts(told, "heat_measured").values()) == 650
    fixed = amounts(told, "heat_fixed")
    # 350.00 over 50 m2 (nine days and twenty-two) and 70 m2.
    assert abs(Fraction(fixed["h-A"]) - Fraction(350 * 50 * 9, 120 * 31)) < Fraction(1, 100)
    assert abs(Fraction(fixed["h-new"]) - Fraction(350 * 50 * 22, 120 * 31)) < Fraction(1, 100)
    assert sum(fixed.values()) == 350


def test_the_neighbours_amounts_do_not_change_when_somebody_moves(moved: Tree) -> None:
    known = registers(AREAS)
    before, after = settled(house.tree(AREAS), known, JANUARY)[1], settled(moved, known, JANUARY)[1]
    for code in ("heat_measured", "heat_fixed"):
        assert abs(amounts(before, code)["h-B"] - amounts(after, code)["h-B"]) <= Decimal("0.01")


def test_empty_days_are_the_owners(moved: Tree) -> None:
    moved["households"][-1]["from"] = "2026-01-21"
    known = registers(AREAS)
    told = settled(moved, known, JANUARY)[1]
    heat = {entry["party"]: Decimal(entry["heat"]["measured_kwh"]) for entry in told["statements"]}
    assert heat["owner"] == counted(known, "A", "2026-01-09 23:00", "2026-01-20 23:00")
    assert abs(Fraction(amounts(told, "heat_fixed")["owner"]) - Fraction(350 * 50 * 11, 120 * 31)) < Fraction(1, 100)
    assert build(moved, "the example").community.owner == "owner"
