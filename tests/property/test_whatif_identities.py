"""The comparison of rules against whole settlements, and the identities that hold between any two rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from core.communityfile import build
from core.time import Month, microseconds
from settlement.model import Readings
from settlement.replay import settle_document
from settlement.whatif.compare import Comparison, compare
from settlement.whatif.outcome import Outcome
from tests.property.test_settlement_oracle import MONTHS, Chance, quantities, readings, tree_of
from tests.support import month_oracle as oracle

Tree = dict[str, Any]


def drawn(chance: Chance) -> tuple[Tree, Month, Readings]:
    """A community whose rules name weights and an order, so that every key can be tried, and a month of readings."""
    month = Month.parse(chance.choice(MONTHS))
    tree = tree_of(chance, month)
    flats = [flat["id"] for flat in tree["flats"]]
    for rule in tree["sharing"]:
        rule["weights"] = {flat: chance.decimal(0, 20) for flat in flats} | {flats[0]: "3.5"}
        rule["order"] = chance.sample(flats, len(flats))
        rule["common_weight"] = chance.decimal(0, 20)
    begins = [microseconds(hour) for hour in oracle.hours(month.first_day, month.end_day, ZoneInfo(tree["timezone"]))]
    return tree, month, readings(quantities(tree, len(begins), chance), begins)


def paid_by(statement: Tree) -> dict[tuple[str, str], int]:
    """Cents of every party's lines about electricity."""
    found: dict[tuple[str, str], int] = {}
    for entry in statement["statements"]:
        name = (entry["flat"] or "", entry["party"])
        lines = [line for line in entry["lines"] if not line["code"].startswith("heat")]
        found[name] = found.get(name, 0) + sum(int(Decimal(line["amount_eur"]) * 100) for line in lines)
    return found


def known_energy(statement: Tree, outcome: Outcome) -> bool:
    told = statement["energy"]
    found = {
        "solar_kwh": outcome.generated,
        "consumed_kwh": outcome.consumed,
        "shared_kwh": outcome.shared,
        "surplus_kwh": outcome.surplus,
    }
    return all(int(Decimal(told[name]) * 10**6) == amount for name, amount in found.items())


def paid_in(outcome: Outcome) -> dict[tuple[str, str], int]:
    return {name: share.paid for name, share in outcome.parties.items()}


def same_parties(statement: Mapping[tuple[str, str], int], outcome: Mapping[tuple[str, str], int]) -> bool:
    """Whether both say the same; who has no line has no entry in a statement."""
    return {name: cents for name, cents in statement.items() if cents} == {n: c for n, c in outcome.items() if c}


@settings(max_examples=5)
@given(st.integers(0, 2**32))
def test_every_rule_comes_to_what_a_settlement_by_it_says(seed: int) -> None:
    chance = Chance(seed)
    tree, month, known = drawn(chance)
    comparison = compared(tree, month, known)
    if comparison is None:
        return
    today = json.loads(settle_document(build(tree, "the case"), month, known)[1])
    assert same_parties(paid_by(today), paid_in(comparison.today))
    for one in chance.sample(comparison.tried, 3):
        rule = one.candidate
        changes: Tree = {"key": rule.key, "surplus": rule.surplus}
        if rule.weights == "floor_area":
            changes["weights"] = {flat["id"]: flat["floor_area_m2"] for flat in tree["flats"]}
        tried = tree | {"sharing": [old | changes for old in tree["sharing"]]}
        statement = json.loads(settle_document(build(tried, "the case"), month, known)[1])
        assert same_parties(paid_by(statement), paid_in(one.outcome)), rule.name
        assert known_energy(statement, one.outcome), rule.name


def compared(tree: Tree, month: Month, known: Readings) -> Comparison | None:
    """Compare; None where the month happens to have no electricity and no sun."""
    electric = {meter["id"] for meter in tree["meters"] if meter["measures"] in ("electricity", "solar_generation")}
    return compare(build(tree, "the case").community, month, month, known) if electric & set(known) else None


@settings(max_examples=8)
@given(st.integers(0, 2**32))
def test_rules_move_money_between_parties_and_make_none(seed: int) -> None:
    """Same key, another surplus rule: households differ by what the owner is given, and by nothing else.

    Another key: what all pay together differs by the price of a kWh and what it would have been sold for, for every kWh
    that is used here and no longer sold.
    """
    chance = Chance(seed)
    tree, month, known = drawn(chance)
    tree["tariffs"] = tree["tariffs"][:1]
    tariff = tree["tariffs"][0]
    including = tariff["prices_include_vat"] == "true"
    comparison = compared(tree, month, known)
    if comparison is None:
        return
    parties = len(comparison.today.parties)
    # Each of the two pools is rounded to the cent once; without VAT every line's VAT is rounded for itself as well.
    rounding = Fraction(2) if including else Fraction(2 + 2 * parties)
    owner = ("", "owner")
    for _, group in groupby(comparison.tried, key=lambda one: one.candidate.division):
        first, *others = [one.outcome for one in group]
        for other in others:
            assert (other.shared, other.surplus) == (first.shared, first.surplus)
            assert [share.grid for share in other.parties.values()] == [share.grid for share in first.parties.values()]
            moved = other.parties[owner].paid - first.parties[owner].paid
            households = households_pay(other) - households_pay(first)
            assert abs(households + moved) <= (0 if including else parties)
    vat = 1 if including else 1 + Fraction(tariff["vat_percent"]["electricity"]) / 100
    worth = (Fraction(tariff["solar_eur_per_kwh"]) + Fraction(tariff["feed_in_eur_per_kwh"])) * 100 * vat
    grid = Fraction(tariff["grid_eur_per_kwh"]) * 100 * vat
    for one in comparison.tried:
        assert one.outcome.shared + one.outcome.surplus == one.outcome.generated == comparison.today.generated
        assert one.outcome.consumed == comparison.today.consumed
        more = Fraction(one.outcome.shared - comparison.today.shared, 10**6)
        assert abs(all_pay(one.outcome) - all_pay(comparison.today) - more * worth) <= rounding
        cost = sum(share.cost or 0 for share in one.outcome.parties.values())
        now = sum(share.cost or 0 for share in comparison.today.parties.values())
        assert abs(cost - now - more * (worth - grid)) <= 2 * rounding
        gains = [comparison.gain(one.outcome, party) or 0 for party in one.outcome.parties]
        assert sum(gains) == now - cost


def all_pay(outcome: Outcome) -> int:
    return sum(share.paid for share in outcome.parties.values())


def households_pay(outcome: Outcome) -> int:
    return sum(share.paid for name, share in outcome.parties.items() if name[0])
