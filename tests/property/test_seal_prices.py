"""A sealed month whose prices change within the day, are capped, or net the surplus: proved from what is in it.

The verifier shares no code with the settlement: it cuts the opened intervals by the hours of the week on its own.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from settlement.seal.commitments import canonical
from settlement.seal.verify import Report, verify
from tests.support.sealhouse import House, drawn, resealed

FOLLOW = "Lines for sun, surplus, common area and fixed amount follow from totals, rules and prices."
SAVED = "What the sun saved is right."
PRICES: dict[str, Any] = {
    "grid_eur_per_kwh": "0.31",
    "solar_eur_per_kwh": "0.26",
    "solar_at_most_percent_of_grid": "80",
}
WINDOWS: list[dict[str, Any]] = [
    {"name": "night", "from": "22:00", "until": "06:30", "grid_eur_per_kwh": "0.22", "feed_in_eur_per_kwh": "0.11"},
    {"name": "noon", "days": ["sat", "sun", "wed"], "from": "11:00", "until": "15:00", "solar_eur_per_kwh": "0.09"},
]
HOURLY = PRICES | {"windows": WINDOWS}
SEEDS = range(6)


def proved(house: House, *, opened: bool) -> Report:
    return verify(house.sealed.bundle, openings=list(house.sealed.openings.values()) if opened else [])


@pytest.mark.parametrize("surplus", ["owner", "community", "unused_share"])
@pytest.mark.parametrize("key", ["fixed", "optimal"])
def test_prices_by_the_hour_are_proved_with_all_openings(surplus: str, key: str) -> None:
    windows = netted = 0
    for seed in SEEDS:
        prices = HOURLY | ({"netting_until": "2030-01-01"} if seed % 2 else {})
        house = drawn(seed, {"surplus": surplus, "key": key}, prices)
        report = proved(house, opened=True)
        assert report.wrong == [], seed
        assert {FOLLOW, SAVED} <= set(report.proved)
        windows += sum(charge.window is not None for charge in house.settled.charges)
        netted += sum(charge.code == "netting" for charge in house.settled.charges)
    assert min(windows, netted) > 0


def test_without_openings_prices_by_the_hour_are_said_to_be_unchecked() -> None:
    report = proved(drawn(1, prices=HOURLY), opened=False)
    assert report.wrong == []
    assert FOLLOW not in report.proved
    assert any("prices change within the day" in text for text in report.unchecked)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cap_and_netting_are_proved_without_any_opening(seed: int) -> None:
    house = drawn(seed, {"key": "proportional", "surplus": "community"}, PRICES | {"netting_until": "2030-01-01"})
    report = proved(house, opened=False)
    assert report.wrong == []
    assert {FOLLOW, SAVED} <= set(report.proved)


def forged(house: House, change: Any) -> list[str]:
    files = dict(house.sealed.files)
    trees = {name: json.loads(files[name]) for name in ("charges.json", "community.json", "statement.json")}
    change(*trees.values())
    new = resealed(files, {name: canonical(tree) for name, tree in trees.items()})
    return verify(new, openings=list(house.sealed.openings.values())).wrong


def of_noon(charges: list[dict[str, Any]]) -> dict[str, Any]:
    return next(one for one in charges if one.get("window") == "noon" and one["basis"])


def test_what_is_forged_in_the_hours_is_found() -> None:
    house = next(
        house
        for house in (drawn(seed, {"key": "proportional", "surplus": "community"}, HOURLY) for seed in range(20))
        if any(charge.window == "noon" and any(charge.basis.values()) for charge in house.settled.charges)
    )

    def other_hours(_charges: Any, rules: dict[str, Any], _statement: Any) -> None:
        rules["tariffs"][0]["windows"][1]["until"] = "14:00"

    def other_days(_charges: Any, rules: dict[str, Any], _statement: Any) -> None:
        rules["tariffs"][0]["windows"][1]["days"] = ["sat", "sun"]

    def other_name(charges: Any, _rules: Any, statement: dict[str, Any]) -> None:
        of_noon(charges)["window"] = "dusk"
        for entry in statement["statements"]:
            for line in entry["lines"]:
                if line.get("window") == "noon":
                    line["window"] = "dusk"

    def other_line(_charges: Any, _rules: Any, statement: dict[str, Any]) -> None:
        line = next(
            line for entry in statement["statements"] for line in entry["lines"] if line.get("window") == "noon"
        )
        del line["window"]

    def other_cap(_charges: Any, rules: dict[str, Any], _statement: Any) -> None:
        rules["tariffs"][0]["solar_at_most_percent_of_grid"] = "79"

    assert forged(house, lambda *_: None) == []
    for change in (other_hours, other_days, other_name, other_line, other_cap):
        assert forged(house, change), change.__name__
