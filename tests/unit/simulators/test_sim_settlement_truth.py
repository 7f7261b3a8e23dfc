"""The oracle: what a month must come to, by the definition of the amounts; and a comparison that can fail."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest

from core.communityfile import parse
from core.errors import BadInput
from core.time import Month
from simulators import oracle
from simulators.building import FLAT_IDS, OWNER, households
from simulators.description import community_text, story
from simulators.grid import ZONE
from simulators.meters import METERS
from simulators.oracle import Entry, nearest, to_cents
from simulators.truth import Document, compare, settlement_truth

NOW = datetime(2026, 11, 23, 4, 40, 17, tzinfo=UTC)
LAST = Month(2026, 10)


@pytest.fixture(scope="module")
def truth() -> Document:
    return settlement_truth(3, LAST, NOW)


def test_the_community_file_is_a_valid_one_with_every_meter_and_device():
    community = parse(community_text(3, NOW, inverter_port=1502, boiler_port=1503)).community
    assert {meter.id for meter in community.meters} == set(METERS)
    fed = [meter for device in community.devices for meter in device.feeds.values()]
    assert sorted([*fed, "el-common"]) == sorted(METERS)
    assert community.pellets is not None
    assert len(community.pellets.counts) == 13
    pools = {(Month.of(cost.date), cost.pool) for cost in community.costs if Month.of(cost.date) <= LAST}
    assert len(pools) == 26


def test_nothing_in_the_file_lies_in_the_future():
    early = datetime(2026, 10, 31, 16, tzinfo=UTC)  # before people count on the last evening of the month
    community = parse(community_text(3, early, inverter_port=1, boiler_port=2)).community
    assert community.pellets is not None
    assert max(delivery.at for delivery in community.pellets.deliveries) <= early
    assert max(count.at for count in community.pellets.counts) <= early
    assert max(cost.date for cost in community.costs) <= date(2026, 10, 31)
    assert len(community.pellets.counts) == 13  # September 2025 up to September 2026


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 12, 31, 23, 45, tzinfo=UTC),  # already next year in Amsterdam
        datetime(2027, 1, 1, 0, 0, tzinfo=UTC),
        datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    ],
)
def test_the_file_can_be_written_at_any_hour_of_the_year(now):
    community = parse(community_text(3, now, inverter_port=1, boiler_port=2)).community
    assert community.pellets is not None
    assert community.pellets.opening.at == story(3, now).start


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_in_every_month_one_flat_changes_hands_with_some_days_of_vacancy(seed):
    everyone = households(seed, Month(2026, 12))
    for flat in FLAT_IDS:
        own = [person for person in everyone if person.flat == flat]
        for one, other in pairwise(own):
            assert one.until is not None
            assert 3 < (other.start - one.until).days < 10
            assert (one.until.year, one.until.month) == (other.start.year, other.start.month)
    moves = sorted(person.until for person in everyone if person.until)
    assert [(day.year, day.month) for day in moves] == [(2025 + i // 12, 1 + i % 12) for i in range(24)]


def test_the_entries_of_a_month_cover_every_flat_and_day_once():
    own = oracle.entries(story(3, NOW), LAST)
    for flat in FLAT_IDS:
        assert sum(entry.days for entry in own if entry.flat == flat) == 31
    assert sum(entry.party == OWNER for entry in own) == 1
    assert len(own) == 14


def test_the_last_full_month_has_a_move_and_vacant_days(truth):
    parties = [entry["party"] for entry in truth["statements"] if entry["flat"] == "C02"]
    assert parties == ["h-C02-6", OWNER, "h-C02-7"]


def test_the_truth_conserves_energy_and_money(truth):
    total = {name: Decimal(value) for name, value in truth["energy"].items()}
    assert total["shared_kwh"] + total["surplus_kwh"] == total["solar_kwh"]
    assert total["heat_measured_kwh"] + total["heat_lost_kwh"] == total["heat_produced_kwh"]
    flats = truth["statements"][:-1]
    common = total["consumed_kwh"] - sum(Decimal(entry["electricity"]["consumed_kwh"]) for entry in flats)
    assert common > 0
    amounts: dict[str, Decimal] = {}
    for entry in truth["statements"]:
        assert Decimal(entry["total_eur"]) == sum(Decimal(line["amount_eur"]) for line in entry["lines"])
        for line in entry["lines"]:
            assert Decimal(line["net_eur"]) + Decimal(line["vat_eur"]) == Decimal(line["amount_eur"])
            amounts[line["code"]] = amounts.get(line["code"], Decimal(0)) + Decimal(line["amount_eur"])
    heat = sum(cost.cents for cost in story(3, NOW).costs if cost.pool == "heat" and Month.of(cost.day) == LAST)
    assert (
        amounts["heat_measured"] + amounts["heat_fixed"] == Decimal(truth["pellets"]["burnt_eur"]) + Decimal(heat) / 100
    )
    assert amounts["fixed"] == 12 * Decimal("4.50")
    assert amounts["feed_in"] == -round(total["surplus_kwh"] * Decimal("0.06"), 2)


def test_a_month_by_hand():
    stay = {name: Entry(name, name, date(2026, 1, 1), date(2026, 2, 1)) for name in ("x", "y", "z")}
    exact = {stay["x"]: Fraction(100, 3), stay["y"]: Fraction(100, 3), stay["z"]: Fraction(100, 3)}
    cents = to_cents(exact, Month(2026, 1), "common")
    assert sorted(cents.values()) == [33, 33, 34]
    assert to_cents({stay["x"]: Fraction(5, 2)}, Month(2026, 1), "solar") == {stay["x"]: 3}
    assert (nearest(Fraction(-5, 2)), nearest(Fraction(5, 2)), nearest(Fraction(7, 3))) == (-3, 3, 2)


def test_pellets_by_average_by_hand():
    tale = story(3, NOW)
    first = Month.of(date(2025, 10, 1))
    stock = oracle.pellets(tale, first)
    assert stock is not None
    trucks = [truck for truck in tale.deliveries if truck.at < first.shift(1).bounds(ZONE)[0]]
    kg = tale.opening[0] + sum(truck.kg for truck in trucks)
    cents = tale.opening[1] + sum(truck.cents for truck in trucks)
    assert stock.burnt_kg == kg - tale.counts[0][1]
    assert abs(stock.burnt - cents * stock.burnt_kg / kg) <= 0.5
    assert (stock.closing_kg, stock.closing) == (tale.counts[0][1], cents - stock.burnt)


def test_a_month_has_its_truth_from_its_first_minute_after_midnight():
    midnight = LAST.bounds(ZONE)[1]
    assert settlement_truth(3, LAST, midnight)["month"] == "2026-10"
    with pytest.raises(BadInput, match="not a full month"):
        settlement_truth(3, LAST, midnight - timedelta(seconds=1))


def test_a_month_that_is_not_over_or_not_in_the_history_has_no_truth_yet():
    for month in (Month(2026, 11), Month(2025, 9)):
        with pytest.raises(BadInput, match=f"cannot settle {month}"):
            settlement_truth(3, month, NOW)


def test_the_comparison_agrees_with_itself_and_sees_every_difference(truth):
    whole = list(compare(truth, truth))
    assert len(whole) > 300
    assert all(figure.agrees for figure in whole)
    wrong = copy.deepcopy(truth)
    wrong["energy"]["shared_kwh"] = "1.000000"
    wrong["statements"][2]["lines"][0]["amount_eur"] = "999.99"
    wrong["statements"][3]["party"] = "h-nobody"
    different = [figure.what for figure in compare(truth, wrong) if not figure.agrees]
    assert "energy shared_kwh" in different
    assert "h-A03 A03 2026-10-01 solar amount_eur" in different
    assert any(what.startswith("h-nobody") for what in different)
    assert any(what.startswith("h-A04 A04") for what in different)


def test_the_comparison_sees_an_extra_line_and_forgives_an_absent_nothing(truth):
    extra = copy.deepcopy(truth)
    extra["statements"][0]["lines"].append({"code": "work", "net_eur": "1.00", "vat_eur": "0.00", "amount_eur": "1.00"})
    assert [figure.what for figure in compare(truth, extra) if not figure.agrees] == [
        "h-A01 A01 2026-10-01 work amount_eur"
    ]
    none = copy.deepcopy(truth)
    owner = none["statements"][-1]
    owner["lines"] = []
    assert any(not figure.agrees for figure in compare(truth, none))
