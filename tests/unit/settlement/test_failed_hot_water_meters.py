"""Hot water meters that failed: the rule of heat meters, by itself, in m3, in kWh and where a building has both.

January 2026 in Amsterdam, five flats; hours are those of UTC. Hot water leaves the boiler house at 60 degrees, so that
a m3 of it takes 125 kWh.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from core.communityfile import build
from core.time import Month, microseconds
from settlement import failedmeters
from settlement.selection import input_sha256
from settlement.selection import used as selected
from tests.support import heathouse as house
from tests.support.heathouse import HOUR, Tree, Used, amounts, settled, utc

JANUARY = Month(2026, 1)
START, END = utc("2025-12-31 23:00"), utc("2026-01-31 23:00")
AREAS = {"A": "50", "B": "50", "C": "50", "D": "80", "E": "80"}
ROOMS = {"A": 1000, "B": 2000, "C": 3000, "D": 4000, "E": 6000}
"""Wh of heat in every hour."""
LITRES = {"A": 10, "B": 20, "C": 30, "D": 40, "E": 60}
"""Of hot water in every hour; Wh where meters say kWh."""
APART = {"measured_percent": "60", "fixed_by": "floor_area", "warm_celsius": "60"}
PLAIN = {"measured_kwh", "measured_m3", "measured_eur", "fixed_eur"}


def litres(flat: str, hour: datetime) -> int | None:
    return LITRES[flat]


def rooms(flat: str, hour: datetime) -> int | None:
    return ROOMS[flat]


def silent(flat: str, since: datetime = START, until: datetime = END, base: Used = litres) -> Used:
    """The same, but a flat's meter is not read in a span."""
    return lambda name, hour: None if name == flat and since <= hour < until else base(name, hour)


def town_of(areas: dict[str, str] = AREAS, unit: str = "m3", water: Tree = APART, **rule: Any) -> Tree:
    return house.with_water(house.tree(areas, **({"failed_meters": "estimate", "hot_water": water} | rule)), unit)


def settle(
    used: Used, begin: datetime = START, town: Tree | None = None, heat: Used = rooms, areas: dict[str, str] = AREAS
) -> Tree:
    known = house.quantities(areas, heat, begin, END) | house.quantities(areas, used, begin, END, "hot")
    return settled(town or town_of(areas), known, JANUARY)[1]


def water_of(statement: Tree, party: str = "h-A") -> Tree:
    found: Tree = next(entry["heat"]["hot_water"] for entry in statement["statements"] if entry["party"] == party)
    return found


def estimate_of(statement: Tree, party: str = "h-A") -> tuple[str | None, str | None, str | None]:
    told = water_of(statement, party)
    return told["estimated_by"], told["estimated_m3"], told["estimated_kwh"]


def line_of(statement: Tree, party: str = "h-A") -> tuple[str, str]:
    entry = next(entry for entry in statement["statements"] if entry["party"] == party)
    line = next(one for one in entry["lines"] if one["code"] == "hot_water_measured")
    return line["quantity"], line["unit"]


def codes(statement: Tree) -> set[str]:
    return {finding["code"] for finding in statement["findings"]}


# Where the rule does not say so, and where nothing failed


def test_by_default_what_failed_stays_as_read_and_the_flat_is_named() -> None:
    statement = settle(silent("A"), town=house.with_water(house.tree(AREAS, hot_water=APART)))
    assert "h-A" not in amounts(statement, "hot_water_measured")
    assert [f["text"] for f in statement["findings"]] == ["Meter hot-A (flat A) has no readings in this month."]
    assert set(water_of(statement)) == PLAIN
    named = house.with_water(house.tree(AREAS, hot_water=APART, failed_meters="as_read"))
    assert settle(silent("A"), town=named) == statement  # to the hashes


def test_without_a_pool_of_hot_water_its_failed_meters_change_nothing() -> None:
    town = house.with_water(house.tree(AREAS, failed_meters="estimate"))
    town["meters"][-1]["unit"] = "kWh"
    broken, working = settle(silent("A"), town=town), settle(litres, town=town)
    assert [entry["heat"] for entry in broken["statements"]] == [entry["heat"] for entry in working["statements"]]
    assert codes(broken) == {"no-readings"}
    community = build(town, "the example").community
    begin = utc("2024-11-30 23:00")
    known = house.quantities(AREAS, silent("A"), begin, END, "hot")
    assert {len(one.times) for one in selected(community, JANUARY, known).values()} == {2, 744 + 2}
    both = settle(silent("A"), town=town, heat=silent("A", base=rooms))
    assert both["statements"][0]["heat"]["estimated_by"] == "alike_flats"


def test_a_working_building_is_charged_the_same_with_the_rule() -> None:
    plain, ruled = settle(litres, town=house.with_water(house.tree(AREAS, hot_water=APART))), settle(litres)
    assert [entry["lines"] for entry in plain["statements"]] == [entry["lines"] for entry in ruled["statements"]]
    assert plain["findings"] == ruled["findings"] == []
    assert plain["energy"] == ruled["energy"]
    silence = {"estimated_kwh": None, "estimated_m3": None, "estimated_by": None}
    assert water_of(ruled) == water_of(plain) | silence


@pytest.mark.parametrize(("missing", "failed"), [(24, False), (25, True)])
def test_a_meter_has_failed_when_more_than_a_day_is_missing(missing: int, failed: bool) -> None:
    since = utc("2026-01-10 00:00")
    statement = settle(silent("A", since, since + timedelta(hours=missing)))
    assert (water_of(statement)["estimated_by"] is not None) is failed
    assert ("hot-water-estimated" in codes(statement)) is failed


def test_hours_that_come_later_have_not_failed() -> None:
    def used(flat: str, hour: datetime) -> int | None:
        return None if hour >= utc("2026-01-20 00:00") else LITRES[flat]

    statement = settle(used, heat=lambda flat, hour: None if used(flat, hour) is None else ROOMS[flat])
    assert codes(statement) == {"month-incomplete"}


def test_what_a_month_that_is_not_over_misses_so_far_is_estimated() -> None:
    now = utc("2026-01-20 00:00")

    def used(flat: str, hour: datetime) -> int | None:
        return None if hour >= now or flat == "A" else LITRES[flat]

    statement = settle(used, heat=lambda flat, hour: None if hour >= now else ROOMS[flat])
    so_far = (now - START) // HOUR
    assert estimate_of(statement)[:2] == ("alike_flats", f"{Decimal(so_far * 25) / 1000:.6f}")


# The three methods


def test_a_same_month_last_year_scaled_by_the_other_flats() -> None:
    def used(flat: str, hour: datetime) -> int | None:
        if hour < utc("2025-02-01 00:00"):  # last January: A used 50, the others what they use now, times two
            return 50 if flat == "A" else 2 * LITRES[flat]
        return None if hour < utc("2025-11-29 00:00") or (flat == "A" and hour >= START) else LITRES[flat]

    statement = settle(used, utc("2024-12-31 23:00"))
    # 50 litres in 744 hours, halved as the others halved: 18.6 m3, which took 2,325 kWh.
    assert estimate_of(statement) == ("same_flat_last_year", "18.600000", "2325.000000")
    assert (water_of(statement)["measured_m3"], water_of(statement)["measured_kwh"]) == ("0.000000", "0.000000")
    assert [f for f in statement["findings"] if f["code"] == "hot-water-estimated"] == [
        {
            "code": "hot-water-estimated",
            "meter": "hot-A",
            "from": None,
            "until": None,
            "text": "Flat A: hot water meter hot-A failed. From 2026-01-01 until 2026-02-01 18.600000 m³ were estimated"
            " from what the flat used in the same month last year, scaled by the other flats.",
        }
    ]
    assert line_of(statement) == ("18.600000", "m³")


def test_a_the_month_before_where_last_year_is_not_known() -> None:
    since = utc("2026-01-11 00:00")
    statement = settle(silent("A", since), utc("2025-11-30 23:00"))
    missing = (END - since) // HOUR
    assert estimate_of(statement)[:2] == ("same_flat_last_month", f"{missing * 10 / 1000:.6f}")
    assert Decimal(water_of(statement)["measured_m3"]) == Decimal(744 - missing) / 100
    assert line_of(statement) == ("7.440000", "m³")  # both together


def test_a_flat_that_was_empty_then_is_not_compared_with_itself_lived_in() -> None:
    town = town_of()
    town["households"][0]["from"] = "2025-12-20"
    assert estimate_of(settle(silent("A"), utc("2025-11-30 23:00"), town))[0] == "alike_flats"


@pytest.mark.parametrize(("unit", "m3", "kwh"), [("m3", "18.600000", "2325.000000"), ("kWh", None, "18.600000")])
def test_b_comparable_flats_per_square_metre(unit: str, m3: str | None, kwh: str) -> None:
    # B and C have its floor area: (20 + 30) / 100 litres (or Wh) per m2 and hour, times 50 m2.
    statement = settle(silent("A"), town=town_of(unit=unit))
    assert estimate_of(statement) == ("alike_flats", m3, kwh)
    assert line_of(statement) == ("18.600000", "m³" if m3 else "kWh")
    text = next(f["text"] for f in statement["findings"] if f["code"] == "hot-water-estimated")
    assert f" 18.600000 {'m³' if m3 else 'kWh'} were estimated from flats of like floor area" in text


def test_c_the_average_of_the_building() -> None:
    areas = AREAS | {"A": "20"}
    method, m3, kwh = estimate_of(settle(silent("A"), areas=areas))
    assert method == "building"
    assert m3 is not None
    assert kwh is not None
    assert Fraction(m3) == round(Fraction(744 * 150 * 20, 260 * 1000), 6)
    assert Fraction(kwh) == 125 * Fraction(m3)


def test_where_nothing_is_known_it_is_said() -> None:
    # All others miss the same hours, fewer than would be a failure of theirs.
    since = utc("2026-01-10 00:00")

    def used(flat: str, hour: datetime) -> int | None:
        gone = timedelta(hours=40 if flat == "A" else 24)
        return None if since <= hour < since + gone else LITRES[flat]

    statement = settle(used)
    assert "hot-water-not-estimated" in codes(statement)
    text = next(f["text"] for f in statement["findings"] if f["code"] == "hot-water-not-estimated")
    assert text == "Flat A: hot water meter hot-A failed, and nothing is known to estimate it from."
    assert estimate_of(statement) == (None, None, None)


def test_in_a_building_of_both_kinds_of_meter_what_is_compared_is_heat() -> None:
    town = town_of(water=APART | {"warm_celsius": "55"})
    for meter in town["meters"]:
        if meter["id"] in ("hot-B", "hot-D"):
            meter["unit"] = "kWh"

    def used(flat: str, hour: datetime) -> int | None:
        return {"A": None, "B": 2250, "D": 4000}.get(flat, LITRES[flat])

    statement = settle(used, town=town)
    # At 55 degrees a m3 takes 112.5 kWh: C's 30 litres are 3,375 Wh in an hour. With B's 2,250 that is 56.25 Wh per m2.
    estimated = Decimal(744) * Decimal("2.8125")
    assert estimate_of(statement) == ("alike_flats", None, f"{estimated:.6f}")
    assert line_of(statement) == (f"{estimated:.6f}", "kWh")
    assert line_of(statement, "h-C") == (f"{Decimal(744) * Decimal('3.375'):.6f}", "kWh")
    # Last January A used 10 litres an hour, that is 1,125 Wh, and the others half of what they use now.
    before = utc("2025-02-01 00:00")

    def through(flat: str, hour: datetime) -> int | None:
        now = used(flat, hour)
        return now if hour >= before else 10 if flat == "A" else None if now is None else now // 2

    again = settle(through, utc("2024-12-31 23:00"), town)
    assert estimate_of(again) == ("same_flat_last_year", None, f"{Decimal(744) * Decimal('2.25'):.6f}")


# Moves, two meters, and both kinds at once


def test_each_spell_of_a_move_is_estimated_by_its_own_hours() -> None:
    town = town_of()
    town["households"][0]["until"] = "2026-01-11"
    town["households"].append({"id": "h-new", "flat": "A", "from": "2026-01-21"})
    statement = settle(silent("A", utc("2026-01-05 23:00")), town=town)
    # Five measured days and five estimated ones before the move, ten of vacancy, eleven after.
    assert water_of(statement)["measured_m3"] == "1.200000"
    assert water_of(statement)["estimated_m3"] == "3.000000"
    assert water_of(statement, "h-new")["estimated_m3"] == "6.600000"
    # No flat is empty as A is then, so vacancy has the building's average.
    assert water_of(statement, "owner")["estimated_by"] == "building"


def test_what_another_meter_of_the_flat_counted_is_in_the_estimate() -> None:
    town = town_of()
    town["meters"].append({"id": "hot-A2", "measures": "hot_water", "flat": "A", "unit": "m3"})
    known = house.quantities(AREAS, rooms, START, END) | house.quantities(AREAS, silent("A"), START, END, "hot")
    known |= house.quantities(["A2"], lambda flat, hour: 5, START, END, "hot")
    told = settled(town, known, JANUARY)[1]
    assert water_of(told)["measured_m3"] == "3.720000"
    assert estimate_of(told)[1] == "14.880000"  # 18.6 together
    assert line_of(told) == ("18.600000", "m³")


def test_either_kind_is_estimated_by_its_own_meters() -> None:
    """Flat A's heat meter and flat B's hot water meter failed: each is a working flat to the other."""
    both = settle(silent("B"), heat=silent("A", base=rooms))
    assert both["statements"][0]["heat"]["estimated_kwh"] == "1860.000000"  # as of B and C
    assert estimate_of(both, "h-B")[1] == f"{744 * 20 / 1000:.6f}"  # as of A and C
    assert both["statements"][1]["heat"]["estimated_by"] is None
    assert estimate_of(both, "h-A") == (None, None, None)
    assert {"heat-estimated", "hot-water-estimated"} <= codes(both)


# What it costs


@pytest.mark.parametrize("boiler", [None, 40_000])
def test_hot_water_s_part_of_the_cost_is_what_was_measured_and_estimated(boiler: int | None) -> None:
    town = town_of()
    known = house.quantities(AREAS, silent("A", base=rooms), START, END)
    known |= house.quantities(AREAS, silent("A"), START, END, "hot")
    if boiler:
        town["meters"].append({"id": "heat-boiler", "measures": "heat_produced", "unit": "kWh"})
        known |= house.quantities(["boiler"], lambda flat, hour: boiler, START, END)
    whole, statement = settled(town, known, JANUARY)
    # In every hour 150 litres and A's 25 of B and C, at 125 Wh; rooms 15 kWh and A's 2.5.
    water, heat = Fraction(175 * 125, 1000), Fraction(35, 2)
    part = water / (Fraction(boiler, 1000) if boiler else water + heat)
    assert statement["energy"]["hot_water_kwh"] == f"{744 * 21.875:.6f}"
    assert whole.heat is not None
    assert whole.heat.hot_water_measured + whole.heat.hot_water_fixed == round(100_000 * part)
    measured = amounts(statement, "hot_water_measured")
    for flat, used in (LITRES | {"A": 25}).items():
        assert abs(Fraction(measured[f"h-{flat}"]) - 600 * part * used / 175) < Fraction(1, 50)
    lines = ("heat_measured", "heat_fixed", "hot_water_measured", "hot_water_fixed")
    assert sum(sum(amounts(statement, code).values()) for code in lines) == 1000
    assert "cents: heat and hot water = cost of heat" in {check["name"] for check in statement["checks"]}


def test_a_charge_is_divided_by_what_was_measured_and_estimated_and_nothing_measured_is_altered() -> None:
    known = house.quantities(AREAS, rooms, START, END) | house.quantities(AREAS, silent("A"), START, END, "hot")
    whole, _ = settled(town_of(), known, JANUARY)
    charge = next(charge for charge in whole.charges if charge.code == "hot_water_measured")
    assert {spell.flat: 1000 * m3 for spell, m3 in charge.basis.items()} == {
        flat: 744 * used for flat, used in (LITRES | {"A": 25}).items()
    }
    assert charge.factor * sum(charge.basis.values()) == whole.heat.hot_water_measured if whole.heat else False
    assert whole.energy.warmed is not None
    assert sum((whole.energy.warmed.volume or {}).values()) == 744 * 160_000 - 744 * 10_000


@pytest.mark.parametrize(("area", "fixed"), [("50", False), ("50.1", True)])
@pytest.mark.parametrize("by", ["floor_area", "equal"])
def test_more_than_a_quarter_of_the_floor_area_follows_hot_water_s_own_fixed_measure(
    area: str, fixed: bool, by: str
) -> None:
    areas = {"A": area, "B": "50", "C": "50", "D": "50"}
    statement = settle(silent("A"), areas=areas, town=town_of(areas, water=APART | {"fixed_by": by}))
    assert ("hot-water-by-fixed-measure" in codes(statement)) is fixed
    assert (water_of(statement, "h-D")["estimated_by"] == "fixed_measure") is fixed
    measured = amounts(statement, "hot_water_measured")
    if fixed:
        assert estimate_of(statement, "h-D") == ("fixed_measure", None, None)
        parts = {flat: Decimal(floor) if by == "floor_area" else Decimal(1) for flat, floor in areas.items()}
        for flat, part in parts.items():
            paid = sum(measured.values()) * part / sum(parts.values())
            assert abs(measured[f"h-{flat}"] - paid) < Decimal("0.01")
        assert line_of(statement)[1] == ("m²·days" if by == "floor_area" else "days")
        text = next(f["text"] for f in statement["findings"] if f["code"] == "hot-water-by-fixed-measure")
        assert text == (
            "The hot water meters of 25.04 % of the floor area failed (flats: A), more than 25 %: all hot water is"
            " divided by the fixed measure. Its part of the cost of heat follows from what was counted."
        )
    else:
        assert measured["h-A"] != measured["h-B"]
    # Warm rooms keep their meters.
    assert statement["statements"][0]["heat"]["estimated_by"] is None
    heat = amounts(statement, "heat_measured")
    for flat in areas:
        assert abs(heat[f"h-{flat}"] - sum(heat.values()) * ROOMS[flat] / 10_000) < Decimal("0.01")


def test_where_heat_meters_are_too_many_hot_water_keeps_its_own() -> None:
    areas = {"A": "60", "B": "50", "C": "50", "D": "50"}
    statement = settle(litres, areas=areas, heat=silent("A", base=rooms))
    assert statement["statements"][0]["heat"]["estimated_by"] == "fixed_measure"
    measured = amounts(statement, "hot_water_measured")
    for flat in areas:
        assert estimate_of(statement, f"h-{flat}") == (None, None, None)
        assert abs(measured[f"h-{flat}"] - sum(measured.values()) * LITRES[flat] / 100) < Decimal("0.01")


@pytest.mark.parametrize(
    ("unit", "boiler", "said"), [("kWh", None, True), ("kWh", 40_000, False), ("units", 0, False), ("kWh", 0, True)]
)
def test_that_hot_water_bears_too_much_is_said_where_only_failed_heat_meters_tell_the_heat_supplied(
    unit: str, boiler: int | None, said: bool
) -> None:
    areas = {"A": "60", "B": "50", "C": "50", "D": "50"}
    town = town_of(areas)
    known = house.quantities(areas, silent("A", base=rooms), START, END)
    known |= house.quantities(areas, litres, START, END, "hot")
    for meter in town["meters"]:
        if meter["measures"] == "heat":
            meter["unit"] = unit
    if boiler is not None:
        town["meters"].append({"id": "heat-boiler", "measures": "heat_produced", "unit": "kWh"})
        known |= house.quantities(["boiler"], lambda flat, hour: boiler, START, END)
    statement = settled(town, known, JANUARY)[1]
    text = next(one["text"] for one in statement["findings"] if one["code"] == "heat-by-fixed-measure")
    begin, end = "The heat meters of 28.57 % of the floor area failed", "all heat is divided by the fixed measure."
    assert text.startswith(begin)
    assert text.endswith(
        end
        + " What they did not count is missing from the heat supplied, which no boiler's meter tells: too much of the"
        " cost was put on hot water."
        if said
        else end
    )


# What it is settled from


@pytest.mark.parametrize("broken", ["hot", "heat", "both", "many"])
def test_earlier_months_are_read_only_of_the_kind_that_failed(broken: str) -> None:
    begin = utc("2024-11-30 23:00")
    community = build(town_of(), "the example").community
    water = silent("D", base=silent("A")) if broken == "many" else silent("A") if broken != "heat" else litres
    known = house.quantities(AREAS, silent("A", base=rooms) if broken in ("heat", "both") else rooms, begin, END)
    known |= house.quantities(AREAS, water, begin, END, "hot")
    found = selected(community, JANUARY, known)
    wide, narrow = 744 + 744 + 2 + 744 + 5, 744 + 2
    sizes = {kind: len(found[f"{kind}-B"].times) for kind in ("heat", "hot")}
    assert sizes == {
        "heat": wide if broken in ("heat", "both") else narrow,
        "hot": wide if broken in ("hot", "both") else narrow,
    }
    again = selected(community, JANUARY, found)
    assert again == found
    assert input_sha256(community, JANUARY, again) == input_sha256(community, JANUARY, found)


def test_which_months_are_compared_with_is_told_by_kind() -> None:
    year, month = JANUARY.shift(-12), JANUARY.shift(-1)
    community = build(town_of(), "the example").community
    for heat, water, told in (
        (rooms, litres, ()),
        (rooms, silent("A"), (("hot_water", year), ("hot_water", month))),
        (
            silent("B", base=rooms),
            silent("A"),
            (("heat", year), ("heat", month), ("hot_water", year), ("hot_water", month)),
        ),
    ):
        known = house.quantities(AREAS, heat, START, END) | house.quantities(AREAS, water, START, END, "hot")
        assert failedmeters.references(community, JANUARY, known) == told
    assert failedmeters.kinds(community, JANUARY) == ("heat", "hot_water")
    assert failedmeters.kinds(community, Month(2023, 12)) == ()
    alone = build(house.tree(AREAS, failed_meters="estimate"), "the example").community
    assert failedmeters.kinds(alone, JANUARY) == ("heat",)


def test_long_gaps_of_hot_water_are_bridged_before_anything_has_failed() -> None:
    """A register that is read again has lost nothing; only what no reading encloses is missing."""
    ends = (microseconds(START), microseconds(utc("2026-01-05 23:00")), microseconds(END))
    town = town_of()
    known = house.quantities(AREAS, rooms, START, END) | house.quantities(AREAS, litres, START, END, "hot")
    register = known["hot-A"].__class__("register", ends, (Decimal(0), Decimal(1), Decimal(9)))
    told = settled(town, known | {"hot-A": register}, JANUARY)[1]
    assert estimate_of(told) == (None, None, None)
    assert water_of(told)["measured_m3"] == "9.000000"
