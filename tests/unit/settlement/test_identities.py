"""Every conservation identity: its name, that it holds where it should, and by how much a broken one is off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from core.community import HeatRule, HotWater
from settlement import invariants
from settlement.amounts import Amounts, Table
from settlement.charges import Charge
from settlement.heat import HeatPool
from settlement.ledger import Ledger
from settlement.model import Check, Line, Posting, Series, Spell
from settlement.pellets import PelletMonth
from settlement.sun import Sun
from tests.support.pricehouse import settled, tariff, tree

A, B = (Spell(f"h-{flat}", flat, date(2026, 2, 1), date(2026, 3, 1)) for flat in "AB")
VAT = Decimal(21)
NONE = Fraction(0)


def told(checks: Iterable[Check]) -> dict[str, str]:
    """By how much each identity is off; one that is off by nothing holds, any other does not."""
    found = list(checks)
    assert [check.holds for check in found] == [not Decimal(check.difference) for check in found]
    return {check.name.removeprefix("sun: "): check.difference for check in found}


# The sun

IN_INTERVALS, USED = "shared + surplus = generated, in every interval", "0 <= shared <= consumed, in every interval"
IN_MONTH = "shared + surplus = generated, in the month"


def divided(shared: dict[str, Sequence[int]], surplus: Sequence[int]) -> Sun:
    """Three intervals: 10 and 5 mWh of sun and one whose sun nobody knows; B was not read in the last."""
    sun, used = Amounts.of([10, 5, None]), Table.of({"A": [4, 3, 9], "B": [8, 9, None]}, 3)
    nothing = Table.of({"A": [0, 0, 0], "B": [0, 0, 0]}, 3)
    rows = np.array([*shared.values()])
    return Sun(range(4), sun, used, {}, Table(tuple(shared), rows), Amounts(np.array(surplus)), nothing)


@pytest.mark.parametrize(
    ("shared", "surplus", "interval", "used", "month"),
    [
        (([4, 2, 0], [5, 3, 0]), [1, 0, 0], "0.000000", "0.000000", "0.000000"),
        (([4, 2, 0], [5, 3, 0]), [3, 0, 0], "0.000002", "0.000000", "0.000002"),
        (([4, 2, 0], [5, 3, 0]), [0, 1, 0], "0.000001", "0.000000", "0.000000"),  # which the month does not show
        (([6, 0, 0], [3, 5, 0]), [1, 0, 0], "0.000000", "0.000002", "0.000000"),
        (([4, 2, 0], [6, 0, 3]), [0, 3, 0], "0.000003", "0.000003", "0.000003"),  # given to one who was not read
        (([7, 5, 0], [3, 0, 0]), [0, 0, 0], "0.000000", "0.000003", "0.000000"),
        (([0, 5, 0], [10, 0, 0]), [0, 0, 0], "0.000000", "0.000002", "0.000000"),
    ],
)
def test_the_sun_adds_up_and_nobody_is_given_more_than_was_used(
    shared: tuple[list[int], list[int]], surplus: list[int], interval: str, used: str, month: str
) -> None:
    found = told(invariants.of_sun(divided(dict(zip("AB", shared, strict=True)), surplus)))
    assert found == {IN_INTERVALS: interval, USED: used, IN_MONTH: month}


def test_nobody_is_given_less_than_nothing() -> None:
    found = told(invariants.of_sun(divided({"A": [4, -2, 0], "B": [6, 7, 0]}, [0, 0, 0])))
    assert found[USED] == "0.000002"


@pytest.mark.parametrize("more", [0, 4])
def test_what_all_parties_were_given_and_used_is_what_the_building_was(more: int) -> None:
    sun = divided({"A": [4, 2, 0], "B": [5, 3, 0]}, [1, 0, 0])
    heat = [Series.of("heat-A", [7, None, 2], ["measured", "missing", "measured"], [None] * 3)]
    heat.append(Series.missing("heat-B", 3))
    assert told(invariants.of_parties(sun, heat, {A: 6, B: 5 + more}, {A: 9 - more, B: 0}, 3)) == {
        "shares of all parties = shared": f"0.00000{more}",
        "heat: parties' heat = metered heat": f"-0.00000{more}" if more else "0.000000",
    }


# Money


def line(code: str, amount: int, net: int, vat: int) -> Line:
    return Line(code, None, None, None, net, VAT, vat, amount)


def test_every_pool_adds_up_by_amounts_or_by_nets_as_prices_are_given_and_is_named_by_price_and_window() -> None:
    """Three kilowatt-hours at 20 cents and one at 10, and 7 cents of heat: 60, 10 and 7."""
    sold = Charge("solar", {A: Fraction(2), B: Fraction(1)}, Fraction(20), VAT, Decimal("0.20"))
    night = Charge("solar", {A: Fraction(1)}, Fraction(10), VAT, Decimal("0.10"), window="night")
    heat = Charge("heat_fixed", {A: Fraction(1), B: Fraction(1)}, Fraction(7, 2), VAT)
    groups = [
        {A: line("solar", 40, 33, 7), B: line("solar", 20, 17, 3)},
        {A: line("solar", 11, 10, 1)},
        {A: line("heat_fixed", 4, 3, 1), B: line("heat_fixed", 4, 3, 1)},
    ]
    charges = [sold, night, heat]
    assert told(invariants.of_money(charges, groups, include_vat=True)) == {
        "cents: solar at 0.20 adds up": "0.00",
        "cents: solar at 0.10 in night adds up": "0.01",
        "cents: heat_fixed adds up": "0.01",
        "cents: net + VAT = amount, on every line": "0.00",
    }
    assert told(invariants.of_money(charges, groups, include_vat=False)) == {
        "cents: solar at 0.20 adds up": "-0.10",
        "cents: solar at 0.10 in night adds up": "0.00",
        "cents: heat_fixed adds up": "-0.01",
        "cents: net + VAT = amount, on every line": "0.00",
    }


def test_two_lines_that_are_off_do_not_make_each_other_good() -> None:
    sold = Charge("solar", {A: Fraction(2), B: Fraction(1)}, Fraction(20), VAT, Decimal("0.20"))
    group = {A: line("solar", 40, 33, 8), B: line("solar", 20, 17, 2)}
    off = told(invariants.of_money([sold], [group], include_vat=True))["cents: net + VAT = amount, on every line"]
    assert off == "0.02"


def test_the_lines_of_heat_and_of_hot_water_divide_what_heat_cost() -> None:
    rule = HeatRule.model_validate({"from": "2025-01-01", "measured_percent": "65"})
    charges = [
        Charge(code, {A: Fraction(1)}, Fraction(cents), VAT)
        for code, cents in (
            ("heat_measured", 60), ("heat_fixed", 30), ("hot_water_measured", 7), ("hot_water_fixed", 3), ("common", 99)
        )
    ]  # fmt: skip
    dry = HeatPool(rule, 90, 60, 30, ())
    assert told(invariants.of_heat(dry, charges[:2])) == {"cents: heat lines = cost of heat": "0.00"}
    assert told(invariants.of_heat(dry, charges)) == {"cents: heat lines = cost of heat": "0.10"}
    apart = rule.model_copy(update={"hot_water": HotWater(measured_percent=Decimal(50))})
    assert told(invariants.of_heat(HeatPool(apart, 100, 60, 30, (), 7, 3), charges)) == {
        "cents: heat lines = cost of heat": "0.00",
        "cents: heat and hot water = cost of heat": "0.00",
    }
    assert told(invariants.of_heat(HeatPool(apart, 99, 60, 29, (), 7, 2), charges)) == {
        "cents: heat lines = cost of heat": "0.01",
        "cents: heat and hot water = cost of heat": "-0.01",
    }


NIGHT = {"name": "night", "from": "23:00", "until": "07:00", "solar_eur_per_kwh": "0.10"}


@pytest.mark.parametrize("prices", [{"windows": [NIGHT]}, {"netting_until": "2027-01-01"}])
def test_windows_and_netting_price_every_kilowatt_hour_once(prices: dict[str, object]) -> None:
    month, _ = settled(tree(2, settlement_interval="1h", tariffs=[tariff(**prices)]), "2026-02", {
        "pv": lambda _: 3_000_000, "el-F1": lambda _: 1_000_000, "el-F2": lambda _: 1_000_000,
    })  # fmt: skip
    shared, surplus = dict(month.energy.shared), month.energy.sun.surplus.total()
    assert (sum(shared.values()), surplus) == (2 * 672 * 10**6, 672 * 10**6)

    def off(more: int) -> list[tuple[str, bool, str]]:
        first = {month.spells[0]: shared[month.spells[0]] + more}
        found = invariants.of_prices(month.slots, month.charges, shared | first, surplus - more * 10**6)
        return [(check.name, check.holds, check.difference) for check in found]

    solar, surpluses = "kWh: solar lines = shared", "kWh: feed-in and netting lines = surplus"
    assert off(0) == [(solar, True, "0.000000"), (surpluses, True, "0.000000")]
    assert off(1) == [(solar, False, "-1/1000000"), (surpluses, False, "1")]


def test_what_work_earns_is_what_all_pay_for_it_and_other_lines_are_no_work() -> None:
    earned = {A: line("work", -500, -500, 0)}
    assert invariants.of_work([earned, {A: line("work", 250, 250, 0), B: line("work", 250, 250, 0)}]) == Check(
        "cents: work sums to zero over all parties", True, "0.00"
    )
    assert told([invariants.of_work([earned, {B: line("work", 499, 499, 0)}, {A: line("fixed", 1, 1, 0)}])]) == {
        "cents: work sums to zero over all parties": "-0.01"
    }


# Pellets and the ledger


def test_the_stock_of_pellets_closes_in_kilograms_and_in_cents() -> None:
    """1000 + 500 - 20 = 900 + 580 kilograms, 300 + 150 - 6 = 270 + 174 euros."""
    whole = PelletMonth(
        Fraction(1000), 30_000, Fraction(500), 15_000, Fraction(900), 27_000, Fraction(580), 17_400,
        estimated=False, corrected_kg=Fraction(-20), corrected_cents=-600,
    )  # fmt: skip
    came = "pellets: start + deliveries + corrections = burnt + closing"
    assert told(invariants.of_pellets(whole)) == {f"{came} [kg]": "0.000", f"{came} [EUR]": "0.00"}
    for changed, kg, eur in (
        (replace(whole, corrected_kg=NONE), "20", "0.00"),
        (replace(whole, corrected_cents=0), "0.000", "6.00"),
        (replace(whole, start_kg=Fraction(1001), start_cents=29_999), "1", "-0.01"),
        (replace(whole, delivered_kg=Fraction(499), delivered_cents=15_001), "-1", "0.01"),
        (replace(whole, burnt_kg=Fraction(901), burnt_cents=26_999), "-1", "0.01"),
        (replace(whole, closing_kg=Fraction(579), closing_cents=17_401), "1", "-0.01"),
    ):
        assert told(invariants.of_pellets(changed)) == {f"{came} [kg]": kg, f"{came} [EUR]": eur}
    plain = replace(whole, corrected_kg=NONE, corrected_cents=0, closing_kg=Fraction(600), closing_cents=18_000)
    came = "pellets: start + deliveries = burnt + closing"
    assert told(invariants.of_pellets(plain)) == {f"{came} [kg]": "0.000", f"{came} [EUR]": "0.00"}


def test_every_transaction_sums_to_zero_and_parties_owe_what_their_statements_say() -> None:
    postings = [
        Posting(1, "party:h-A|A", 600, "solar"), Posting(1, "income:solar", -600, "solar"),
        Posting(2, "party:h-B|B", 400, "heat"), Posting(2, "cost:heat", -399, "heat"),
        Posting(3, "party:h-A|A", -100, "advance"), Posting(3, "bank", 99, "advance"),
    ]  # fmt: skip
    sums, owed = "ledger: every transaction sums to zero", "ledger: balances of parties = statements"
    assert told(invariants.of_ledger(Ledger(postings[:2]), 600)) == {sums: "0.00", owed: "0.00"}
    # One is a cent too many, one a cent too few: they do not make each other good.
    assert told(invariants.of_ledger(Ledger(postings), 901)) == {sums: "0.02", owed: "-0.01"}


# What a month proves


ALWAYS = (
    "sun: shared + surplus = generated, in every interval",
    "sun: 0 <= shared <= consumed, in every interval",
    "sun: shared + surplus = generated, in the month",
    "sun: shares of all parties = shared",
    "heat: parties' heat = metered heat",
)
LEDGER = ("ledger: every transaction sums to zero", "ledger: balances of parties = statements")


def test_a_month_proves_all_that_it_has_and_nothing_that_it_has_not() -> None:
    plain, _ = settled(tree(2, settlement_interval="1h"), "2026-02")
    assert [check.name for check in plain.checks] == [
        *ALWAYS,
        "cents: solar at 0.20 adds up",
        "cents: feed_in at 0.05 adds up",
        "cents: fixed at 0 adds up",
        "cents: net + VAT = amount, on every line",
        *LEDGER,
    ]
    town = tree(
        2,
        settlement_interval="1h",
        tariffs=[tariff(windows=[NIGHT], vat_percent={"electricity": "21", "heat": "9"})],
        heat=[{"from": "2025-01-01", "measured_percent": "65"}],
        pellets={
            "kwh_per_kg": "5",
            "opening": {"at": "2026-02-01T00:00:00+01:00", "kg": "1000", "eur": "300.00"},
            "counts": [{"at": "2026-03-01T00:00:00+01:00", "kg": "400"}],
        },
        tasks=[{"id": "ash"}],
        work_credits=[{"from": "2025-01-01", "eur": {"ash": "5.00"}}],
        work=[{"at": "2026-02-10T11:00:00Z", "household": "h-F1", "task": "ash"}],
    )
    whole, _ = settled(town, "2026-02")
    assert [check.name for check in whole.checks] == [
        *ALWAYS,
        "cents: solar at 0.20 adds up",
        "cents: solar at 0.10 in night adds up",
        "cents: feed_in at 0.05 adds up",
        "cents: fixed at 0 adds up",
        "cents: heat_measured adds up",
        "cents: heat_fixed adds up",
        "cents: work adds up",
        "cents: work adds up",
        "cents: net + VAT = amount, on every line",
        "cents: heat lines = cost of heat",
        "pellets: start + deliveries = burnt + closing [kg]",
        "pellets: start + deliveries = burnt + closing [EUR]",
        "kWh: solar lines = shared",
        "kWh: feed-in and netting lines = surplus",
        "cents: work sums to zero over all parties",
        *LEDGER,
    ]
    assert all(check.holds for check in whole.checks)
