"""Findings of the balance exactly at their bounds: what meets a bound is not told, one milliwatt-hour more is."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from settlement import balance
from settlement.balance import Figures, Node
from settlement.model import Finding
from settlement.pellets import PelletMonth

KWH = 10**6
WHOLE = Figures(
    has=frozenset({"solar_generation", "grid_import", "grid_export", "flats", "common", "heat_produced", "heat"}),
    complete=True,
    sun=1000 * KWH,
    sun_flats=500 * KWH,
    sun_common=100 * KWH,
    surplus=400 * KWH,
    grid_import=2000 * KWH,
    grid_export=400 * KWH,
    flats=2100 * KWH,
    common=500 * KWH,
    boiler_heat=8400 * KWH,
    flats_heat=7000 * KWH,
    burnt_kg=Fraction(2000),
    kwh_per_kg=Fraction(48, 10),
)
"""3,000 kWh of electricity came in and went out again."""


def told(figures: Figures, fuel: PelletMonth | None = None) -> list[Finding]:
    return balance.findings(figures, fuel)


def codes(figures: Figures, fuel: PelletMonth | None = None) -> list[str]:
    return [one.code for one in told(figures, fuel)]


def burnt(kg: Fraction) -> PelletMonth:
    """A month in which so much was burnt, by a count."""
    return PelletMonth(Fraction(5000), 0, Fraction(0), 0, kg, 0, 5000 - kg, 0, estimated=False)


def test_meters_in_the_building_may_count_three_percent_more_than_came_in() -> None:
    at = replace(WHOLE, flats=2190 * KWH)
    assert codes(at) == []
    (one,) = told(replace(at, flats=2190 * KWH + 1))
    assert one.code == "submeters-above-main"
    assert "counted 90.000001 kWh more than came in" in one.text


def test_a_house_without_heat_is_judged_by_its_electricity_too() -> None:
    cold = replace(WHOLE, has=WHOLE.has - {"heat", "heat_produced"}, boiler_heat=None, flats_heat=None, burnt_kg=None)
    assert codes(cold) == []
    assert codes(replace(cold, flats=2190 * KWH + 1)) == ["submeters-above-main"]


def test_a_tenth_of_what_came_in_may_be_unexplained() -> None:
    at = replace(WHOLE, flats=1800 * KWH)
    assert codes(at) == []
    (one,) = told(replace(at, flats=1800 * KWH - 1))
    assert one.code == "electricity-unexplained"
    assert one.text.startswith("300.000001 kWh of electricity came in")


def test_where_nothing_came_in_no_share_of_it_can_be_told() -> None:
    nothing = replace(WHOLE, sun=0, grid_import=0, surplus=0, grid_export=0, flats=0, common=0)
    assert codes(nothing) == []


def test_a_main_meter_that_stood_still_all_month_is_told() -> None:
    """Seen in a house without sun: nothing to take a share of, and nothing was said."""
    dark = replace(WHOLE, has=WHOLE.has - {"solar_generation"}, sun=None, surplus=None, grid_import=0, grid_export=0)
    (one,) = told(replace(dark, flats=1, common=0))
    assert one.code == "submeters-above-main"
    assert codes(replace(dark, flats=0, common=0)) == []


def test_the_export_meter_may_be_off_by_a_tenth_of_the_sun_either_way() -> None:
    for export, told_of in (
        (300 * KWH, []),
        (500 * KWH, []),
        (300 * KWH - 1, ["export-differs"]),
        (500 * KWH + 1, ["export-differs"]),
    ):
        assert codes(replace(WHOLE, grid_export=export, flats=2500 * KWH - export)) == told_of
    assert codes(replace(WHOLE, grid_export=0, flats=2500 * KWH, surplus=None)) == []
    assert codes(replace(WHOLE, grid_export=None)) == []


def test_flats_that_got_all_of_the_boilers_heat_are_no_wonder() -> None:
    assert codes(replace(WHOLE, flats_heat=8400 * KWH)) == []
    (one,) = told(replace(WHOLE, flats_heat=8400 * KWH + 1))
    assert one.code == "heat-lost-negative"
    assert "counted 0.000001 kWh more than the boiler gave" in one.text


def test_hot_water_is_taken_off_before_the_flats_heat_is_held_against_the_boilers() -> None:
    warm = replace(WHOLE, hot_water=1400 * KWH)
    assert codes(warm) == []
    (one,) = told(replace(warm, flats_heat=7000 * KWH + 1))
    assert (one.code, one.text[:55]) == (
        "heat-lost-negative",
        "The flats' heat meters counted 0.000001 kWh more than t",
    )
    # Hot water took all of it: heat for rooms came from nowhere. Where it took more, a finding of its own says so.
    assert codes(replace(WHOLE, hot_water=8400 * KWH, flats_heat=1)) == ["heat-lost-negative"]
    assert codes(replace(WHOLE, hot_water=8400 * KWH, flats_heat=0)) == []
    assert codes(replace(WHOLE, hot_water=8400 * KWH + 1, flats_heat=1)) == []


def test_a_recording_rate_of_34_percent_is_not_low() -> None:
    assert codes(replace(WHOLE, flats_heat=2856 * KWH)) == []
    (one,) = told(replace(WHOLE, flats_heat=2856 * KWH - 1))
    assert one.code == "heat-recording-low"
    assert "saw only 33 % of the boiler's heat" in one.text
    assert codes(replace(WHOLE, flats_heat=0)) == ["heat-recording-low"]


def test_a_boiler_that_gave_nothing_is_not_judged() -> None:
    still = replace(WHOLE, boiler_heat=0, flats_heat=0)
    assert codes(still, burnt(Fraction(2000))) == []


@pytest.mark.parametrize(("percent", "off"), [(70, -1), (100, 1)])
def test_a_boiler_may_work_between_70_and_100_percent(percent: int, off: int) -> None:
    kg = Fraction(8400 * 100, 48) * 10 / percent
    assert codes(replace(WHOLE, burnt_kg=kg), burnt(kg)) == []
    beyond = told(replace(WHOLE, burnt_kg=kg, boiler_heat=8400 * KWH + off), burnt(kg))
    assert [one.code for one in beyond] == ["efficiency-implausible"]
    assert f"worked at {percent} %" in beyond[0].text


def test_a_boiler_is_judged_from_a_hundred_kilograms_on() -> None:
    assert codes(WHOLE, burnt(Fraction(100))) == ["efficiency-implausible"]
    assert codes(WHOLE, burnt(Fraction(99_999, 1000))) == []


def test_without_a_pellet_account_or_a_heat_content_no_boiler_is_judged() -> None:
    assert codes(WHOLE, None) == []
    assert codes(replace(WHOLE, kwh_per_kg=None), burnt(Fraction(100))) == []


def test_a_loss_may_be_ten_points_above_the_median_of_three_months() -> None:
    usual = [Fraction(16, 100), Fraction(30, 100), Fraction(1, 100)]  # the median is 16 %
    at = replace(WHOLE, boiler_heat=1000 * KWH, flats_heat=740 * KWH)
    assert balance.unusual_loss(at, usual) == []
    (one,) = balance.unusual_loss(replace(at, flats_heat=740 * KWH - 1), usual)
    assert one.code == "heat-loss-unusual"
    assert "heat 26 % reached no home; in the months before it was 16 %." in one.text
    lost = replace(at, flats_heat=0)
    assert balance.unusual_loss(lost, usual[:2]) == []
    assert balance.unusual_loss(replace(lost, complete=False), usual) == []
    assert balance.unusual_loss(replace(lost, flats_heat=None), usual) == []


def test_loss_and_recording_rate_of_heat_that_hot_water_took_wholly() -> None:
    assert WHOLE.recording_rate == Fraction(7000, 8400)
    assert replace(WHOLE, hot_water=1400 * KWH).loss == 0
    assert replace(WHOLE, hot_water=8400 * KWH).recording_rate is None
    assert replace(WHOLE, hot_water=8400 * KWH - 1).recording_rate == 7000 * KWH


def test_the_energy_of_pellets_is_rounded_half_up() -> None:
    one = replace(WHOLE, burnt_kg=Fraction(1), kwh_per_kg=Fraction(1, 2 * KWH))
    assert one.fuel == 1
    assert replace(one, kwh_per_kg=Fraction(499_999, 10**12)).fuel == 0
    assert replace(one, burnt_kg=Fraction(3), kwh_per_kg=Fraction(48, 10)).fuel == 14_400_000
    for unknown in ({"burnt_kg": None}, {"kwh_per_kg": None}):
        assert replace(one, **unknown).fuel is None


def test_branches_stand_where_there_are_meters_and_only_there() -> None:
    def names(figures: Figures) -> list[tuple[str, int]]:
        return [(row.name, row.depth) for row in balance.rows_of(balance.balance(figures))]

    fuel = [("fuel", 0), ("boiler_heat", 1), ("flats_heat", 2), ("boiler_heat_rest", 2), ("fuel_rest", 1)]
    flats = [("electricity", 0), ("flats", 1)]
    rest = [("electricity_rest", 1)]
    sun = [("sun", 0), ("sun_flats", 1)]
    surplus = [("surplus", 1)]
    assert names(WHOLE) == [
        *fuel, *flats, ("common", 1), ("grid_export", 1), *rest, *sun, ("sun_common", 1), *surplus,
    ]  # fmt: skip
    warm = [*fuel[:3], ("hot_water", 2), *fuel[3:]]
    assert names(replace(WHOLE, hot_water=0))[:6] == warm
    bare = replace(WHOLE, has=frozenset({"flats", "grid_import"}), burnt_kg=None)
    assert names(bare) == [*flats, *rest, *sun, *surplus]
    for kind in ("heat", "heat_produced"):
        assert names(replace(bare, has=bare.has | {kind}))[:5] == fuel
    assert names(replace(bare, burnt_kg=Fraction(0)))[:5] == fuel  # counted pellets without a heat meter
    for kind in ("grid_export", "solar_generation"):
        assert ("grid_export", 1) in names(replace(bare, has=bare.has | {kind}))


def test_sun_counts_as_coming_in_only_where_it_has_a_meter() -> None:
    electricity = balance.balance(WHOLE).building.children[-1]
    assert electricity.amount == 3000 * KWH
    without = replace(WHOLE, has=WHOLE.has - {"solar_generation"}, sun=None)
    assert balance.balance(without).building.children[-1].amount == 2000 * KWH


def test_a_tree_for_a_machine_has_a_rest_only_where_it_has_branches() -> None:
    leaf = Node("flats", 5)
    assert balance.document(leaf) == {"name": "flats", "kwh": "0.000005"}
    assert balance.document(Node("electricity", 7, (leaf, Node("common", None)))) == {
        "name": "electricity",
        "kwh": "0.000007",
        "children": [{"name": "flats", "kwh": "0.000005"}, {"name": "common", "kwh": None}],
        "rest_kwh": None,
    }
    assert balance.document(Node("electricity", 7, (leaf,)))["rest_kwh"] == "0.000002"
