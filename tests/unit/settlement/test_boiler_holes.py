"""Holes in a boiler's readings while the pellet stock is estimated: what a register bridges, what is lost and named.

The boiler of `test_pellet_stock` gives 4 kW, so that it burns a kilogram an hour: 744 in January, 672 in February.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.community import Community
from core.communityfile import build
from core.time import Month, from_microseconds, microseconds, rfc3339
from settlement.model import MeterReadings, Readings
from settlement.readings import total_between, uncounted
from settlement.replay import settle_document
from settlement.stock import all_heat, ledger
from tests.unit.settlement.test_pellet_stock import JANUARY, KWH, at, boilers, count, no_heat, town, tree, unknown

HOUR = 3_600_000_000
HOURS = 31 * 24
Tree = dict[str, Any]
START = microseconds(JANUARY.bounds(town().zone)[0])


def instant(hour: int) -> int:
    """So many hours after the local start of January [microseconds]."""
    return START + hour * HOUR


def register(hours: Iterable[int], value: Callable[[int], int] = lambda hour: 4 * hour) -> MeterReadings:
    """Read a register in some hours; by default it counts 4 kWh in each."""
    found = list(hours)
    return MeterReadings("register", [instant(hour) for hour in found], [Decimal(value(hour)) for hour in found])


def told(known: Readings, month: Month = JANUARY, changes: Tree | None = None, **pellets: Any) -> Tree:
    """Settle a month, and return its statement."""
    document: Tree = json.loads(settle_document(build(tree(**pellets) | (changes or {}), "the case"), month, known)[1])
    return document


def burnt(document: Tree) -> Decimal:
    return Decimal(document["pellets"]["burnt_kg"])


def sentence(document: Tree) -> str:
    (text,) = (one["text"] for one in document["findings"] if one["code"] == "pellets-heat-unknown")
    return str(text)


def without(hours: Iterable[int], *gone: range) -> list[int]:
    return [hour for hour in hours if not any(hour in span for span in gone)]


# What a register bridges


def test_a_register_counts_on_over_a_hole_and_nothing_is_lost() -> None:
    document = told({"boiler": register(without(range(HOURS + 1), range(100, 340)))})
    assert (burnt(document), document["pellets"]["estimated"]) == (744, True)
    assert unknown(document) == []


def test_a_hole_over_the_months_end_moves_heat_between_months_and_loses_none() -> None:
    """The boiler stands still until the month is over, then burns: only where the end falls in the hole is a guess."""
    late = register(
        [*range(700), *range(800, HOURS + 673)], lambda hour: 4 * hour if hour < 744 else 4 * (2 * hour - 744)
    )
    january = told({"boiler": late})
    february = told({"boiler": late}, JANUARY.shift(1), opening={"at": at("2026-01-01", 0), "kg": "5000", "eur": "9"})
    assert unknown(january) == unknown(february) == []
    assert burnt(january) + burnt(february) == Decimal(2 * (744 + 672) - 744)  # all that the register counted
    assert burnt(january) != 744  # a straight line between the 700th and the 800th hour


def test_a_declared_swap_inside_a_hole_loses_nothing() -> None:
    swap = {"meter": "boiler", "at": at("2026-01-09", 0), "old_end": "768", "new_start": "15"}
    hours = without(range(HOURS + 1), range(100, 340))
    document = told(
        {"boiler": register(hours, lambda hour: 4 * hour if hour < 192 else 4 * hour - 768 + 15)},
        changes={"replacements": [swap]},
    )
    assert burnt(document) == 744
    assert unknown(document) == []


def test_readings_that_were_set_aside_are_bridged_too() -> None:
    edit = {
        "meter": "boiler", "at": at("2026-01-05"), "until": at("2026-01-15"), "exclude": "true", "by": "board",
        "why": "it showed nonsense",
    }  # fmt: skip
    document = told({"boiler": register(range(HOURS + 1))}, changes={"edits": [edit]})
    assert burnt(document) == 744
    assert unknown(document) == []


# What is lost


def replaced(hour: int) -> int:
    """A register that somebody swapped in a hole without a note; the new one began at zero in the 200th hour."""
    return 50_000 + 4 * hour if hour < 200 else 4 * (hour - 200)


HOLE = without(range(HOURS + 1), range(101, 240))


def test_a_swap_that_nobody_noted_loses_the_heat_of_the_hole_and_is_named() -> None:
    document = told({"boiler": register(HOLE, replaced)})
    assert burnt(document) == 744 - 140  # from the 100th hour to the 240th nobody knows
    assert unknown(document) == [("boiler", "2026-01-05T03:00:00Z", "2026-01-10T23:00:00Z")]
    assert sentence(document) == (
        "What meter boiler counted between 2026-01-05T03:00:00Z and 2026-01-10T23:00:00Z is not known: what was burnt"
        " for it is not in the estimated pellet stock; count the stock."
    )


def test_it_is_named_in_every_month_until_the_stock_is_counted() -> None:
    known: Readings = {"boiler": register(without(range(HOURS + 673), range(101, 240)), replaced)}
    opening = {"at": at("2026-01-01", 0), "kg": "5000", "eur": "1500.00"}
    february = told(known, JANUARY.shift(1), opening=opening)
    assert unknown(february) == [("boiler", "2026-01-05T03:00:00Z", "2026-01-10T23:00:00Z")]
    assert burnt(february) == 672
    counted = told(known, JANUARY.shift(1), opening=opening, counts=[count("2026-02-01", "4256")])
    assert unknown(counted) == []
    ended = told(known, JANUARY.shift(1), opening=opening, counts=[count("2026-03-01", "3584")])
    assert unknown(ended) == []
    assert burnt(ended) == 672 + 140  # the count corrects the month it falls in


def test_a_reset_between_two_readings_is_not_told_here() -> None:
    """No more can be lost than lies between two readings anyway; that the register fell is said by itself."""
    document = told({"boiler": register(range(HOURS + 1), replaced)})
    assert burnt(document) == 743
    assert unknown(document) == []
    assert "register-fell" in {finding["code"] for finding in document["findings"]}


def test_several_holes_are_one_sentence() -> None:
    hours = without(range(HOURS + 1), range(101, 240), range(401, 430))
    document = told({"boiler": register(hours, lambda hour: replaced(hour) if hour < 420 else 7 + 4 * (hour - 420))})
    assert burnt(document) == 744 - 140 - 30
    assert unknown(document) == [("boiler", "2026-01-05T03:00:00Z", "2026-01-18T21:00:00Z")]
    assert "2 times, 170.0 hours in all" in sentence(document)


def test_a_boiler_that_falls_silent_before_the_months_end_is_named() -> None:
    meters = [METERS[0], METERS[2]]
    silent = told({"boiler": register(range(700)), "pv": register(range(HOURS + 1))}, changes={"meters": meters})
    assert burnt(silent) == 699
    assert unknown(silent) == [("boiler", "2026-01-30T02:00:00Z", "2026-01-31T23:00:00Z")]
    assert sentence(silent) == (
        "Meter boiler was not read after 2026-01-30T02:00:00Z: what its boiler burnt until 2026-01-31T23:00:00Z is not"
        " in the estimated pellet stock; count the stock."
    )


METERS = [
    {"id": "boiler", "measures": "heat_produced", "unit": "kWh"},
    {"id": "new-boiler", "measures": "heat_produced", "unit": "kWh"},
    {"id": "pv", "measures": "solar_generation", "unit": "kWh"},
]


def test_a_month_that_runs_is_silent_about_days_to_come() -> None:
    both = {"boiler": register(range(500)), "new-boiler": register(range(500)), "pv": register(range(500))}
    document = told(both, changes={"meters": METERS})
    assert unknown(document) == []
    both["new-boiler"] = register(range(400))
    document = told(both, changes={"meters": METERS})
    assert unknown(document) == [("new-boiler", "2026-01-17T14:00:00Z", "2026-01-21T18:00:00Z")]


def test_a_boiler_that_another_meter_took_over_from_is_named_with_it() -> None:
    """Two meters leave a hole between them that no register bridges; one meter with a noted swap would not."""
    meters = {"boiler": register(range(101)), "new-boiler": register(range(240, HOURS + 1))}
    document = told(meters, changes={"meters": METERS})
    assert burnt(document) == 744 - 140
    assert unknown(document) == [
        ("boiler", "2026-01-05T03:00:00Z", "2026-01-31T23:00:00Z"),
        ("new-boiler", "2025-12-31T23:00:00Z", "2026-01-10T23:00:00Z"),
    ]


def test_a_boiler_whose_readings_all_came_before_the_stock_was_known_is_named() -> None:
    document = told(
        {"boiler": register(range(-50, -20)), "new-boiler": register(range(HOURS + 1))}, changes={"meters": METERS}
    )
    assert unknown(document) == [("boiler", "2025-12-31T23:00:00Z", "2026-01-31T23:00:00Z")]


LONE = [
    ([0, *range(140, HOURS + 1)], 0, 140),  # read when the stock was known, then swapped without a note
    ([50, *range(140, HOURS + 1)], 0, 140),
    ([*range(601), 650], 600, HOURS),
    ([500], 0, HOURS),
]


@pytest.mark.parametrize(("hours", "first", "last"), LONE)
def test_a_reading_that_no_other_belongs_to_tells_nothing_of_what_came_before_it_or_after(
    hours: list[int], first: int, last: int
) -> None:
    """A lone reading was said to end what is not known; what was burnt after it was in no stock and in no sentence."""
    alone = {0: 50_000, 50: 50_000, 650: 0} if len(hours) > 1 else {}
    found = register(hours, lambda hour: alone[hour] if hour in {hours[0], hours[-1]} & alone.keys() else 4 * hour)
    enough = {"at": at("2026-01-01", 0), "kg": "5000", "eur": "1500.00"}
    both = {"boiler": register(range(HOURS + 1)), "new-boiler": found}
    document = told(both, changes={"meters": METERS}, opening=enough)
    ((meter, start, until),) = unknown(document)
    assert (meter, start, until) == (
        "new-boiler",
        *(rfc3339(from_microseconds(instant(hour))) for hour in (first, last)),
    )
    assert sentence(document).startswith(f"What meter new-boiler counted between {start} and {until} is not known: ")


def test_a_new_boiler_is_told_of_until_its_first_reading_even_if_that_is_the_last_of_all() -> None:
    both = {"boiler": register(range(500)), "new-boiler": register([499]), "pv": register(range(500))}
    document = told(both, changes={"meters": METERS})
    assert unknown(document) == [("new-boiler", "2025-12-31T23:00:00Z", "2026-01-21T18:00:00Z")]
    assert sentence(document).startswith("Meter new-boiler was not read before 2026-01-21T18:00:00Z: what its boiler")
    both |= {"boiler": register(range(HOURS + 1)), "new-boiler": register(range(HOURS + 5, HOURS + 9))}
    after = told(both, changes={"meters": METERS})
    assert unknown(after) == [("new-boiler", "2025-12-31T23:00:00Z", "2026-02-01T04:00:00Z")]


@pytest.mark.parametrize("gone", [range(100, 101), range(100, 240)])
def test_missing_quantities_of_a_file_are_lost_and_named(gone: range) -> None:
    hours = without(range(HOURS), gone)
    known = MeterReadings("interval", [instant(hour) for hour in hours], [Decimal(4)] * len(hours))
    document = told({"boiler": known})
    assert burnt(document) == 744 - len(gone)
    ((meter, _, _),) = unknown(document)
    assert meter == "boiler"
    community = build(tree(), "the case").community
    found = uncounted(community, community.meters[0], known, instant(0), instant(HOURS))
    assert found == [(instant(gone.start), instant(gone.stop))]


def test_of_a_boiler_that_was_never_read_all_is_one_hole() -> None:
    community = town()
    for known in (None, MeterReadings("register", [], [])):
        assert uncounted(community, community.meters[0], known, instant(3), instant(9)) == [(instant(3), instant(9))]


def test_a_boiler_that_was_read_throughout_has_no_holes() -> None:
    assert unknown(boilers(0)) == []
    known = MeterReadings("interval", [instant(hour) for hour in range(HOURS)], [Decimal(4)] * HOURS)
    assert unknown(told({"boiler": known})) == []


def test_a_stock_take_after_a_hole_is_compared_with_nothing() -> None:
    community = town(counts=[count("2026-01-21", "520"), count("2026-02-01", "400")])
    for value, off in ((replaced, None), (lambda hour: 4 * hour, 0)):
        rows = ledger(
            community, JANUARY, no_heat, all_heat_between=all_heat(community, {"boiler": register(HOLE, value)})
        )
        assert rows is not None
        assert rows[1].difference_kg == off


# An oracle: what the boiler truly gave


@settings(max_examples=60)
@given(st.data())
def test_what_is_counted_and_what_is_named_are_all_that_the_boiler_gave(data: st.DataObject) -> None:
    """Runs of readings, holes between them, and at some holes a new register that nobody noted."""
    community: Community = town()
    sizes = data.draw(st.lists(st.tuples(st.integers(2, 12), st.integers(2, 9), st.booleans()), min_size=1, max_size=8))
    gave = data.draw(st.lists(st.integers(0, 9), min_size=200, max_size=200))
    truth = [0, *accumulate(gave)]
    values: dict[int, int] = {}
    hour, base, lost = 0, 10**6, []
    for length, hole, reset in sizes:
        for read in range(hour, hour + length):
            values[read] = base + truth[read]
        hour += length - 1 + hole
        if reset:
            lost.append((hour - hole, hour))
            base -= 10**5  # lower than whatever was shown, and never reached again
    values[hour] = base + truth[hour]
    values[hour + 1] = base + truth[hour + 1]
    start, end = sorted(data.draw(st.lists(st.integers(0, hour + 1), min_size=2, max_size=2, unique=True)))
    known = register(sorted(values), values.__getitem__)
    meter = community.meters[0]
    named = uncounted(community, meter, known, instant(start), instant(end))
    counted = total_between(community, meter, known, instant(start), instant(end)) or 0
    expected = [(max(first, start), min(last, end)) for first, last in lost if first < end and last > start]
    assert named == [(instant(first), instant(last)) for first, last in expected if last - first > 1]
    # An end inside a bridged hole is interpolated; there the register says how much, and not the truth hour by hour.
    whole = _by_register(sorted(values), values, lost, start, end)
    assert counted == whole
    if start in values and end in values:
        told_apart = sum(truth[last] - truth[first] for first, last in expected)
        assert counted + told_apart * KWH == (truth[end] - truth[start]) * KWH


def _by_register(hours: list[int], values: dict[int, int], lost: list[tuple[int, int]], start: int, end: int) -> int:
    """Add up straight lines between neighbouring readings, but those across a new register [mWh]."""

    def height(at: int, one: int, other: int) -> int:
        return round(values[one] * KWH + Decimal((values[other] - values[one]) * KWH * (at - one)) / (other - one))

    return sum(
        height(min(other, end), one, other) - height(max(one, start), one, other)
        for one, other in pairwise(hours)
        if (one, other) not in lost and max(one, start) < min(other, end)
    )
