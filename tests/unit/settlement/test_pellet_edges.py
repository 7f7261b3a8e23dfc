"""The pellet account at its edges: the first and last instant, an empty stock, one gram, one cent, layers in order."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from core.community import Community
from core.errors import BadInput
from core.time import Month, parse_time, rfc3339
from settlement.pellets import PelletMonth, account, documents, expected_kg, movements
from tests.support.pellethouse import END, FEBRUARY, JANUARY, KWH, START, correction, count, delivery, fuel_of, town

BOTH = pytest.mark.parametrize("valuation", ["average", "fifo"])


def month(community: Community, asked: Month = JANUARY, heat_kwh: int | None = None) -> PelletMonth:
    """Account of a month; ``heat_kwh`` is the boiler's heat since the stock that is known."""
    found = account(community, asked, lambda start, end: None if heat_kwh is None else heat_kwh * KWH)
    assert found is not None
    return found


def burnt_and_left(fuel: PelletMonth) -> tuple[Fraction, int, Fraction, int]:
    return fuel.burnt_kg, fuel.burnt_cents, fuel.closing_kg, fuel.closing_cents


# Instants


def test_a_month_has_what_came_at_its_first_instant_and_not_what_comes_at_its_end() -> None:
    community = town(
        deliveries=[delivery(END, "1", "1.00", "P-2"), delivery(START, "1", "1.00", "P-1")],
        corrections=[correction(END, "1"), correction(START, "1")],
    )
    pellets = fuel_of(community)
    assert movements(pellets, *JANUARY.bounds(community.zone)) == [pellets.deliveries[1], pellets.corrections[1]]
    assert movements(pellets, *FEBRUARY.bounds(community.zone)) == [pellets.deliveries[0], pellets.corrections[0]]
    assert documents(community, JANUARY) == ("opening:opening", "delivery:P-1", f"correction:{START}")
    assert documents(community, FEBRUARY)[1:3] == ("delivery:P-2", f"correction:{END}")


def test_documents_of_one_moment_are_booked_deliveries_first_and_equal_names_as_they_stand() -> None:
    twice = [delivery(START, "2", "9.00"), delivery(START, "1", "1.00")]
    corrected = [correction(START, "-3", "-9"), correction(START, "-2", "-1"), correction(START, "-1", why="a mouse")]
    pellets = fuel_of(town(deliveries=twice, corrections=corrected))
    booked = movements(pellets, *JANUARY.bounds(town().zone))
    assert [item.kg for item in booked] == [2, 1, -1, -3, -2]


def test_the_stock_is_expected_from_a_microsecond_after_it_was_known() -> None:
    opened = parse_time(START)
    just_after = opened + timedelta(microseconds=1)
    pellets = fuel_of(town(counts=[count(rfc3339(opened + timedelta(days=1)), "900")]))

    def expected(at: datetime) -> Fraction | None:
        return expected_kg(pellets, at, lambda start, end: 0)

    assert [expected(at) for at in (opened, just_after)] == [None, 1000]
    counted = opened + timedelta(days=1)
    assert [expected(at) for at in (counted, counted + timedelta(microseconds=1))] == [1000, 900]


def test_a_count_at_the_moment_of_the_opening_stock_does_not_replace_it() -> None:
    counts = [count(START, "1200")]
    assert burnt_and_left(month(town(counts=counts), heat_kwh=1200)) == (300, 9_000, 700, 21_000)
    assert documents(town(counts=counts), JANUARY) == ("opening:opening",)


# The last gram and the last cent


@BOTH
def test_a_count_may_find_all_that_can_be_there_and_not_a_gram_more(valuation: str) -> None:
    def counted(kg: str) -> PelletMonth:
        return month(town(valuation=valuation, counts=[count(END, kg)]))

    assert burnt_and_left(counted("1000")) == (0, 0, 1000, 30_000)
    assert burnt_and_left(counted("999.999"))[:2] == (Fraction(1, 1000), 0)
    with pytest.raises(BadInput, match=r"the count of 2026-01-31 says 1000\.0 kg"):
        counted("1000.001")


@BOTH
def test_a_correction_may_take_all_that_the_stock_had_cost(valuation: str) -> None:
    community = town(valuation=valuation, corrections=[correction(START, "0", "-300.00")], counts=[count(END, "400")])
    assert burnt_and_left(month(community)) == (600, 0, 400, 0)
    with pytest.raises(BadInput, match=r"takes away 300\.01 EUR"):
        month(town(valuation=valuation, corrections=[correction(START, "0", "-300.01")]))


@pytest.mark.parametrize(
    ("kg", "eur", "left_kg", "burnt_kg", "burnt_cents", "closing_cents"),
    [
        ("0.5", "0.50", "0.5", 1000, 30_000, 50),  # the newest layer, with what it cost
        ("0.5", "0", "0.5", 1000, 30_000, 0),
        ("0.5", "-0.50", "0.5", 1000, 29_950, 0),  # the newest layer, and all the others cheaper
        ("100", "-50.00", "400", 700, 17_500, 7_500),
        ("-0.5", "0", "999.5", 0, 0, 30_000),
        ("-0.5", "-0.15", "0.5", 999, 29_970, 15),
    ],
    ids=["found and billed", "found", "found and cheaper", "much found and cheaper", "lost", "lost at cost"],
)
def test_less_than_a_kilogram_and_a_euro_is_booked_exactly_under_fifo(
    kg: str, eur: str, left_kg: str, burnt_kg: int, burnt_cents: int, closing_cents: int
) -> None:
    fuel = month(town(valuation="fifo", corrections=[correction(START, kg, eur)], counts=[count(END, left_kg)]))
    assert burnt_and_left(fuel) == (burnt_kg, burnt_cents, Fraction(left_kg), closing_cents)


def test_what_is_taken_reaches_into_the_second_layer_and_the_third_under_fifo() -> None:
    bought = [delivery("2026-01-05T09:00:00Z", "1000", "400.00"), delivery("2026-01-06T09:00:00Z", "1000", "500.00")]

    def taken(kg: str, eur: str, left_kg: str) -> tuple[Fraction, int, Fraction, int]:
        lost = [correction("2026-01-10T09:00:00Z", kg, eur)]
        return burnt_and_left(
            month(town(valuation="fifo", deliveries=bought, corrections=lost, counts=[count(END, left_kg)]))
        )

    assert taken("-1000.5", "-300.20", "1000") == (Fraction("999.5"), 39_980, 1000, 50_000)
    assert taken("-2500", "-950.00", "100") == (400, 20_000, 100, 5_000)


# A stock that is empty, or cost nothing


@BOTH
def test_what_is_billed_after_pellets_that_cost_nothing_is_on_all_of_them_alike(valuation: str) -> None:
    """Under fifo the oldest layer carried the whole bill: 24.00 EUR for 600 of 3,000 kg that cost 40.00 together."""
    community = town(
        valuation=valuation,
        opening={"at": START, "kg": "1000", "eur": "0"},
        deliveries=[delivery("2026-01-05T09:00:00Z", "1500", "0"), delivery("2026-01-06T09:00:00Z", "500", "0")],
        corrections=[correction("2026-01-10T09:00:00Z", "0", "40.00", "the bill came")],
        counts=[count(END, "2400"), count("2026-02-28T23:00:00Z", "0")],
    )
    assert burnt_and_left(month(community)) == (600, 800, 2400, 3_200)
    assert burnt_and_left(month(community, FEBRUARY)) == (2400, 3_200, 0, 0)


def test_what_all_that_was_thrown_away_had_cost_is_this_month_s_where_nothing_else_is_there() -> None:
    community = town(corrections=[correction(START, "-1000")], counts=[count(END, "0")])
    assert burnt_and_left(month(community)) == (0, 30_000, 0, 0)


@BOTH
def test_what_a_count_finds_in_an_empty_silo_cost_nothing(valuation: str) -> None:
    community = town(valuation=valuation, counts=[count("2026-02-28T23:00:00Z", "50")])
    assert burnt_and_left(month(community, heat_kwh=4000)) == (1000, 30_000, 0, 0)
    assert burnt_and_left(month(community, FEBRUARY, heat_kwh=4000)) == (-50, 0, 50, 0)


def test_what_a_count_finds_has_the_price_of_the_oldest_layer_that_is_left_under_fifo() -> None:
    community = town(
        valuation="fifo",
        deliveries=[delivery("2026-02-05T09:00:00Z", "1000", "400.00")],
        corrections=[correction("2026-02-10T09:00:00Z", "-700", "-210.00")],  # all that the estimate left of the first
        counts=[count("2026-02-28T23:00:00Z", "1100")],
    )
    assert burnt_and_left(month(community, heat_kwh=1200)) == (300, 9_000, 700, 21_000)
    assert burnt_and_left(month(community, FEBRUARY, heat_kwh=1200)) == (-100, -4_000, 1100, 44_000)
