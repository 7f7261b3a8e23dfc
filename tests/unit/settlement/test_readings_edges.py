"""Readings around the edges of a month and of each rule: what is still told of, and from where to where."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from core.community import Community, Meter
from core.communityfile import build
from core.time import Month, microseconds
from settlement.model import Finding, MeterReadings
from settlement.readings import between, intervals, known_until, register_gaps, uncounted
from settlement.shape import Shape

HOUR = 3_600_000_000
MINUTE = HOUR // 60


def town() -> Community:
    return build(
        {
            "community": "c",
            "name": "C",
            "timezone": "UTC",
            "settlement_interval": "1h",
            "owner": "owner",
            "flats": [{"id": "A", "floor_area_m2": "60"}],
            "households": [],
            "meters": [
                {"id": "el", "measures": "electricity", "flat": "A", "unit": "kWh"},
                {"id": "stairs", "measures": "electricity", "common": "true", "unit": "kWh"},
            ],
            "sharing": [{"from": "2026-01-01", "key": "proportional"}],
            "tariffs": [{"from": "2026-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "0"}}],
        },
        "the case",
    ).community


TOWN = town()
EL, STAIRS = TOWN.meters
START = microseconds(Month(2026, 1).bounds(TOWN.zone)[0])
BOUNDS = [START + hour * HOUR for hour in range(9)]
"""Eight hours; what lies before and after them is another month here."""


def register(values: Mapping[float, str]) -> MeterReadings:
    """Readings by hour."""
    times = tuple(START + round(hour * HOUR) for hour in sorted(values))
    return MeterReadings("register", times, tuple(Decimal(values[hour]) for hour in sorted(values)))


def told(known: MeterReadings | None, meter: Meter = EL) -> list[Finding]:
    return intervals(TOWN, meter, known, BOUNDS)[1]


# ---- what is found


def test_a_meter_without_readings_is_told_of_over_the_whole_month_with_its_flat_if_it_has_one() -> None:
    whole = (BOUNDS[0], BOUNDS[8])
    assert told(None) == [Finding("no-readings", "Meter el (flat A) has no readings in this month.", "el", *whole)]
    assert told(None, STAIRS) == [
        Finding("no-readings", "Meter stairs has no readings in this month.", "stairs", *whole)
    ]


@pytest.mark.parametrize(
    ("hour", "here"), [(-2, False), (-1, False), (0, True), (1, True), (4, True), (8, True), (9, True), (10, False)]
)
def test_a_reset_is_told_of_in_a_month_that_its_last_good_or_its_first_odd_reading_touches(
    hour: int, here: bool
) -> None:
    values = {float(at): str(1000 + at if at < hour else 10 + at) for at in range(-6, 15)}
    found = [(one.code, one.start, one.until) for one in told(register(values)) if one.code == "register-fell"]
    assert found == ([("register-fell", START + (hour - 1) * HOUR, START + hour * HOUR)] if here else [])


@pytest.mark.parametrize(("minute", "once"), [(121, True), (122, False)])
def test_resets_at_most_an_hour_after_each_other_are_said_once_with_how_often(minute: int, once: bool) -> None:
    """The first was seen at minute 61."""
    odd = {0: "500", 60: "501", 61: "1", minute: "2", minute + 1: "0", 480: "1"}
    found = [one for one in told(register({at / 60: value for at, value in odd.items()})) if "fell" in one.code]
    said = "Meter el (flat A) counts lower than before: it was reset or replaced without a note"
    spans = [((one.start or 0) - START, (one.until or 0) - START) for one in found]
    if once:
        assert [one.text for one in found] == [f"{said} (2 times)."]
        assert spans == [(60 * MINUTE, 122 * MINUTE)]
    else:
        assert [one.text for one in found] == [f"{said}."] * 2
        assert spans == [(60 * MINUTE, 61 * MINUTE), (122 * MINUTE, 123 * MINUTE)]


# ---- how far a month is known


@pytest.mark.parametrize(
    ("newest", "hour"),
    [(-30 * MINUTE, 0), (0, 0), (HOUR - 1, 0), (HOUR, 1), (5 * HOUR + 1, 5), (8 * HOUR, 8), (11 * HOUR, 8)],
)
def test_a_month_is_known_up_to_the_last_boundary_that_a_reading_reaches(newest: int, hour: int) -> None:
    times = (START - 3 * HOUR, START - 2 * HOUR, START - HOUR, START + newest)
    known = {"el": MeterReadings("register", times, (Decimal(1),) * 4)}
    assert known_until(known, BOUNDS) == BOUNDS[hour]


def test_a_quantity_reaches_to_the_end_of_its_interval_and_the_meter_that_reaches_furthest_counts() -> None:
    quantities = MeterReadings("interval", tuple(BOUNDS[:4]), (Decimal(1),) * 4)
    assert known_until({"el": quantities}, BOUNDS) == BOUNDS[4]
    assert known_until({"el": quantities, "stairs": register({0: "1", 6: "2"})}, BOUNDS) == BOUNDS[6]
    assert known_until({"stairs": register({0: "1", 3: "2"}), "el": quantities}, BOUNDS) == BOUNDS[4]
    assert known_until({}, BOUNDS) == BOUNDS[8]


# ---- gaps


@pytest.mark.parametrize(
    ("start", "until", "here"),
    [(-4, -1, False), (-3, 0, False), (-2, 1, True), (2, 5, True), (7, 10, True), (8, 11, False), (9, 12, False)],
)
def test_a_gap_is_of_the_months_in_which_any_of_it_lies(start: int, until: int, here: bool) -> None:
    known = register({hour: str(100 + hour) for hour in range(-6, 15) if not start < hour < until})
    found = register_gaps(TOWN, EL, known, BOUNDS)
    assert found == ([(START + start * HOUR, START + until * HOUR)] if here else [])


def test_half_as_long_again_as_the_usual_distance_is_no_gap_and_any_more_is() -> None:
    def gaps(late: int) -> list[tuple[int, int]]:
        times = (START, START + HOUR, START + 2 * HOUR, START + 7 * HOUR // 2 + late, START + 9 * HOUR // 2)
        known = MeterReadings("register", times, tuple(Decimal(at) for at in range(5)))
        return register_gaps(TOWN, EL, known, BOUNDS)

    assert gaps(0) == []
    assert gaps(1) == [(START + 2 * HOUR, START + 7 * HOUR // 2 + 1)]


def test_of_a_meter_without_readings_nothing_is_counted_however_short_the_time() -> None:
    assert uncounted(TOWN, EL, None, START, START + 1) == [(START, START + 1)]
    assert uncounted(TOWN, EL, None, START, START) == []


def test_a_gap_right_after_the_first_reading_is_shaped_like_any_other() -> None:
    def early(meter: Meter, start: int, until: int) -> Shape:
        assert (meter, start, until) == (EL, BOUNDS[0], BOUNDS[8])
        return Shape("by day", BOUNDS, (3, 1, 0, 0, 0, 0, 0, 0))

    series, _ = intervals(TOWN, EL, register({0: "10", 8: "18"}), BOUNDS, early)
    assert list(series.energy) == [6_000_000, 2_000_000, 0, 0, 0, 0, 0, 0]
    assert set(series.method) == {"by day"}


# ---- between two readings


def test_what_lies_next_to_a_reading_by_hand_is_by_hand_on_either_side_and_no_further() -> None:
    """Read at every half past; at half past two by a person, who so had a say at two and at three o'clock."""
    plain = register({half + 0.5: str(100 + half) for half in range(-1, 9)})
    known = MeterReadings("register", plain.times, plain.values, frozenset({START + 5 * HOUR // 2}))
    series, _ = intervals(TOWN, EL, known, BOUNDS)
    assert list(series.quality) == ["measured", "edited", "edited", "edited", *["measured"] * 4]


@pytest.mark.parametrize(
    ("low", "high", "middle"),
    [(0, 1, 0), (1, 2, 2), (2, 3, 2), (3, 4, 4), (0, 3, 2), (1, 4, 2), (-1, 0, 0), (-2, -1, -2)],
)
def test_a_half_on_a_straight_line_goes_to_the_even_register(low: int, high: int, middle: int) -> None:
    assert between((0, low), (2, high), 1) == middle
