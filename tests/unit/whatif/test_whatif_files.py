"""The files of a comparison, field by field: who has a row, in which order, and what stands where nothing exists."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from settlement.whatif import document
from settlement.whatif.compare import Comparison
from tests.unit.whatif.test_whatif_rules import BUILDING, compared, hours

# Flats in another order than that of their names, and a flat that is let to another household within the month.
MOVED = BUILDING.replace(
    '[{id: A, floor_area_m2: "50"}, {id: B, floor_area_m2: "150"}]',
    '[{id: B, floor_area_m2: "150"}, {id: A, floor_area_m2: "50"}]',
).replace(
    "{id: h-a, flat: A, from: 2025-01-01}",
    "{id: h-z, flat: A, from: 2025-01-01, until: 2026-01-10}, {id: h-a, flat: A, from: 2026-01-10}",
)
UNPRICED = BUILDING.replace('    grid_eur_per_kwh: "0.30"\n', "")


def rows(comparison: Comparison) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(document.table(comparison), newline="")))


@pytest.fixture(scope="module")
def plain() -> Comparison:
    return compared()


def test_parties_stand_by_flat_and_name_and_the_owner_last() -> None:
    found = [(row["rule"], row["flat"], row["party"]) for row in rows(compared(MOVED))]
    names = list(dict.fromkeys(rule for rule, _, _ in found))
    assert names[:2] == ["today", "fixed/owner"]
    order = [("A", "h-a"), ("A", "h-z"), ("B", "h-b"), ("", "owner")]
    assert found == [(name, *party) for name in names for party in order]


def test_the_owner_has_euros_and_no_energy(plain: Comparison) -> None:
    """Of 10 kWh of sun, 9 are used under equal parts; one is sold at 5 cents, which is the owner's."""
    owner = next(row for row in rows(plain) if row["rule"] == "equal/owner" and not row["flat"])
    assert owner == {
        "rule": "equal/owner", "key": "equal", "weights": "", "surplus": "owner", "flat": "", "party": "owner",
        "consumed_kwh": "", "shared_kwh": "", "self_sufficiency_percent": "", "self_consumption_percent": "",
        "paid_eur": "-0.05", "grid_eur": "0.00", "cost_eur": "-0.05", "gain_eur": "0.05", "benefit_eur": "0.05",
    }  # fmt: skip


def test_a_row_says_whose_weights_its_rule_takes(plain: Comparison) -> None:
    said = {row["rule"]: row["weights"] for row in rows(plain)}
    assert said["today"] == said["equal/owner"] == said["priority/owner"] == ""
    assert (said["fixed/owner"], said["fixed-by-area/owner"]) == ("file", "floor_area")


def test_without_a_grid_price_a_row_says_what_is_paid_and_leaves_costs_empty() -> None:
    home = next(row for row in rows(compared(UNPRICED)) if (row["rule"], row["flat"]) == ("equal/owner", "A"))
    assert (home["consumed_kwh"], home["paid_eur"]) == ("4.000000", "0.80")
    assert [home[name] for name in ("grid_eur", "cost_eur", "gain_eur", "benefit_eur")] == ["", "", "", ""]


def test_of_nothing_there_are_no_percentages() -> None:
    """No sun, and A used nothing: of neither can a part be told."""
    dark = compared(known=hours({"pv": ["0"], "el-A": ["0"], "el-B": ["16"]}))
    energy = document.document(dark)["today"]["energy"]
    assert (energy["self_consumption_percent"], energy["self_sufficiency_percent"]) == (None, "0.00")
    told = {row["flat"]: row for row in rows(dark) if row["rule"] == "today"}
    assert (told["A"]["self_sufficiency_percent"], told["B"]["self_sufficiency_percent"]) == ("", "0.00")
    assert (told["A"]["self_consumption_percent"], told["B"]["self_consumption_percent"]) == ("", "")


def test_how_even_a_rule_is_stands_in_euro_per_kilowatt_hour_with_four_decimals(plain: Comparison) -> None:
    """Equal parts are worth 40 cents to A, 10 a kWh, and 50 to B, 3.125 a kWh.

    Gini: the mean difference, half of 10 (6.875 a kWh), over twice the mean, 90 (13.125 a kWh).
    """
    rule = next(one for one in document.document(plain)["rules"] if one["rule"] == "equal/owner")
    found = {name: rule[name] for name in ("spread_eur", "gini", "spread_per_kwh_eur", "gini_per_kwh")}
    assert found == {
        "spread_eur": "0.10", "gini": "0.0556", "spread_per_kwh_eur": "0.0688", "gini_per_kwh": "0.2619",
    }  # fmt: skip


def test_the_json_is_for_people_too_keys_in_order_indented_and_letters_as_they_are() -> None:
    written: dict[str, Any] = {"note": "één", "code": {"b": None, "a": ["0.10"]}}
    text = '{\n  "code": {\n    "a": [\n      "0.10"\n    ],\n    "b": null\n  },\n  "note": "één"\n}\n'
    assert document.dump(written) == text.encode()
