"""The ledger refuses what does not balance, and a posting says what is behind it."""

from __future__ import annotations

import pytest

from core.time import Month
from settlement.ledger import Ledger
from settlement.model import Evidence
from tests.support import heathouse as house

NONE = Evidence()


def test_a_transaction_that_does_not_balance_is_refused_and_books_nothing() -> None:
    ledger = Ledger()
    with pytest.raises(ValueError, match="'solar' does not balance"):
        ledger.book("solar", [("party:h-A:A", 121, NONE), ("revenue:solar", -100, NONE), ("vat:21", -20, NONE)])
    assert ledger.postings == []


def test_transactions_are_numbered_one_after_another_and_nothing_of_zero_is_booked() -> None:
    ledger = Ledger()
    ledger.book("nothing", [("a", 0, NONE), ("b", 0, NONE)])
    ledger.book("one", [("a", 5, NONE), ("b", 0, NONE), ("c", -5, NONE)])
    ledger.book("empty", [])
    ledger.book("two", [("a", -3, NONE), ("c", 3, NONE)])
    ledger.book("three", [("c", 1, NONE), ("a", -1, NONE)])
    booked = [(one.transaction, one.account, one.cents, one.what) for one in ledger.postings]
    assert booked == [
        (1, "a", 5, "one"), (1, "c", -5, "one"), (2, "a", -3, "two"), (2, "c", 3, "two"),
        (3, "c", 1, "three"), (3, "a", -1, "three"),
    ]  # fmt: skip


def test_what_heat_cost_comes_from_the_stock_and_from_invoices_and_what_parties_owe_goes_to_revenue_and_vat() -> None:
    town = house.tree({"A": "50", "B": "50"}) | {
        "costs": [
            {"date": "2026-01-20", "pool": "heat", "eur": "20.00", "invoice": "M-1"},
            {"date": "2026-01-21", "pool": "heat", "eur": "1.00", "invoice": "M-2"},
            {"date": "2026-01-22", "pool": "common", "eur": "10.00", "invoice": "M-3"},
        ],
        "pellets": {
            "opening": {"at": "2026-01-01T00:00:00+01:00", "kg": "1000", "eur": "300.00"},
            "counts": [{"at": "2026-02-01T00:00:00+01:00", "kg": "900"}],
            "kwh_per_kg": "5",
            "efficiency_percent": "80",
        },
        "advances": [{"household": "h-A", "from": "2026-01-01", "eur_per_month": "60.00"}],
    }
    month, _ = house.settled(town, {}, Month(2026, 1))
    booked = [(one.what, one.account, one.cents) for one in month.ledger.postings]
    assert booked[:4] == [
        ("cost of heat", "cost:heat", 51_00),  # 100 of 1,000 kg are 30.00, and 21.00 of invoices
        ("cost of heat", "stock:pellets", -30_00),
        ("cost of heat", "invoice:M-1", -20_00),
        ("cost of heat", "invoice:M-2", -1_00),
    ]
    # Nobody's meter was read: 65 and 35 percent of 51.00 are both halved by floor area, 21 percent of VAT within.
    halves = {("heat_measured", 1658, 1370, 288), ("heat_measured", 1657, 1369, 288)}
    found = set()
    lines = [one for one in booked if one[0] == "heat_measured"]
    for party, revenue, vat in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        assert (party[1][:8], revenue[1], vat[1]) == ("party:h-", "revenue:heat_measured", "vat:21")
        found.add((party[0], party[2], -revenue[2], -vat[2]))
    assert found == halves
    assert booked[-2:] == [("advance", "party:h-A:A", -60_00), ("advance", "advances", 60_00)]


def test_what_a_posting_leans_on_is_told_without_what_is_empty() -> None:
    assert NONE.tree == {}
    evidence = Evidence(rules=("sharing 2026-01-01",), meters=("el-A",), start="2026-01-01T00:00:00Z")
    assert evidence.tree == {
        "rules": ["sharing 2026-01-01"],
        "meters": ["el-A"],
        "from": "2026-01-01T00:00:00Z",
    }
    rest = Evidence(documents=("invoice 7",), all_of=("heat",), until="2026-02-01T00:00:00Z")
    assert rest.tree == {"documents": ["invoice 7"], "all_of": ["heat"], "until": "2026-02-01T00:00:00Z"}
