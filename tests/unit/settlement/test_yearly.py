"""The yearly statement: sums of the months, the fixed part of heat by degree days, the advances, each to the cent."""

from __future__ import annotations

import json
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
from settlement.degreedays import weight
from settlement.model import MeterReadings, Spell
from settlement.replay import settle_document
from settlement.yearly import Money, MonthTotals, Year, month_totals, year
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
        found.append(month_totals(statement_of(file, month, known)))
    return file.community, tuple(found)


def statement_of(file: Any, month: Month, known: dict[str, MeterReadings]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(settle_document(file, month, known)[1])
    return told


def entry(found: Year, party: str, flat: str) -> Any:
    return next(one for one in found.entries if (one.spell.party, one.spell.flat) == (party, flat))


@pytest.mark.parametrize("year_number", [2023, 2024])
def test_a_year_weighs_the_fixed_part_by_degree_days_and_adds_up(year_number: int) -> None:
    community, settled = months(year_number)
    found = year(community, settled)
    assert (found.start, found.until) == (date(year_number, 1, 1), date(year_number + 1, 1, 1))
    assert all(check.holds for check in found.checks)
    pool = sum(charged["heat_fixed"].amount for one in settled for charged in one.charged.values())
    fixed = {one.spell: one.lines["heat_fixed"].amount for one in found.entries if "heat_fixed" in one.lines}
    assert sum(fixed.values()) == pool
    # January to June are 583 1/3 per mille, leap or not.
    half = Fraction(170 + 150 + 130 + 80 + 40, 1000) + Fraction(40, 3000)
    parts = {("h-A", "A"): 100 * half, ("h-new", "A"): 100 * (1 - half)}
    parts |= {("owner", "B"): 60 * Fraction(40, 3000), ("h-C", "C"): Fraction(40)}
    for (party, flat), part in parts.items():
        exact = Fraction(pool) * part / 200
        assert abs(entry(found, party, flat).lines["heat_fixed"].amount - exact) < 1
    months_of_a = sum(one.charged[s]["heat_fixed"].amount for one in settled for s in one.charged if s.party == "h-A")
    assert entry(found, "h-A", "A").lines["heat_fixed"].amount > months_of_a  # winter was theirs


def test_other_lines_and_advances_are_what_the_months_said() -> None:
    community, settled = months(2024)
    found = year(community, settled)
    for code in ("heat_measured", "fixed"):
        for one in found.entries:
            due = sum(
                charged[code].amount
                for month in settled
                for spell, charged in month.charged.items()
                if (spell.party, spell.flat) == (one.spell.party, one.spell.flat) and code in charged
            )
            assert one.lines[code].amount == due
    h_c = entry(found, "h-C", "C")
    assert h_c.advance == half_up(Fraction(4000 * 15, 29)) + 10 * 4000  # 15 of the 29 days of February
    assert h_c.balance == h_c.total - h_c.advance
    assert sum(one.total for one in found.entries) == sum(
        money.amount for one in settled for charged in one.charged.values() for money in charged.values()
    )


def test_days_that_follow_each_other_are_one_entry_and_vacancy_is_the_owners() -> None:
    community, settled = months(2024)
    spells = [(one.spell.party, one.spell.start, one.spell.until) for one in year(community, settled).entries]
    assert spells == [
        ("h-A", date(2024, 1, 1), date(2024, 7, 1)),
        ("h-new", date(2024, 7, 1), date(2025, 1, 1)),
        ("h-B", date(2024, 1, 1), date(2024, 8, 1)),
        ("owner", date(2024, 8, 1), date(2024, 9, 1)),
        ("h-B2", date(2024, 9, 1), date(2025, 1, 1)),
        ("h-C", date(2024, 1, 1), date(2025, 1, 1)),
    ]


def test_h7_who_lived_there_in_january_only_pays_for_seventeen_of_a_hundred_square_metres() -> None:
    tree = town(2025)
    tree["households"] = [{"id": "h-A", "flat": "A", "from": "2025-01-01", "until": "2025-02-01"}]
    tree["advances"] = []
    community = build(tree, "the example").community
    found = year(community, [fixed_only(community, Month(2025, number), 100_00) for number in range(1, 13)])
    # Of 1,200.00 over 200 m2, 17 m2 are h-A's.
    assert entry(found, "h-A", "A").lines["heat_fixed"].amount == 120_000 * 17 // 200


def fixed_only(community: Community, month: Month, cents: int) -> MonthTotals:
    """A month that charged nothing but a fixed part, all of it to whoever comes first."""
    spells = tariffs.spells(community, month)
    charged = {spell: {"heat_fixed": Money(0, 0, 0)} for spell in spells}
    charged[spells[0]] = {"heat_fixed": Money(cents, 0, cents)}
    return MonthTotals(month, charged, dict.fromkeys(spells, 0))


def test_a_change_of_measure_or_vat_never_reaches_back() -> None:
    tree = town(2025)
    tree["heat"].append({"from": "2025-07-01", "measured_percent": "65", "fixed_by": "equal"})
    lower = {"from": "2025-10-01", "vat_percent": {"electricity": "21", "heat": "9"}}
    tree["tariffs"].append(tree["tariffs"][0] | lower)
    tree["households"] = [{"id": f"h-{flat}", "flat": flat, "from": "2020-01-01"} for flat in AREAS]
    community = build(tree, "the example").community
    found = year(community, [fixed_only(community, Month(2025, number), 100_00) for number in range(1, 13)])
    assert [check.name for check in found.checks if "heat_fixed" in check.name] == [
        "year: heat_fixed from 2025-01-01 until 2025-07-01 = sum of the months",
        "year: heat_fixed from 2025-07-01 until 2025-10-01 = sum of the months",
        "year: heat_fixed from 2025-10-01 until 2026-01-01 = sum of the months",
    ]
    fixed = entry(found, "h-A", "A").lines["heat_fixed"]
    assert fixed.amount == 600_00 // 2 + 600_00 // 3  # by floor area, then equally
    assert fixed.net == half_up(Fraction(300_00 * 100, 121)) + half_up(Fraction(100_00 * 100, 121)) + half_up(
        Fraction(100_00 * 100, 109)
    )


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ([], "There is no settled month"),
        ([1, 2, 4], "month 2025-03 is not settled"),
        ([1, 2, 2], "month 2025-02 is there twice"),
        ([12, 13], "2025-12 to 2026-01 are of two years"),
    ],
)
def test_a_year_that_is_not_whole_is_refused(numbers: list[int], says: str) -> None:
    community = build(town(2025), "the example").community
    with pytest.raises(BadInput, match=says):
        year(community, [fixed_only(community, Month(2025, 1).shift(number - 1), 100) for number in numbers])


def test_a_community_that_began_in_march_is_settled_from_march() -> None:
    community = build(town(2025), "the example").community
    found = year(community, [fixed_only(community, Month(2025, number), 100) for number in range(3, 13)])
    assert found.start == date(2025, 3, 1)
    assert sum(one.lines["heat_fixed"].amount for one in found.entries) == 1000


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
    settled = [fixed_only(community, Month(year_number, n), chance.randint(0, 90_000)) for n in range(1, 13)]
    settled = [
        MonthTotals(one.month, one.charged, {spell: chance.randint(0, 900) for spell in one.charged}) for one in settled
    ]
    found = year(community, settled)
    pool = sum(c["heat_fixed"].amount for one in settled for c in one.charged.values())
    parts = {
        one.spell: (Fraction(AREAS[one.spell.flat]) if by == "floor_area" else 1) * by_days(one.spell)
        for one in found.entries
    }
    whole = sum(parts.values())
    assert whole == (200 if by == "floor_area" else 3)
    amounts = {
        one.spell: (one.lines["heat_fixed"].amount if including else one.lines["heat_fixed"].net)
        for one in found.entries
        if "heat_fixed" in one.lines
    }
    assert sum(amounts.values()) == pool
    assert all(abs(amount - pool * parts[spell] / whole) < 1 for spell, amount in amounts.items())
    assert sum(one.advance for one in found.entries) == sum(sum(one.advances.values()) for one in settled)


def by_days(spell: Spell) -> Fraction:
    days = range(spell.start.toordinal(), spell.until.toordinal())
    return sum((weight(date.fromordinal(day), date.fromordinal(day + 1)) for day in days), Fraction(0))


def test_a_year_that_lost_an_advance_is_not_settled() -> None:
    community = build(town(2025), "the example").community
    settled = [fixed_only(community, Month(2025, number), 100) for number in range(1, 13)]
    gone = Spell("h-gone", "C", date(2025, 5, 1), date(2025, 5, 9))
    settled[4] = MonthTotals(settled[4].month, settled[4].charged, {**settled[4].advances, gone: 7})
    with pytest.raises(CheckFailed, match=r"^The year 2025 was not settled: 'year: advances = .*' is off by -0.07\."):
        year(community, settled)


def test_a_year_without_heat_is_the_sum_of_its_months() -> None:
    tree = town(2025)
    del tree["heat"]
    community = build(tree, "the example").community
    settled = []
    for one in (Month(2025, number) for number in range(1, 13)):
        spells = tariffs.spells(community, one)
        charged = {spell: {"fixed": Money(100, 21, 121)} for spell in spells}
        settled.append(MonthTotals(one, charged, dict.fromkeys(spells, 5)))
    h_c = entry(year(community, settled), "h-C", "C")
    assert (h_c.lines, h_c.advance, h_c.balance) == ({"fixed": Money(1200, 252, 1452)}, 60, 1392)


def test_who_left_before_a_rule_began_has_no_part_in_its_pool() -> None:
    tree = town(2025)
    tree["heat"].append({"from": "2025-07-01", "measured_percent": "65", "fixed_by": "equal"})
    community = build(tree, "the example").community
    found = year(community, [fixed_only(community, Month(2025, number), 100_00) for number in range(1, 13)])
    # h-A left on 1 July: of 600.00 for January to June, 100 of 200 m2.
    assert entry(found, "h-A", "A").lines["heat_fixed"].amount == 300_00
    # Of 600.00 equally from July on, h-new had A throughout.
    assert entry(found, "h-new", "A").lines["heat_fixed"].amount == 200_00


def test_the_owners_own_entry_is_one_for_the_year_though_some_months_have_none() -> None:
    community = build(town(2025), "the example").community
    settled = [fixed_only(community, Month(2025, number), 100) for number in range(1, 13)]
    for place in (1, 4):
        month = settled[place].month
        own = Spell("owner", "", month.first_day, month.end_day)
        charged = {**settled[place].charged, own: {"feed_in": Money(-10, -2, -12)}}
        settled[place] = MonthTotals(month, charged, settled[place].advances)
    last = year(community, settled).entries[-1]
    assert last.spell == Spell("owner", "", date(2025, 2, 1), date(2025, 6, 1))
    assert last.lines == {"feed_in": Money(-20, -4, -24)}
