"""What a statement says is left to pay: the total less what was paid in advance, for those who pay any."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.pricehouse import Tree, settled, tree


def house(*advances: Tree) -> Tree:
    return tree(3, settlement_interval="1h", advances=list(advances))


def told(given: Tree) -> dict[str, tuple[str, str, str]]:
    """Total, advance and balance by party, in a month that leaves sun over for the owner."""
    used = {f"el-F{number}": (lambda _: 1_000_000) for number in (1, 2, 3)}
    statement = settled(given, "2026-02", used | {"pv": lambda _: 5_000_000})[1]
    return {
        entry["party"]: (entry["total_eur"], entry["advance_eur"], entry["balance_eur"])
        for entry in statement["statements"]
    }


def test_who_pays_no_advance_pays_the_total() -> None:
    found = told(house())
    assert "owner" in found
    for total, advance, balance in found.values():
        assert (advance, balance) == ("0.00", total)


@pytest.mark.parametrize(("monthly", "paid"), [("10.00", "10.00"), ("5000.01", "5000.01")])
def test_the_balance_is_the_total_less_the_advance_and_may_be_money_back(monthly: str, paid: str) -> None:
    found = told(house({"household": "h-F2", "from": "2025-06-01", "eur_per_month": monthly}))
    total, advance, balance = found.pop("h-F2")
    assert (advance, balance) == (paid, str(Decimal(total) - Decimal(paid)))
    assert all(one[1] == "0.00" for one in found.values())


def test_an_advance_that_begins_within_the_month_is_paid_by_days() -> None:
    found = told(house({"household": "h-F1", "from": "2026-02-08", "eur_per_month": "28.00"}))
    total, advance, balance = found["h-F1"]
    assert advance == "21.00"
    assert Decimal(balance) == Decimal(total) - 21
