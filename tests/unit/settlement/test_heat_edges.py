"""The heat pool and hot water's part of it at their edges: half a cent, nothing measured, one flat alone."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from core.community import Community, HotWater
from core.communityfile import build
from core.time import Month
from settlement import heat, hotwater, tariffs
from settlement.charges import Charge
from settlement.hotwater import Warmed
from settlement.model import Series, Spell
from settlement.pellets import PelletMonth
from tests.support import heathouse as house

JANUARY = Month(2026, 1)
RULE = HotWater(measured_percent=Decimal(50), fixed_by="equal")
NONE = Fraction(0)


def town(
    *,
    area: str = "50",
    invoice: str = "0",
    water: Mapping[str, str] | None = None,
) -> Community:
    """Flats of 50 m2 (or so) and of 100, half of the heat by meters; hot water meters by name with their unit."""
    tree = house.tree({"A": area, "B": "100"}, measured_percent="50")
    tree["costs"][0]["eur"] = invoice
    tree["tariffs"][0]["vat_percent"] = {"electricity": "21", "heat": "9"}
    tree["meters"] += [
        {"id": name, "measures": "hot_water", "flat": name[0].upper(), "unit": unit}
        for name, unit in (water or {}).items()
    ]
    return build(tree, "the case").community


def burnt(cents: int) -> PelletMonth:
    return PelletMonth(NONE, cents, NONE, 0, NONE, cents, NONE, 0, estimated=False)


def warm(heats: Mapping[Spell, Fraction], supplied: Fraction | None, volume: Any = None) -> Warmed:
    return Warmed(RULE, heats, volume, supplied)


def spells(community: Community) -> tuple[Spell, Spell]:
    first, second = tariffs.spells(community, JANUARY)
    return first, second


# The pool


def test_each_half_of_a_cent_goes_up_and_the_four_parts_are_the_whole() -> None:
    community = town(invoice="0.05")
    a, _ = spells(community)
    rule = heat.rule_of(community, JANUARY)
    assert rule is not None
    half = warm({a: Fraction(1)}, Fraction(2))
    # 5 cents: 3 of them (of 2.5) for hot water, 2 (of 1.5) by its meters; of the other 2 cents 1 by meters.
    assert heat.pool(community, JANUARY, None, half) == heat.HeatPool(rule, 5, 1, 1, (("M-1", 5),), 2, 1)
    assert heat.pool(community, JANUARY, burnt(6), half) == heat.HeatPool(rule, 11, 3, 2, (("M-1", 5),), 3, 3)
    assert heat.pool(community, JANUARY, burnt(6)) == heat.HeatPool(rule, 11, 6, 5, (("M-1", 5),))
    assert heat.pool(community, JANUARY, None) == heat.HeatPool(rule, 5, 3, 2, (("M-1", 5),))
    nobody_knows = warm({a: Fraction(1)}, None)
    assert heat.pool(community, JANUARY, None, nobody_knows) == heat.HeatPool(rule, 5, 3, 2, (("M-1", 5),))


def test_where_no_heat_is_settled_there_is_no_pool() -> None:
    bare = town().model_copy(update={"heat": None})
    assert (heat.rule_of(bare, JANUARY), heat.pool(bare, JANUARY, burnt(5))) == (None, None)


def charges(community: Community, used: tuple[int, int], *, in_units: bool = False, warmed: Any = None) -> list[Charge]:
    stretch = tariffs.stretches(community, JANUARY)[0]
    both = spells(community)
    cost = heat.pool(community, JANUARY, burnt(1000), warmed)
    assert cost is not None
    used_by = dict(zip(both, used, strict=True))
    return list(heat.charges(community, stretch, both, cost, used_by, in_units=in_units, warmed=warmed))


def test_heat_of_one_flat_alone_is_its_own_and_heat_of_none_follows_the_fixed_measure() -> None:
    community = town()
    a, b = spells(community)
    alone = charges(community, (0, 10**6))[0]
    assert (alone.basis, alone.factor) == ({a: 0, b: 1}, 500)
    nobody = charges(community, (0, 0))[0]
    assert (nobody.basis, nobody.factor) == ({a: 50 * 31, b: 100 * 31}, Fraction(500, 150 * 31))
    assert [(one.quantity, one.unit) for one in (nobody.measures or {}).values()] == [
        ("1550", "m²·days"), ("3100", "m²·days"),
    ]  # fmt: skip


@pytest.mark.parametrize(("area", "shown"), [("50", "1550"), ("50.1", "1553.1"), ("50.125", "1553.875")])
def test_the_fixed_measure_is_shown_with_the_decimals_it_has(area: str, shown: str) -> None:
    measures = charges(town(area=area), (1, 1))[1].measures or {}
    assert [(one.quantity, one.unit) for one in measures.values()] == [(shown, "m²·days"), ("3100", "m²·days")]


@pytest.mark.parametrize(("in_units", "unit"), [(True, "units"), (False, "kWh")])
def test_what_was_measured_is_shown_in_the_unit_of_the_meters(in_units: bool, unit: str) -> None:
    shown = charges(town(), (1, 10**6), in_units=in_units)[0].measures or {}
    assert [(one.quantity, one.unit) for one in shown.values()] == [("0.000001", unit), ("1.000000", unit)]


def test_all_four_lines_have_the_rate_of_heat_and_that_of_electricity_where_heat_has_none() -> None:
    community = town()
    a, b = spells(community)
    warmed = warm({a: Fraction(3 * 10**6), b: Fraction(10**6)}, Fraction(8 * 10**6))
    found = charges(community, (10**6, 10**6), warmed=warmed)
    assert [(one.code, one.total, one.vat_percent, one.price) for one in found] == [
        ("heat_measured", 250, 9, None), ("heat_fixed", 250, 9, None),
        ("hot_water_measured", 250, 9, None), ("hot_water_fixed", 250, 9, None),
    ]  # fmt: skip
    assert found[2].shares == {a: Fraction(750, 4), b: Fraction(250, 4)}
    assert found[3].shares == {a: 125, b: 125}  # equally, whatever divides the rooms
    assert [(one.quantity, one.unit) for one in (found[3].measures or {}).values()] == [("31", "days")] * 2
    assert found[1].shares == {a: Fraction(250, 3), b: Fraction(500, 3)}
    assert [one.code for one in charges(community, (1, 1))] == ["heat_measured", "heat_fixed"]
    stretch = tariffs.stretches(community, JANUARY)[0]
    vat = stretch.tariff.vat_percent.model_copy(update={"heat": None})
    tariff = stretch.tariff.model_copy(update={"vat_percent": vat})
    cost = heat.pool(community, JANUARY, burnt(10))
    assert cost is not None
    plain = heat.charges(
        community,
        tariffs.Stretch(stretch.start, stretch.until, tariff, stretch.sharing),
        (a, b),
        cost,
        {},
        in_units=False,
    )
    assert {one.vat_percent for one in plain} == {Decimal(21)}


# Hot water


def hours(meter: str, amount: int) -> Series:
    """Two hours of a meter: the first day's and one of the rest, ten times as much."""
    return Series.of(meter, [amount, 10 * amount], ["measured"] * 2, [None] * 2)


def gathered(units: Mapping[str, str], measured: int | None, produced: int | None) -> tuple[Warmed, list[Spell]]:
    """Hot water of flat A before and after a move, of one hour each, and of B; a meter's letter is its flat's."""
    community = town(water=units)
    first, last = JANUARY.first_day, JANUARY.end_day
    moved = first.replace(day=2)
    parties = [Spell("one", "A", first, moved), Spell("two", "A", moved, last), Spell("h-B", "B", first, last)]
    spans = dict(zip(parties, (range(1), range(1, 2), range(2)), strict=True))
    series = {name: hours(name, 4 if name.startswith("a") else 100) for name in units}
    return hotwater.of_month(community, RULE, parties, series, spans, measured, produced), parties


def test_hot_water_is_of_the_spell_s_own_hours_and_of_all_meters_of_the_flat() -> None:
    warmed, (one, two, b) = gathered({"a1": "m3", "a2": "m3", "b1": "m3"}, 7, None)
    assert warmed.volume == {one: 8, two: 80, b: 1100}
    assert warmed.heat == {one: 8 * 125, two: 80 * 125, b: 1100 * 125}  # 2.5 kWh/(m3 K) times 50 K
    assert warmed.supplied == 7 + 1188 * 125
    assert warmed.basis == {spell: Fraction(amount, 10**6) for spell, amount in ((one, 8), (two, 80), (b, 1100))}
    assert [(shown.quantity, shown.unit) for shown in warmed.shown.values()] == [
        ("0.000008", "m³"), ("0.000080", "m³"), ("0.001100", "m³"),
    ]  # fmt: skip


def test_meters_of_heat_and_of_volume_are_one_pool_of_heat() -> None:
    warmed, (one, two, b) = gathered({"a1": "kWh", "a2": "m3", "b1": "kWh"}, 7, None)
    assert warmed.volume is None
    assert warmed.heat == {one: 4 + 4 * 125, two: 40 + 40 * 125, b: 1100}
    assert warmed.basis[one] == Fraction(504, 10**6)
    assert [shown.unit for shown in warmed.shown.values()] == ["kWh"] * 3


@pytest.mark.parametrize(
    ("measured", "produced", "supplied"),
    [(7, 5, 5), (7, 0, 1195), (7, None, 1195), (0, None, 1188), (None, 5, 5), (None, 0, None), (None, None, None)],
)
def test_the_heat_supplied_is_the_boilers_else_what_was_measured_else_unknown(
    measured: int | None, produced: int | None, supplied: int | None
) -> None:
    assert gathered({"a1": "kWh", "a2": "kWh", "b1": "kWh"}, measured, produced)[0].supplied == supplied


def test_hot_water_s_part_is_from_nothing_to_all() -> None:
    a, b = spells(town())
    heats = {a: Fraction(1), b: Fraction(2)}
    parts = [warm(heats, supplied).part for supplied in (None, Fraction(0), Fraction(2), Fraction(3), Fraction(9))]
    assert parts == [0, 0, 1, 1, Fraction(1, 3)]
    assert [warm({a: Fraction(1, 2)}, None).shown[a].quantity] == ["0.000001"]  # half of the last place goes up


def test_more_hot_water_than_heat_is_said_and_exactly_as_much_is_not() -> None:
    a, _ = spells(town())
    heats = {a: Fraction(10**6)}
    assert hotwater.findings(warm(heats, Fraction(10**6))) == []
    assert [one.code for one in hotwater.findings(warm(heats, None))] == ["hot-water-part-unknown"]
    found = hotwater.findings(warm(heats, Fraction(10**6) - Fraction(1, 2)))
    assert [one.code for one in found] == ["hot-water-above-supply"]
    assert "taken 1.000000 kWh, more than the 1.000000 kWh of heat" in found[0].text
