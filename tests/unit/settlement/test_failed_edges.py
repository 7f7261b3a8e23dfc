"""Estimates for failed heat meters at their edges, by hours given one by one.

January 2026 in Amsterdam, settled by the hour; floor areas in m2, heat in mWh of an hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from core.community import Community
from core.communityfile import build
from core.time import Month
from settlement import failedmeters, readings, tariffs
from settlement.failedmeters import Failed, Failure, Substitute, Totals
from settlement.model import Series
from tests.support import heathouse as house
from tests.support.heathouse import utc

JANUARY = Month(2026, 1)
LAST_YEAR, DECEMBER = JANUARY.shift(-12), JANUARY.shift(-1)
START, END = utc("2025-12-31 23:00"), utc("2026-01-31 23:00")
SIZE = 744
FOUR = {"A": "50", "B": "50", "C": "100", "D": "100"}
Hours = Sequence[int | None]


def town(
    areas: Mapping[str, str] = FOUR, *, households: Any = None, extra: Sequence[tuple[str, str]] = (), unit: str = "kWh"
) -> Community:
    """Flats with a heat meter each and, where asked, one more; by default each with a household."""
    tree = house.tree(areas, failed_meters="estimate", unit=unit)
    tree["meters"] += [{"id": name, "measures": "heat", "flat": flat, "unit": unit} for name, flat in extra]
    return build(tree | ({} if households is None else {"households": households}), "the case").community


def lived(flat: str, begin: str = "2024-01-01", until: str | None = None) -> dict[str, str]:
    return {"id": f"h-{flat}-{begin}", "flat": flat, "from": begin} | ({} if until is None else {"until": until})


def but(hours: int, missing: int, first: int = 0) -> list[int | None]:
    """So much in every hour; some from the first one on are missing."""
    return [None if first <= hour < first + missing else hours for hour in range(SIZE)]


def series_of(community: Community, used: Mapping[str, Hours]) -> dict[str, Series]:
    """Of every meter, by its name without ``heat-``."""
    return {
        meter.id: Series.of(
            meter.id,
            (hours := used[meter.id.removeprefix("heat-")]),
            ["missing" if one is None else "measured" for one in hours],
            [None] * SIZE,
        )
        for meter in community.meters_of("heat")
    }


def failures_of(community: Community, used: Mapping[str, Hours], until: int = SIZE) -> tuple[Failure, ...]:
    bounds = readings.boundaries(community, JANUARY)
    return failedmeters.failures_of(community, "heat", series_of(community, used), bounds, bounds[until])


def estimated(
    community: Community, used: Mapping[str, Hours], compared: Mapping[Month, Totals] | None = None
) -> Failed:
    spells = tariffs.spells(community, JANUARY)
    spans = {
        one: range(24 * (one.start - JANUARY.first_day).days, 24 * (one.until - JANUARY.first_day).days)
        for one in spells
    }
    failures, series = failures_of(community, used), series_of(community, used)
    return failedmeters.estimate(community, "heat", JANUARY, spells, series, spans, failures, compared or {}, {})


def of_flat(failed: Failed, flat: str = "A") -> list[Substitute]:
    return [substitute for spell, substitute in failed.substitutes.items() if spell.flat == flat]


# Which rule, which months


def test_the_rule_of_a_month_is_the_latest_that_began_by_its_first_day() -> None:
    tree = house.tree(FOUR)
    rules = [tree["heat"][0] | {"from": day} for day in ("2026-03-01", "2026-01-01", "2024-01-01")]
    rules[1]["failed_meters"] = "estimate"
    community = build(tree | {"heat": rules}, "the case").community
    months = [DECEMBER, JANUARY, JANUARY.shift(1), JANUARY.shift(2), Month(2023, 12)]
    assert [bool(failedmeters.kinds(community, month)) for month in months] == [False, True, True, False, False]
    assert failedmeters.kinds(community.model_copy(update={"heat": None}), JANUARY) == ()


@pytest.mark.parametrize(
    ("area", "missing", "months"),
    [("100", 744, (LAST_YEAR, DECEMBER)), ("100.1", 744, ()), ("100", 25, (LAST_YEAR, DECEMBER)), ("100", 24, ())],
)
def test_months_are_compared_with_only_where_something_is_estimated(
    area: str, missing: int, months: tuple[Month, ...]
) -> None:
    areas = {"A": area, "B": "100", "C": "200"}
    until = START + timedelta(hours=missing)

    def used(flat: str, hour: Any) -> int | None:
        return None if flat == "A" and hour < until else 1

    community = build(house.tree(areas, failed_meters="estimate"), "the case").community
    known = house.quantities(areas, used, START, END)
    assert failedmeters.references(community, JANUARY, known) == tuple(("heat", month) for month in months)
    as_read = build(house.tree(areas), "the case").community
    assert failedmeters.references(as_read, JANUARY, known) == ()


def test_a_month_to_compare_with_is_known_where_all_meters_of_a_flat_are() -> None:
    community = town(extra=[("heat-A2", "A"), ("heat-B2", "B")])
    december = utc("2025-11-30 23:00")

    def totals(lost: str) -> Totals:
        def used(meter: str, hour: datetime) -> int | None:
            return None if meter == lost and hour == december else 1000

        known = house.quantities(["A", "B", "C", "D", "A2", "B2"], used, december, START)
        return failedmeters.totals(community, "heat", DECEMBER, known, {})

    kwh = SIZE * 10**6
    assert totals("") == {"A": 2 * kwh, "B": 2 * kwh, "C": kwh, "D": kwh}
    assert totals("A") == totals("A2") == {"A": None, "B": 2 * kwh, "C": kwh, "D": kwh}


# What has failed


def test_a_flat_s_missing_hours_are_those_of_any_of_its_meters_up_to_what_can_be_known() -> None:
    community = town(extra=[("heat-A2", "A")])
    used = {"A": but(5, 30, first=10), "A2": but(5, 3, first=39), "B": but(5, 24), "C": but(5, 0), "D": but(5, 0)}
    assert failures_of(community, used) == (Failure("A", ("heat-A",), tuple(range(10, 42))),)
    assert failures_of(community, used, until=35) == (Failure("A", ("heat-A",), tuple(range(10, 35))),)
    assert failures_of(community, used, until=34) == ()
    assert failures_of(community, used, until=0) == ()


def test_the_24_hours_are_those_of_one_meter_alone() -> None:
    community = town(extra=[("heat-A2", "A")])
    used = {"A": but(5, 24), "A2": but(5, 24, first=100), "B": but(5, 0), "C": but(5, 0), "D": but(5, 0)}
    assert failures_of(community, used) == ()


def test_the_area_that_failed_counts_every_flat_once_and_one_without_a_meter_too() -> None:
    community = town({**FOUR, "E": "100"}, extra=[("heat-A2", "A")])
    used = {"A": but(5, 99), "A2": but(5, 99), "B": but(5, 99), "C": but(5, 0), "D": but(5, 0), "E": but(5, 0)}
    failed = estimated(community, used)
    assert (failed.area, failed.by_fixed, len(failed.substitutes)) == (Fraction(1, 4), False, 2)
    assert failed.failures[0].meters == ("heat-A", "heat-A2")
    used["C"] = but(5, 99)
    failed = estimated(community, used)
    assert (failed.area, failed.by_fixed, failed.substitutes) == (Fraction(1, 2), True, {})
    assert estimated(community, dict.fromkeys(used, but(5, 0))) == Failed((), Fraction(0), {})


# The same flat in another month


def test_a_flat_s_own_month_is_scaled_by_the_flats_that_work_now_and_were_known_then() -> None:
    used = {"A": but(9, 100), "B": but(10, 0), "C": but(20, 0), "D": but(70, 0)}
    year: Totals = {"A": 3_000, "B": 500, "C": 1_000, "D": None}
    month: Totals = {"A": 8_000, "B": 500, "C": 1_000, "D": 500}
    # B and C used 3,000 in the missing hours, and 1,500 in all of last January; D's was not known then.
    assert of_flat(estimated(town(), used, {LAST_YEAR: year, DECEMBER: month})) == [
        Substitute(6_000, "same_flat_last_year")
    ]
    assert of_flat(estimated(town(), used, {DECEMBER: month})) == [Substitute(40_000, "same_flat_last_month")]
    unknown: Totals = {**year, "A": None}
    assert of_flat(estimated(town(), used, {LAST_YEAR: unknown, DECEMBER: month})) == [
        Substitute(40_000, "same_flat_last_month")
    ]
    nothing: Totals = {"A": 3_000, "B": 0, "C": 0, "D": None}
    assert of_flat(estimated(town(), used, {LAST_YEAR: nothing})) == [Substitute(1_000, "alike_flats")]
    assert of_flat(estimated(town(), used, {LAST_YEAR: {"A": 3_000}})) == [Substitute(1_000, "alike_flats")]


def test_a_half_of_a_milliwatt_hour_is_rounded_up_and_no_use_then_is_none_now() -> None:
    used = {"A": but(9, 25), "B": but(1, 0), "C": but(0, 0), "D": but(0, 0)}
    year: Totals = {"A": 1, "B": 50, "C": 0, "D": 0}
    assert of_flat(estimated(town(), used, {LAST_YEAR: year})) == [Substitute(1, "same_flat_last_year")]
    empty: Totals = {**year, "A": 0}
    assert of_flat(estimated(town(), used, {LAST_YEAR: empty})) == [Substitute(0, "same_flat_last_year")]


@pytest.mark.parametrize(
    ("of_a", "method"),
    [
        ([lived("A")], "same_flat_last_month"),
        ([lived("A", "2025-12-01")], "same_flat_last_month"),
        ([lived("A", "2025-12-02")], "alike_flats"),
        ([lived("A", until="2025-12-31"), lived("A", "2026-01-01")], "alike_flats"),
        ([lived("A", until="2025-12-16"), lived("A", "2025-12-16")], "same_flat_last_month"),  # others, but lived in
        ([], "same_flat_last_month"),  # empty now and then; no other flat is
        ([lived("A", until="2025-12-02")], "building"),
    ],
    ids=["always", "from its first day", "from its second", "empty on its last", "a move", "empty", "lived in once"],
)
def test_a_month_is_comparable_if_the_flat_was_lived_in_throughout_as_it_is_now(of_a: Any, method: str) -> None:
    community = town(households=[*of_a, lived("B"), lived("C"), lived("D")])
    used = {"A": but(9, 100), "B": but(10, 0), "C": but(20, 0), "D": but(20, 0)}
    month: Totals = {"A": 500, "B": 500, "C": 500, "D": 500}
    assert [one.method for one in of_flat(estimated(community, used, {DECEMBER: month}))] == [method]


# Other flats in the same hours


def test_a_flat_whose_meter_failed_tells_nothing_of_the_hours_it_did_count() -> None:
    community = town({"A": "50", "B": "50", "C": "50", "D": "350"})
    used = {"A": but(9, 25), "B": but(100, 25, first=200), "C": but(10, 0), "D": but(70, 0)}
    failed = estimated(community, used)
    assert of_flat(failed) == of_flat(failed, "B") == [Substitute(250, "alike_flats")]


def test_a_working_flat_that_misses_half_of_the_hours_tells_nothing() -> None:
    def used(missing: int) -> Mapping[str, Hours]:
        return {"A": but(9, 40), "B": but(10, missing), "C": but(30, 0), "D": but(30, 0)}

    assert of_flat(estimated(town(), used(19))) == [Substitute(400, "alike_flats")]
    assert of_flat(estimated(town(), used(20))) == [Substitute(600, "building")]  # 2,400 on 200 m2, of which A has 50


def test_an_hour_without_use_is_known() -> None:
    used: dict[str, Hours] = {"A": but(9, 40), "B": [0] * 39 + [20] * (SIZE - 39), "C": but(30, 0), "D": but(30, 0)}
    assert of_flat(estimated(town(), used)) == [Substitute(20, "alike_flats")]


def test_an_hour_counts_for_a_flat_where_all_its_meters_know_it() -> None:
    community = town(extra=[("heat-B2", "B")])
    used = {"A": but(9, 40), "B": but(10, 10), "B2": but(1, 10, first=5), "C": but(30, 0), "D": but(30, 0)}
    assert of_flat(estimated(community, used)) == [Substitute(40 * 11, "alike_flats")]
    used["B2"] = but(1, 10, first=10)
    assert [one.method for one in of_flat(estimated(community, used))] == ["building"]


def test_what_another_meter_of_the_flat_counted_comes_off_and_never_more_than_all() -> None:
    community = town(extra=[("heat-A2", "A")])
    used = {"A": but(9, 100), "A2": but(4, 0), "B": but(10, 0), "C": but(30, 0), "D": but(30, 0)}
    assert of_flat(estimated(community, used)) == [Substitute(600, "alike_flats")]
    used["A2"] = but(10, 0)
    assert of_flat(estimated(community, used)) == [Substitute(0, "alike_flats")]
    used["A2"] = but(11, 0)
    assert of_flat(estimated(community, used)) == [Substitute(0, "alike_flats")]


def test_flats_are_alike_by_a_fifth_of_the_area_of_the_one_that_failed() -> None:
    used = {"A": but(9, 100), "B": but(10, 0), "C": but(20, 0), "D": but(90, 0)}

    def of(**areas: str) -> list[Substitute]:
        return of_flat(estimated(town({"A": "50", **areas}), used))

    assert of(B="40", C="60", D="200") == [Substitute(1_500, "alike_flats")]  # 3,000 on 100 m2
    assert of(B="39.99", C="60", D="200") == [Substitute(1_667, "alike_flats")]  # 2,000 on 60
    assert of(B="40", C="60.01", D="200") == [Substitute(1_250, "alike_flats")]  # 1,000 on 40
    assert of(B="39", C="61", D="200") == [Substitute(2_000, "building")]  # 12,000 on 300


def test_a_flat_is_alike_by_who_lived_there_in_the_missing_hours() -> None:
    areas = {"A": "50", "B": "50", "C": "50", "D": "250"}
    used = {"A": but(9, 48, first=240), "B": but(10, 0), "C": but(20, 0), "D": but(250, 0)}

    def told(*of_b: dict[str, str]) -> Substitute:
        community = town(areas, households=[lived("A"), *of_b, lived("C"), lived("D")])
        return of_flat(estimated(community, used))[0]

    # The missing hours are the eleventh and the twelfth of January.
    assert told(lived("B", "2026-01-11")) == Substitute(48 * 15, "alike_flats")
    assert told(lived("B", until="2026-01-13")) == Substitute(48 * 15, "alike_flats")
    assert told(lived("B", "2026-01-12")) == Substitute(48 * 20, "alike_flats")  # empty on the first of both
    assert told(lived("B", until="2026-01-12")) == Substitute(48 * 20, "alike_flats")
    assert told() == Substitute(48 * 20, "alike_flats")


def test_an_empty_flat_is_like_an_empty_one() -> None:
    community = town(households=[lived("C"), lived("D")])
    used = {"A": but(9, 100), "B": but(1, 0), "C": but(30, 0), "D": but(30, 0)}
    assert of_flat(estimated(community, used)) == [Substitute(100, "alike_flats")]


def test_each_spell_has_the_missing_hours_of_its_own_days() -> None:
    community = town(households=[lived("A", until="2026-01-03"), lived("A", "2026-01-03"), *map(lived, "BCD")])
    used = {"A": but(9, 25, first=24), "B": but(10, 0), "C": but(30, 0), "D": but(30, 0)}
    assert of_flat(estimated(community, used)) == [Substitute(240, "alike_flats"), Substitute(10, "alike_flats")]
    used["A"] = but(9, 25, first=100)
    assert of_flat(estimated(community, used)) == [Substitute(250, "alike_flats")]


def test_where_no_other_flat_knows_enough_nothing_is_estimated() -> None:
    used = {"A": but(9, 40), "B": but(10, 20), "C": but(30, 20), "D": but(30, 20)}
    assert estimated(town(), used, {DECEMBER: {"A": 500, "B": 500, "C": 500, "D": 500}}).substitutes == {}


# What is said


def said(community: Community, failed: Failed) -> list[tuple[str, str, str | None]]:
    spells = tariffs.spells(community, JANUARY)
    return [(one.code, one.text, one.meter) for one in failedmeters.findings(community, "heat", failed, spells)]


def test_every_estimate_is_said_spell_by_spell_in_its_own_unit() -> None:
    for unit, printed in (("kWh", "kWh"), ("units", "units")):
        community = town(
            unit=unit, households=[lived("A", until="2026-01-03"), lived("A", "2026-01-03"), *map(lived, "BCD")]
        )
        used = {"A": but(9, 25, first=24), "B": but(10**6, 0), "C": but(30, 0), "D": but(30, 0)}
        assert said(community, estimated(community, used)) == [
            (
                "heat-estimated",
                f"Flat A: heat meter heat-A failed. From {begin} until {until} {amount}.000000 {printed} were estimated"
                " from flats of like floor area in the same time, per m2 and day.",
                "heat-A",
            )
            for begin, until, amount in (("2026-01-01", "2026-01-03", 24), ("2026-01-03", "2026-02-01", 1))
        ]


def test_of_a_move_only_the_days_with_missing_hours_are_said_to_be_estimated() -> None:
    community = town(households=[lived("A", until="2026-01-03"), lived("A", "2026-01-03"), *map(lived, "BCD")])
    used = {"A": but(9, 25, first=100), "B": but(10, 0), "C": but(30, 0), "D": but(30, 0)}
    texts = [text for _, text, _ in said(community, estimated(community, used))]
    assert [text.split(" 0.000250 ")[0] for text in texts] == [
        "Flat A: heat meter heat-A failed. From 2026-01-03 until 2026-02-01"
    ]


def test_days_of_a_flat_that_nothing_tells_of_are_named_beside_those_that_were_estimated() -> None:
    community = town(households=[lived("A", until="2026-01-03"), lived("A", "2026-01-03"), *map(lived, "BCD")])
    # For the twelve hours after the move nobody was read; before it only flat A was not.
    others = but(9, 12, first=48)
    failed = estimated(community, {"A": but(9, 40, first=20), "B": others, "C": others, "D": others})
    assert [(spell.party, spell.start.day) for spell in failed.unknown] == [("h-A-2026-01-03", 3)]
    assert [(code, text.partition(" failed")[2]) for code, text, _ in said(community, failed)] == [
        (
            "heat-estimated",
            ". From 2026-01-01 until 2026-01-03 0.000252 kWh were estimated from flats of like floor area in the same"
            " time, per m2 and day.",
        ),
        (
            "heat-not-estimated",
            ", and nothing is known to estimate the days from 2026-01-03 until 2026-02-01 from.",
        ),
    ]


def test_a_flat_that_nothing_tells_of_is_named_beside_one_that_was_estimated() -> None:
    community = town({"A": "10", "B": "10", "C": "100", "D": "100"}, extra=[("heat-A2", "A")])
    failures = (Failure("A", ("heat-A", "heat-A2"), (1,)), Failure("B", ("heat-B",), (1,)))
    spell = next(one for one in tariffs.spells(community, JANUARY) if one.flat == "B")
    texts = said(community, Failed(failures, Fraction(1, 11), {spell: Substitute(5, "building")}))
    assert [(code, text.split(" failed")[0], meter) for code, text, meter in texts] == [
        ("heat-not-estimated", "Flat A: heat meter heat-A, heat-A2", "heat-A"),
        ("heat-estimated", "Flat B: heat meter heat-B", "heat-B"),
    ]
    assert said(community, Failed((), Fraction(0), {})) == []


def test_by_the_fixed_measure_is_said_once_with_all_flats_and_their_part() -> None:
    community = town()
    used = dict.fromkeys("ABCD", but(9, 100))
    for flats, percent in (("A, B, C, D", "100.00"), ("A, B, D", "66.67")):
        assert said(community, estimated(community, used)) == [
            (
                "heat-by-fixed-measure",
                f"The heat meters of {percent} % of the floor area failed (flats: {flats}), more than 25 %: all heat is"
                " divided by the fixed measure.",
                None,
            )
        ]
        used["C"] = but(9, 0)
