"""What the answer takes from which month, and how it says it: months that need no more than a subtraction.

A household has 40 of the 100 kWh that the roof gave, for a euro a kWh and without VAT, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from core.communityfile import build
from core.time import Month
from settlement.why.answer import answer
from settlement.why.facts import Facts
from settlement.why.samerule import Divided

Document = dict[str, Any]
Redivide = Callable[[Month, Facts], Divided | None]

THEN, NOW = Month(2025, 5), Month(2026, 5)
SAME = [{"from": "2025-01-01", "key": "fixed", "weights": {"A": "2", "B": "3"}}]
NEW = [*SAME, {"from": "2026-05-01", "key": "equal"}]


def house(sharing: list[Document]) -> Any:
    tree = {
        "community": "mees", "name": "Mees", "timezone": "Europe/Amsterdam", "owner": "owner",
        "flats": [{"id": "A", "floor_area_m2": "50"}, {"id": "B", "floor_area_m2": "50"}],
        "households": [{"id": f"h-{flat.lower()}", "flat": flat, "from": "2025-01-01"} for flat in "AB"],
        "meters": [{"id": "pv", "measures": "solar_generation", "unit": "kWh"}],
        "sharing": sharing, "heat": [{"from": "2025-01-01", "measured_percent": "0"}],
        "tariffs": [
            {"from": "2025-01-01", "solar_eur_per_kwh": "1", "vat_percent": {"electricity": "0", "heat": "0"}}
        ],
    }  # fmt: skip
    return build(tree, "the case").community


def settled(month: Month, given: int = 40, *, heat: int = 0, missing: str | None = "0.00", kg: Any = None) -> Document:
    """A month's document; of ``heat`` cents, all of them for pellets, the household pays half."""

    def line(code: str, quantity: str, unit: str, cents: int, price: str | None = None) -> Document:
        return {"code": code, "quantity": quantity, "unit": unit, "price_eur": price, "amount_eur": eur(cents)}

    def home(party: str, flat: str, kwh: int) -> Document:
        lines = [line("solar", str(kwh), "kWh", kwh * 100, "1")]
        lines += [line("heat_fixed", "1550", "m²·days", heat // 2)] if heat else []
        return {
            "party": party, "flat": flat, "from": str(month.first_day), "until": str(month.end_day), "lines": lines,
            "electricity": {"consumed_kwh": "50", "shared_kwh": str(kwh)}, "heat": {"measured_kwh": "5"},
            "total_eur": eur(kwh * 100 + heat // 2), "quality": {"missing_percent": missing},
        }  # fmt: skip

    return {
        "month": str(month), "pellets": kg,
        "energy": {"solar_kwh": "100", "consumed_kwh": "100", "shared_kwh": "100", "surplus_kwh": "0"},
        "statements": [home("h-b", "B", 100 - given), home("h-a", "A", given)],
    }  # fmt: skip


def eur(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def compared(
    then: Document, now: Document, *others: Document, sharing: list[Document] = SAME, redivide: Redivide | None = None
) -> tuple[Document, Document]:
    """The comparison with last year, of one year later; and the whole answer."""
    months = {Month.parse(one["month"]): one for one in (then, now, *others)}
    found = answer(NOW, months.get, house(sharing), "h-a", NOW.shift(1), redivide)
    assert found is not None
    return found["comparisons"][1], found


def test_amounts_have_two_decimals_and_the_difference_its_sign() -> None:
    more, whole = compared(settled(THEN, 30), settled(NOW, 40))
    assert (whole["month"], whole["total_eur"]) == ("2026-05", "40.00")
    # 30 kWh for 40: as nothing else changed, the hours in which it used them did that.
    assert more == {
        "kind": "last_year", "with": "2025-05", "comparable": True, "total_eur": "30.00", "difference_eur": "10.00",
        "weather_by": "season", "complete": True, "parts": [{"code": "moment", "amount_eur": "10.00"}],
    }  # fmt: skip
    less, _ = compared(settled(THEN, 40), settled(NOW, 30))
    assert (less["difference_eur"], less["parts"]) == ("-10.00", [{"code": "moment", "amount_eur": "-10.00"}])


def test_last_month_is_the_month_before_and_last_year_the_same_month() -> None:
    _, whole = compared(settled(THEN, 30), settled(NOW, 40), settled(NOW.shift(-1), 35))
    assert [(one["kind"], one["with"], one["difference_eur"]) for one in whole["comparisons"]] == [
        ("last_month", "2026-04", "5.00"),
        ("last_year", "2025-05", "10.00"),
    ]


@pytest.mark.parametrize(
    ("then", "now", "complete"),
    [
        ("0.00", "0.00", True),
        ("0.01", "0.00", False),
        ("0.00", "12.50", False),
        ("3.00", "4.00", False),
        (None, None, True),  # a flat without meters misses none
    ],
)
def test_a_comparison_is_complete_where_neither_month_misses_readings(
    then: str | None, now: str | None, *, complete: bool
) -> None:
    found, _ = compared(settled(THEN, missing=then), settled(NOW, missing=now))
    assert found["complete"] is complete


@pytest.mark.parametrize(
    ("estimated", "part"),
    [
        (Month(2026, 4), "corrections"),
        (Month(2025, 4), "corrections"),
        (Month(2026, 3), "losses"),
        (Month(2025, 3), "losses"),
        (Month(2026, 6), "losses"),
        (Month(2025, 6), "losses"),
    ],
)
def test_what_a_count_corrects_is_the_estimate_of_the_month_before_either(estimated: Month, part: str) -> None:
    """200 kg for 60.00 after 100 kg for 30.00, for the same heat: half of what was burnt more is 15.00."""
    then = settled(THEN, heat=3000, kg={"burnt_kg": "100", "burnt_eur": "30.00", "estimated": False})
    now = settled(NOW, heat=6000, kg={"burnt_kg": "200", "burnt_eur": "60.00", "estimated": False})
    guess = settled(estimated, heat=3000, kg={"burnt_kg": "100", "burnt_eur": "30.00", "estimated": True})
    found, _ = compared(then, now, guess)
    assert found["parts"] == [{"code": part, "amount_eur": "15.00"}]


def old_rule(earlier: Month, after: Facts) -> Divided:
    """By the rule of May 2025 the household would have been given 45 kWh."""
    assert (earlier, after.month) == (THEN, NOW)
    return Divided(
        sun=after.sun, surplus=after.surplus, used=after.used, used_by_others=after.used_by_others,
        given=Fraction(45), credited=after.credited, common_sun=after.common_sun,
    )  # fmt: skip


def test_a_new_rule_is_told_from_the_hours_where_somebody_divides_the_sun_by_the_old_one() -> None:
    """Of 15 kWh more, 5 are the hours' and 10 the key's; without the old rule all are the key's."""
    then, now = settled(THEN, 40), settled(NOW, 55)
    known, _ = compared(then, now, sharing=NEW, redivide=old_rule)
    assert known["parts"] == [{"code": "moment", "amount_eur": "5.00"}, {"code": "key", "amount_eur": "10.00"}]
    for nobody in (None, lambda _earlier, _after: None):
        unknown, _ = compared(then, now, sharing=NEW, redivide=nobody)
        assert unknown["parts"] == [{"code": "key", "amount_eur": "15.00"}]


def test_nobody_divides_the_sun_again_where_the_rule_is_the_same() -> None:
    asked = []

    def never(earlier: Month, after: Facts) -> Divided:
        asked.append(earlier)
        return replace(old_rule(THEN, after), given=Fraction(0))

    found, _ = compared(settled(THEN, 40), settled(NOW, 55), settled(NOW.shift(-1), 50), redivide=never)
    assert found["parts"] == [{"code": "moment", "amount_eur": "15.00"}]
    assert asked == []
