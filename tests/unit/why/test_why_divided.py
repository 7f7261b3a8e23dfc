"""A month's sun divided once more, by hand: two flats, one meter, and the sun of a single hour.

At noon of 1 June the roof gives 10 kWh and flat A uses 4; at night it uses 3. So 4 kWh are given and 6 are left over.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from core.community import Community
from core.communityfile import build
from core.time import Month
from settlement.model import Series
from settlement.why.samerule import Divided, divided

JUNE = Month(2026, 6)
HOURS = 720
NOON, NIGHT = 12, 22
KWH = 1_000_000


def house(*meters: dict[str, Any], **changes: Any) -> Community:
    tariff = {
        "from": "2026-01-01", "solar_eur_per_kwh": "0.20", "feed_in_eur_per_kwh": "0.05", "grid_eur_per_kwh": "0.30",
        "vat_percent": {"electricity": "21"}, **changes.pop("tariff", {}),
    }  # fmt: skip
    tree = {
        "community": "mees", "name": "Mees", "timezone": "Europe/Amsterdam", "owner": "owner",
        "settlement_interval": "1h", "flats": [{"id": "A", "floor_area_m2": "50"}, {"id": "B", "floor_area_m2": "50"}],
        "households": [{"id": "h-a", "flat": "A", "from": "2025-01-01"}],
        "meters": [
            {"id": "pv", "measures": "solar_generation", "unit": "kWh"},
            {"id": "el-a", "measures": "electricity", "flat": "A", "unit": "kWh"},
            *meters,
        ],
        "sharing": [{"from": "2026-01-01", "key": "proportional", "surplus": "community"}], "tariffs": [tariff],
    }  # fmt: skip
    return build(tree | changes, "the case").community


def meter(name: str, **kwh: int) -> Series:
    energy = [0] * HOURS
    energy[NOON], energy[NIGHT] = kwh.get("noon", 0) * KWH, kwh.get("night", 0) * KWH
    return Series.of(name, energy, ["measured"] * HOURS, [None] * HOURS)


SERIES = {"pv": meter("pv", noon=10), "el-a": meter("el-a", noon=4, night=3)}


def parts(found: Divided | None) -> dict[str, Fraction]:
    assert found is not None
    return vars(found)


def test_a_building_without_a_common_meter_has_no_common_sun() -> None:
    """Flat B has no meter and uses nothing that anybody knows. Of the surplus either flat is credited half."""
    assert parts(divided(house(), JUNE, SERIES, "h-a")) == {
        "sun": 10, "surplus": 6, "used": 7, "used_by_others": 0, "given": 4, "credited": 3, "common_sun": 0,
    }  # fmt: skip


def test_a_building_without_a_roof_shares_nothing() -> None:
    no_roof = house(meters=[{"id": "el-a", "measures": "electricity", "flat": "A", "unit": "kWh"}])
    assert parts(divided(no_roof, JUNE, {"el-a": SERIES["el-a"]}, "h-a")) == {
        "sun": 0, "surplus": 0, "used": 7, "used_by_others": 0, "given": 0, "credited": 0, "common_sun": 0,
    }  # fmt: skip


def test_the_common_area_is_one_of_the_others() -> None:
    """It is first: of 10 kWh it takes its 5, and flat A its 4 of what is left."""
    common = house({"id": "el", "measures": "electricity", "common": "true", "unit": "kWh"})
    series = {**SERIES, "el": meter("el", noon=5, night=1)}
    assert parts(divided(common, JUNE, series, "h-a")) == {
        "sun": 10, "surplus": 1, "used": 7, "used_by_others": 6, "given": 4, "credited": Fraction("0.5"),
        "common_sun": 5,
    }  # fmt: skip


def test_what_was_netted_is_not_credited_for_the_price_of_the_surplus() -> None:
    """Of 6 kWh left over 3 are netted with what the grid gave at night; half of the other 3 is the household's."""
    netted = house(tariff={"netting_until": "2027-01-01"})
    assert parts(divided(netted, JUNE, SERIES, "h-a"))["credited"] == Fraction(3, 2)


@pytest.mark.parametrize(
    ("days", "used", "given"),
    [({"until": "2026-06-01"}, None, None), ({"from": "2026-06-02"}, 0, 0), ({"until": "2026-06-02"}, 7, 4)],
)
def test_only_the_days_of_the_household_are_its_own(days: dict[str, str], used: int | None, given: int | None) -> None:
    home = {"id": "h-a", "flat": "A", "from": "2025-01-01"} | days
    found = divided(house(households=[home]), JUNE, SERIES, "h-a")
    assert (found and found.used, found and found.given) == (used, given)
    assert found is None or found.used + found.used_by_others == 7
