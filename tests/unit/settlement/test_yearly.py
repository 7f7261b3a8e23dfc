"""The yearly statement: sums of the months, the fixed part of heat by degree days, the advances, each to the cent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.community import Community
from core.communityfile import build
from core.errors import BadInput, CheckFailed
from core.time import Month, microseconds
from settlement import tariffs
from settlement.changes import inputs_of
from settlement.corrections import Party
from settlement.degreedays import weight
from settlement.model import MeterReadings
from settlement.replay import settle_document
from settlement.yearly.months import Item, Money, MonthTotals, Span, Terms, month_totals
from settlement.yearly.year import Year, YearEntry, _sums, year
from tests.support import heathouse as house
from tests.support.month_oracle import half_up

AREAS = {"A": "100", "B": "60", "C": "40"}


def town(year_number: int, **changes: Any) -> house.Tree:
    """Three flats: A changes hands on 1 July, B is empty in August, C has one household; 400.00 a month of heat."""
    tree = house.tree(AREAS)
    tree["households"] = [
        {"id": "h-A", "flat": "A", "from": "2020-01-01", "until": f"{year_number}-07-01"},
        {"id": "h-new", "flat": "A", "from": f"{year_number}-07-01"},
        {"id": "h-B", "flat": "B", "from": "2020-01-01", "until": f"{year_number}-08-01"},
        {"id": "h-B2", "flat": "B", "from": f"{year_number}-09-01"},
        {"id": "h-C", "flat": "C", "from": "2020-01-01"},
    ]
    for section in ("sharing", "tariffs", "heat"):
        tree[section][0]["from"] = "2020-01-01"
    tree["tariffs"][0]["fixed_eur_per_month"] = "3.33"
    tree["costs"] = [
        {"date": f"{year_number}-{month:02d}-15", "pool": "heat", "eur": f"{400 + month}.01", "invoice": f"M-{month}"}
        for month in range(1, 13)
    ]
    tree["advances"] = [{"household": "h-C", "from": f"{year_number}-02-15", "eur_per_month": "40.00"}]
    return tree | changes


@cache
def months(year_number: int) -> tuple[Community, tuple[MonthTotals, ...]]:
    """Twelve months really settled, from a register that counts 1 kWh an hour in A, 2 in B and 3 in C."""
    file = build(town(year_number), "the example")
    found = []
    for number in range(1, 13):
        month = Month(year_number, number)
        edges = tuple(microseconds(instant) for instant in month.bounds(file.community.zone))
        hours = (edges[1] - edges[0]) // 3_600_000_000
        known = {
            f"heat-{flat}": MeterReadings("register", edges, (Decimal(0), Decimal(hours * rate)))
            for rate, flat in enumerate(AREAS, 1)
        }
        found.append(month_totals(statement_of(file, month, known), [], configuration(file.community, month)))
    return file.community, tuple(found)


def statement_of(file: Any, month: Month, known: dict[str, MeterReadings]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(settle_document(file, month, known)[1])
    return told


def configuration(community: Community, month: Month) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(inputs_of(community, month, {}).configuration)
    return told


def entry(found: Year, party: str, flat: str) -> YearEntry:
    return next(one for one in found.entries if (one.party, one.flat) == (party, flat))


def amount(items: Mapping[Item, Money], code: str) -> int:
    return sum(money.amount for item, money in items.items() if item.code == code)


def charged(settled: Sequence[MonthTotals], code: str, party: Party | None = None) -> int:
    """What months charged of a code, to one party or to all."""
    return sum(amount(items, code) for one in settled for name, items in one.charged.items() if party in (None, name))


@pytest.mark.parametrize("year_number", [2023, 2024])
def test_a_year_weighs_the_fixed_part_by_degree_days_and_adds_up(year_number: int) -> None:
    _, settled = months(year_number)
    found = year(settled)
    assert (found.start, found.until) == (date(year_number, 1, 1), date(year_number + 1, 1, 1))
    assert all(check.holds for check in found.checks)
    pool = charged(settled, "heat_fixed")
    assert sum(amount(one.lines, "heat_fixed") for one in found.entries) == pool
    # January to June are 583 1/3 per mille, leap or not.
    half = Fraction(170 + 150 + 130 + 80 + 40, 1000) + Fraction(40, 3000)
    parts = {("h-A", "A"): 100 * half, ("h-new", "A"): 100 * (1 - half)}
    parts |= {("owner", "B"): 60 * Fraction(40, 3000), ("h-C", "C"): Fraction(40)}
    for party, part in parts.items():
        exact = Fraction(pool) * part / 200
        assert abs(entry(found, *party).by_code()["heat_fixed"].amount - exact) < 1
    h_a = entry(found, "h-A", "A")
    assert h_a.by_code()["heat_fixed"].amount > charged(settled, "heat_fixed", ("h-A", "A"))  # winter was theirs
    assert h_a.difference == h_a.by_code()["heat_fixed"].amount - amount(h_a.months, "heat_fixed")
    assert sum(one.difference for one in found.entries) == 0


def test_other_lines_and_advances_are_what_the_months_said() -> None:
    _, settled = months(2024)
    found = year(settled)
    for code in ("heat_measured", "fixed"):
        for one in found.entries:
            assert amount(one.lines, code) == charged(settled, code, (one.party, one.flat))
    h_c = entry(found, "h-C", "C")
    assert h_c.advance == half_up(Fraction(4000 * 15, 29)) + 10 * 4000  # 15 of the 29 days of February
    assert h_c.balance == h_c.total - h_c.advance
    assert sum(one.total for one in found.entries) == sum(
        money.amount for one in settled for items in one.charged.values() for money in items.values()
    )
    assert [item.code for item in h_c.lines] == ["fixed", "heat_measured", "heat_fixed"]


def test_days_that_follow_each_other_are_one_span_and_vacancy_is_the_owners() -> None:
    _, settled = months(2024)
    assert [(one.party, *one.days) for one in year(settled).entries] == [
        ("h-A", Span(date(2024, 1, 1), date(2024, 7, 1))),
        ("h-new", Span(date(2024, 7, 1), date(2025, 1, 1))),
        ("h-B", Span(date(2024, 1, 1), date(2024, 8, 1))),
        ("owner", Span(date(2024, 8, 1), date(2024, 9, 1))),
        ("h-B2", Span(date(2024, 9, 1), date(2025, 1, 1))),
        ("h-C", Span(date(2024, 1, 1), date(2025, 1, 1))),
    ]


def test_the_owners_empty_spells_of_a_flat_are_one_entry() -> None:
    tree = town(2025)
    tree["households"] = [{"id": "h-A", "flat": "A", "from": "2025-02-01", "until": "2025-11-01"}]
    tree["advances"] = []
    community = build(tree, "the example").community
    found = year([fixed_only(community, Month(2025, number), 100_00) for number in range(1, 13)])
    owner = entry(found, "owner", "A")
    assert owner.days == (Span(date(2025, 1, 1), date(2025, 2, 1)), Span(date(2025, 11, 1), date(2026, 1, 1)))
    # January, November and December are 450 per mille of 100 of 200 m2.
    assert owner.by_code()["heat_fixed"].amount == 120_000 * 45 // 200


def test_h7_who_lived_there_in_january_only_pays_for_seventeen_of_a_hundred_square_metres() -> None:
    tree = town(2025)
    tree["households"] = [{"id": "h-A", "flat": "A", "from": "2025-01-01", "until": "2025-02-01"}]
    tree["advances"] = []
    community = build(tree, "the example").community
    found = year([fixed_only(community, Month(2025, number), 100_00) for number in range(1, 13)])
    # Of 1,200.00 over 200 m2, 17 m2 are h-A's.
    assert entry(found, "h-A", "A").by_code()["heat_fixed"].amount == 120_000 * 17 // 200


def fixed_only(community: Community, month: Month, cents: int, **advances: int) -> MonthTotals:
    """A month that charged nothing but a fixed part, all of it to whoever comes first."""
    terms = Terms.of(configuration(community, month))
    charged: dict[Party, dict[Item, Money]] = {}
    days: dict[Party, tuple[Span, ...]] = {}
    for spell in tariffs.spells(community, month):
        party = (spell.party, spell.flat)
        charged[party] = {}
        days[party] = (*days.get(party, ()), Span(spell.start, spell.until))
    money = Money(cents, 0, cents)
    charged[next(iter(charged))] = {terms.item: money}
    paid = {party: advances.get(party[0], 0) for party in charged}
    return MonthTotals(community.community, month, charged, paid, days, terms)


def test_a_change_of_measure_or_vat_never_reaches_back() -> None:
    tree = town(2025)
    tree["heat"].append({"from": "2025-07-01", "measured_percent": "65", "fixed_by": "equal"})
    lower = {"from": "2025-10-01", "vat_percent": {"electricity": "21", "heat": "9"}}
    tree["tariffs"].append(tree["tariffs"][0] | lower)
    tree["households"] = [{"id": f"h-{flat}", "flat": flat, "from": "2020-01-01"} for flat in AREAS]
    community = build(tree, "the example").community
    found = year([fixed_only(community, Month(2025, number), 100_00) for number in range(1, 13)])
    assert [check.name for check in found.checks if "heat_fixed from" in check.name] == [
        "year: heat_fixed from 2025-01-01 until 2025-07-01 = sum of the months",
        "year: heat_fixed from 2025-07-01 until 2025-10-01 = sum of the months",
        "year: heat_fixed from 2025-10-01 until 2026-01-01 = sum of the months",
    ]
    fixed = entry(found, "h-A", "A").by_code()["heat_fixed"]
    assert fixed.amount == 600_00 // 2 + 600_00 // 3  # by floor area, then equally
    assert fixed.net == half_up(Fraction(300_00 * 100, 121)) + half_up(Fraction(100_00 * 100, 121)) + half_up(
        Fraction(100_00 * 100, 109)
    )
    assert [(item.code, str(item.vat_percent)) for item in entry(found, "h-A", "A").lines] == [
        ("heat_fixed", "9.00"),
        ("heat_fixed", "21.00"),
    ]


def test_a_flat_that_grew_counts_with_its_own_area_in_every_month() -> None:
    small = build(town(2025, advances=[]), "the example").community
    large = build(house.tree(AREAS | {"C": "240"}) | {"heat": town(2025)["heat"]}, "the example").community
    settled = [fixed_only(small if n < 7 else large, Month(2025, n), 100_00) for n in range(1, 13)]
    half = Fraction(175, 300)
    parts = 40 * half + 240 * (1 - half)
    exact = 120_000 * parts / (160 + parts)
    assert abs(entry(year(settled), "h-C", "C").by_code()["heat_fixed"].amount - exact) < 1


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ([], "There is no final month"),
        ([1, 2, 4], "month 2025-03 is not final"),
        ([1, 2, 2], "month 2025-02 is there twice"),
        ([12, 13], "2025-12 to 2026-01 are of two years"),
    ],
)
def test_a_year_that_is_not_whole_is_refused(numbers: list[int], says: str) -> None:
    community = build(town(2025), "the example").community
    with pytest.raises(BadInput, match=says):
        year([fixed_only(community, Month(2025, 1).shift(number - 1), 100) for number in numbers])


def test_a_community_that_began_in_march_is_settled_from_march() -> None:
    community = build(town(2025), "the example").community
    found = year([fixed_only(community, Month(2025, number), 100) for number in range(3, 13)])
    assert found.start == date(2025, 3, 1)
    assert sum(one.by_code()["heat_fixed"].amount for one in found.entries) == 1000


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([2023, 2024]), st.booleans(), st.sampled_from(["floor_area", "equal"]))
def test_every_year_is_the_rule_to_the_cent(seed: int, year_number: int, including: bool, by: str) -> None:
    """Any moves, any cents; recomputed day by day."""
    chance = Random(seed)
    tree = town(year_number)
    tree["heat"][0]["fixed_by"] = by
    tree["tariffs"][0]["prices_include_vat"] = "true" if including else "false"
    tree["households"] = []
    for flat in AREAS:
        days = sorted(chance.sample(range(1, 364), 2))
        first, second = (date.fromordinal(date(year_number, 1, 1).toordinal() + day) for day in days)
        tree["households"] += [
            {"id": f"h-{flat}", "flat": flat, "from": "2020-01-01", "until": str(first)},
            {"id": f"n-{flat}", "flat": flat, "from": str(second)},
        ]
    tree["advances"] = []
    community = build(tree, "the example").community
    paid = {party: chance.randint(0, 900) for party in ("h-A", "n-B", "owner")}
    settled = [fixed_only(community, Month(year_number, n), chance.randint(0, 90_000), **paid) for n in range(1, 13)]
    found = year(settled)
    pool = charged(settled, "heat_fixed")
    parts = {
        (one.party, one.flat): (Fraction(AREAS[one.flat]) if by == "floor_area" else 1) * by_days(one.days)
        for one in found.entries
    }
    whole = sum(parts.values())
    assert whole == (200 if by == "floor_area" else 3)
    fixed = {(one.party, one.flat): one.by_code()["heat_fixed"] for one in found.entries if one.lines}
    amounts = {party: money.amount if including else money.net for party, money in fixed.items()}
    assert sum(amounts.values()) == pool
    assert all(abs(cents - pool * parts[party] / whole) < 1 for party, cents in amounts.items())
    assert sum(one.advance for one in found.entries) == sum(sum(one.advances.values()) for one in settled)


def by_days(spans: Sequence[Span]) -> Fraction:
    days = [day for span in spans for day in range(span.start.toordinal(), span.until.toordinal())]
    return sum((weight(date.fromordinal(day), date.fromordinal(day + 1)) for day in days), Fraction(0))


def test_a_year_that_lost_a_cent_is_not_settled() -> None:
    community = build(town(2025), "the example").community
    settled = [fixed_only(community, Month(2025, number), 100) for number in range(1, 13)]
    lost = {
        ("h-C", "C"): {Item("heat_fixed", Decimal("9.00")): Money(7, 0, 7)}
    }  # divided again, it would be at 21 percent
    settled[4] = replace(settled[4], charged=settled[4].charged | lost)
    with pytest.raises(
        CheckFailed,
        match=r"^The year 2025 was not settled: 'year: heat_fixed from 2025-01-01 until .*is off by -0.07\.",
    ):
        year(settled)


def test_a_year_without_heat_is_the_sum_of_its_months() -> None:
    tree = town(2025)
    del tree["heat"]
    community = build(tree, "the example").community
    settled = []
    for number in range(1, 13):
        month = fixed_only(community, Month(2025, number), 0, **{"h-C": 5})
        items = {Item("fixed", Decimal("21.00")): Money(100, 21, 121)}
        settled.append(replace(month, charged=dict.fromkeys(month.charged, items)))
    found = year(settled)
    h_c = entry(found, "h-C", "C")
    assert (h_c.by_code(), h_c.advance, h_c.balance) == ({"fixed": Money(1200, 252, 1452)}, 60, 1392)
    assert h_c.difference == 0
    assert [check.name for check in found.checks] == [
        "year: fixed at 21.00 % = sum of the months",
        "year: advances = sum of the months",
    ]


def test_who_left_before_a_rule_began_has_no_part_in_its_pool() -> None:
    tree = town(2025)
    tree["heat"].append({"from": "2025-07-01", "measured_percent": "65", "fixed_by": "equal"})
    community = build(tree, "the example").community
    found = year([fixed_only(community, Month(2025, number), 100_00) for number in range(1, 13)])
    # h-A left on 1 July: of 600.00 for January to June, 100 of 200 m2.
    assert entry(found, "h-A", "A").by_code()["heat_fixed"].amount == 300_00
    # Of 600.00 equally from July on, h-new had A throughout.
    assert entry(found, "h-new", "A").by_code()["heat_fixed"].amount == 200_00


def test_the_owners_own_entry_is_one_for_the_year_though_some_months_have_none() -> None:
    community = build(town(2025), "the example").community
    settled = [fixed_only(community, Month(2025, number), 100) for number in range(1, 13)]
    for place in (1, 4):
        month, party = settled[place].month, ("owner", "")
        settled[place] = replace(
            settled[place],
            charged={**settled[place].charged, party: {Item("feed_in", Decimal("21.00")): Money(-10, -2, -12)}},
            days={**settled[place].days, party: (Span(month.first_day, month.end_day),)},
        )
    last = year(settled).entries[-1]
    assert (last.party, last.flat) == ("owner", "")
    assert last.days == (Span(date(2025, 2, 1), date(2025, 3, 1)), Span(date(2025, 5, 1), date(2025, 6, 1)))
    assert last.by_code() == {"feed_in": Money(-20, -4, -24)}


def test_months_may_come_in_any_order_and_lines_that_cancel_are_none() -> None:
    community = build(town(2025), "the example").community
    settled = [fixed_only(community, Month(2025, number), 100) for number in range(1, 13)]
    for place, cents in ((2, 50), (7, -50)):
        items = {
            Item("common", Decimal("21.00")): Money(cents, 0, cents),
            Item("levy", Decimal("0.00")): Money(1, 0, 1),
        }
        settled[place] = replace(settled[place], charged={**settled[place].charged, ("h-C", "C"): items})
    found = year(settled[6:] + settled[:6])
    assert found == year(settled)
    assert [item.code for item in entry(found, "h-C", "C").lines] == ["heat_fixed", "levy"]
    assert entry(found, "h-C", "C").by_code()["levy"] == Money(2, 0, 2)


def test_heat_in_a_month_that_settles_none_is_a_fault() -> None:
    community = build(town(2025), "the example").community
    month = fixed_only(community, Month(2025, 1), 100)
    with pytest.raises(CheckFailed, match=r"heat_fixed from 2025-01-01 until 2025-02-01 .* is off by -1\.00\."):
        year([replace(month, terms=replace(month.terms, fixed_by=None))])


def test_what_is_only_added_up_is_held_against_the_months() -> None:
    community = build(town(2025), "the example").community
    fixed = {Item("fixed", Decimal("21.00")): Money(100, 21, 121)}
    month = fixed_only(community, Month(2025, 1), 300)
    month = replace(month, charged={party: {**items, **fixed} for party, items in month.charged.items()})
    right = year([month]).entries
    lost = replace(right[0], lines={item: money for item, money in right[0].lines.items() if item not in fixed})
    paid = replace(right[0], advance=right[0].advance + 7)
    other = replace(right[0], months={})

    def told(*entries: YearEntry) -> list[tuple[str, bool, str]]:
        return [(check.name.removeprefix("year: "), check.holds, check.difference) for check in _sums([month], entries)]

    heat, added, advances = (
        "heat_fixed at 21.00 % as the months charged it",
        "fixed at 21.00 % = sum of the months",
        "advances = sum of the months",
    )
    assert told(*right) == [(heat, True, "0.00"), (added, True, "0.00"), (advances, True, "0.00")]
    assert told(lost, *right[1:]) == [(heat, True, "0.00"), (added, False, "2.42"), (advances, True, "0.00")]
    assert told(paid, *right[1:]) == [(heat, True, "0.00"), (added, True, "0.00"), (advances, False, "0.07")]
    assert told(other, *right[1:]) == [(heat, False, "6.00"), (added, False, "2.42"), (advances, True, "0.00")]


def test_the_terms_are_those_of_the_month_its_rate_as_statements_print_it() -> None:
    tree = town(2025, advances=[])
    tree["tariffs"][0]["vat_percent"] = {"electricity": "21", "heat": "6.125"}
    later = {"from": "2025-04-01", "vat_percent": {"electricity": "21", "heat": "0"}, "prices_include_vat": "false"}
    tree["tariffs"].append(tree["tariffs"][0] | later)
    tree["heat"].append({"from": "2025-04-01", "measured_percent": "65", "fixed_by": "equal"})
    community = build(tree, "the example").community
    march, april = (Terms.of(configuration(community, Month(2025, number))) for number in (3, 4))
    assert march.pooled == ("floor_area", Decimal("6.125"), True)
    assert march.item == Item("heat_fixed", Decimal("6.13"))
    assert april.pooled == ("equal", Decimal(0), False)
    assert (march.owner, march.areas["A"], april.measure("A")) == ("owner", 100, 1)


def test_a_building_without_heat_needs_neither_a_rate_for_it_nor_areas() -> None:
    tree = town(2025, flats=[{"id": flat} for flat in AREAS])
    del tree["heat"], tree["costs"]
    tree["tariffs"][0]["vat_percent"] = {"electricity": "21"}
    terms = Terms.of(configuration(build(tree, "the example").community, Month(2025, 3)))
    assert terms.pooled == (None, Decimal(21), True)
    assert terms.areas == dict.fromkeys(AREAS, 0)


def test_lines_without_vat_are_lines() -> None:
    tree = town(2025)
    tree["tariffs"][0]["vat_percent"] = {"electricity": "0", "heat": "0"}
    file = build(tree, "the example")
    month = Month(2025, 4)
    statement = statement_of(file, month, {})
    held = month_totals(statement, [], configuration(file.community, month))
    assert held.charged["h-C", "C"][Item("fixed", Decimal("0.00"))] == Money(333, 0, 333)
