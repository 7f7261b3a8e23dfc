"""When a meter that stands still, or crawls, should not: each rule in plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Literal

import pytest

from core.community import Measures, Meter
from settlement.watch import standstill
from settlement.watch.standstill import Course, Past, crawling, frozen, suspects, witnesses

STILL = Course(Decimal(7), Decimal(7), Decimal(7), Decimal(7), None, None)
MOVES = Course(Decimal(8), Decimal(7), Decimal(7), Decimal(8), None, None)


def meter(name: str, measures: Measures = "electricity") -> Meter:
    return Meter(id=name, measures=measures, unit="kg" if measures == "pellet_stock" else "kWh")


def course(day: str | None, week: str | None, newest: str = "8000") -> Course:
    """What a meter showed eight days ago, a day ago and now."""
    before = None if day is None else Decimal(day)
    long_before = None if week is None else Decimal(week)
    return Course(Decimal(newest), None, Decimal(newest), Decimal(newest), before, long_before)


def slowed(times: str) -> Course:
    """A meter that counted so many kWh a day for a week, and one in the last day."""
    return course("100000", str(100000 - 7 * Decimal(times)), newest="100001")


# ---- what can stand still wrongly


def test_from_how_many_days_each_kind_is_looked_at_and_who_can_tell() -> None:
    assert {
        kind: (rule.least.total_seconds() / 86_400, rule.companions) for kind, rule in standstill.RULES.items()
    } == {
        "electricity": (2, "electricity"),
        "grid_import": (2, "grid_import"),
        "solar_generation": (2, "solar_generation"),
        "heat": (7, "heat"),
        "hot_water": (7, "hot_water"),
        "heat_produced": (2, "heat"),
        "pellet_stock": (7, "heat_produced"),
    }
    assert timedelta(days=28) == standstill.HISTORY


# ---- standing still


@pytest.mark.parametrize(
    ("newest", "then", "low", "high", "still"),
    [
        (7, 7, 7, 7, True),
        (8, 7, 7, 8, False),
        (7, None, 7, 7, False),  # not read so long ago
        (7, 7, 6, 7, False),  # burnt, and filled to the same kilogram
        (7, 7, 7, 8, False),
        (7, 6, 7, 7, False),
        (8, 7, 7, 7, False),
    ],
)
def test_who_shows_one_number_all_along_stands_still(
    newest: int, then: int | None, low: int, high: int, still: bool
) -> None:
    earlier = None if then is None else Decimal(then)
    assert Course(Decimal(newest), earlier, Decimal(low), Decimal(high), None, None).still is still


@pytest.mark.parametrize(
    ("others", "told_by"),
    [
        ([], "alone"),
        ([False], "companions"),
        ([True], None),
        ([True, False], None),  # half of them is not more than half
        ([True, False, False], "companions"),
        ([True, True, False], None),
        ([True, True, False, False], None),
    ],
)
def test_more_than_half_of_the_companions_must_have_moved(
    others: list[bool], told_by: Literal["alone", "companions"] | None
) -> None:
    meters = [meter("a"), *(meter(f"b{number}") for number in range(len(others)))]
    still = {"a": True} | {f"b{number}": one for number, one in enumerate(others)}
    assert witnesses(meters[0], meters, still) == told_by
    courses = {name: STILL if one else MOVES for name, one in still.items()}
    assert suspects(meters[:1], courses) == {"a": "alone"}
    assert suspects(meters, courses).get("a") == told_by


def test_a_meter_of_another_kind_and_one_that_was_not_read_can_tell_nothing() -> None:
    meters = [meter("a"), meter("heat", "heat"), meter("sun", "solar_generation"), meter("away")]
    assert witnesses(meters[0], meters, {"a": True, "heat": False, "sun": False}) == "alone"
    assert suspects(meters, {"a": STILL, "heat": MOVES, "sun": MOVES}) == {"a": "alone"}


def test_a_boiler_is_told_by_the_flats_heat_and_a_silo_by_the_boiler() -> None:
    meters = [
        meter("silo", "pellet_stock"), meter("boiler", "heat_produced"), meter("boiler-2", "heat_produced"),
        meter("flat", "heat"),
    ]  # fmt: skip
    names = {one.id for one in meters}

    def found(*moving: str) -> Mapping[str, str]:
        return suspects(meters, {name: MOVES if name in moving else STILL for name in names})

    assert found() == {"flat": "alone"}  # no other flat can tell
    assert found("flat") == {"boiler": "companions", "boiler-2": "companions"}
    assert found("boiler", "flat") == {"boiler-2": "companions"}
    assert found("boiler", "boiler-2", "flat") == {"silo": "companions"}


def test_who_moves_or_was_not_read_and_what_may_stand_still_for_weeks_is_no_suspect() -> None:
    meters = [meter("a"), meter("b"), meter("c"), meter("export", "grid_export")]
    assert suspects(meters, {"a": STILL, "b": MOVES, "export": STILL}) == {"a": "companions"}
    assert suspects(meters, {}) == {}
    assert suspects([], {"a": STILL}) == {}


@pytest.mark.parametrize(
    ("told_by", "longest", "standing", "so"),
    [
        ("companions", None, 2, True),  # nothing of its own speaks against them
        ("companions", 3, 3, False),  # it has stood so long before
        ("companions", 3, 4, True),
        ("companions", 0, 1, True),
        ("alone", None, 100, False),  # nobody can tell
        ("alone", 24, 72, False),
        ("alone", 24, 73, True),
        ("alone", 24, 25, False),
    ],
)
def test_a_suspect_is_frozen_beyond_its_own_past_and_alone_beyond_three_times_that(
    told_by: Literal["alone", "companions"], longest: int | None, standing: int, so: bool
) -> None:
    before = None if longest is None else timedelta(hours=longest)
    assert frozen(told_by, Past(before, timedelta(hours=standing))) is so


# ---- crawling


@pytest.mark.parametrize(
    ("week", "day", "newest", "times"),
    [
        ("1000", "8000", "8001", "1000"),  # a thousand a day for a week, and then one
        ("1000", "8000", "9000", "1"),
        ("0", "0.7", "0.9", "0.5"),
        (None, "8000", "8001", None),
        ("1000", None, "8001", None),
        ("1000", "8000", "8000", None),  # stands still, and does not crawl
        ("1000", "8000", "7999", None),
        ("8000", "8000", "8001", None),  # did nothing before
        ("8001", "8000", "8001", None),
    ],
)
def test_how_many_times_slower_the_last_day_was_than_a_day_of_the_week_before(
    week: str | None, day: str | None, newest: str, times: str | None
) -> None:
    assert course(day, week, newest).slower == (None if times is None else Decimal(times))


@pytest.mark.parametrize(
    ("times", "so"),
    [("1", False), ("299.99", False), ("300", True), ("1000", True), ("3000", True), ("3000.01", False)],
)
def test_a_meter_crawls_at_about_a_thousandth_of_its_pace(times: str, so: bool) -> None:
    found = crawling([meter("a"), meter("b")], {"a": slowed(times), "b": slowed("1")})
    assert found == (["a"] if so else [])


@pytest.mark.parametrize(
    ("others", "so"),
    [
        ([], False),  # nobody can tell
        (["9.99"], True),
        (["10"], False),  # the season, and not the meter
        (["1", "1", "1000"], True),
        (["1", "20", "20"], False),
        (["0.1", "9", "10.9", "500"], True),  # between the two in the middle
        (["0.1", "9", "11", "500"], False),
    ],
)
def test_where_the_middle_companion_is_ten_times_slower_too_it_is_the_season(others: list[str], so: bool) -> None:
    companions = {f"b{number}": slowed(times) for number, times in enumerate(others)}
    meters = [meter("a"), *map(meter, companions)]
    assert ("a" in crawling(meters, {"a": slowed("1000")} | companions)) is so


def test_companions_of_which_no_pace_is_known_do_not_count() -> None:
    meters = [meter("a"), meter("b"), meter("c"), meter("away")]
    fresh = course(None, None)
    assert crawling(meters, {"a": slowed("1000"), "b": fresh}) == []
    assert crawling(meters, {"a": slowed("1000"), "b": fresh, "c": slowed("1")}) == ["a"]
    assert crawling(meters, {"b": slowed("1"), "c": slowed("1")}) == []


def test_a_meter_is_not_its_own_companion_and_one_of_another_kind_is_none() -> None:
    meters = [meter("a"), meter("heat", "heat")]
    assert crawling(meters, {"a": slowed("1000"), "heat": slowed("1")}) == []
    assert crawling([*meters, meter("b")], {"a": slowed("1000"), "heat": slowed("1000"), "b": slowed("1")}) == ["a"]


def test_a_boiler_that_crawls_is_held_against_the_flats_heat() -> None:
    meters = [meter("boiler", "heat_produced"), meter("boiler-2", "heat_produced"), meter("flat", "heat")]
    slow = {"boiler": slowed("1000"), "boiler-2": slowed("1000")}
    assert crawling(meters, slow | {"flat": slowed("1")}) == ["boiler", "boiler-2"]
    assert crawling(meters, {"boiler": slowed("1000"), "boiler-2": slowed("1")}) == []


def test_what_may_stand_still_may_not_crawl_while_its_like_goes_on() -> None:
    meters = [meter("out", "grid_export"), meter("out-2", "grid_export")]
    assert crawling(meters, {"out": slowed("1000"), "out-2": slowed("2")}) == ["out"]


def test_a_level_of_pellets_does_not_crawl_and_the_meters_after_it_are_looked_at() -> None:
    meters = [meter("silo", "pellet_stock"), meter("boiler", "heat_produced"), meter("flat", "heat")]
    assert crawling(meters, {"silo": slowed("1000"), "boiler": slowed("1000"), "flat": slowed("1")}) == ["boiler"]
    assert crawling(meters, {"silo": slowed("1000"), "boiler": slowed("1"), "flat": slowed("1")}) == []


def test_those_that_crawl_are_named_in_the_order_of_the_meters() -> None:
    meters = [meter("z"), meter("far"), meter("a"), meter("b"), meter("c"), meter("d")]
    slow = dict.fromkeys(("a", "z"), slowed("1000"))
    assert crawling(meters, dict.fromkeys(("b", "c", "d"), slowed("1")) | slow) == ["z", "a"]
