"""The pellet account over months: counts, estimates between them, and a balance that always closes."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.community import Community
from core.communityfile import build
from core.errors import BadInput
from core.time import Month, parse_time
from core.units import decimal_text
from settlement.model import MeterReadings
from settlement.pellets import PelletMonth, account, documents, heat_between, heat_needed_from

JANUARY = Month(2026, 1)
KWH = 10**6


OPENING = {"at": "2026-01-01T00:00:00+01:00", "kg": "1000", "eur": "300.00"}
TREE: dict[str, Any] = {
    "community": "c",
    "name": "C",
    "timezone": "Europe/Amsterdam",
    "owner": "owner",
    "flats": [{"id": "A"}],
    "households": [],
    "meters": [],
    "sharing": [{"from": "2026-01-01", "key": "proportional"}],
    "tariffs": [{"from": "2026-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "21"}}],
}


def community(**pellets: Any) -> Community:
    """1,000 kg for 300.00 EUR at the start of January, and what else is given."""
    fuel = {"kwh_per_kg": "5", "efficiency_percent": "80", "opening": OPENING} | pellets
    return build({**TREE, "pellets": fuel}, "the case").community


def month(town: Community, shift: int = 0, heat_kwh: int | None = None) -> PelletMonth:
    """Account of a month; ``heat_kwh`` is the boiler's heat since the stock that is known."""
    asked = account(town, JANUARY.shift(shift), lambda start, end: None if heat_kwh is None else heat_kwh * KWH)
    assert asked is not None
    return asked


def told(fuel: PelletMonth, *names: str) -> list[Any]:
    """Some figures of an account."""
    return [getattr(fuel, name) for name in names]


def count(at: str, kg: str) -> dict[str, str]:
    return {"at": at, "kg": kg}


def delivery(at: str, kg: str, eur: str, invoice: str = "P-1") -> dict[str, str]:
    return {"at": at, "kg": kg, "eur": eur, "invoice": invoice}


@pytest.mark.parametrize("at", ["2026-01-31T12:00:00+01:00", "2026-02-01T00:00:00+01:00", "2026-02-01T12:00:00+01:00"])
def test_a_count_within_twelve_hours_of_midnight_ends_the_month(at: str) -> None:
    fuel = month(community(counts=[count(at, "400")]))
    assert told(fuel, "burnt_kg", "closing_kg", "estimated") == [600, 400, False]
    assert told(fuel, "burnt_cents", "closing_cents") == [18_000, 12_000]


@pytest.mark.parametrize("at", ["2026-01-31T11:59:59+01:00", "2026-02-01T12:00:01+01:00"])
def test_a_count_farther_away_does_not(at: str) -> None:
    assert month(community(counts=[count(at, "400")]), heat_kwh=400).estimated


def test_the_nearest_of_two_counts_decides() -> None:
    counts = [count("2026-01-31T20:00:00+01:00", "410"), count("2026-02-01T01:00:00+01:00", "400")]
    assert month(community(counts=counts)).closing_kg == 400


def test_of_two_counts_equally_near_the_later_decides() -> None:
    counts = [count("2026-02-01T06:00:00+01:00", "390"), count("2026-01-31T18:00:00+01:00", "410")]
    assert month(community(counts=counts)).closing_kg == 390
    assert month(community(counts=counts[::-1])).closing_kg == 390


def test_the_documents_behind_a_month_are_named_once_each() -> None:
    town = community(
        deliveries=[
            delivery("2026-01-31T23:00:00Z", "500", "150.00", "P-2"),  # the first instant of February
            delivery("2026-01-15T09:00:00Z", "1000", "400.00"),
        ],
        corrections=[
            {"at": "2026-01-20T09:00:00Z", "kg": "-5", "eur": "0", "why": "wet", "by": "a volunteer"},
            {"at": "2026-03-20T09:00:00Z", "kg": "-5", "eur": "0", "why": "wet", "by": "a volunteer"},
        ],
        counts=[count("2026-03-01T01:00:00Z", "100"), count("2026-02-10T09:00:00Z", "1500")],
    )
    assert documents(town, JANUARY) == ("opening:opening", "delivery:P-1", "correction:2026-01-20T09:00:00Z")
    assert documents(town, JANUARY.shift(1)) == ("stock:2026-01", "delivery:P-2", "count:2026-03-01T01:00:00Z")
    assert documents(town, JANUARY.shift(2)) == (
        "stock:2026-02", "correction:2026-03-20T09:00:00Z", "count:2026-03-01T01:00:00Z",
    )  # fmt: skip
    uncounted = documents(community(), JANUARY.shift(1))
    assert uncounted == ("stock:2026-01", "opening:opening")


def test_the_heat_of_all_boilers_that_were_read_is_one_heat() -> None:
    boilers = [{"id": name, "measures": "heat_produced", "unit": "kWh"} for name in ("one", "two", "unread")]
    town = build({**TREE, "meters": boilers, "pellets": {"kwh_per_kg": "5", "opening": OPENING}}, "the case").community
    day = 24 * 3_600_000_000
    known = {
        name: MeterReadings("register", (0, day), (Decimal(0), Decimal(kwh))) for name, kwh in (("one", 24), ("two", 6))
    }
    assert heat_between(town, known)(0, day) == 30 * KWH
    assert heat_between(town, known)(day // 2, day) == 15 * KWH
    assert heat_between(town, known)(day, 2 * day) is None
    assert heat_between(town, {})(0, day) is None


def test_heat_is_needed_from_the_last_stock_that_was_known_before_the_first_month_without_a_count() -> None:
    town = community(counts=[count("2026-02-01T00:00:00+01:00", "700"), count("2026-02-10T09:00:00+01:00", "600")])
    assert heat_needed_from(town, JANUARY) is None  # its end was counted
    assert heat_needed_from(town, JANUARY.shift(1)) == parse_time("2026-02-10T09:00:00+01:00")
    assert heat_needed_from(town, JANUARY.shift(4)) == parse_time("2026-02-10T09:00:00+01:00")
    assert heat_needed_from(community(), JANUARY) == parse_time("2026-01-01T00:00:00+01:00")
    assert heat_needed_from(town, JANUARY.shift(-1)) is None


def test_pellets_that_come_between_count_and_midnight_are_in_the_stock() -> None:
    evening = delivery("2026-01-31T20:00:00+01:00", "500", "150.00")
    counted = month(community(counts=[count("2026-01-31T18:00:00+01:00", "400")], deliveries=[evening]))
    assert told(counted, "burnt_kg", "closing_kg") == [600, 900]
    morning = delivery("2026-02-01T07:00:00+01:00", "500", "150.00")
    counted = month(community(counts=[count("2026-02-01T08:00:00+01:00", "900")], deliveries=[morning]))
    assert told(counted, "burnt_kg", "closing_kg", "delivered_kg") == [600, 400, 0]


def test_without_a_count_the_stock_follows_from_the_heat() -> None:
    fuel = month(community(), heat_kwh=1200)
    assert told(fuel, "burnt_kg", "closing_kg", "estimated") == [300, 700, True]  # 1,200 kWh of 5 kWh/kg at 80 %


def test_the_next_count_corrects_the_month_it_falls_in() -> None:
    town = community(counts=[count("2026-03-01T00:00:00+01:00", "350")])
    january, february = month(town, heat_kwh=1200), month(town, 1, heat_kwh=1200)
    assert told(february, "start_kg", "start_cents") == told(january, "closing_kg", "closing_cents")
    assert told(february, "burnt_kg", "closing_kg", "estimated") == [350, 350, False]
    assert january.burnt_cents + february.burnt_cents + february.closing_cents == 30_000


@pytest.mark.parametrize("valuation", ["average", "fifo"])
def test_a_count_that_finds_more_than_was_estimated_takes_it_back(valuation: str) -> None:
    town = community(valuation=valuation, counts=[count("2026-03-01T00:00:00+01:00", "800")])
    february = month(town, 1, heat_kwh=1200)
    assert told(february, "burnt_kg", "burnt_cents", "closing_cents") == [-100, -3000, 24_000]


@pytest.mark.parametrize("valuation", ["average", "fifo"])
def test_what_was_taken_back_is_burnt_later(valuation: str) -> None:
    counts = [count("2026-03-01T00:00:00+01:00", "800"), count("2026-04-01T00:00:00+02:00", "0")]
    march = month(community(valuation=valuation, counts=counts), 2, heat_kwh=1200)
    assert told(march, "start_cents", "burnt_kg", "burnt_cents", "closing_cents") == [24_000, 800, 24_000, 0]


def test_more_than_can_be_there_is_refused_naming_the_count() -> None:
    with pytest.raises(BadInput, match=r"the count of 2026-01-31 says 1200.0 kg at the end of 2026-01"):
        month(community(counts=[count("2026-01-31T20:00:00+01:00", "1200")]))


def test_an_estimate_below_zero_is_refused() -> None:
    with pytest.raises(BadInput, match=r"by the estimate|by the opening stock"):
        month(community(), heat_kwh=5000)


def test_no_month_before_the_opening_and_no_fuel_without_pellets() -> None:
    assert account(community(), JANUARY.shift(-1), lambda start, end: 0) is None


@given(
    st.sampled_from(["average", "fifo"]),
    st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 100_000), st.integers(0, 100)), min_size=1, max_size=6),
)
def test_over_the_months_everything_bought_is_burnt_or_there(
    valuation: str, months: list[tuple[int, int, int]]
) -> None:
    """Each month brings a delivery, and burns a percentage of what is then there."""
    stock, deliveries, counts = Fraction(1000), [], []
    for index, (kg, cents, percent) in enumerate(months):
        stock = (stock + kg) * (100 - percent) / 100
        stock = Fraction(round(stock * 10), 10)
        first = JANUARY.shift(index)
        deliveries.append(delivery(f"{first}-15T09:00:00Z", str(kg), decimal_text(cents, 2), f"P-{index}"))
        counts.append(count(f"{first.shift(1).first_day}T00:00:00Z", decimal_text(int(stock * 10), 1)))
    town = community(valuation=valuation, deliveries=deliveries, counts=counts)
    found = [month(town, index) for index in range(len(months))]
    for before, after in pairwise(found):
        assert (after.start_kg, after.start_cents) == (before.closing_kg, before.closing_cents)
    for one in found:
        assert one.start_cents + one.delivered_cents == one.burnt_cents + one.closing_cents
        assert one.closing_cents >= 0
    bought = 30_000 + sum(cents for _, cents, _ in months)
    assert sum(one.burnt_cents for one in found) + found[-1].closing_cents == bought
    assert sum(one.burnt_kg for one in found) + found[-1].closing_kg == 1000 + sum(kg for kg, _, _ in months)


def test_fifo_burns_the_oldest_first_over_months() -> None:
    town = community(
        valuation="fifo",
        deliveries=[
            delivery("2026-01-15T09:00:00Z", "1000", "400.00"),
            delivery("2026-02-10T09:00:00Z", "500", "250.00", "P-2"),
        ],
        counts=[count("2026-02-01T00:00:00Z", "1500"), count("2026-03-01T00:00:00Z", "700")],
    )
    assert month(town).burnt_cents == 15_000  # 500 kg at 0.30
    assert month(town, 1).burnt_cents == 15_000 + 32_000  # 500 kg at 0.30 and 800 kg at 0.40
    assert month(town, 1).closing_cents == 8_000 + 25_000  # 200 kg at 0.40 and 500 kg at 0.50
