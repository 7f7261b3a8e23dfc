"""Why a total is different: parts that sum to the cent, and that stay with what changed.

Two Januaries of one small building, a year apart and settled for real; what differs between them is drawn.
"""

from __future__ import annotations

import json
from copy import deepcopy
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.communityfile import build
from core.time import Month, microseconds
from core.units import decimal_text
from settlement.replay import settle_document
from settlement.why import parts as parting
from settlement.why.facts import Facts, facts
from settlement.why.parts import Change, change
from tests.property.test_settlement_oracle import MONTHS, Chance, quantities, readings, tree_of
from tests.support import month_oracle as oracle

Tree = dict[str, Any]
Columns = dict[str, list[int | None]]
BEFORE, AFTER = Month(2025, 1), Month(2026, 1)
OWN = "h-A"


def month_ends() -> list[str]:
    """First days of February 2025 to January 2026: the stock is counted every month, so that none is an estimate."""
    return [str(BEFORE.shift(number).end_day) for number in range(12)]


class Twin:
    """A building in two months: first the same in both, then changed in the later one by a test."""

    def __init__(self, seed: int, *, pellets: bool = True) -> None:
        self.chance = chance = Chance(seed)
        key = chance.choice(["proportional", "equal", "fixed", "optimal", "hybrid", "priority"])
        surplus = chance.choice(["owner", "community"] + ["unused_share"] * (key not in ("proportional", "priority")))
        flats = ["A", "B", "C"]
        self.tree: Tree = {
            "community": "c", "name": "C", "timezone": "Europe/Amsterdam", "settlement_interval": "1h",
            "owner": "owner",
            "flats": [{"id": flat, "floor_area_m2": f"{50 + 15 * n}.5"} for n, flat in enumerate(flats)],
            "households": [{"id": f"h-{flat}", "flat": flat, "from": "2020-01-01"} for flat in flats],
            "meters": [
                {"id": "pv", "measures": "solar_generation", "unit": "kWh"},
                {"id": "el-common", "measures": "electricity", "common": "true", "unit": "kWh"},
                {"id": "boiler", "measures": "heat_produced", "unit": "kWh"},
                *({"id": f"el-{f}", "measures": "electricity", "flat": f, "unit": "kWh"} for f in flats),
                *({"id": f"heat-{f}", "measures": "heat", "flat": f, "unit": "kWh"} for f in flats),
            ],
            "sharing": [
                {
                    "from": "2020-01-01", "key": key, "surplus": surplus, "common": "first",
                    "weights": {"A": "3", "B": "2", "C": "1"}, "order": ["B", "A", "C"],
                }
            ],
            "tariffs": [
                {
                    "from": "2020-01-01", "solar_eur_per_kwh": "0.1834", "feed_in_eur_per_kwh": "0.0617",
                    "fixed_eur_per_month": "4.35", "vat_percent": {"electricity": "21", "heat": "9"},
                    "prices_include_vat": chance.choice(["true", "false"]),
                }
            ],
            "heat": [
                {"from": "2020-01-01", "measured_percent": "65", "fixed_by": chance.choice(["floor_area", "equal"])}
            ],
            "costs": [
                {"date": f"{year}-01-15", "pool": pool, "eur": eur, "invoice": f"{pool}-{year}"}
                for year in (2025, 2026)
                for pool, eur in (("heat", "123.45"), ("common", "67.89"))
            ],
        }  # fmt: skip
        if pellets:
            self.tree["pellets"] = {
                "kwh_per_kg": "4.8", "opening": {"at": "2025-01-01T00:00:00+01:00", "kg": "5000", "eur": "1500.00"},
                "counts": [
                    {"at": f"{at}T00:00:00Z", "kg": kg}
                    for at, kg in (*((end, "4000") for end in month_ends()), ("2026-02-01", "3000"))
                ],
            }  # fmt: skip
        self.before = quantities({"meters": self.tree["meters"]}, 744, chance)
        for column in self.before.values():
            column[:] = [value or 0 for value in column]
        self.after: Columns = deepcopy(self.before)
        self.later = deepcopy(self.tree)

    def change(self, household: str = OWN, *, with_rule: bool = False) -> Change:
        return change(*self.facts(household, with_rule=with_rule))

    def facts(self, household: str, *, with_rule: bool = False) -> tuple[Facts, ...]:
        both = [
            self._facts(self.tree, BEFORE, self.before, household),
            self._facts(self.later, AFTER, self.after, household),
        ]
        if with_rule:
            both.append(self._facts(self.later | {"sharing": self.tree["sharing"]}, AFTER, self.after, household))
        return tuple(both)

    def _facts(self, tree: Tree, month: Month, columns: Columns, household: str) -> Facts:
        file = build(tree, "the case")
        zone = ZoneInfo("Europe/Amsterdam")
        begins = [microseconds(hour) for hour in oracle.hours(month.first_day, month.end_day, zone)]
        document = json.loads(settle_document(file, month, readings(columns, begins))[1])
        return facts(document, file.community, household)

    def use(self, meter: str) -> None:
        """Change how much a meter counted in the later month, hour by hour."""
        self.after[meter] = [(value or 0) * self.chance.randint(0, 300) // 100 for value in self.before[meter]]


def only(found: Change, *expected: str) -> None:
    assert sum(found.parts.values()) == found.after - found.before
    assert set(found.parts) <= set(expected), found


SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=3)


@FEW
@given(SEEDS)
def test_nothing_changed(seed: int) -> None:
    for household in ("h-A", "h-B"):
        found = Twin(seed).change(household)
        only(found, "rounding")  # a cent may fall to another by lot
        assert abs(found.after - found.before) <= 8


@FEW
@given(SEEDS)
def test_only_prices_changed(seed: int) -> None:
    twin = Twin(seed)
    twin.later["tariffs"] = [
        twin.tree["tariffs"][0] | {
            "solar_eur_per_kwh": "0.2412", "feed_in_eur_per_kwh": "0.0309", "fixed_eur_per_month": "5.85",
            "vat_percent": {"electricity": "6", "heat": "21"},
        }
    ]  # fmt: skip
    twin.later["pellets"]["opening"] = twin.tree["pellets"]["opening"] | {"eur": "2222.00"}
    found = twin.change()
    only(found, "price")
    assert found.parts


@FEW
@given(SEEDS)
def test_only_own_use_changed(seed: int) -> None:
    twin = Twin(seed, pellets=False)
    twin.use("el-A")
    twin.use("heat-A")
    found = twin.change()
    only(found, "own_use")
    assert found.parts


@FEW
@given(SEEDS)
def test_only_the_neighbours_use_changed(seed: int) -> None:
    twin = Twin(seed, pellets=False)
    twin.use("el-B")
    twin.use("heat-C")
    twin.use("el-common")
    only(twin.change(), "others_use")


@FEW
@given(SEEDS)
def test_only_the_sun_changed(seed: int) -> None:
    twin = Twin(seed)
    twin.use("pv")
    found = twin.change()
    # More sun for the common area is the use of others: it is not the household's own.
    only(found, "weather", "others_use")


@FEW
@example(9861)  # a roof that gave nothing: the rule divides nothing, and a cent goes to another by lot
@given(SEEDS)
def test_only_the_rule_changed(seed: int) -> None:
    twin = Twin(seed)
    twin.tree["sharing"][0]["key"] = "proportional"
    twin.tree["sharing"][0]["surplus"] = "owner"
    twin.later["sharing"] = [twin.tree["sharing"][0] | {"key": "priority", "surplus": "community"}]
    due = "key" if any(twin.before["pv"]) else "rounding"
    only(twin.change(with_rule=True), due)
    only(twin.change(), due)


@FEW
@given(SEEDS)
def test_rule_and_use_changed_and_can_be_told_apart(seed: int) -> None:
    twin = Twin(seed, pellets=False)
    twin.tree["sharing"][0]["key"] = "proportional"
    twin.tree["sharing"][0]["surplus"] = "owner"
    twin.later["sharing"] = [twin.tree["sharing"][0] | {"key": "equal"}]
    twin.use("el-A")
    found = twin.change(with_rule=True)
    only(found, "own_use", "key")
    unchanged = Twin(seed, pellets=False)
    unchanged.tree["sharing"] = unchanged.later["sharing"] = twin.tree["sharing"]
    unchanged.after = twin.after
    # What is due to use is what it would have been under the old rule, but for the rounding of lines.
    assert abs(unchanged.change().parts.get("own_use", 0) - found.parts.get("own_use", 0)) <= 8


@FEW
@given(SEEDS)
def test_only_what_is_lost_changed(seed: int) -> None:
    twin = Twin(seed)
    twin.later["pellets"]["counts"][-1]["kg"] = "2600"
    found = twin.change()
    only(found, "losses")
    assert found.after > found.before


@FEW
@given(SEEDS)
def test_only_bills_changed(seed: int) -> None:
    twin = Twin(seed)
    for cost in twin.later["costs"][2:]:
        cost["eur"] = decimal_text(twin.chance.randint(0, 90_000), 2)
    only(twin.change(), "costs")


@FEW
@given(SEEDS)
def test_only_the_days_changed(seed: int) -> None:
    """The household leaves in the middle; whoever comes after uses what it would have used."""
    twin = Twin(seed)
    day = twin.chance.randint(2, 31)
    twin.later["households"] = [
        {"id": "h-A", "flat": "A", "from": "2020-01-01", "until": f"2026-01-{day:02d}"},
        {"id": "h-X", "flat": "A", "from": f"2026-01-{day:02d}"},
        *twin.tree["households"][1:],
    ]
    found = twin.change()
    # By days it would have used a certain part; that it used another part of the month's hours is its own use.
    only(found, "days", "own_use", "others_use")
    if day < 16:
        assert found.parts["days"] < 0


@settings(max_examples=10)
@example(15611)  # the sun costs nothing from the 25th on, so that a part of what was given has no line
@given(SEEDS)
def test_any_two_months_of_any_building_sum_to_the_cent(seed: int) -> None:
    chance = Chance(seed)
    first, second = (Month.parse(chance.choice(MONTHS)) for _ in range(2))
    found = []
    tree = tree_of(chance, first)
    tree.pop("pellets", None)  # an account begins with one month; its two values are drawn apart below
    for month in (first, second):
        file = build(tree, "the case")
        begins = [
            microseconds(hour) for hour in oracle.hours(month.first_day, month.end_day, ZoneInfo(tree["timezone"]))
        ]
        document = json.loads(settle_document(file, month, readings(quantities(tree, len(begins), chance), begins))[1])
        document["pellets"] = pellets(chance, document)
        found.append((document, file.community))
    for entry in found[1][0]["statements"]:
        household = entry["party"]
        if household == "owner" or not any(one["party"] == household for one in found[0][0]["statements"]):
            continue
        before, after = (facts(document, community, household) for document, community in found)
        told = change(before, after)
        assert sum(told.parts.values()) == after.total - before.total
        assert 0 not in told.parts.values()
        # Both ends of the way are the statements themselves, but for the rounding of each line and its VAT.
        for state, month in zip(parting._states(before, after), (before, after), strict=True):
            lines = next(
                len(one["lines"]) for one in found[month is after][0]["statements"] if one["party"] == household
            )
            assert abs(state.total() - month.total) <= Fraction(5, 2) * lines


def pellets(chance: Chance, document: Tree) -> Tree | None:
    """A fuel account that fits the month's heat lines: any part of their pool may be pellets."""
    field = "amount_eur"
    pool = sum(
        Decimal(line[field])
        for entry in document["statements"]
        for line in entry["lines"]
        if line["code"].startswith("heat")
    )
    if pool <= 0 or chance.random() < 0.2:
        return None
    value = pool * chance.randint(0, 100) / 100
    burnt = decimal_text(chance.randint(-10, 900_000), 3)
    return {
        "burnt_kg": burnt,
        "burnt_eur": f"{value:.2f}",
        "closing_kg": "0.000",
        "closing_eur": "0.00",
        "estimated": False,
    }


@pytest.mark.long
@pytest.mark.parametrize("seed", range(40))
def test_the_same_for_many_more_buildings(seed: int) -> None:
    for rule in (
        test_nothing_changed,
        test_only_prices_changed,
        test_only_own_use_changed,
        test_only_the_neighbours_use_changed,
        test_only_the_sun_changed,
        test_only_the_rule_changed,
        test_rule_and_use_changed_and_can_be_told_apart,
        test_only_what_is_lost_changed,
        test_only_bills_changed,
        test_only_the_days_changed,
        test_any_two_months_of_any_building_sum_to_the_cent,
    ):
        rule.hypothesis.inner_test(seed)  # type: ignore[attr-defined]  # Hypothesis keeps the plain function there
