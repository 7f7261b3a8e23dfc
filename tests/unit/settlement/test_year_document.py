"""``year.json``: every figure of a year by hand, and a hash that anybody can make again."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal

from core.time import Month
from settlement.model import Check
from settlement.yearly.document import Source, document
from settlement.yearly.months import Item, Money, Span
from settlement.yearly.year import Year, YearEntry

FIXED, HEAT, LOW, SUN = (
    Item("fixed", Decimal("21.00")),
    Item("heat_fixed", Decimal("21.00")),
    Item("heat_fixed", Decimal("9.00")),
    Item("feed_in", Decimal("21.00")),
)
HOUSEHOLD = YearEntry(
    "h-1",
    "A",
    (Span(date(2026, 3, 1), date(2026, 5, 1)), Span(date(2026, 6, 1), date(2027, 1, 1))),
    months={HEAT: Money(1000, 210, 1210), FIXED: Money(100, 21, 121), LOW: Money(200, 18, 218)},
    lines={FIXED: Money(100, 21, 121), HEAT: Money(900, 189, 1089), LOW: Money(250, 23, 273)},
    advance=1500,
    corrected=(Month(2026, 4),),
)
OWNER = YearEntry("owner", "", (), {SUN: Money(-10, -2, -12)}, {SUN: Money(-10, -2, -12)}, 0, ())
SOURCES = (Source("2026-03", "2026-0001", 1, "a" * 64), Source("2026-03", "2026-0002", 2, "b" * 64))
WRITTEN = document(
    Year("linde", date(2026, 3, 1), date(2027, 1, 1), (HOUSEHOLD, OWNER), (Check("all is well", True, "0.00"),)),
    SOURCES,
)


def amounts(net: str, vat: str, amount: str) -> dict[str, str]:
    return {"net_eur": net, "vat_eur": vat, "amount_eur": amount}


def test_a_party_has_its_days_its_lines_beside_the_months_and_what_is_left() -> None:
    assert WRITTEN["statements"][0] == {
        "party": "h-1",
        "flat": "A",
        "days": [{"from": "2026-03-01", "until": "2026-05-01"}, {"from": "2026-06-01", "until": "2027-01-01"}],
        "corrected": ["2026-04"],
        "lines": [
            {"code": "fixed", "vat_percent": "21.00", **amounts("1.00", "0.21", "1.21"),
             "months": amounts("1.00", "0.21", "1.21"), "difference": amounts("0.00", "0.00", "0.00")},
            {"code": "heat_fixed", "vat_percent": "9.00", **amounts("2.50", "0.23", "2.73"),
             "months": amounts("2.00", "0.18", "2.18"), "difference": amounts("0.50", "0.05", "0.55")},
            {"code": "heat_fixed", "vat_percent": "21.00", **amounts("9.00", "1.89", "10.89"),
             "months": amounts("10.00", "2.10", "12.10"), "difference": amounts("-1.00", "-0.21", "-1.21")},
        ],
        "total_eur": "14.83",
        "advance_eur": "15.00",
        "balance_eur": "-0.17",
        "months_balance_eur": "0.49",
        "difference_eur": "-0.66",
    }  # fmt: skip


def test_the_owners_own_entry_has_no_flat() -> None:
    own = WRITTEN["statements"][1]
    assert (own["party"], own["flat"], own["days"], own["corrected"]) == ("owner", None, [], [])


def test_totals_are_those_of_all_parties() -> None:
    totals = WRITTEN["totals"]
    assert [line["code"] for line in totals["lines"]] == ["feed_in", "fixed", "heat_fixed", "heat_fixed"]
    assert totals["lines"][3]["difference"] == amounts("-1.00", "-0.21", "-1.21")
    assert {name: value for name, value in totals.items() if name != "lines"} == {
        "total_eur": "14.71",
        "advance_eur": "15.00",
        "balance_eur": "-0.29",
        "months_balance_eur": "0.37",
        "difference_eur": "-0.66",
    }


def test_the_head_says_of_what_it_is_and_from_what() -> None:
    assert [WRITTEN[name] for name in ("kind", "community", "year", "from", "until")] == [
        "year", "linde", "2026", "2026-03-01", "2027-01-01",
    ]  # fmt: skip
    assert WRITTEN["documents"] == [
        {"month": "2026-03", "number": "2026-0001", "revision": 1, "seal_sha256": "a" * 64},
        {"month": "2026-03", "number": "2026-0002", "revision": 2, "seal_sha256": "b" * 64},
    ]
    assert WRITTEN["checks"] == [{"name": "all is well", "holds": True, "difference": "0.00"}]


def test_the_hash_is_over_everything_but_itself() -> None:
    rest = {name: value for name, value in WRITTEN.items() if name != "result_sha256"}
    text = json.dumps(rest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    assert WRITTEN["result_sha256"] == hashlib.sha256(text.encode()).hexdigest()
