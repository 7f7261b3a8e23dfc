"""Hot water with a pool of its own: how much heat it took, what that cost, and that the pools add up."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.community import HotWater
from core.communityfile import build
from core.errors import BadInput
from core.time import Month, microseconds
from settlement.hotwater import heat_of
from settlement.model import MeterReadings, Readings
from settlement.replay import settle_document
from tests.support.month_oracle import half_up

JANUARY = Month(2026, 1)
APART = {"measured_percent": "60", "fixed_by": "floor_area", "warm_celsius": "60"}


def tree(
    areas: str, *, cost: str, hot_water: dict[str, str] | None, water_unit: str = "m3", unit: str = "kWh", boiler: bool
) -> dict[str, Any]:
    """Flats F0.. with a heat and a hot water meter each, one invoice of heat in January."""
    flats = [f"F{number}" for number in range(len(areas.split()))]
    rule: dict[str, Any] = {"from": "2026-01-01", "measured_percent": "60"}
    meters = [{"id": f"heat-{flat}", "measures": "heat", "flat": flat, "unit": unit} for flat in flats]
    meters += [{"id": f"hot-{flat}", "measures": "hot_water", "flat": flat, "unit": water_unit} for flat in flats]
    return {
        "community": "example",
        "name": "Example",
        "timezone": "Europe/Amsterdam",
        "settlement_interval": "1h",
        "owner": "owner",
        "flats": [{"id": flat, "floor_area_m2": area} for flat, area in zip(flats, areas.split(), strict=True)],
        "households": [{"id": f"h-{flat}", "flat": flat, "from": "2026-01-01"} for flat in flats],
        "meters": meters + ([{"id": "boiler", "measures": "heat_produced", "unit": "kWh"}] if boiler else []),
        "sharing": [{"from": "2026-01-01", "key": "proportional"}],
        "tariffs": [
            {"from": "2026-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "21", "heat": "21"}}
        ],
        "heat": [rule | ({} if hot_water is None else {"hot_water": hot_water})],
        "costs": [{"date": "2026-01-20", "pool": "heat", "eur": cost, "invoice": "M-1"}],
    }


def statement(
    town: dict[str, Any], heat: str, water: str, boiler: str | None = None, *, start: str = "0"
) -> dict[str, Any]:
    """Settle January from what every meter counted in it."""
    file = build(town, "the example")
    edges = tuple(microseconds(instant) for instant in JANUARY.bounds(file.community.zone))
    counted = {f"heat-F{number}": amount for number, amount in enumerate(heat.split())}
    counted |= {f"hot-F{number}": amount for number, amount in enumerate(water.split())}
    if boiler is not None:
        counted["boiler"] = boiler
    known: Readings = {
        meter: MeterReadings("register", edges, (Decimal(start), Decimal(start) + Decimal(amount)))
        for meter, amount in counted.items()
    }
    told: dict[str, Any] = json.loads(settle_document(file, JANUARY, known)[1])
    assert all(check["holds"] for check in told["checks"])
    return told


def amounts(told: dict[str, Any], code: str) -> list[str]:
    return [line["amount_eur"] for entry in told["statements"] for line in entry["lines"] if line["code"] == code]


def test_a_hundred_cubic_metres_at_sixty_degrees_take_12500_kwh_which_is_2500_kg() -> None:
    heat = heat_of(100 * 10**6, HotWater(measured_percent=Decimal(65)))
    assert heat == 12_500 * 10**6
    assert heat / 10**6 / 5 == 2_500  # of pellets of 5 kWh/kg


def test_h4_the_rest_cent_stays_in_its_own_pool() -> None:
    # 20.02 in all, half of it for hot water: 5 m3 at 60 degrees three times is 1,875 of 3,750 kWh.
    town = tree("33 33 34", cost="20.02", hot_water=APART, boiler=True)
    told = statement(town, "500 500 500", "5 5 5", boiler="3750")
    for pool in ("heat", "hot_water"):
        # The source gives the cent of three equal shares to the third; ours is drawn by lot, within the same pool.
        assert sorted(amounts(told, f"{pool}_measured")) == ["2.00", "2.00", "2.01"]
        assert amounts(told, f"{pool}_fixed") == ["1.32", "1.32", "1.36"]
    assert sum(Decimal(entry["total_eur"]) for entry in told["statements"]) == Decimal("20.02")


def test_without_the_rule_hot_water_meters_divide_nothing_and_change_no_byte() -> None:
    town = tree("50 50", cost="1000.00", hot_water=None, boiler=True)
    told = statement(town, "300 100", "5 9", boiler="1000")
    assert amounts(told, "heat_measured") == ["450.00", "150.00"]
    assert {line["code"] for entry in told["statements"] for line in entry["lines"]} == {"heat_measured", "heat_fixed"}
    assert "hot_water" not in told["statements"][0]["heat"]
    assert "hot_water_kwh" not in told["energy"]
    named = town["heat"][0] | {"failed_meters": "as_read"}
    assert statement(town | {"heat": [named]}, "300 100", "5 9", boiler="1000") == told


def test_hot_water_in_kwh_is_the_heat_itself() -> None:
    town = tree("50 50", cost="1000.00", hot_water=APART, water_unit="kWh", boiler=True)
    told = statement(town, "300 100", "150 50", boiler="1000")
    # 200 of 1,000 kWh: 200.00 for hot water, 120.00 of it by its meters.
    assert amounts(told, "hot_water_measured") == ["90.00", "30.00"]
    assert amounts(told, "hot_water_fixed") == ["40.00", "40.00"]
    assert amounts(told, "heat_measured") == ["360.00", "120.00"]
    assert told["statements"][0]["heat"]["hot_water"] == {
        "measured_kwh": "150.000000", "measured_m3": None, "measured_eur": "90.00", "fixed_eur": "40.00",
    }  # fmt: skip


def test_hot_water_in_cubic_metres_shows_them() -> None:
    told = statement(tree("50 50", cost="1000.00", hot_water=APART, boiler=True), "300 100", "1 0.6", boiler="1000")
    line = next(line for line in told["statements"][0]["lines"] if line["code"] == "hot_water_measured")
    assert (line["quantity"], line["unit"]) == ("1.000000", "m³")
    shown = told["statements"][0]["heat"]["hot_water"]
    assert (shown["measured_kwh"], shown["measured_m3"]) == ("125.000000", "1.000000")
    assert told["energy"]["hot_water_kwh"] == "200.000000"


def test_a_flat_without_a_hot_water_meter_has_no_measured_hot_water() -> None:
    town = tree("50 50", cost="1000.00", hot_water=APART, boiler=True)
    town["meters"] = [meter for meter in town["meters"] if meter["id"] != "hot-F1"]
    with_meter, without = statement(town, "300 100", "1", boiler="1000")["statements"]
    assert with_meter["heat"]["hot_water"]["measured_m3"] == "1.000000"
    told = without["heat"]["hot_water"]
    assert (told["measured_kwh"], told["measured_m3"]) == (None, None)


def test_without_a_boiler_meter_the_heat_supplied_is_what_was_measured() -> None:
    town = tree("50 50", cost="1000.00", hot_water=APART, water_unit="kWh", boiler=False)
    told = statement(town, "500 300", "150 50")
    assert sum(Decimal(amount) for amount in amounts(told, "hot_water_measured")) == 120  # 60 % of 200 / 1,000


def test_meters_in_cubic_metres_and_in_kwh_share_the_pool_by_heat() -> None:
    town = tree("50 50", cost="1000.00", hot_water=APART, boiler=True)
    next(meter for meter in town["meters"] if meter["id"] == "hot-F1")["unit"] = "kWh"
    # 1.2 m3 at 60 degrees are 150 kWh, the other flat's are 50: as where both meters say kWh.
    told = statement(town, "300 100", "1.2 50", boiler="1000")
    assert amounts(told, "hot_water_measured") == ["90.00", "30.00"]
    lines = [line for entry in told["statements"] for line in entry["lines"] if line["code"] == "hot_water_measured"]
    assert [(line["quantity"], line["unit"]) for line in lines] == [("150.000000", "kWh"), ("50.000000", "kWh")]
    assert [entry["heat"]["hot_water"]["measured_m3"] for entry in told["statements"]] == [None, None]


def test_the_heat_supplied_is_exactly_what_was_measured_and_hot_water_together() -> None:
    file = build(tree("50 50", cost="1000.00", hot_water=APART, water_unit="kWh", boiler=False), "the example")
    edges = tuple(microseconds(instant) for instant in JANUARY.bounds(file.community.zone))
    counted = {"heat-F0": "500", "heat-F1": "300", "hot-F0": "150", "hot-F1": "50"}
    known = {m: MeterReadings("register", edges, (Decimal(0), Decimal(kwh))) for m, kwh in counted.items()}
    warmed = settle_document(file, JANUARY, known)[0].energy.warmed
    assert warmed is not None
    assert (warmed.supplied, warmed.total, warmed.part) == (1000 * 10**6, 200 * 10**6, Fraction(1, 5))


def test_more_hot_water_than_heat_is_held_at_all_of_the_cost_and_said() -> None:
    town = tree("50 50", cost="1000.00", hot_water=APART, water_unit="kWh", boiler=True)
    told = statement(town, "0 0", "150 50", boiler="100")
    assert amounts(told, "heat_measured") == amounts(told, "heat_fixed") == []
    assert amounts(told, "hot_water_measured") == ["450.00", "150.00"]
    odd = {finding["code"] for finding in told["findings"]} - {"estimated-intervals"}
    assert odd == {"hot-water-above-supply"}


def test_where_nothing_was_counted_the_cost_follows_the_fixed_measure_of_heat() -> None:
    told = statement(tree("50 50", cost="100.00", hot_water=APART, boiler=True), "0 0", "0 0", boiler="0")
    assert amounts(told, "heat_measured") == ["30.00", "30.00"]
    assert amounts(told, "heat_fixed") == ["20.00", "20.00"]
    assert amounts(told, "hot_water_measured") == amounts(told, "hot_water_fixed") == []


def test_in_units_without_the_boilers_heat_nothing_is_put_on_hot_water_and_that_is_said() -> None:
    without = tree("50 50", cost="100.00", hot_water=APART, unit="units", boiler=False)
    with pytest.raises(BadInput, match="does not tell how much heat was supplied; add a heat_produced meter"):
        build(without, "the example")
    town = tree("50 50", cost="100.00", hot_water=APART, unit="units", boiler=True)
    told = statement(town, "5 5", "1 1", boiler="0")
    assert amounts(told, "hot_water_measured") == []
    assert "hot-water-part-unknown" in {finding["code"] for finding in told["findings"]}
    told = statement(town, "5 5", "1 1", boiler="1000")
    assert amounts(told, "hot_water_measured") == ["7.50", "7.50"]  # 250 of 1,000 kWh: 25.00, 60 % by meters
    assert told["energy"]["heat_recorded_percent"] is None


def test_exactly_all_of_it_is_no_finding() -> None:
    town = tree("50 50", cost="1000.00", hot_water=APART, water_unit="kWh", boiler=True)
    told = statement(town, "0 0", "150 50", boiler="200")
    assert "hot-water-above-supply" not in {finding["code"] for finding in told["findings"]}


@pytest.mark.parametrize(
    ("measured", "percent", "warns"),
    [("272", "34.00", False), ("271.9", "33.99", True), ("544", "68.00", False), ("0", "0.00", True)],
)
def test_the_recording_rate_deducts_hot_water_first_and_warns_below_034(
    measured: str, percent: str, warns: bool
) -> None:
    # 1,000 kWh from the boiler, 200 of it in hot water: 0.34 of the 800 that are left are 272.
    town = tree("50 50", cost="1000.00", hot_water=APART, water_unit="kWh", boiler=True)
    told = statement(town, f"{measured} 0", "150 50", boiler="1000")
    assert ("heat-recording-low" in {finding["code"] for finding in told["findings"]}) is warns
    assert told["energy"]["heat_recorded_percent"] == percent


@pytest.mark.parametrize(("measured", "warns"), [("340", False), ("339.999999", True)])
def test_the_recording_rate_warns_below_034_without_hot_water_too(measured: str, warns: bool) -> None:
    told = statement(tree("50 50", cost="1000.00", hot_water=None, boiler=True), f"{measured} 0", "1 1", boiler="1000")
    assert ("heat-recording-low" in {finding["code"] for finding in told["findings"]}) is warns


@pytest.mark.parametrize(
    ("town", "says"),
    [
        (
            tree("50", cost="1", hot_water=APART | {"warm_celsius": "10"}, boiler=True),
            r"heat\[0\].hot_water.warm_celsius: cold water is taken to have 10 degrees, so this must be more",
        ),
        (
            tree("50", cost="1", hot_water=APART, unit="units", boiler=False),
            "does not tell how much heat was supplied; add a heat_produced meter",
        ),
        (
            tree("50", cost="1", hot_water=APART, boiler=True) | {"meters": []},
            "no meter measures hot_water; add one for every flat",
        ),
    ],
    ids=["cold", "units", "no meter"],
)
def test_a_rule_that_cannot_work_is_refused(town: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        build(town, "the example")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 40_000)), min_size=1, max_size=4),
    st.integers(0, 3000),
    st.integers(-500, 300_000),
    st.sampled_from(["0", "50", "66.7", "100"]),
    st.sampled_from(["floor_area", "equal"]),
    st.sampled_from(["m3", "kWh"]),
)
def test_every_line_is_the_rule_and_the_pools_add_up(
    used: list[tuple[int, int]], boiler: int, cost: int, percent: str, by: str, unit: str
) -> None:
    """Recomputed with fractions: litres or Wh of hot water, kWh of heat, cents of cost."""
    areas = [50 + 7 * number for number in range(len(used))]
    rule = {"measured_percent": percent, "fixed_by": by, "warm_celsius": "55"}
    town = tree(
        " ".join(map(str, areas)), cost=f"{Decimal(cost) / 100:.2f}", hot_water=rule, water_unit=unit, boiler=True
    )
    told = statement(
        town, " ".join(str(heat) for heat, _ in used), " ".join(str(Decimal(water) / 1000) for _, water in used),
        boiler=str(boiler),
    )  # fmt: skip
    kwh = [Fraction(water, 1000) * (Fraction(5, 2) * 45 if unit == "m3" else 1) for _, water in used]
    supplied = Fraction(boiler) or sum(heat for heat, _ in used) + sum(kwh)
    part = min(sum(kwh) / supplied, Fraction(1)) if supplied else Fraction(0)
    water = half_up(cost * part)
    by_meters = half_up(water * Fraction(percent) / 100)
    pools = {"hot_water_measured": by_meters, "hot_water_fixed": water - by_meters}
    rooms = half_up((cost - water) * Fraction(60, 100))
    pools |= {"heat_measured": rooms, "heat_fixed": cost - water - rooms}
    bases = {
        "hot_water_measured": kwh,
        "hot_water_fixed": [Fraction(area if by == "floor_area" else 1) for area in areas],
        "heat_measured": [Fraction(h) for h, _ in used] if any(h for h, _ in used) else [Fraction(a) for a in areas],
        "heat_fixed": [Fraction(area) for area in areas],
    }
    assert sum(pools.values()) == cost
    for code, pool in pools.items():
        found = [
            next((100 * Decimal(line["amount_eur"]) for line in entry["lines"] if line["code"] == code), Decimal(0))
            for entry in told["statements"]
        ]
        assert sum(found) == pool
        for amount, basis in zip(found, bases[code], strict=True):
            assert pool == 0 or abs(Fraction(amount) - pool * basis / sum(bases[code])) < 1


@pytest.mark.parametrize(("unit", "counted"), [("kWh", 150), ("m3", Fraction(12, 10))])
def test_a_charge_says_what_it_is_divided_by_and_at_what_price(unit: str, counted: Fraction) -> None:
    town = tree("50 70", cost="1000.00", hot_water=APART, water_unit=unit, boiler=True)
    file = build(town, "the example")
    edges = tuple(microseconds(instant) for instant in JANUARY.bounds(file.community.zone))
    amount = {"hot-F0": Decimal(150) if unit == "kWh" else Decimal("1.2"), "boiler": Decimal(1000)}
    known = {meter: MeterReadings("register", edges, (Decimal(0), value)) for meter, value in amount.items()}
    settled = settle_document(file, JANUARY, known)[0]
    charges = {charge.code: charge for charge in settled.charges}
    water, cost = charges["hot_water_measured"], settled.heat
    assert cost is not None
    assert (cost.hot_water_measured, cost.hot_water_fixed) == (9000, 6000)  # 150 of 1,000 kWh
    assert list(water.basis.values()) == [counted, 0]
    assert water.factor == 9000 / Fraction(counted)
    assert list(charges["hot_water_fixed"].basis.values()) == [50 * 31, 70 * 31]
    assert charges["hot_water_fixed"].factor == Fraction(6000, 120 * 31)
