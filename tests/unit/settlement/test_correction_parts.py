"""A correction part by part, from small documents written by hand; and its checks, each with what it must notice."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from settlement import corrections
from settlement.corrections import Account, Amount, Case, Line, booked, of_statement, standing
from settlement.model import Posting

Document = dict[str, Any]
DAYS = ("2026-02-01", "2026-03-01")


def line(code: str, eur: str, quantity: str | None = None, price: str | None = None, **more: Any) -> Document:
    """A line of a statement; all of it is net."""
    return {
        "code": code, "quantity": quantity, "unit": "kWh" if quantity else None, "price_eur": price,
        "vat_percent": "21", "net_eur": eur, "vat_eur": "0.00", "amount_eur": eur,
    } | more  # fmt: skip


def entry(
    party: str, flat: str | None, *lines: Document, advance: str = "0.00", days: tuple[str, str] = DAYS
) -> Document:
    return {
        "party": party,
        "flat": flat,
        "from": days[0],
        "until": days[1],
        "lines": [*lines],
        "advance_eur": advance,
    }


def month(*entries: Document, name: str = "0") -> Document:
    return {
        "community": "linde", "month": "2026-02", "statements": [*entries], "energy": {"solar_kwh": name},
        "pellets": None, "input_sha256": f"in {name}", "result_sha256": f"out {name}",
    }  # fmt: skip


def postings(statement: Document) -> list[Posting]:
    """Every line booked between its party and one account of its code, every advance against the advances."""
    found: list[Posting] = []
    for one in statement["statements"]:
        party = f"party:{one['party']}:{one['flat'] or ''}"
        amounts = [(told["code"], f"income:{told['code']}", told["amount_eur"]) for told in one["lines"]]
        for what, account, eur in [*amounts, ("advance", "advances", "-" + one["advance_eur"])]:
            cents = int(Decimal(eur) * 100)
            found += [Posting(1, party, cents, what), Posting(1, account, -cents, what)]
    return found


def case(before: Document, after: Document, issued: Sequence[Document] = (), held: Document | None = None) -> Case:
    """From what holds (``held`` where corrections were issued) to what would be settled today."""
    return Case(before, issued, after, booked(postings(held or before)), booked(postings(after)), [])


def made(of: Case, revision: int = 2) -> Document:
    document = corrections.correction(of, number="2026-0002", revision=revision, corrects={"number": "2026-0001"})
    assert document is not None
    return document


def test_a_line_is_told_by_code_price_rate_and_window() -> None:
    plain, night = line("solar", "1.00", "5", "0.20"), line("solar", "1.00", "5", "0.20", window="night")
    assert Line.of(plain) == Line("solar", "0.20", "21", None)
    assert Line.of(plain).tree == {"code": "solar", "price_eur": "0.20", "vat_percent": "21"}
    assert Line.of(night).tree == {"code": "solar", "price_eur": "0.20", "vat_percent": "21", "window": "night"}
    assert Line.of(Line.of(night).tree) == Line.of(night)


def test_amounts_of_one_line_add_up_and_take_away() -> None:
    one, two = Amount(5, 2, 7, Decimal("1.5"), "kWh"), Amount(30, 4, 34, Decimal("0.5"), "kWh")
    assert one.plus(two) == Amount(35, 6, 41, Decimal("2.0"), "kWh")
    assert one.minus(two) == Amount(-25, -2, -27, Decimal("1.0"), "kWh")
    assert Amount().minus(one) == Amount(-5, -2, -7, Decimal("-1.5"), "kWh")
    assert one.minus(Amount(1, 1, 2)) == Amount(4, 1, 5, Decimal("1.5"), "kWh")
    assert Amount(1, 1, 2).plus(Amount(2, 2, 4)) == Amount(3, 3, 6)  # no quantity is not a quantity of nothing
    assert Amount(quantity=Decimal(0), unit="kWh").plus(Amount()).quantity == 0


def test_an_account_is_lines_less_what_was_paid_in_advance() -> None:
    nothing = Line("solar", None, "21", None)
    account = Account((), {nothing: Amount(), Line("fixed", None, "21", None): Amount(80, 20, 100)}, 130)
    assert (account.total, account.balance) == (100, -30)
    assert account.cents == ({Line("fixed", None, "21", None): (80, 20, 100)}, 130)
    vat_alone = Account(lines={nothing: Amount(-1, 1, 0)})
    assert vat_alone.cents == ({nothing: (-1, 1, 0)}, 0)


def test_two_spells_of_a_party_in_a_flat_are_one_account() -> None:
    first = entry("owner", "A", line("fixed", "1.00", "10"), advance="0.25", days=("2026-02-01", "2026-02-11"))
    last = entry("owner", "A", line("fixed", "0.50", "5"), line("solar", "0.01"), advance="0.50",
                 days=("2026-02-24", "2026-03-01"))  # fmt: skip
    found = of_statement(month(first, entry("owner", None, line("feed_in", "-2.00")), last))
    assert [*found] == [("owner", "A"), ("owner", "")]
    assert found["owner", "A"].days == (("2026-02-01", "2026-02-11"), ("2026-02-24", "2026-03-01"))
    assert found["owner", "A"].advance == 75
    assert {one.code: amount for one, amount in found["owner", "A"].lines.items()} == {
        "fixed": Amount(150, 0, 150, Decimal(15), "kWh"),
        "solar": Amount(1, 0, 1),
    }


def test_what_holds_is_the_statement_with_every_difference() -> None:
    was = month(entry("h-a", "A", line("solar", "1.00", "5"), advance="3.00"), entry("h-b", "B", line("solar", "2.00")))
    now = month(
        entry("h-a", "A", line("solar", "1.25", "6"), line("fixed", "-0.10"), advance="2.50"),
        entry("h-c", "B", line("solar", "1.75"), days=("2026-02-15", "2026-03-01")),
        name="1",
    )
    first = made(case(was, now))
    held = standing(was, [first])
    assert {party: account for party, account in held.items() if account.days} == of_statement(now)
    gone = held["h-b", "B"]
    assert (gone.days, gone.total, gone.cents) == ((), 0, ({}, 0))
    back = made(case(was, was, [first], held=now), revision=3)
    again = standing(was, [first, back])
    assert {party: account.cents for party, account in again.items() if account.days} == {
        party: account.cents for party, account in of_statement(was).items()
    }


def test_a_correction_names_what_it_builds_on() -> None:
    was, now = (
        month(entry("h-a", "A", line("solar", "1.00"))),
        month(entry("h-a", "A", line("solar", "1.01")), name="1"),
    )
    first = made(case(was, now))
    assert first["original"] == {"input_sha256": "in 0", "result_sha256": "out 0"}
    assert first["recomputed"] == {"input_sha256": "in 1", "result_sha256": "out 1"}
    assert first["building"]["original"]["energy"] == {"solar_kwh": "0"}
    assert corrections.due(first) == 1
    then = month(entry("h-a", "A", line("solar", "0.90")), name="2")
    second = made(case(was, then, [first], held=now), revision=3)
    assert (second["original"], second["building"]["original"]) == (
        first["recomputed"],
        first["building"]["recomputed"],
    )
    assert corrections.due(second) == -11
    third = made(case(was, was, [first, second], held=then), revision=4)
    assert third["original"] == second["recomputed"]
    assert third["building"]["original"]["energy"] == {"solar_kwh": "2"}


def test_parties_stand_by_flat_and_the_owners_own_entry_last() -> None:
    parties = [("owner", None), ("h-b", "B"), ("h-z", "A"), ("h-a", "A")]
    was = month(*(entry(party, flat, line("solar", "1.00")) for party, flat in parties))
    now = month(*(entry(party, flat, line("solar", "1.01")) for party, flat in parties), name="1")
    told = [(one["party"], one["flat"]) for one in made(case(was, now))["statements"]]
    assert told == [("h-a", "A"), ("h-z", "A"), ("h-b", "B"), ("owner", None)]


def test_only_lines_that_moved_are_told_and_only_pools_in_which_one_did() -> None:
    was = month(
        entry("h-a", "A", line("solar", "1.00", "5"), line("fixed", "4.00"), line("common", "1.00")),
        entry("h-b", "B", line("solar", "2.00", "9"), line("fixed", "4.00")),
        entry("h-c", "C", line("common", "0.70", "1")),
    )
    now = month(
        entry("h-a", "A", line("solar", "1.30", "7"), line("fixed", "4.00"), line("common", "0.90")),
        entry("h-b", "B", line("solar", "1.70", "7"), line("fixed", "4.00")),
        entry("h-c", "C", line("common", "0.70", "2")),  # a quantity alone is no correction
        name="1",
    )
    document = made(case(was, now))
    assert [one["party"] for one in document["statements"]] == ["h-a", "h-b"]
    assert [[told["code"] for told in one["lines"]] for one in document["statements"]] == [
        ["solar", "common"],
        ["solar"],
    ]
    (first, _), (second,) = (one["lines"] for one in document["statements"])
    assert first["difference"] == {"quantity": "2", "net_eur": "0.30", "vat_eur": "0.00", "amount_eur": "0.30"}
    assert second["difference"]["quantity"] == "-2"
    # What moved between two is a pool that moved, though its sum stands.
    assert [(one["code"], one["amount_eur"]) for one in document["pools"]] == [
        ("solar", {"original": "3.00", "recomputed": "3.00", "difference": "0.00"}),
        ("common", {"original": "1.70", "recomputed": "1.60", "difference": "-0.10"}),
    ]


def test_a_line_that_came_or_went_keeps_its_unit() -> None:
    was = month(entry("h-a", "A", line("solar", "1.00", "5")))
    now = month(entry("h-a", "A", line("heat_measured", "2.00", "9", unit="units")), name="1")
    (one,) = made(case(was, now))["statements"]
    assert [(told["code"], told["unit"]) for told in one["lines"]] == [("solar", "kWh"), ("heat_measured", "units")]
    went, came = one["lines"]
    assert (went["original"]["quantity"], went["recomputed"]["quantity"], went["difference"]["quantity"]) == (
        "5", None, "-5",
    )  # fmt: skip
    assert (came["original"]["quantity"], came["difference"]["amount_eur"]) == (None, "2.00")
    assert one["due_eur"] == "1.00"


def test_only_what_is_booked_otherwise_is_booked_and_each_kind_by_itself() -> None:
    held = {("heat", "pool"): -500, ("heat", "party:a"): 500, ("solar", "owner"): -7, ("solar", "party:a"): 7}
    now = {("heat", "pool"): -500, ("heat", "party:b"): 500, ("solar", "owner"): -8, ("solar", "party:a"): 8}
    same = {("advance", "advances"): -9, ("advance", "party:a"): 9}  # takes no number either
    empty = month()
    assert corrections.differences(Case(empty, [], empty, same | held, same | now, [])) == [
        Posting(1, "party:a", -500, "heat"),
        Posting(1, "party:b", 500, "heat"),
        Posting(2, "owner", -1, "solar"),
        Posting(2, "party:a", 1, "solar"),
    ]
    assert corrections.differences(Case(empty, [], empty, held, held, [])) == []
    twice = [Posting(1, "owner", 3, "solar"), Posting(2, "owner", 4, "solar"), Posting(2, "owner", 5, "heat")]
    assert booked(twice) == {("solar", "owner"): 7, ("heat", "owner"): 5}


WAS = month(
    entry("h-a", "A", line("solar", "1.00"), line("fixed", "4.00"), advance="2.00"),
    entry("h-b", "B", line("solar", "2.00"), line("fixed", "4.00"), advance="2.00"),
)
NOW = month(
    entry("h-a", "A", line("solar", "1.30"), line("fixed", "4.20"), advance="2.50"),
    entry("h-b", "B", line("solar", "1.60"), line("fixed", "3.90"), advance="1.80"),
    name="1",
)
EVERY_LINE, EVERY_BALANCE, NOT_NAMED, EVERY_POOL, TRANSACTIONS, PARTIES, ACCOUNTS = range(7)


def off(
    document: Document, of: Case | None = None, booking: Sequence[Posting] | None = None, was: Document = WAS
) -> dict[int, str]:
    """Differences of the checks that do not hold, by their place."""
    of = of or case(WAS, NOW)
    given = corrections.differences(of) if booking is None else booking
    found = [*corrections._checks(document, of, of_statement(was), of_statement(NOW), given)]
    assert len(found) == 7
    return {place: one["difference"] for place, one in enumerate(found) if not one["holds"]}


@pytest.fixture
def proven() -> Document:
    document = made(case(WAS, NOW))
    assert off(document) == {}
    return deepcopy(document)


def test_a_cent_too_much_here_and_too_little_there_do_not_make_up_for_each_other(proven: Document) -> None:
    solar, fixed = proven["statements"][0]["lines"]
    solar["difference"]["amount_eur"], fixed["difference"]["amount_eur"] = "0.31", "0.19"
    assert off(proven) == {EVERY_LINE: "0.02", EVERY_POOL: "0.02"}
    for one in (0, 1):  # nor between two parties, which hides it from the pool alone
        told = proven["statements"][one]["lines"]
        told[0]["difference"]["amount_eur"] = ("0.31", "-0.41")[one]
        told[1]["difference"]["amount_eur"] = ("0.20", "-0.10")[one]
    assert off(proven) == {EVERY_LINE: "0.02", EVERY_BALANCE: "0.02"}


@pytest.mark.parametrize("name", ["net_eur", "vat_eur"])
def test_net_and_vat_are_proven_too(proven: Document, name: str) -> None:
    told = proven["statements"][0]["lines"][0]["difference"]
    told[name] = str(Decimal(told[name]) + Decimal("0.01"))
    assert off(proven) == {EVERY_LINE: "0.01"}


def test_an_advance_is_proven_by_the_balances(proven: Document) -> None:
    first, second = proven["statements"]
    first["advance_eur"]["difference"], second["advance_eur"]["difference"] = "0.51", "-0.21"
    assert off(proven) == {EVERY_BALANCE: "0.02"}


def test_whoever_is_left_out_must_not_change(proven: Document) -> None:
    # Flat A owes 0.00 more (0.30 + 0.20 - 0.50), flat B 0.30 less: 0.40 and 0.10 of lines, less 0.20 of advance.
    del proven["statements"][1]
    assert off(proven)[NOT_NAMED] == "0.30"
    assert off(proven)[EVERY_POOL] == "0.50"
    proven["statements"] = []
    was = deepcopy(WAS)
    was["statements"][0]["advance_eur"] = "2.30"  # then A's account rises by 0.30, as much as B's falls
    assert off(proven, was=was)[NOT_NAMED] == "0.60"


def test_a_line_that_nobody_has_is_no_difference_of_a_pool(proven: Document) -> None:
    extra = deepcopy(proven["statements"][0]["lines"][0]) | {"code": "work"}
    extra["difference"] |= {"net_eur": "0.00", "amount_eur": "0.07"}
    proven["statements"][0]["lines"].append(extra)
    told = off(proven)
    assert told == {EVERY_LINE: "0.07", EVERY_BALANCE: "0.07", EVERY_POOL: "0.07"}


def test_every_transaction_sums_to_zero_by_itself(proven: Document) -> None:
    booking = corrections.differences(case(WAS, NOW))
    first = next(one for one in booking if one.transaction == 1 and not one.account.startswith("party:"))
    last = next(one for one in booking if one.transaction == 2 and not one.account.startswith("party:"))
    moved = [*booking, Posting(1, first.account, 1, first.what), Posting(2, last.account, -1, last.what)]
    assert off(proven, booking=moved) == {TRANSACTIONS: "0.02", ACCOUNTS: "0.02"}


def test_what_parties_are_booked_is_what_they_are_told_to_pay(proven: Document) -> None:
    proven["statements"][0]["due_eur"] = "0.01"
    assert off(proven) == {PARTIES: "-0.01"}
    booking = corrections.differences(case(WAS, NOW))
    party = next(one for one in booking if one.account.startswith("party:"))
    proven["statements"][0]["due_eur"] = "0.00"
    moved = [*booking, Posting(1, party.account, 2, party.what), Posting(1, "elsewhere", -2, party.what)]
    assert off(proven, booking=moved) == {PARTIES: "0.02", ACCOUNTS: "0.04"}


def test_an_account_that_is_booked_twice_is_summed(proven: Document) -> None:
    booking = corrections.differences(case(WAS, NOW))
    split = [
        part
        for one in booking
        for part in (
            Posting(one.transaction, one.account, one.cents - 1, one.what),
            Posting(one.transaction, one.account, 1, one.what),
        )
    ]
    assert off(proven, booking=split) == {}
