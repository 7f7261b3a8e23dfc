"""Why a month is different, by hand: a bill of two homes, what is typical among many, and what is said in words."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from core.communityfile import parse
from core.time import Month
from settlement.documents.why import told
from settlement.documents.wording import Wording
from settlement.why.answer import answer
from settlement.why.facts import Facts, facts
from settlement.why.parts import ENOUGH_HOMES, change
from settlement.why.season import ratio

JANUARY, FEBRUARY = Month(2026, 1), Month(2026, 2)
COMMUNITY = parse("""\
community: mees
name: Mees
timezone: Europe/Amsterdam
owner: owner
flats: [{id: A, floor_area_m2: "50"}, {id: B, floor_area_m2: "150"}]
households: [{id: h-a, flat: A, from: 2025-01-01}, {id: h-b, flat: B, from: 2025-01-01}]
meters: [{id: pv, measures: solar_generation, unit: kWh}]
sharing: [{from: 2025-01-01, key: proportional, common: never}]
tariffs:
  - {from: 2025-01-01, solar_eur_per_kwh: "0.20", vat_percent: {electricity: "21", heat: "21"}}
  - {from: 2026-01-01, solar_eur_per_kwh: "0.25", vat_percent: {electricity: "21", heat: "21"}}
heat: [{from: 2025-01-01, measured_percent: "50"}]
""").community


def line(code: str, cents: int, quantity: str, unit: str, price: str | None = None) -> dict[str, Any]:
    euro = f"{cents / 100:.2f}"
    return {
        "code": code, "quantity": quantity, "unit": unit, "price_eur": price, "net_eur": euro,
        "vat_percent": "21.00", "vat_eur": "0.00", "amount_eur": euro,
    }  # fmt: skip


def entry(
    party: str, flat: str, used: int, given: int, heat: int, lines: list[dict[str, Any]], month: str
) -> dict[str, Any]:
    total = sum(round(float(one["amount_eur"]) * 100) for one in lines)
    return {
        "party": party, "flat": flat, "from": f"{month}-01", "until": str(Month.parse(month).end_day),
        "electricity": {"consumed_kwh": str(used), "shared_kwh": str(given)}, "heat": {"measured_kwh": str(heat)},
        "lines": lines, "total_eur": f"{total / 100:.2f}", "quality": {"missing_percent": "0.00"},
    }  # fmt: skip


def statement(month: str, price: str, use: tuple[int, int], sun: int, heat: tuple[int, int], kg: int, value: int):
    """A month of two homes that share the sun by use; half of the heat cost follows the meters."""
    days = Month.parse(month).days
    entries = []
    for party, flat, area, own, warm in (("h-a", "A", 50, use[0], heat[0]), ("h-b", "B", 150, use[1], heat[1])):
        given = sun * own // sum(use)
        lines = [
            line("solar", round(given * float(price) * 100), str(given), "kWh", price),
            line("heat_measured", value // 2 * warm // sum(heat), str(warm), "kWh"),
            line("heat_fixed", value // 2 * area // 200, str(area * days), "m²·days"),
        ]
        entries.append(entry(party, flat, own, given, warm, lines, month))
    return {
        "month": month,
        "energy": {
            "solar_kwh": str(sun), "consumed_kwh": str(sum(use)), "shared_kwh": str(sun), "surplus_kwh": "0",
        },
        "pellets": {"burnt_kg": str(kg), "burnt_eur": f"{value / 100:.2f}", "estimated": False},
        "statements": entries,
    }  # fmt: skip


# A year apart, so that the table of the season says nothing.
THEN = statement("2025-01", "0.20", (100, 300), 80, (500, 500), 250, 8000)
NOW = statement("2026-01", "0.25", (200, 300), 100, (600, 400), 300, 12000)


def test_two_homes_by_hand() -> None:
    """Every step worked out on paper, in cents.

    Sun: 80 kWh, a quarter of it: 20 x 20 = 400. Heat: 8000, of which (1/2 x 1/2 + 1/2 x 1/4) = 3000. Together 3400.
    """
    before, after = (facts(month, COMMUNITY, "h-a") for month in (THEN, NOW))
    assert (before.total, after.total) == (3400, 6100)
    weather = 100  # 100 kWh of sun for 80: a quarter is 25
    own_sun = 300  # 200 of 500 used: 40 of 100 kWh for 25
    own_heat = Fraction(8800) * (Fraction(1, 2) * Fraction(600, 1100) + Fraction(1, 8)) - 3000  # 275 kg of 0.25 kg/kWh
    others_heat = Fraction(8000) * (Fraction(3, 10) + Fraction(1, 8)) - own_heat - 3000
    losses = Fraction(1600) * Fraction(17, 40)  # 300 kg for 250, at 32 cents
    price = 40 * 5 + 300 * 8 * Fraction(17, 40)
    exact = [weather, own_sun + own_heat, others_heat, losses, price]
    assert sum(exact) == 6100 - 3400
    found = change(before, after)
    for name, value in zip(("weather", "own_use", "others_use", "losses", "price"), exact, strict=True):
        assert abs(found.parts.get(name, 0) - value) < 1
    assert set(found.parts) == {"weather", "own_use", "others_use", "losses", "price"}
    assert sum(found.parts.values()) == 2700


def test_lines_of_their_own_are_parts_of_their_own_and_corrections_are_told_apart() -> None:
    same = facts(THEN, COMMUNITY, "h-a")
    before = replace(same, other={"work": Fraction(-500)}, total=same.total - 500)
    after = replace(same, other={"work": Fraction(-200), "correction": Fraction(70)}, total=same.total - 130)
    assert change(before, after).parts == {"other": 300, "corrections": 70}
    assert change(after, before).parts == {"other": -300, "corrections": -70}


def ten(**changes: Any) -> tuple[Facts, Facts]:
    """The same two months with ten more homes, whose heat is 80 percent, but for two extremes."""
    before, after = (facts(month, COMMUNITY, "h-a") for month in (THEN, NOW))
    homes = {(f"h-{number}", str(number)): Fraction(100) for number in range(changes.get("homes", ENOUGH_HOMES))}
    later = {home: Fraction(80) for home in homes}
    later[("h-0", "0")], later[("h-1", "1")] = Fraction(0), Fraction(1000)
    return replace(before, heat_by_home=homes), replace(after, heat_by_home=later)


def test_the_weather_is_what_is_typical_of_ten_homes_and_never_of_nine() -> None:
    few = change(*ten())  # one of the ten used no heat at all and tells nothing
    enough = change(*ten(homes=ENOUGH_HOMES + 1))
    assert (few.weather_by, enough.weather_by) == ("season", "homes")
    # 80 percent of the heat that cost 80.00: by half the meters and a quarter the area 24.00, 6.00 less than 30.00.
    assert enough.parts["weather"] == 100 - 600
    assert sum(enough.parts.values()) == sum(few.parts.values()) == 2700


def test_the_table_of_the_season_compares_months() -> None:
    assert ratio(Month(2026, 1), Month(2026, 7)) == Fraction(4, 51)
    assert ratio(Month(2025, 2), Month(2026, 2)) == 1


def test_a_count_after_an_estimate_corrects_it() -> None:
    estimated = THEN | {"pellets": {**THEN["pellets"], "estimated": True}}
    found = change(facts(THEN, COMMUNITY, "h-a"), facts(NOW, COMMUNITY, "h-a", estimated))
    assert "losses" not in found.parts
    assert found.parts["corrections"] == 680


def explained(month: Month = JANUARY, household: str = "h-a", running: Month = FEBRUARY, **other: Any):
    months = {Month(2025, 1): THEN, Month(2026, 1): NOW, **other.get("months", {})}
    return answer(month, months.get, COMMUNITY, household, running)


def test_the_answer_says_why_there_is_no_comparison() -> None:
    found = explained()
    assert found is not None
    last_month, last_year = found["comparisons"]
    assert last_month == {"kind": "last_month", "with": "2025-12", "comparable": False, "reason": "no_statement"}
    assert last_year["comparable"]
    assert last_year["complete"]
    running = explained(running=Month(2026, 1))
    assert running is not None
    assert {one["reason"] for one in running["comparisons"]} == {"running"}
    assert told(running, Wording("nl")) == []
    alone = {**THEN, "statements": THEN["statements"][1:]}
    moved = explained(months={Month(2025, 12): alone | {"month": "2025-12"}, Month(2025, 1): alone})
    assert moved is not None
    assert [one["reason"] for one in moved["comparisons"]] == ["not_here", "not_here"]
    assert explained(household="h-x") is None
    assert explained(Month(2025, 6)) is None


@pytest.mark.parametrize("language", ["nl", "en"])
def test_four_parts_are_named_and_the_rest_is_one(language: str) -> None:
    parts = [
        ("weather", "-1.00"),
        ("own_use", "5.00"),
        ("key", "-4.00"),
        ("price", "3.00"),
        ("costs", "2.00"),
        ("other", "0.50"),
    ]
    comparison = {
        "kind": "last_month", "with": "2025-12", "comparable": True, "total_eur": "10.00", "difference_eur": "5.50",
        "weather_by": "homes", "complete": True,
        "parts": [{"code": code, "amount_eur": amount} for code, amount in parts],
    }  # fmt: skip
    words = Wording(language)
    (found,) = told({"comparisons": [comparison]}, words)
    assert len(found.rows) == 5
    more, less = ("meer", "minder") if language == "nl" else ("more", "less")
    assert [row[1].split()[-1] for row in found.rows] == [more, less, more, more, less]
    assert "0,50" in found.rows[-1][1] or "0.50" in found.rows[-1][1]
    assert found.note == ""
    assert "-" not in "".join(row[1] for row in found.rows)


def test_equal_totals_and_a_lower_one_are_said_without_a_minus() -> None:
    for difference, said in (("0.00", "gelijk aan die van januari 2025"), ("-3.10", "lager dan in januari 2025")):
        comparison = {
            "kind": "last_year", "with": "2025-01", "comparable": True, "total_eur": "1.00",
            "difference_eur": difference, "weather_by": "season", "complete": False,
            "parts": [{"code": "weather", "amount_eur": "-3.10"}],
        }  # fmt: skip
        (found,) = told({"comparisons": [comparison]}, Wording("nl"))
        assert said in found.sentence
        assert "-" not in found.sentence
        assert found.note.startswith("In een van de twee maanden ontbreken metingen.")
        assert "Voor het seizoen gebruiken we een vaste" in found.note
