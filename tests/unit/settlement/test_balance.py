"""The balance of a building: where a month's branches do not fit together, it is said; nothing is changed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from core.community import Community
from core.communityfile import build
from core.time import Month, microseconds
from settlement import balance, statement
from settlement.balance import Figures, Node
from settlement.model import MeterReadings
from settlement.month import Settled, settle
from settlement.pellets import PelletMonth

HOUR = 3_600_000_000
KWH = 10**6
JANUARY = Month(2026, 1)

EVERYTHING = Figures(
    has=frozenset({"solar_generation", "grid_import", "grid_export", "flats", "common", "heat_produced", "heat"}),
    complete=True,
    sun=1000 * KWH,
    sun_flats=500 * KWH,
    sun_common=100 * KWH,
    surplus=400 * KWH,
    grid_import=2000 * KWH,
    grid_export=410 * KWH,
    flats=2000 * KWH,
    common=500 * KWH,
    boiler_heat=8500 * KWH,
    flats_heat=7000 * KWH,
    burnt_kg=Fraction(2000),
    kwh_per_kg=Fraction(48, 10),
)


def codes(figures: Figures, fuel: PelletMonth | None = None) -> list[str]:
    return [finding.code for finding in balance.findings(figures, fuel)]


def branch(tree: Node, name: str) -> Node:
    if tree.name == name:
        return tree
    for child in tree.children:
        found = branch(child, name) if child.children or child.name == name else None
        if found is not None and found.name == name:
            return found
    return Node("building", None)


def test_a_building_that_fits_together_has_nothing_to_tell() -> None:
    whole = balance.balance(EVERYTHING)
    assert codes(EVERYTHING) == []
    assert whole.building.amount == (9600 + 3000) * KWH
    assert branch(whole.building, "fuel").rest == 1100 * KWH
    assert branch(whole.building, "boiler_heat").rest == 1500 * KWH
    assert branch(whole.building, "electricity").rest == 90 * KWH
    assert (whole.building.rest, whole.sun.rest) == (0, 0)


def test_what_has_no_meter_is_not_there_and_what_was_not_read_is_not_known() -> None:
    without = replace(EVERYTHING, has=EVERYTHING.has - {"common"}, common=None, sun_common=None)
    names = [row.name for row in balance.rows_of(balance.balance(without))]
    assert "common" not in names
    assert branch(balance.balance(without).building, "electricity").rest == 590 * KWH
    unread = balance.balance(replace(EVERYTHING, common=None))
    assert branch(unread.building, "electricity").rest is None
    assert {row.amount for row in balance.rows_of(unread) if row.name == "common"} == {None}


def test_without_a_main_meter_nobody_knows_what_came_in() -> None:
    whole = balance.balance(replace(EVERYTHING, has=EVERYTHING.has - {"grid_import"}, grid_import=None))
    assert branch(whole.building, "electricity").amount is None
    assert whole.building.amount is None
    assert codes(replace(EVERYTHING, grid_import=None)) == []


@pytest.mark.parametrize(("flats", "told"), [(2090, []), (2178, []), (2190, ["submeters-above-main"])])
def test_meters_in_the_building_that_count_more_than_came_in(flats: int, told: list[str]) -> None:
    assert codes(replace(EVERYTHING, flats=flats * KWH)) == told


@pytest.mark.parametrize(("flats", "told"), [(1800, []), (1780, ["electricity-unexplained"])])
def test_electricity_that_no_meter_saw(flats: int, told: list[str]) -> None:
    assert codes(replace(EVERYTHING, flats=flats * KWH)) == told
    without = replace(EVERYTHING, flats=flats * KWH, has=EVERYTHING.has - {"common"}, common=None)
    assert codes(without) == []  # the common area is in the rest then


@pytest.mark.parametrize(
    ("export", "told"), [(400, []), (500, []), (501, ["export-differs"]), (299, ["export-differs"])]
)
def test_the_export_meter_against_the_sun_that_was_left_over(export: int, told: list[str]) -> None:
    assert codes(replace(EVERYTHING, grid_export=export * KWH)) == told


def test_a_month_with_missing_readings_is_not_judged_by_its_electricity() -> None:
    assert codes(replace(EVERYTHING, complete=False, flats=9000 * KWH, grid_export=0)) == []


@pytest.mark.parametrize(("heat", "told"), [(8600, ["heat-lost-negative"]), (2800, ["heat-recording-low"]), (2900, [])])
def test_the_flats_heat_against_the_boilers(heat: int, told: list[str]) -> None:
    assert codes(replace(EVERYTHING, flats_heat=heat * KWH)) == told


@pytest.mark.parametrize(
    ("kg", "told"), [(1700, ["efficiency-implausible"]), (1800, []), (2500, []), (2600, ["efficiency-implausible"])]
)
def test_pellets_heat_content_and_efficiency(kg: int, told: list[str]) -> None:
    fuel = PelletMonth(Fraction(5000), 0, Fraction(0), 0, Fraction(kg), 0, Fraction(5000 - kg), 0, estimated=False)
    assert codes(replace(EVERYTHING, burnt_kg=Fraction(kg)), fuel) == told
    assert codes(EVERYTHING, replace(fuel, estimated=True)) == ["pellets-estimated"]


def test_a_loss_is_held_against_the_months_before() -> None:
    usual = [Fraction(15, 100), Fraction(17, 100), Fraction(16, 100)]
    assert balance.unusual_loss(EVERYTHING, usual) == []
    lost = replace(EVERYTHING, flats_heat=6200 * KWH)
    assert [one.code for one in balance.unusual_loss(lost, usual)] == ["heat-loss-unusual"]
    assert balance.unusual_loss(lost, usual[:2]) == []
    assert balance.unusual_loss(replace(lost, complete=False), usual) == []


def test_a_loss_is_the_part_of_the_boilers_heat_that_reached_nobody() -> None:
    assert EVERYTHING.loss == Fraction(1500, 8500)
    assert replace(EVERYTHING, hot_water=500 * KWH).loss == Fraction(1000, 8500)
    # Hot water is deducted before the meters of the flats are held against what is left.
    assert replace(EVERYTHING, hot_water=500 * KWH).recording_rate == Fraction(7000, 8000)
    for unknown in ({"boiler_heat": None}, {"flats_heat": None}):
        assert (replace(EVERYTHING, **unknown).loss, replace(EVERYTHING, **unknown).recording_rate) == (None, None)
    assert (replace(EVERYTHING, boiler_heat=0).loss, replace(EVERYTHING, boiler_heat=0).recording_rate) == (None, None)


def town(*more: dict[str, str]) -> Community:
    meters = [
        {"id": "pv", "measures": "solar_generation", "unit": "kWh"},
        {"id": "in", "measures": "grid_import", "unit": "kWh"},
        {"id": "out", "measures": "grid_export", "unit": "kWh"},
        *({"id": f"el-{flat}", "measures": "electricity", "flat": flat, "unit": "kWh"} for flat in "ABC"),
        *({"id": f"heat-{flat}", "measures": "heat", "flat": flat, "unit": "kWh"} for flat in "ABC"),
        {"id": "el-common", "measures": "electricity", "common": "true", "unit": "kWh"},
        {"id": "boiler", "measures": "heat_produced", "unit": "kWh"},
        *more,
    ]
    tree: dict[str, Any] = {
        "community": "c",
        "name": "C",
        "timezone": "Europe/Amsterdam",
        "settlement_interval": "1h",
        "owner": "owner",
        "flats": [{"id": flat, "floor_area_m2": "50"} for flat in "ABC"],
        "households": [{"id": f"h-{flat}", "flat": flat, "from": "2025-01-01"} for flat in "ABC"],
        "meters": meters,
        "sharing": [{"from": "2025-01-01", "key": "proportional"}],
        "tariffs": [{"from": "2025-01-01", "solar_eur_per_kwh": "0.2", "vat_percent": {"electricity": "21"}}],
    }
    return build(tree, "the case").community


PACE = {"pv": "0.5", "in": "2.75", "out": "0", "el-common": "0.25", "boiler": "4", "heat-C": "1.5"}
"""What each meter counts in an hour [kWh]; any other one."""


def january(**odd: Any) -> Settled:
    """A steady January: sun 0.5, import 2.75, three flats of 1 kWh an hour; meters otherwise as given by hour."""
    community = town()
    start = microseconds(JANUARY.bounds(community.zone)[0])
    times = tuple(start + hour * HOUR for hour in range(745))
    known = {}
    for meter in community.meters:
        steps = odd.get(meter.id.replace("-", "_"), lambda _hour, meter=meter: Decimal(PACE.get(meter.id, "1")))
        level, values = Decimal(1000), []
        for hour in range(745):
            values.append(level)
            level += steps(hour)
        known[meter.id] = MeterReadings("register", times, tuple(values))
    return settle(community, JANUARY, known)


def told(settled: Settled) -> list[tuple[str, str | None]]:
    return [(finding.code, finding.meter) for finding in settled.findings]


def hung(first: int, end: int, pace: str = "1", *, catches_up: bool = True) -> Any:
    """Steps of a meter that stands still between two hours, and counts at once in the second what it missed."""

    def steps(hour: int) -> Decimal:
        if first <= hour < end:
            return Decimal(0)
        return Decimal(pace) * (end - first + 1) if hour == end and catches_up else Decimal(pace)

    return steps


def test_a_steady_month_fits_together() -> None:
    settled = january()
    assert told(settled) == []
    figures = balance.of_month(settled.community, settled.energy.series, settled.energy.sun, settled.pellets)
    assert branch(balance.balance(figures).building, "electricity").rest == 0


def test_a_statement_tells_the_same_figures_as_the_month_it_was_made_of() -> None:
    settled = january()
    found = balance.of_month(settled.community, settled.energy.series, settled.energy.sun, settled.pellets)
    document = statement.document(settled, "0" * 64)
    grid = {"grid_import": found.grid_import, "grid_export": found.grid_export}
    assert balance.of_statement(settled.community, document, grid) == found


@pytest.mark.parametrize("hours", [6, 30, 47])
def test_a_meter_that_hung_and_caught_up_is_told_and_nothing_is_changed(hours: int) -> None:
    settled = january(el_A=hung(300, 300 + hours))
    assert ("register-frozen", "el-A") in told(settled)
    (one,) = (finding for finding in settled.findings if finding.meter == "el-A")
    assert (one.start, one.until) == tuple(settled.energy.sun.bounds[at] for at in (300, 300 + hours))
    assert settled.energy.series["el-A"].known() == 744 * KWH
    assert set(settled.energy.series["el-A"].quality) == {"measured"}


@pytest.mark.parametrize(("at_once", "told_of"), [("11.99", False), ("12", True)])
def test_a_meter_that_catches_up_less_than_a_quarter_did_not_hang(at_once: str, told_of: bool) -> None:
    """It stood still for 48 hours, in which it counts 48 kWh at other times; a quarter of that is 12."""

    def steps(hour: int) -> Decimal:
        return Decimal(0) if 300 <= hour < 348 else Decimal(at_once) if hour == 348 else Decimal(1)

    found = [finding for finding in january(el_A=steps).findings if "counted at once" in finding.text]
    assert bool(found) is told_of


def test_an_hour_or_five_without_use_is_no_frozen_meter() -> None:
    assert told(january(el_A=hung(300, 305))) == []


def test_a_meter_that_often_stands_still_for_hours_does_not_hang() -> None:
    def steps(hour: int) -> Decimal:
        return Decimal(0) if 400 <= hour < 415 else hung(300, 330)(hour)

    assert told(january(el_A=steps)) == []


def test_a_meter_that_stands_still_for_days_while_its_neighbours_go_on_is_told() -> None:
    assert ("register-frozen", "el-B") in told(january(el_B=hung(300, 350, catches_up=False)))
    assert told(january(el_B=hung(300, 345, catches_up=False))) == []


def test_heat_that_is_turned_off_by_some_is_no_frozen_meter_but_by_one_alone_it_may_be() -> None:
    off = hung(100, 300, catches_up=False)
    assert told(january(heat_A=off, heat_B=off)) == []
    assert told(january(heat_A=off)) == [("register-frozen", "heat-A")]


def test_the_sun_that_stands_still_every_night_is_not_frozen_but_for_three_days_it_is() -> None:
    def days(hour: int) -> Decimal:
        return Decimal(1) if 9 <= hour % 24 < 17 else Decimal(0)

    def stuck(hour: int) -> Decimal:
        return Decimal(0) if 300 <= hour < 380 else days(hour)

    assert "register-frozen" not in {code for code, _ in told(january(pv=days))}
    assert ("register-frozen", "pv") in told(january(pv=stuck))


def test_more_than_a_connection_carries_is_told_and_counted() -> None:
    settled = january(el_A=lambda hour: Decimal(8000 if hour == 200 else 1))
    assert ("register-jumped", "el-A") in told(settled)
    assert settled.energy.series["el-A"].known() == (8000 + 743) * KWH


def test_a_flat_with_heat_and_no_electricity_is_told() -> None:
    settled = january(el_A=lambda _hour: Decimal(0))
    assert ("heat-without-electricity", "el-A") in told(settled)
    cold = january(el_A=lambda _hour: Decimal(0), heat_A=lambda _hour: Decimal("0.01"))
    assert "heat-without-electricity" not in {code for code, _ in told(cold)}
