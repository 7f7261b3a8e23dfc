"""Heat meters that failed: what counts as failed, the three methods in order, and the 25 percent.

January 2026 in Amsterdam, five flats; hours are those of UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.communityfile import build
from core.errors import BadInput
from core.time import Month
from settlement.selection import used as selected
from tests.support import heathouse as house
from tests.support.heathouse import HOUR, Tree, Used, amounts, settled, utc

JANUARY = Month(2026, 1)
START, END = utc("2025-12-31 23:00"), utc("2026-01-31 23:00")
AREAS = {"A": "50", "B": "50", "C": "50", "D": "80", "E": "80"}
WEIGHT = {"A": 1000, "B": 2000, "C": 3000, "D": 4000, "E": 6000}
"""Wh of every hour."""


def evenly(flat: str, hour: datetime) -> int | None:
    return WEIGHT[flat]


def silent(flat: str, since: datetime = START, until: datetime = END, base: Used = evenly) -> Used:
    """The same, but a flat's meter is not read in a span."""
    return lambda name, hour: None if name == flat and since <= hour < until else base(name, hour)


def settle(used: Used, begin: datetime = START, town: Tree | None = None, **rule: Any) -> Tree:
    town = town or house.tree(AREAS, **({"failed_meters": "estimate"} | rule))
    return settled(town, house.quantities(AREAS, used, begin, END), JANUARY)[1]


def heat_of(statement: Tree, party: str) -> Tree:
    found: Tree = next(entry["heat"] for entry in statement["statements"] if entry["party"] == party)
    return found


def codes(statement: Tree) -> set[str]:
    return {finding["code"] for finding in statement["findings"]}


def test_by_default_what_failed_stays_as_read_and_the_flat_is_named() -> None:
    town = house.tree(AREAS)
    statement = settle(silent("A"), town=town)
    assert "h-A" not in amounts(statement, "heat_measured")
    assert [f["text"] for f in statement["findings"]] == ["Meter heat-A (flat A) has no readings in this month."]
    assert set(heat_of(statement, "h-A")) == {"measured_kwh", "measured_eur", "fixed_eur"}
    named = house.tree(AREAS, failed_meters="as_read")
    assert settle(silent("A"), town=named) == statement  # to the hashes


def test_a_working_building_is_charged_the_same_with_the_rule() -> None:
    plain, ruled = settle(evenly, town=house.tree(AREAS)), settle(evenly)
    assert amounts(plain, "heat_measured") == amounts(ruled, "heat_measured")
    assert plain["findings"] == ruled["findings"] == []
    assert heat_of(ruled, "h-A") | {"estimated_kwh": None, "estimated_by": None} == heat_of(ruled, "h-A")


@pytest.mark.parametrize(("missing", "failed"), [(24, False), (25, True)])
def test_a_meter_has_failed_when_more_than_a_day_is_missing(missing: int, failed: bool) -> None:
    since = utc("2026-01-10 00:00")
    statement = settle(silent("A", since, since + timedelta(hours=missing)))
    assert (heat_of(statement, "h-A")["estimated_by"] is not None) is failed
    assert ("heat-estimated" in codes(statement)) is failed


def test_hours_that_come_later_have_not_failed() -> None:
    statement = settle(lambda flat, hour: None if hour >= utc("2026-01-20 00:00") else evenly(flat, hour))
    assert codes(statement) == {"month-incomplete"}


def test_a_same_month_last_year_scaled_by_the_other_flats() -> None:
    def used(flat: str, hour: datetime) -> int | None:
        if hour < utc("2025-02-01 00:00"):  # last January: A used 5,000, the others what they use now, times two
            return 5000 if flat == "A" else 2 * WEIGHT[flat]
        return None if hour < utc("2025-11-29 00:00") or (flat == "A" and hour >= START) else WEIGHT[flat]

    statement = settle(used, utc("2024-12-31 23:00"))
    told = heat_of(statement, "h-A")
    assert told["estimated_by"] == "same_flat_last_year"
    assert told["estimated_kwh"] == "1860.000000"  # 5 kWh in 744 hours, halved as the others halved
    assert told["measured_kwh"] == "0.000000"
    text = next(f["text"] for f in statement["findings"] if f["code"] == "heat-estimated")
    assert text == (
        "Flat A: heat meter heat-A failed. From 2026-01-01 until 2026-02-01 1860.000000 kWh were estimated from what"
        " the flat used in the same month last year, scaled by the other flats."
    )
    line = next(x for x in statement["statements"][0]["lines"] if x["code"] == "heat_measured")
    assert line["quantity"] == "1860.000000"
    whole = Fraction(1860 + 744 * 15)
    assert abs(Fraction(line["amount_eur"]) - 650 * 1860 / whole) < Fraction(1, 100)


def test_a_the_month_before_where_last_year_is_not_known() -> None:
    def used(flat: str, hour: datetime) -> int | None:
        return None if flat == "A" and hour >= utc("2026-01-11 00:00") else WEIGHT[flat]

    statement = settle(used, utc("2025-11-30 23:00"))
    told = heat_of(statement, "h-A")
    missing = (END - utc("2026-01-11 00:00")) // timedelta(hours=1)
    assert (told["estimated_by"], told["estimated_kwh"]) == ("same_flat_last_month", f"{missing}.000000")
    assert Decimal(told["measured_kwh"]) + missing == 744


def test_a_needs_the_whole_month_to_compare_with_and_somebody_to_scale_by() -> None:
    hole = silent("A", utc("2025-12-10 00:00"), utc("2025-12-10 03:00"), silent("A"))
    assert heat_of(settle(hole, utc("2025-11-30 23:00")), "h-A")["estimated_by"] == "alike_flats"

    def others_off(flat: str, hour: datetime) -> int | None:
        return 0 if hour < START and flat != "A" else silent("A")(flat, hour)

    assert heat_of(settle(others_off, utc("2025-11-30 23:00")), "h-A")["estimated_by"] == "alike_flats"


def test_a_flat_that_was_empty_then_is_not_compared_with_itself_lived_in() -> None:
    town = house.tree(AREAS, failed_meters="estimate")
    town["households"][0]["from"] = "2025-12-20"
    statement = settle(silent("A"), utc("2025-11-30 23:00"), town)
    assert heat_of(statement, "h-A")["estimated_by"] == "alike_flats"


def test_b_comparable_flats_per_square_metre() -> None:
    told = heat_of(settle(silent("A")), "h-A")
    # B and C have its floor area: (2 + 3) / 100 kWh per m2 and hour, times 50 m2.
    assert (told["estimated_by"], told["estimated_kwh"]) == ("alike_flats", "1860.000000")


@pytest.mark.parametrize(("area", "method"), [("60", "alike_flats"), ("60.1", "building"), ("40", "alike_flats")])
def test_b_ends_at_twenty_percent_of_the_floor_area(area: str, method: str) -> None:
    areas = {"A": "50", "B": area, "C": "150", "D": "200"}
    town = house.tree(areas, failed_meters="estimate")
    known = house.quantities(areas, silent("A"), START, END)
    assert heat_of(settled(town, known, JANUARY)[1], "h-A")["estimated_by"] == method


def test_b_an_empty_flat_says_nothing_about_one_that_is_lived_in() -> None:
    town = house.tree(AREAS, failed_meters="estimate")
    town["households"] = [one for one in town["households"] if one["flat"] != "B"]
    told = heat_of(settle(silent("A"), town=town), "h-A")
    assert told["estimated_kwh"] == f"{744 * 3}.000000"  # C alone


def test_c_the_average_of_the_building() -> None:
    areas = AREAS | {"A": "20"}
    town = house.tree(areas, failed_meters="estimate")
    told = heat_of(settled(town, house.quantities(areas, silent("A"), START, END), JANUARY)[1], "h-A")
    assert told["estimated_by"] == "building"
    assert Fraction(told["estimated_kwh"]) == round(Fraction(744 * 15 * 20, 260), 6)


def test_allocator_units_are_estimated_as_units_and_never_added_to_kwh() -> None:
    town = house.tree(AREAS, unit="units", failed_meters="estimate")
    statement = settle(silent("A"), town=town)
    told = heat_of(statement, "h-A")
    assert (told["estimated_by"], told["estimated_kwh"], told["measured_kwh"]) == ("alike_flats", None, None)
    line = next(x for x in statement["statements"][0]["lines"] if x["code"] == "heat_measured")
    assert (line["quantity"], line["unit"]) == ("1860.000000", "units")
    mixed = town | {"meters": [*town["meters"][:-1], town["meters"][-1] | {"unit": "kWh"}]}
    with pytest.raises(BadInput, match="heat in 'units' and heat in kWh cannot share one pool"):
        build(mixed, "the example")


def test_what_a_failed_meter_would_have_counted_is_heat_of_the_rooms_beside_hot_water() -> None:
    town = house.tree(AREAS, failed_meters="estimate", hot_water={"measured_percent": "100"})
    town["meters"] += [{"id": f"hot-{flat}", "measures": "hot_water", "flat": flat, "unit": "kWh"} for flat in AREAS]
    known = house.quantities(AREAS, silent("A"), START, END)
    known |= {f"hot-{flat}": known["heat-B"] for flat in AREAS}  # 2 kWh of hot water in every hour
    told = settled(town, known, JANUARY)[1]
    rooms = Fraction(5, 2) + 2 + 3 + 4 + 6  # A is estimated by B and C
    of_water = Fraction(1000) * (5 * 2) / (rooms + 5 * 2)
    assert abs(Fraction(sum(amounts(told, "hot_water_measured").values())) - of_water) < Fraction(1, 100)


@pytest.mark.parametrize(("area", "fixed"), [("50", False), ("50.1", True)])
def test_exactly_a_quarter_of_the_floor_area_is_estimated_and_more_follows_the_fixed_measure(
    area: str, fixed: bool
) -> None:
    areas = {"A": area, "B": "50", "C": "50", "D": "50"}
    town = house.tree(areas, failed_meters="estimate")
    statement = settled(town, house.quantities(areas, silent("A"), START, END), JANUARY)[1]
    assert ("heat-by-fixed-measure" in codes(statement)) is fixed
    assert (heat_of(statement, "h-D")["estimated_by"] == "fixed_measure") is fixed
    measured, whole = amounts(statement, "heat_measured"), sum(map(Decimal, areas.values()))
    assert sum(measured.values()) == 650
    if fixed:
        for flat, floor in areas.items():
            assert abs(measured[f"h-{flat}"] - 650 * Decimal(floor) / whole) < Decimal("0.01")
    else:
        assert measured["h-A"] != measured["h-B"]


def test_each_spell_of_a_move_is_estimated_by_its_own_hours() -> None:
    town = house.tree(AREAS, failed_meters="estimate")
    town["households"][0]["until"] = "2026-01-11"
    town["households"].append({"id": "h-new", "flat": "A", "from": "2026-01-21"})
    statement = settle(silent("A", utc("2026-01-05 23:00")), town=town)
    # Five measured days and five estimated ones before the move, ten of vacancy, eleven after.
    assert heat_of(statement, "h-A")["measured_kwh"] == "120.000000"
    assert heat_of(statement, "h-A")["estimated_kwh"] == f"{5 * 24 * 5 // 2}.000000"
    assert heat_of(statement, "h-new")["estimated_kwh"] == f"{11 * 24 * 5 // 2}.000000"
    # No flat is empty as A is then, so vacancy has the building's average.
    assert heat_of(statement, "owner")["estimated_by"] == "building"


def test_what_another_meter_of_the_flat_counted_is_in_the_estimate() -> None:
    town = house.tree(AREAS, failed_meters="estimate")
    town["meters"].append({"id": "heat-A2", "measures": "heat", "flat": "A", "unit": "kWh"})
    known = house.quantities(AREAS, silent("A"), START, END)
    known["heat-A2"] = house.quantities({"X": ""}, lambda flat, hour: 500, START, END)["heat-X"]
    told = heat_of(settled(town, known, JANUARY)[1], "h-A")
    assert (told["measured_kwh"], told["estimated_kwh"]) == ("372.000000", "1488.000000")  # 1,860 together


def test_where_nothing_is_known_it_is_said() -> None:
    areas = {"A": "50", "B": "250"}
    town = house.tree(areas, failed_meters="estimate")
    town["meters"] = [town["meters"][0], {"id": "boiler", "measures": "heat_produced", "unit": "kWh"}]
    known = {"boiler": house.quantities({"X": ""}, lambda flat, hour: 500, START, END)["heat-X"]}
    assert "heat-not-estimated" in codes(settled(town, known, JANUARY)[1])


def test_earlier_months_are_read_only_where_a_meter_failed() -> None:
    begin = utc("2024-11-30 23:00")
    town = build(house.tree(AREAS, failed_meters="estimate"), "the example").community
    working = selected(town, JANUARY, house.quantities(AREAS, evenly, begin, END))
    assert {len(readings.times) for readings in working.values()} == {744 + 2}
    failed = selected(town, JANUARY, house.quantities(AREAS, silent("A"), begin, END))
    # From two readings before December on; of last January an hour and one more reading on either side.
    assert len(failed["heat-B"].times) == 744 + 744 + 2 + 744 + 5
    again = selected(town, JANUARY, failed)
    assert again == failed


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(20, 120), st.integers(0, 9)), min_size=3, max_size=6),
    st.sets(st.integers(0, 5), max_size=2),
    st.integers(0, 700),
    st.booleans(),
)
def test_every_estimate_is_the_rule_and_the_pool_adds_up(
    homes: list[tuple[int, int]], broken: set[int], first: int, moves: bool
) -> None:
    """Recomputed with fractions: floor areas and Wh by the hour; nothing is known of earlier months."""
    flats = {f"F{number}": str(area) for number, (area, _) in enumerate(homes)}
    failed = {f"F{number}" for number in broken if number < len(homes)}
    since = START + timedelta(hours=first)

    def use(flat: str, hour: datetime) -> int:
        return 100 * homes[int(flat[1:])][1] * (hour.hour + 1)

    known = house.quantities(
        flats, lambda flat, hour: None if flat in failed and hour >= since else use(flat, hour), START, END
    )
    town = house.tree(flats, failed_meters="estimate")
    if moves and failed:
        household = next(one for one in town["households"] if one["flat"] == min(failed))
        household["until"] = "2026-01-16"
        town["households"].append({"id": "h-new", "flat": min(failed), "from": "2026-01-16"})
    whole, statement = settled(town, known, JANUARY)
    areas = {flat: Fraction(area) for flat, area in flats.items()}
    lost = 744 - first
    share = sum((areas[flat] for flat in failed), Fraction(0)) / sum(areas.values())
    by_fixed = lost > 24 and share > Fraction(1, 4)
    assert ("heat-by-fixed-measure" in codes(statement)) is by_fixed
    assert sum(amounts(statement, "heat_measured").values()) == 650
    basis: dict[str, Fraction] = {}
    for entry in statement["statements"]:
        party, flat = entry["party"], entry["flat"]
        begin, end = (datetime.fromisoformat(entry[name]).replace(tzinfo=UTC) - HOUR for name in ("from", "until"))
        own = [hour for hour in house.hours(begin, end) if flat not in failed or hour < since]
        measured = sum(use(flat, hour) for hour in own)
        assert Decimal(entry["heat"]["measured_kwh"]) == Decimal(measured) / 1000
        missing = [hour for hour in house.hours(begin, end) if hour not in own]
        estimated = Fraction(0)
        if lost > 24 and missing and not by_fixed:
            working = [one for one in flats if one not in failed]
            alike = [one for one in working if 5 * abs(areas[one] - areas[flat]) <= areas[flat]]
            told = alike or working
            rate = sum(Fraction(use(one, hour)) for one in told for hour in missing) / sum(areas[one] for one in told)
            estimated = areas[flat] * rate / 1000
            assert entry["heat"]["estimated_by"] == ("alike_flats" if alike else "building")
            assert abs(Fraction(entry["heat"]["estimated_kwh"]) - estimated) <= Fraction(1, 2 * 10**6)
            estimated = Fraction(entry["heat"]["estimated_kwh"])
        days = (date.fromisoformat(entry["until"]) - date.fromisoformat(entry["from"])).days
        basis[party] = areas[flat] * days if by_fixed else Fraction(measured, 1000) + estimated
    if not any(basis.values()):
        return
    for party, part in basis.items():
        paid = Fraction(amounts(statement, "heat_measured").get(party, Decimal(0)))
        assert abs(paid - 650 * part / sum(basis.values())) < Fraction(1, 100)
    assert whole.energy.failed is not None


@pytest.mark.parametrize(("hours", "method"), [(12, "alike_flats"), (13, "building")])
def test_a_working_flat_that_misses_less_than_half_of_the_hours_has_its_average_there(hours: int, method: str) -> None:
    # A misses 25 hours; C, its only flat of like size, some of the same: not enough to have failed itself.
    areas = {"A": "50", "B": "100", "C": "50", "D": "100"}
    since = utc("2026-01-10 00:00")
    base = silent("C", since, since + timedelta(hours=hours))
    known = house.quantities(areas, silent("A", since, since + timedelta(hours=25), base), START, END)
    told = heat_of(settled(house.tree(areas, failed_meters="estimate"), known, JANUARY)[1], "h-A")
    assert told["estimated_by"] == method
    if method == "alike_flats":
        assert told["estimated_kwh"] == "75.000000"  # 3 kWh in 25 hours, as C used in the hours that are known


def test_a_rule_that_starts_later_estimates_nothing_before_and_none_is_needed_to_export() -> None:
    town = house.tree(AREAS)
    town["heat"].append(town["heat"][0] | {"from": "2026-02-01", "failed_meters": "estimate"})
    statement = settle(silent("A"), town=town)
    assert "estimated_by" not in heat_of(statement, "h-A")
    late = house.tree(AREAS, failed_meters="estimate") | {"heat": town["heat"][1:]}
    known = house.quantities(AREAS, silent("A"), START, END)
    assert selected(build(late, "the example").community, JANUARY, known).keys() == known.keys()


def test_a_charge_is_divided_by_what_was_measured_and_estimated() -> None:
    town = house.tree(AREAS, failed_meters="estimate")
    whole, _ = settled(town, house.quantities(AREAS, silent("A"), START, END), JANUARY)
    charge = next(charge for charge in whole.charges if charge.code == "heat_measured")
    assert {spell.flat: kwh for spell, kwh in charge.basis.items()} == {
        "A": 1860, "B": 744 * 2, "C": 744 * 3, "D": 744 * 4, "E": 744 * 6,
    }  # fmt: skip
    assert charge.factor == 65_000 / sum(charge.basis.values())
    assert sum(whole.energy.heat.values()) == 744 * 15 * 10**6  # nothing measured was altered
