"""Years of corrected months: original + corrections to the cent, and the days that decide the fixed part of heat."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.communityfile import build
from core.errors import CheckFailed
from core.time import Month, microseconds
from settlement import corrections
from settlement.changes import inputs_of
from settlement.corrections import Case, booked
from settlement.degreedays import weight
from settlement.model import MeterReadings, Posting
from settlement.replay import settle_document
from settlement.yearly.months import Item, MonthTotals, Span, month_totals
from settlement.yearly.year import Year, YearEntry, year
from tests.support import finaltown
from tests.support import heathouse as house
from tests.support.month_oracle import half_up
from tests.support.yeartown import AREAS, MONTHS, tree

Document = dict[str, Any]


def moved(**until: str) -> list[dict[str, str]]:
    """Households of `yeartown`, some of which left or came on another day."""
    households: list[dict[str, str]] = tree()["households"]
    for one in households:
        name = one["id"].replace("-", "_")
        if name in until:
            field = "from" if one["id"] in ("h-new", "h-B2") else "until"
            one[field] = until[name]
    return households


WAS = tree()
DEARER = [cost | {"eur": str(Decimal(cost["eur"]) + 77)} for cost in WAS["costs"]]
VARIANTS: dict[str, house.Tree] = {
    "as it was": WAS,
    "dearer bills": tree(costs=DEARER),
    "h-A left in May": tree(households=moved(h_A="2025-05-11", h_new="2025-05-20")),
    "h-C paid more": tree(advances=[*WAS["advances"][:2], {**WAS["advances"][2], "eur_per_month": "55.00"}]),
    "another fixed amount": tree(tariffs=[{**WAS["tariffs"][0], "fixed_eur_per_month": "4.10"}]),
    "heat at 21 percent": tree(tariffs=[{**WAS["tariffs"][0], "vat_percent": {"electricity": "21", "heat": "21"}}]),
    "without VAT": tree(tariffs=[{**WAS["tariffs"][0], "prices_include_vat": "false"}]),
    "equally": tree(heat=[{**WAS["heat"][0], "fixed_by": "equal"}]),
    "B came earlier": tree(households=moved(h_B2="2025-08-12")),
}
"""What the year might look like when somebody looks again."""
ANY = st.dictionaries(
    st.integers(1, 12), st.lists(st.sampled_from(sorted(VARIANTS)), min_size=1, max_size=3), max_size=5
)
"""By number of a month, what it turned into one after the other."""


def free(**changes: Any) -> house.Tree:
    """The town in a month that costs nothing: only advances move, so a correction names only who pays one."""
    return tree(
        tariffs=[{**WAS["tariffs"][0], "fixed_eur_per_month": "0"}],
        costs=[],
        advances=[{"household": name, "from": "2025-01-01", "eur_per_month": "40.00"} for name in ("h-B", "h-B2")],
        **changes,
    )


VARIANTS |= {
    "h-B2 never came": tree(households=[one for one in WAS["households"] if one["id"] != "h-B2"]),
    "free": free(),
    "free, B2 earlier": free(households=moved(h_B2="2025-08-12")),
    "free, B left earlier": free(households=moved(h_B="2025-07-12")),
}


@cache
def settled(variant: str, month: Month) -> tuple[str, tuple[Posting, ...], str]:
    """A month really settled: statement, postings and rules; 1 kWh an hour in A, 2 in B, 3 in C."""
    file = build(VARIANTS[variant], "the example")
    edges = tuple(microseconds(instant) for instant in month.bounds(file.community.zone))
    hours = (edges[1] - edges[0]) // 3_600_000_000
    known = {
        f"heat-{flat}": MeterReadings("register", edges, (Decimal(0), Decimal(hours * rate)))
        for rate, flat in enumerate(AREAS, 1)
    }
    whole, document = settle_document(file, month, known)
    return (
        document.decode(),
        tuple(whole.ledger.postings),
        inputs_of(file.community, month, known).configuration,
    )


def issued(month: Month, variants: Sequence[str]) -> tuple[Document, list[Document], Document]:
    """A final month, the corrections as it turned into each variant, and the rules it was last sealed with."""
    first, postings, rules = settled(variants[0], month)
    statement, documents, holds = json.loads(first), [], booked(postings)
    for variant in variants[1:]:
        text, postings, changed = settled(variant, month)
        case = Case(statement, documents, json.loads(text), holds, booked(postings), [])
        made = corrections.correction(case, number="2026-0099", revision=len(documents) + 2, corrects={})
        if made is not None:
            documents.append(json.loads(json.dumps(made)))
            holds, rules = booked(postings), changed
    return statement, documents, json.loads(rules)


def totals(month: Month, *variants: str) -> MonthTotals:
    return month_totals(*issued(month, variants))


def a_year(**variants: Sequence[str]) -> Year:
    """The year, some of whose months (``m03=...``) turned into variants."""
    return year([totals(month, "as it was", *variants.get(f"m{month.month:02d}", ())) for month in MONTHS])


def entry(found: Year, party: str, flat: str) -> YearEntry:
    return next(one for one in found.entries if (one.party, one.flat) == (party, flat))


def fixed(found: Year, party: str, flat: str) -> int:
    return entry(found, party, flat).by_code()["heat_fixed"].amount


def pool(*months: MonthTotals) -> int:
    return sum(
        money.amount for one in months for items in one.charged.values() for item, money in items.items()
        if item.code == "heat_fixed"
    )  # fmt: skip


def test_a_dearer_bill_reaches_the_year_through_its_correction() -> None:
    plain, found = a_year(), a_year(m03=["dearer bills"])
    assert sum(one.total for one in found.entries) - sum(one.total for one in plain.entries) == 77_00
    # 35 percent of 77.00 are of the fixed part, which all who lived here in the year bear, by area and degree days.
    exact = Fraction(2695) * 40 / 200
    assert abs(fixed(found, "h-C", "C") - fixed(plain, "h-C", "C") - exact) < 2
    assert fixed(found, "h-new", "A") > fixed(plain, "h-new", "A")  # who was not there in March
    assert entry(found, "h-new", "A").corrected == ()
    assert entry(found, "h-C", "C").corrected == (Month(2025, 3),)


def test_a_price_put_right_leaves_one_line_of_its_code() -> None:
    _, (correction,), _ = issued(Month(2025, 3), ["as it was", "another fixed amount"])
    assert {line["price_eur"] for line in correction["statements"][0]["lines"]} == {"3.33", "4.10"}
    plain, found = a_year(), a_year(m03=["another fixed amount"])
    for name, flat in (("h-A", "A"), ("h-B", "B"), ("h-C", "C")):
        was, now = (one.by_code()["fixed"].amount for one in (entry(plain, name, flat), entry(found, name, flat)))
        assert now - was == 77
    assert len(entry(found, "h-C", "C").lines) == 3


def test_a_rate_of_vat_put_right_leaves_nothing_at_the_wrong_one() -> None:
    variants = {f"m{number:02d}": ["heat at 21 percent"] for number in range(1, 13)}
    found = a_year(**variants)
    assert {item for one in found.entries for item in one.lines} == {
        Item(code, Decimal("21.00")) for code in ("fixed", "heat_measured", "heat_fixed")
    }
    # Only one month put right is a pool of its own, between two others.
    parted = a_year(m06=["heat at 21 percent"])
    assert len([check for check in parted.checks if "heat_fixed from" in check.name]) == 3
    plain = a_year()
    assert [one.total for one in found.entries] == [one.total for one in plain.entries]  # prices include VAT


def test_a_changed_advance_is_an_advance_of_the_year() -> None:
    found = entry(a_year(m02=["h-C paid more"]), "h-C", "C")
    assert found.advance == 12 * 4000 + 1500
    assert found.balance == found.total - found.advance
    assert found.corrected == (Month(2025, 2),)


def test_the_days_that_hold_weigh_the_fixed_part_not_those_first_settled() -> None:
    variants = {f"m{number:02d}": ["h-A left in May"] for number in range(5, 7)}
    found = a_year(**variants)
    assert entry(found, "h-A", "A").days == (Span(date(2025, 1, 1), date(2025, 5, 11)),)
    assert entry(found, "owner", "A").days == (Span(date(2025, 5, 11), date(2025, 5, 20)),)
    assert entry(found, "h-new", "A").days == (Span(date(2025, 5, 20), date(2026, 1, 1)),)
    whole = pool(*(totals(month, "as it was", *variants.get(f"m{month.month:02d}", ())) for month in MONTHS))
    exact = whole * 100 * weight(date(2025, 1, 1), date(2025, 5, 11)) / 200
    assert abs(fixed(found, "h-A", "A") - exact) < 1


def test_who_never_lived_here_after_all_owes_nothing_and_is_no_entry() -> None:
    found = a_year(**{f"m{number:02d}": ["h-B2 never came"] for number in range(9, 13)})
    assert [one.party for one in found.entries if one.flat == "B"] == ["h-B", "owner"]
    assert entry(found, "owner", "B").days == (Span(date(2025, 8, 1), date(2026, 1, 1)),)


def test_days_given_to_somebody_are_taken_from_whom_no_correction_names() -> None:
    _, (correction,), _ = issued(Month(2025, 8), ["free", "free, B2 earlier"])
    assert [one["party"] for one in correction["statements"]] == ["h-B2"]
    held = totals(Month(2025, 8), "free", "free, B2 earlier").days
    assert held["h-B2", "B"] == (Span(date(2025, 8, 12), date(2025, 9, 1)),)
    assert held["owner", "B"] == (Span(date(2025, 8, 1), date(2025, 8, 12)),)
    assert held["h-C", "C"] == (Span(date(2025, 8, 1), date(2025, 9, 1)),)  # whom the correction does not name


def test_days_taken_from_somebody_and_given_to_nobody_are_the_owners() -> None:
    _, (correction,), _ = issued(Month(2025, 7), ["free", "free, B left earlier"])
    assert [one["party"] for one in correction["statements"]] == ["h-B"]
    held = totals(Month(2025, 7), "free", "free, B left earlier").days
    assert held["h-B", "B"] == (Span(date(2025, 7, 1), date(2025, 7, 12)),)
    assert held["owner", "B"] == (Span(date(2025, 7, 12), date(2025, 8, 1)),)


def test_the_owners_own_entry_comes_and_goes_with_a_correction() -> None:
    values = finaltown.registers()
    values["pv"] = {at: 3 * value for at, value in values["pv"].items()}  # some of it is left over
    done, was, rules = finaltown.settled(finaltown.town(), values)
    again, now, _ = finaltown.settled(
        finaltown.town(sharing=[{"from": "2025-01-01", "key": "proportional", "surplus": "community"}]), values
    )
    before = month_totals(was, [], json.loads(rules.configuration))
    assert before.days["owner", ""] == (Span(date(2026, 2, 1), date(2026, 3, 1)),)
    assert before.charged["owner", ""]
    ledger = booked(done.ledger.postings), booked(again.ledger.postings)
    gone = corrections.correction(Case(was, [], now, *ledger, []), number="2026-0002", revision=2, corrects={})
    back = corrections.correction(
        Case(was, [gone or {}], was, *reversed(ledger), []), number="2026-0003", revision=3, corrects={}
    )
    assert gone is not None
    assert back is not None
    without = month_totals(was, [gone], json.loads(rules.configuration))
    assert ("owner", "") not in without.days
    assert not without.charged["owner", ""]
    assert [one.party for one in year([without]).entries] == ["h-a", "h-b"]
    again_there = month_totals(was, [gone, back], json.loads(rules.configuration))
    assert (again_there.charged, again_there.days) == (before.charged, before.days)


def test_a_correction_that_does_not_add_up_makes_no_year() -> None:
    statement, documents, rules = issued(Month(2025, 3), ["as it was", "dearer bills"])
    first, second, *_ = documents[0]["statements"]
    for entry, cents in ((first, 7), (second, -7)):  # that they are off by the same makes nothing right
        told = Decimal(entry["balance_eur"]["recomputed"])
        entry["balance_eur"]["recomputed"] = str(told + Decimal(cents) / 100)
    with pytest.raises(CheckFailed, match=r"balances of 2025-03 = those its corrections say hold' is off by 0\.14\. "):
        year([month_totals(statement, documents, rules)])
    assert totals(Month(2025, 3), "as it was").checks == ()


def plain_sum(documents: Sequence[tuple[Document, list[Document], Document]]) -> dict[str, Fraction]:
    """Original + corrections by code, and the advances, straight from the documents as they are printed [EUR]."""
    found: dict[str, Fraction] = {}
    for statement, corrected, _ in documents:
        for one in statement["statements"]:
            rows = [(line["code"], line["amount_eur"]) for line in one["lines"]] + [("advance", one["advance_eur"])]
            for code, eur in rows:
                found[code] = found.get(code, Fraction(0)) + Fraction(eur)
        for document in corrected:
            for one in document["statements"]:
                rows = [(line["code"], line["difference"]["amount_eur"]) for line in one["lines"]]
                for code, eur in [*rows, ("advance", one["advance_eur"]["difference"])]:
                    found[code] = found.get(code, Fraction(0)) + Fraction(eur)
    return found


@settings(max_examples=15, deadline=None)
@given(ANY)
def test_every_year_is_original_plus_corrections_and_as_if_it_had_been_right_at_once(
    turned: dict[int, list[str]],
) -> None:
    documents = [issued(month, ["as it was", *turned.get(month.month, [])]) for month in MONTHS]
    held = [month_totals(*one) for one in documents]
    found = year(held)
    sums = plain_sum(documents)
    including = all(one.terms.include_vat for one in held)
    for code in {code for one in found.entries for code in one.by_code()}:
        cents = sum(one.by_code()[code].amount for one in found.entries if code in one.by_code())
        if code != "heat_fixed" or including:
            assert Fraction(cents, 100) == sums[code]
        else:  # nets were divided; VAT is rounded party by party, in the months and again in the year
            assert abs(cents - 100 * sums[code]) < 100
    assert Fraction(sum(one.advance for one in found.entries), 100) == sums["advance"]
    # The same as if every month had been final as it turned out in the end.
    last = {month: turned.get(month.month, ["as it was"])[-1] for month in MONTHS}
    right = year([totals(month, variant) for month, variant in last.items()])
    assert [(one.party, one.flat, one.days, one.lines, one.months, one.advance) for one in found.entries] == [
        (one.party, one.flat, one.days, one.lines, one.months, one.advance) for one in right.entries
    ]


@settings(max_examples=15, deadline=None)
@given(ANY)
def test_every_years_fixed_part_is_the_rule_day_by_day(turned: dict[int, list[str]]) -> None:
    """Recomputed from the towns as they turned out in the end: who lived where on each day, times area and warmth."""
    found = year([totals(month, "as it was", *turned.get(month.month, [])) for month in MONTHS])
    pools: list[tuple[Fraction, bool]] = []
    parts: list[dict[str, Fraction]] = []
    before: object = None
    for month in MONTHS:
        case = VARIANTS[turned.get(month.month, ["as it was"])[-1]]
        (tariff,), (rule,) = case["tariffs"], case["heat"]
        terms = (rule.get("fixed_by"), tariff["vat_percent"]["heat"], tariff.get("prices_include_vat", "true"))
        if terms != before:
            pools.append((Fraction(0), terms[2] == "true"))
            parts.append({})
            before = terms
        cents = sum(100 * Fraction(cost["eur"]) for cost in case["costs"] if cost["date"][:7] == str(month))
        pools[-1] = (pools[-1][0] + cents - half_up(cents * 65 / 100), pools[-1][1])
        for flat, area in AREAS.items():
            measure = 1 if rule.get("fixed_by") == "equal" else Fraction(area)
            for ordinal in range(month.first_day.toordinal(), month.end_day.toordinal()):
                name = who(case, flat, str(date.fromordinal(ordinal)))
                warmth = weight(date.fromordinal(ordinal), date.fromordinal(ordinal + 1))
                parts[-1][name] = parts[-1].get(name, Fraction(0)) + measure * warmth
    for one in found.entries:
        name = f"owner of {one.flat}" if one.party == "owner" else one.party
        exact = Fraction(0)  # VAT included
        for number, (pool, included) in enumerate(pools):
            share = pool * parts[number].get(name, Fraction(0)) / sum(parts[number].values())
            exact += share if included else share * Fraction(109, 100)  # no variant has both another rate and no VAT
        assert abs(one.by_code()["heat_fixed"].amount - exact) < 2 * len(pools)


def who(case: house.Tree, flat: str, day: str) -> str:
    """Who lives in a flat on a day."""
    here = [one for one in case["households"] if one["flat"] == flat]
    return next((one["id"] for one in here if one["from"] <= day < one.get("until", "9999")), f"owner of {flat}")
