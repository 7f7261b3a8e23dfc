"""Credits for work: a transfer between parties that sums to zero, never a cost of heat."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.communityfile import build
from core.errors import BadInput
from tests.support.pricehouse import Tree, lines, settled, tree

TASKS = [{"id": "refill"}, {"id": "ash"}]


def rule(**other: Any) -> Tree:
    return {"from": "2025-01-01", "eur_per_bag": "0.50", "eur": {"ash": "5.00"}} | other


def done(household: str, task: str, day: str = "2026-02-10", bags: int | None = None) -> Tree:
    event = {"at": f"{day}T11:00:00Z", "household": household, "task": task}
    return event if bags is None else event | {"bags": str(bags)}


def house(*work: Tree, flats: int = 3, rules: list[Tree] | None = None, **other: Any) -> Tree:
    other = {"settlement_interval": "1h"} | other
    return tree(flats, tasks=TASKS, work=list(work), work_credits=[rule()] if rules is None else rules, **other)


def amounts(statement: Tree) -> dict[str, list[str]]:
    """Amounts of the lines of work, by party."""
    parties = dict.fromkeys(entry["party"] for entry in statement["statements"])
    return {party: [line["amount_eur"] for line in lines(statement, "work", party)] for party in parties}


def summed(statement: Tree) -> Decimal:
    return sum((Decimal(amount) for found in amounts(statement).values() for amount in found), Decimal(0))


def test_what_one_earns_all_pay() -> None:
    _, statement = settled(house(done("h-F1", "refill", bags=12)), "2026-02")
    assert amounts(statement) == {"h-F1": ["-6.00", "2.00"], "h-F2": ["2.00"], "h-F3": ["2.00"]}
    assert "cents: work sums to zero over all parties" in {check["name"] for check in statement["checks"]}


def test_the_rest_cents_are_drawn_and_the_sum_is_zero() -> None:
    _, statement = settled(house(done("h-F2", "ash")), "2026-02")
    told = amounts(statement)
    assert told["h-F2"][0] == "-5.00"
    assert sorted([told["h-F1"][0], told["h-F2"][1], told["h-F3"][0]]) == ["1.66", "1.67", "1.67"]
    assert summed(statement) == 0


def test_work_has_no_vat_whatever_prices_say() -> None:
    for including in ("true", "false"):
        given = house(done("h-F1", "ash"))
        given["tariffs"] = [given["tariffs"][0] | {"prices_include_vat": including}]
        _, statement = settled(given, "2026-02")
        for line in lines(statement, "work", "h-F1"):
            assert (line["vat_percent"], line["vat_eur"], line["net_eur"]) == ("0.00", "0.00", line["amount_eur"])
            assert (line["quantity"], line["unit"], line["price_eur"]) == (None, None, None)


def test_by_floor_area() -> None:
    given = house(done("h-F1", "ash"), flats=2, rules=[rule(paid_by="floor_area")])
    given["flats"] = [{"id": "F1", "floor_area_m2": "60"}, {"id": "F2", "floor_area_m2": "40"}]
    assert amounts(settled(given, "2026-02")[1]) == {"h-F1": ["-5.00", "3.00"], "h-F2": ["2.00"]}


def test_empty_days_are_paid_by_the_owner() -> None:
    households = [
        {"id": "h-F1", "flat": "F1", "from": "2025-01-01"},
        {"id": "h-F2", "flat": "F2", "from": "2026-02-15"},
    ]
    _, statement = settled(house(done("h-F1", "ash"), flats=2, households=households), "2026-02")
    assert amounts(statement) == {"h-F1": ["-5.00", "2.50"], "owner": ["1.25"], "h-F2": ["1.25"]}


def test_who_moves_is_credited_for_the_own_days_only() -> None:
    households = [
        {"id": "h-F1", "flat": "F1", "from": "2025-01-01", "until": "2026-02-15"},
        {"id": "n-F1", "flat": "F1", "from": "2026-02-15"},
    ]
    given = house(done("h-F1", "ash", "2026-02-14"), done("n-F1", "ash", "2026-02-14"), flats=1, households=households)
    _, statement = settled(given, "2026-02")
    assert amounts(statement) == {"h-F1": ["-5.00", "2.50"], "n-F1": ["2.50"]}
    (finding,) = [finding for finding in statement["findings"] if finding["code"] == "work-not-credited"]
    assert finding["text"] == ("Work of n-F1 on 2026-02-14 (ash) earns nothing: nobody of that name lived here then.")


def test_who_has_left_earns_nothing_on_the_day_of_leaving() -> None:
    households = [{"id": "h-F1", "flat": "F1", "from": "2025-01-01", "until": "2026-02-15"}]
    given = house(done("h-F1", "ash", "2026-02-15"), flats=1, households=households)
    assert amounts(settled(given, "2026-02")[1])["h-F1"] == []


def test_the_order_in_which_work_is_written_changes_no_byte() -> None:
    # n-F1 and n-F2 do not live here yet, so what is told of them has an order too
    work = [done("h-F1", "ash"), done("n-F1", "ash"), done("n-F2", "ash"), done("h-F1", "refill", bags=3)]
    later = [{"id": f"n-F{flat}", "flat": f"F{flat}", "from": "2026-03-01"} for flat in (1, 2)]
    now = [{"id": f"h-F{flat}", "flat": f"F{flat}", "from": "2025-01-01", "until": "2026-03-01"} for flat in (1, 2)]
    first, second = (
        settled(house(*given, flats=2, households=now + later), "2026-02")[1] for given in (work, work[::-1])
    )
    assert [finding["text"].split()[2] for finding in first["findings"] if finding["code"] == "work-not-credited"] == [
        "n-F1",
        "n-F2",
    ]
    assert first["findings"] == second["findings"]
    assert first["result_sha256"] == second["result_sha256"]


def test_at_most_so_much_a_month() -> None:
    rules = [rule(at_most_eur_per_month="7.00")]
    given = house(done("h-F1", "ash"), done("h-F1", "refill", bags=20), done("h-F2", "ash"), rules=rules)
    told = amounts(settled(given, "2026-02")[1])
    assert (told["h-F1"][0], told["h-F2"][0]) == ("-7.00", "-5.00")


def test_the_local_day_decides_the_month() -> None:
    late = {"at": "2026-01-31T23:30:00Z", "household": "h-F1", "task": "ash"}  # 1 February in Amsterdam
    assert amounts(settled(house(late), "2026-01")[1])["h-F1"] == []
    assert amounts(settled(house(late), "2026-02")[1])["h-F1"][0] == "-5.00"


def test_a_rule_holds_from_its_month_on_and_a_new_one_replaces_it() -> None:
    rules = [rule(**{"from": "2026-02-01"}), rule(**{"from": "2026-03-01"}, eur={"ash": "8.00"})]
    work = [done("h-F1", "ash", f"2026-0{month}-10") for month in (1, 2, 3)]
    credited = [amounts(settled(house(*work, rules=rules), f"2026-0{month}")[1])["h-F1"][:1] for month in (1, 2, 3)]
    assert credited == [[], ["-5.00"], ["-8.00"]]


def test_without_a_rule_work_changes_no_byte() -> None:
    (_, plain), (_, told) = (
        settled(tree(3, settlement_interval="1h"), "2026-02"),
        settled(house(done("h-F1", "ash"), rules=[]), "2026-02"),
    )
    assert told == plain


def test_work_of_another_month_changes_no_byte() -> None:
    one = settled(house(done("h-F1", "ash")), "2026-02")[1]
    other = settled(house(done("h-F1", "ash"), done("h-F2", "ash", "2026-03-01")), "2026-02")[1]
    assert one == other


def test_heat_costs_the_same_with_and_without_work() -> None:
    heat: Tree = {
        "heat": [{"from": "2025-01-01", "measured_percent": "65"}],
        "costs": [{"date": "2026-02-20", "pool": "heat", "eur": "90.00", "invoice": "M-1"}],
    }
    given = house(done("h-F1", "ash"), **heat)
    given["tariffs"] = [given["tariffs"][0] | {"vat_percent": {"electricity": "21", "heat": "21"}}]
    (with_work, _), (without, _) = settled(given, "2026-02"), settled(given | {"work": []}, "2026-02")
    assert [c.total for c in with_work.charges if c.code != "work"] == [c.total for c in without.charges]


def test_the_transfer_is_one_transaction_between_parties() -> None:
    result, _ = settled(house(done("h-F1", "ash")), "2026-02")
    postings = [posting for posting in result.ledger.postings if posting.what == "work"]
    assert len({posting.transaction for posting in postings}) == 1
    assert sum(posting.cents for posting in postings) == 0
    assert {posting.account for posting in postings} == {"party:h-F1:F1", "party:h-F2:F2", "party:h-F3:F3"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"work_credits": [rule(**{"from": "2026-02-02"})]}, "start on the first day of one"),
        ({"work_credits": [rule(eur={"ahs": "5.00"})]}, "there is no task 'ahs'"),
        ({"work_credits": [rule(), rule()]}, "2 entries start on 2025-01-01"),
        ({"work_credits": [rule(eur_per_bag="0.505")]}, "parts of a cent"),
        ({"work_credits": [rule(eur_per_bag="-1.00")]}, "is negative"),
        ({"work": [done("h-F9", "ash")]}, "there is no household 'h-F9'"),
        ({"work": [done("h-F1", "refill") | {"bags": "1.5"}]}, "not a whole number"),
        ({"work_credits": [rule(paid_by="floor_area")], "flats": [{"id": "F1"}]}, "every flat needs it"),
    ],
)
def test_what_cannot_be_is_refused(change: Tree, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        build(house(flats=1) | change, "house.yaml")
