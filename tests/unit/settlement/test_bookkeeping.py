"""The ledger refuses what does not balance, and a posting says what is behind it."""

from __future__ import annotations

import pytest

from settlement.ledger import Ledger
from settlement.model import Evidence

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
    booked = [(one.transaction, one.account, one.cents, one.what) for one in ledger.postings]
    assert booked == [(1, "a", 5, "one"), (1, "c", -5, "one"), (2, "a", -3, "two"), (2, "c", 3, "two")]


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
