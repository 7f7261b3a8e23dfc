"""The stock ledger and its findings at their edges: equal instants, what is not known, and what is nearest."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from core.community import Community
from core.time import microseconds, parse_time, rfc3339
from settlement.model import Finding, MeterReadings, Readings
from settlement.pellets import account
from settlement.stock import Refill, Row, all_heat, findings, heat_needed_since, ledger
from tests.support.pellethouse import END, FEBRUARY, JANUARY, KWH, START, correction, count, delivery, town

HOUR = 3_600_000_000
FIRST, LAST = microseconds(parse_time(START)), microseconds(parse_time(END))
NONE = Fraction(0)


def no_heat(start: int, end: int) -> int | None:
    return None


def cold(start: int, end: int) -> int:
    return 0


def one_kilowatt(start: int, end: int) -> int:
    """A boiler that gives 4 kW, which is a kilogram an hour."""
    return 4 * KWH * (end - start) // HOUR


def rows_of(community: Community, month: Any = JANUARY, **more: Any) -> list[Row]:
    rows = ledger(community, month, more.pop("heat", one_kilowatt), **more)
    assert rows is not None
    return rows


def instant(hours: float) -> datetime:
    """So many hours after January began."""
    return parse_time(START) + timedelta(hours=hours)


# The ledger


def test_a_ledger_is_written_to_the_last_cell() -> None:
    opened = instant(9)
    community = town(
        opening={"at": rfc3339(opened), "kg": "1000", "eur": "300.00"},
        deliveries=[delivery(rfc3339(instant(9)), "500", "150.00")],
        corrections=[correction(rfc3339(instant(33)), "-100", "-30.00")],
        counts=[count(rfc3339(instant(57)), "1355"), count(END, "700")],
    )
    assert rows_of(community, refills=[Refill(instant(81), 4, Fraction(60))]) == [
        Row(opened, "opening", "", NONE, 0, Fraction(1000), 30_000),
        Row(opened, "delivery", "P-1", Fraction(500), 15_000, Fraction(1500), 45_000),
        Row(instant(33), "correction", "wet bags (a volunteer)", Fraction(-100), -3_000, Fraction(1400), 42_000),
        Row(instant(57), "count", "", NONE, 0, Fraction(1400), 42_000, Fraction(1355), Fraction(3)),
        Row(instant(81), "bags", "4", NONE, 0, Fraction(1400), 42_000, Fraction(60)),
        Row(parse_time(END), "burnt", "counted", Fraction(-700), -21_000, Fraction(700), 21_000),
        Row(parse_time(END), "count", "", NONE, 0, Fraction(700), 21_000, Fraction(700), Fraction(700 - 1355 + 687)),
    ]
    assert rows_of(community, FEBRUARY) == [
        Row(parse_time(END), "start", "", NONE, 0, Fraction(700), 21_000),
        Row(FEBRUARY.bounds(community.zone)[1], "burnt", "estimated", Fraction(-672), -20_160, Fraction(28), 840),
    ]


def test_what_moves_nothing_stands_after_what_moves_at_the_same_moment() -> None:
    noon = rfc3339(instant(12))
    community = town(
        counts=[count(noon, "1400"), count(END, "400")],
        corrections=[correction(noon, "-100")],
        deliveries=[delivery(noon, "500", "150.00")],
    )
    rows = rows_of(community, refills=[Refill(instant(12), 4, Fraction(60))])
    assert [row.what for row in rows] == ["opening", "delivery", "correction", "bags", "count", "burnt", "count"]


@pytest.mark.parametrize("hour", [0, 6, 12])
def test_a_stock_take_in_the_first_hours_of_the_account_is_in_its_first_ledger(hour: int) -> None:
    """It was in none: it was left to the month before, of which there is no ledger."""
    community = town(counts=[count(rfc3339(instant(hour)), "990"), count(END, "400")])
    noted = [(row.at, row.noted_kg, row.difference_kg) for row in rows_of(community) if row.what == "count"]
    assert noted[0] == (instant(hour), 990, hour - 10 if hour else None)
    assert len(noted) == 2


def test_bags_belong_to_the_month_whose_first_instant_has_come() -> None:
    bags = [Refill(parse_time(at), number, Fraction(15)) for number, at in enumerate((START, END), 1)]
    community = town(counts=[count(END, "400")])
    assert [row.document for row in rows_of(community, refills=bags, heat=cold) if row.what == "bags"] == ["1"]
    assert [row.document for row in rows_of(community, FEBRUARY, refills=bags, heat=cold) if row.what == "bags"] == [
        "2"
    ]


def test_a_count_belongs_to_one_month_only() -> None:
    community = town(counts=[count(END, "400"), count("2026-02-28T23:00:00Z", "100")])
    noted = [
        [row.at for row in rows_of(community, month, heat=cold) if row.what == "count"]
        for month in (JANUARY, FEBRUARY, FEBRUARY.shift(1))
    ]
    assert noted == [[parse_time(END)], [parse_time("2026-02-28T23:00:00Z")], []]


def test_heat_is_needed_since_the_stock_was_known_before_the_month_or_before_one_that_was_not_counted() -> None:
    evening, later = "2026-01-31T18:00:00Z", "2026-02-10T09:00:00Z"
    counted = town(counts=[count(evening, "400"), count(later, "300")])
    assert heat_needed_since(counted, FEBRUARY) == parse_time(evening)  # for the difference of the count in February
    uncounted = town(counts=[count(later, "300")])
    assert heat_needed_since(uncounted, FEBRUARY.shift(1)) == parse_time(START)  # for the estimate of January's end
    assert heat_needed_since(town(counts=[count(END, "400")]), JANUARY) == parse_time(START)


def test_all_heat_is_known_only_where_every_boiler_was_read_over_the_whole_span() -> None:
    community = town(boilers=("one", "two"))

    def read(first: int, last: int) -> MeterReadings:
        return MeterReadings("register", (first, first + 1, last), (Decimal(0), Decimal(0), Decimal(5)))

    def known(one: MeterReadings, two: MeterReadings | None) -> int | None:
        both: Readings = {"one": one} if two is None else {"one": one, "two": two}
        return all_heat(community, both)(FIRST, FIRST + 10)

    exact = read(FIRST, FIRST + 10)
    assert known(exact, exact) == 10 * KWH
    assert known(exact, read(FIRST + 1, FIRST + 10)) is None
    assert known(exact, read(FIRST, FIRST + 9)) is None
    assert known(read(FIRST, FIRST + 9), exact) is None
    assert known(exact, None) is None


# Findings


def told(community: Community, known: Readings, *, heat: Any = one_kilowatt) -> list[Finding]:
    """What January's statement says about its stock."""
    return findings(community, JANUARY, account(community, JANUARY, heat), known, LAST)


def read_from(first: int) -> Readings:
    """A boiler's meter, read at some instant and at January's end."""
    return {"boiler": MeterReadings("register", (first, LAST), (Decimal(0), Decimal(9)))}


def test_a_month_without_an_account_of_pellets_says_nothing_about_them() -> None:
    assert findings(town(), JANUARY.shift(-1), None, {}, FIRST) == []


def test_a_boiler_that_was_read_late_is_told_of_only_where_the_stock_is_estimated() -> None:
    late = read_from(FIRST + 2 * HOUR)
    assert [(one.code, one.meter, one.start, one.until) for one in told(town(), late)] == [
        ("pellets-heat-unknown", "boiler", FIRST, FIRST + 2 * HOUR)
    ]
    assert told(town(counts=[count(END, "400")]), late, heat=no_heat) == []
    assert told(town(counts=[count("2026-02-01T06:00:00Z", "400")]), late, heat=no_heat) == []


def test_a_first_reading_an_interval_and_a_half_late_is_not_late() -> None:
    assert told(town(), read_from(FIRST + 3 * HOUR // 2)) == []
    assert len(told(town(), read_from(FIRST + 3 * HOUR // 2 + 1))) == 1


def level_told(readings: dict[str, list[tuple[int, str]]], *silos: str) -> list[str]:
    """Findings of January, at whose end 400 kg are there by the books; a level may differ by one percent."""
    known: Readings = {
        name: MeterReadings("register", tuple(LAST + at * HOUR for at, _ in rows), tuple(Decimal(kg) for _, kg in rows))
        for name, rows in readings.items()
    }
    community = town(silos=silos, counts=[count(END, "400")], level_tolerance_percent="1")
    return [one.text.split(" and the books")[0] for one in told(community, known, heat=no_heat)]


def test_the_level_nearest_to_the_month_s_end_is_held_against_the_books_and_of_two_the_earlier() -> None:
    rows = [(-3, "100"), (-1, "200"), (1, "300"), (2, "350")]
    assert level_told({"silo": rows}, "silo") == ["At the end of the month the silo's level was 200.000 kg"]
    assert level_told({"silo": rows[2:]}, "silo") == ["At the end of the month the silo's level was 300.000 kg"]
    assert level_told({"silo": rows[:1]}, "silo") == ["At the end of the month the silo's level was 100.000 kg"]


def test_the_levels_of_all_silos_are_one_stock_and_one_that_is_not_known_makes_none_known() -> None:
    levels = {"one": [(0, "150")], "two": [(0, "100")]}
    assert level_told(levels, "one", "two") == ["At the end of the month the silo's level was 250.000 kg"]
    assert level_told(levels, "one", "two", "unread") == []
    assert level_told({}) == []  # and no silo has no level, not an empty one
    exact = {"one": [(0, "304")], "two": [(0, "100")]}
    assert level_told(exact, "one", "two") == []
