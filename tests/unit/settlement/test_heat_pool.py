"""The heat pool by itself: which invoices are the month's, which VAT it has, and what its lines say they are by."""

from __future__ import annotations

from typing import Any

import pytest

from core.communityfile import build
from core.time import Month
from settlement import heat
from tests.support import heathouse as house
from tests.support.heathouse import settled, utc

JANUARY = Month(2026, 1)
AREAS = {"A": "50.25", "B": "70"}


def lines(town: house.Tree, code: str) -> dict[str, Any]:
    """A line of every party in January; a kilowatt-hour an hour was measured in each flat."""
    known = house.quantities(AREAS, lambda flat, at: 1000, utc("2025-12-31 23:00"), utc("2026-01-31 23:00"))
    told = settled(town, known, JANUARY)[1]
    return {e["party"]: line for e in told["statements"] for line in e["lines"] if line["code"] == code}


def shown(town: house.Tree, code: str) -> dict[str, tuple[str, str]]:
    return {party: (line["quantity"], line["unit"]) for party, line in lines(town, code).items()}


def moved(**rule: Any) -> house.Tree:
    """h-A leaves on the 10th and the flat stays empty."""
    town = house.tree(AREAS, **rule)
    town["households"][0]["until"] = "2026-01-10"
    return town


def test_the_fixed_part_says_by_what_it_was_divided() -> None:
    assert shown(moved(), "heat_fixed") == {
        "h-A": ("452.25", "m²·days"), "owner": ("1105.5", "m²·days"), "h-B": ("2170", "m²·days"),
    }  # fmt: skip
    assert shown(moved(fixed_by="equal"), "heat_fixed") == {
        "h-A": ("9", "days"), "owner": ("22", "days"), "h-B": ("31", "days"),
    }  # fmt: skip
    assert shown(moved(), "heat_measured")["h-A"] == ("216.000000", "kWh")


@pytest.mark.parametrize(
    ("unit", "meters", "told"),
    [
        ("kWh", ["A", "B"], ["744.000000", "744.000000"]),
        ("kWh", ["A"], ["744.000000", None]),  # no meter is not the same as no heat
        ("units", ["A", "B"], [None, None]),  # units are no kilowatt-hours
    ],
)
def test_kilowatt_hours_are_told_where_a_meter_counts_them(
    unit: str, meters: list[str], told: list[str | None]
) -> None:
    town = house.tree(AREAS, unit=unit)
    town["meters"] = [meter for meter in town["meters"] if meter["flat"] in meters]
    known = house.quantities(meters, lambda flat, at: 1000, utc("2025-12-31 23:00"), utc("2026-01-31 23:00"))
    statement = settled(town, known, JANUARY)[1]
    assert [entry["heat"]["measured_kwh"] for entry in statement["statements"]] == told


@pytest.mark.parametrize("vat", ["9", "0"])
def test_heat_has_its_own_vat_and_none_is_a_rate_too(vat: str) -> None:
    town = house.tree(AREAS)
    town["tariffs"][0]["vat_percent"] = {"electricity": "21", "heat": vat}
    for code in ("heat_measured", "heat_fixed"):
        assert {line["vat_percent"] for line in lines(town, code).values()} == {f"{vat}.00"}


def test_an_invoice_is_of_the_month_and_the_pool_it_is_dated_in() -> None:
    town = house.tree(AREAS)
    town["costs"] = [
        {"date": day, "pool": pool, "eur": eur, "invoice": number}
        for day, pool, eur, number in (
            ("2026-01-31", "heat", "20.00", "M-2"),
            ("2026-01-01", "heat", "3.50", "M-1"),
            ("2025-12-31", "heat", "1.00", "M-0"),
            ("2026-02-01", "heat", "5.00", "M-3"),
            ("2026-01-15", "common", "7.00", "C-1"),
        )
    ]
    community = build(town, "the example").community
    assert heat.invoices_of(community, JANUARY, "heat") == (("M-1", 350), ("M-2", 2000))
    assert heat.invoices_of(community, JANUARY, "common") == (("C-1", 700),)
    cost = heat.pool(community, JANUARY, None)
    assert cost is not None
    # 65 percent of 23.50 is 15.275, half-up 15.28.
    assert (cost.total, cost.measured, cost.fixed) == (2350, 1528, 822)
    assert (cost.hot_water_measured, cost.hot_water_fixed) == (0, 0)
