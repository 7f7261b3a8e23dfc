"""Rounding: a total is rounded half-up once, and its parts, rounded whole, always add up to it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import partial
from math import floor
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import fair_rank, half_up, spread
from core.time import Month
from settlement.charges import Charge, lines
from settlement.model import Spell

fractions = st.fractions(min_value=-(10**7), max_value=10**7, max_denominator=10**9)
names = st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=12, unique=True)
MONTH = Month(2026, 1)


def rank(party: str) -> bytes:
    return fair_rank("de-ster", "2026-01", "solar", party)


def spell(name: str) -> Spell:
    return Spell(name, "A01", MONTH.first_day, MONTH.end_day)


@st.composite
def shares(draw: st.DrawFn) -> dict[str, Fraction]:
    return {name: draw(fractions) for name in draw(names)}


@given(st.decimals(-(10**9), 10**9, places=4))
def test_half_up_is_the_bookkeepers_rounding(value: Decimal) -> None:
    assert half_up(Fraction(value)) == int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


@given(shares())
def test_parts_add_up_to_the_rounded_total_and_lie_within_one_unit(exact: dict[str, Fraction]) -> None:
    total = half_up(sum(exact.values(), Fraction(0)))
    parts = spread(exact, total, rank)
    assert sum(parts.values()) == total
    assert list(parts) == list(exact)
    for name, share in exact.items():
        assert parts[name] in (floor(share), floor(share) + (share.denominator != 1))


def test_a_half_is_a_part_of_a_cent_like_any_other() -> None:
    assert sorted(spread({"a": Fraction(1, 2), "b": Fraction(1, 2)}, 1, rank).values()) == [0, 1]


@pytest.mark.parametrize("total", [-1, 0, 3])
def test_shares_that_are_not_of_the_total_are_refused(total: int) -> None:
    with pytest.raises(ValueError, match="cannot be spread over a total of"):
        spread({"a": Fraction(1), "b": Fraction(1, 2)}, total, rank)


@given(shares())
def test_cents_go_to_the_largest_remainders(exact: dict[str, Fraction]) -> None:
    parts = spread(exact, half_up(sum(exact.values(), Fraction(0))), rank)
    up = [exact[name] % 1 for name in exact if parts[name] > exact[name]]
    down = [exact[name] % 1 for name in exact if parts[name] < exact[name]]
    assert not up or not down or min(up) >= max(down)


@given(shares(), st.randoms(use_true_random=False))
def test_the_order_of_parties_does_not_matter(exact: dict[str, Fraction], random: Random) -> None:
    total = half_up(sum(exact.values(), Fraction(0)))
    shuffled = list(exact)
    random.shuffle(shuffled)
    assert spread({name: exact[name] for name in shuffled}, total, rank) == spread(exact, total, rank)


def test_a_lone_cent_goes_to_everybody_in_turn() -> None:
    flats = [f"A{number:02d}" for number in range(1, 13)]
    exact = dict.fromkeys(flats, Fraction(1, 12))
    found = dict.fromkeys(flats, 0)
    months = 12 * 100
    for index in range(months):
        parts = spread(exact, 1, partial(fair_rank, "de-ster", Month(2000, 1).shift(index), "solar"))
        found[next(flat for flat, part in parts.items() if part)] += 1
    # One in twelve of 1200 months is 100; 40 is more than four standard deviations, and the draw is the same each run.
    assert all(60 < count < 140 for count in found.values()), found


@given(shares(), st.decimals(0, 100, places=2))
def test_vat_is_on_the_invoice_side_the_contract_says(exact: dict[str, Fraction], percent: Decimal) -> None:
    charge = Charge("solar", {spell(name): share for name, share in exact.items()}, Fraction(1), percent)
    rate = Fraction(percent) / 100
    including = lines(charge, "de-ster", "2026-01", include_vat=True)
    excluding = lines(charge, "de-ster", "2026-01", include_vat=False)
    assert sum(line.amount for line in including.values()) == charge.total
    assert sum(line.net for line in excluding.values()) == charge.total
    for line in including.values():
        assert line.net == half_up(line.amount / (1 + rate))
        assert line.vat == line.amount - line.net
    for line in excluding.values():
        assert line.vat == half_up(line.net * rate)
        assert line.amount == line.net + line.vat


@given(shares())
def test_who_owes_exactly_nothing_gets_no_line(exact: dict[str, Fraction]) -> None:
    charge = Charge("fixed", {spell(name): share for name, share in exact.items()}, Fraction(1), Decimal(21))
    written = lines(charge, "de-ster", "2026-01", include_vat=True)
    assert {one.party for one in written} == {name for name, share in exact.items() if share}


def test_shares_that_do_not_belong_to_the_total_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be spread"):
        spread({"a": Fraction(1, 2), "b": Fraction(1, 2)}, 3, rank)
    with pytest.raises(ValueError, match="cannot be spread"):
        spread({"a": Fraction(1), "b": Fraction(1)}, 1, rank)
