"""What is odd about readings is found in its place, nothing else is, and how the readings came does not matter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.community import Community
from core.db.connection import Connection, connect
from core.time import from_microseconds, microseconds
from settlement.model import MeterReadings
from settlement.watch.doubts import CONTEXT, Doubt, doubts
from settlement.watch.look import look
from tests.support import watchtown
from tests.support.postgres import clone
from tests.support.watchtown import NOW, town

SECOND = 1_000_000
START = microseconds(datetime(2026, 1, 10, 23, tzinfo=UTC))
PLAIN = town(digits="6")
KW = 17.25
"""What a flat's connection carries."""


@st.composite
def clean(draw: st.DrawFn, /, *, most_kw: float = KW) -> list[tuple[int, int]]:
    """A register read at odd seconds, in whole watt-hours, never faster than its connection carries."""
    time, level = START, draw(st.integers(7_000_000, 700_000_000))
    rows = [(time, level)]
    gaps = draw(st.lists(st.integers(1, 4 * 3600), min_size=12, max_size=50))
    for gap, load in zip(gaps, draw(st.lists(st.floats(0, 1), min_size=len(gaps), max_size=len(gaps))), strict=True):
        time += gap * SECOND
        level += int(load * most_kw * 1000 * gap / 3600)
        rows.append((time, level))
    return rows


def judged(rows: list[tuple[int, int]], community: Community = PLAIN, swapped: tuple[int, ...] = ()) -> list[Doubt]:
    known = MeterReadings("register", [time for time, _ in rows], [Decimal(value) / 1000 for _, value in rows])
    return doubts(community, community.meters[0], known, swapped)


@given(clean())
def test_a_clean_register_is_never_doubted(rows: list[tuple[int, int]]) -> None:
    assert judged(rows) == []


@given(clean(), st.data())
def test_a_zero_for_one_poll_is_that_and_nothing_else(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    place = data.draw(st.integers(2, len(rows) - 1))
    after = rows[place][0]
    zero = after - data.draw(st.integers(1, min(3600, (after - rows[place - 1][0]) // SECOND))) * SECOND
    rows = [*(row for row in rows[:place] if row[0] < zero), (zero, 0), *rows[place:]]
    assert [(one.code, one.since, one.until, one.explained) for one in judged(rows)] == [
        ("register-zero", zero, zero, True)
    ]


@given(clean(), st.data())
def test_a_reading_that_is_too_high_is_a_spike_and_nothing_else(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    place = data.draw(st.integers(2, len(rows) - 2))
    rows[place] = (rows[place][0], rows[place][1] + data.draw(st.integers(200_000, 900_000)))
    found = judged(rows)
    assert [(one.code, one.since, one.until, one.explained) for one in found] == [
        ("register-spiked", rows[place][0], rows[place][0], True)
    ]


@given(clean(), st.data())
def test_a_reset_is_one_fall_where_it_was(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    place = data.draw(st.integers(2, len(rows) - 1))
    rows = [*rows[:place], *((time, value - rows[place][1]) for time, value in rows[place:])]
    if rows[place - 1][1] >= 750_000_000:
        return  # the last quarter of six digits: a roll-over
    assert [(one.code, one.since, one.until, one.explained) for one in judged(rows)] == [
        ("register-reset", rows[place - 1][0], rows[place][0], False)
    ]


@given(clean(), st.data())
def test_a_roll_over_is_one_where_it_was(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    turn = 10**9
    place = data.draw(st.integers(1, len(rows) - 1))
    shift = turn - rows[place][1]
    rolled = [(time, (value + shift) % turn) for time, value in rows]
    found = judged(rolled)
    if rows[place - 1][1] == rows[place][1]:  # it stood on the last digit: rolled over earlier, or not seen at all
        assert {one.code for one in found} <= {"register-rolled-over"}
        return
    assert [(one.code, one.since, one.until, one.explained) for one in found] == [
        ("register-rolled-over", rows[place - 1][0], rows[place][0], True)
    ]


@given(clean(), st.integers(1_000_000, 50_000_000), st.data())
def test_a_jump_is_one_where_it_was(rows: list[tuple[int, int]], height: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(rows) - 1))
    if abs(rows[place][1] + height - 1000 * rows[place - 1][1]) * 50 <= 1000 * rows[place - 1][1]:
        return  # a thousand times the value: another unit
    rows = [*rows[:place], *((time, value + height) for time, value in rows[place:])]
    assert [(one.code, one.since, one.until, one.explained) for one in judged(rows)] == [
        ("register-jumped", rows[place - 1][0], rows[place][0], False)
    ]


@given(clean(), st.data())
def test_a_slip_to_megawatt_hours_is_another_unit_where_it_was(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    # A register of megawatt-hours moves by whole kilowatt-hours, and its first hours may hide a thousandth of them.
    place = data.draw(st.integers(2, len(rows) - 1))
    rows = [*rows[:place], *((time, value // 1000) for time, value in rows[place:])]
    (one,) = judged(rows)
    assert (one.code, one.since, one.until) == ("unit-slipped", rows[place - 1][0], rows[place][0])


@given(clean(), st.sampled_from([-1, 1]), st.data())
def test_a_swap_that_the_serial_number_tells_is_one_where_it_was(
    rows: list[tuple[int, int]], direction: int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(2, len(rows) - 1))
    height = direction * 1_500_000
    rows = [*rows[:place], *((time, value + height) for time, value in rows[place:])]
    found = judged(rows, town(), (rows[place][0],))
    assert [(one.code, one.since, one.until) for one in found] == [
        ("meter-replaced", rows[place - 1][0], rows[place][0])
    ]


@given(st.lists(st.integers(1200, 6000), min_size=5, max_size=40), st.data())
def test_a_level_is_doubted_only_where_it_slips(levels: list[int], data: st.DataObject) -> None:
    silo = town(measures="pellet_stock", unit="kg")
    times = [START + 3600 * SECOND * hour for hour in range(len(levels))]
    known = MeterReadings("register", times, [Decimal(level) for level in levels])
    assert doubts(silo, silo.meters[0], known) == []
    place = data.draw(st.integers(1, len(levels) - 1))
    levels[place] = levels[place - 1]
    slipped = [Decimal(level) if i < place else Decimal(level) / 1000 for i, level in enumerate(levels)]
    found = doubts(silo, silo.meters[0], MeterReadings("register", times, slipped))
    assert [(one.code, one.since, one.until) for one in found] == [("unit-slipped", times[place - 1], times[place])]


@given(clean(), st.data())
def test_what_is_said_of_an_instant_depends_on_two_days_around_it(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    place = data.draw(st.integers(2, len(rows) - 1))
    rows = [*rows[:place], *((time, value - 1_900_000) for time, value in rows[place:])]
    whole = judged(rows)
    near = [row for row in rows if abs(row[0] - rows[place][0]) <= CONTEXT + CONTEXT]
    assert [one for one in judged(near) if one.since == rows[place - 1][0]] == whole


# ---- through the database


@pytest.fixture(scope="module")
def connection(server_url: str, template_name: str) -> Iterator[Connection]:
    with clone(server_url, template_name) as url, connect(url, autocommit=True) as opened:
        yield opened


NUMBERS = count()
SPOILS = ("none", "zero", "away", "reset", "jump", "spike", "slip", "offline")


def spoilt(rows: list[tuple[int, int]], how: str, place: int) -> list[tuple[int, int]]:
    before, after = rows[:place], rows[place:]
    match how:
        case "zero":
            return [*before, (after[0][0], 0), *after[1:]]
        case "away":
            return [*before, *((time, 0) for time, _ in after[:3]), *after[3:]]
        case "reset":
            return [*before, *((time, value - after[0][1]) for time, value in after)]
        case "jump":
            return [*before, *((time, value + 1_000_000) for time, value in after)]
        case "spike":
            return [*before, (after[0][0], after[0][1] + 3_000_000), *after[1:]]
        case "slip":
            return [*before, *((time, value // 1000) for time, value in after)]
        case "offline":
            return [*before, *((time + 12 * 86_400 * SECOND, value) for time, value in after)]
    return rows


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(clean(most_kw=4), st.sampled_from(SPOILS), st.data(), st.randoms(use_true_random=False))
def test_order_repetition_and_batches_of_readings_do_not_matter(
    connection: Connection, rows: list[tuple[int, int]], how: str, data: st.DataObject, random: Random
) -> None:
    rows = spoilt(rows, how, data.draw(st.integers(2, len(rows) - 6)))
    shift = microseconds(NOW - timedelta(days=14)) - rows[0][0]
    readings = [("el-A01", from_microseconds(time + shift), Decimal(value) / 1000) for time, value in rows]
    said = []
    for mixed in (False, True):
        slug = f"c-{next(NUMBERS)}"
        watchtown.make(connection, slug)
        left = list(readings)
        if mixed:
            left += random.choices(readings, k=5)
            random.shuffle(left)
        while left:
            size = random.randint(1, 12) if mixed else len(left)
            watchtown.insert(connection, slug, left[:size])
            left = left[size:]
            look(connection, slug, NOW)
        found = watchtown.everything(connection, slug)
        said.append(
            (
                {(one.code, one.since, one.until, *one.facts.items()) for one in found if one.closed_at is None},
                {(one.code, one.since, one.until, *one.facts.items()) for one in found if one.closed_at is not None},
            )
        )
    (still_open, closed), (open_mixed, closed_mixed) = said
    assert open_mixed == still_open
    assert closed <= closed_mixed
