"""How a gap in a register is bridged: the building's own measurements shape it, and the register is met exactly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.community import Community
from core.communityfile import build
from core.time import Month, microseconds
from settlement.estimates import Estimator
from settlement.intervals import of_all, spans_needed
from settlement.model import MeterReadings, Series
from settlement.selection import canonical

ZONE = ZoneInfo("Europe/Amsterdam")
QUARTER = timedelta(minutes=15)
KWH = 10**6


def town(zone: str = "Europe/Amsterdam", *, place: bool = True, estimates: str = "shaped", **extra: Any) -> Community:
    meters = [
        {"id": "pv", "measures": "solar_generation", "unit": "kWh"},
        {"id": "el-A", "measures": "electricity", "flat": "A", "unit": "kWh"},
        {"id": "el-B", "measures": "electricity", "flat": "B", "unit": "kWh"},
    ]
    tree: dict[str, Any] = {
        "community": "c",
        "name": "C",
        "timezone": zone,
        "owner": "owner",
        "estimates": estimates,
        "flats": [{"id": "A"}, {"id": "B"}],
        "households": [],
        "meters": meters,
        "sharing": [{"from": "2026-01-01", "key": "proportional"}],
        "tariffs": [{"from": "2026-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "0"}}],
    }
    if place:
        tree["location"] = {"latitude": "53.2", "longitude": "5.8"}
    return build(tree | extra, "the case").community


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def register(
    first: datetime, days: int, watts: Callable[[datetime], int], *gaps: tuple[datetime, datetime]
) -> MeterReadings:
    """Readings every quarter-hour of something that draws so many watts; none strictly inside a gap."""
    times, values, level = [], [], 1000 * 4000
    for step in range(days * 96 + 1):
        at = microseconds(first) + step * 900_000_000
        moment = first.astimezone(ZoneInfo("UTC")) + step * QUARTER
        if not any(start < moment < until for start, until in gaps):
            times.append(at)
            values.append(Decimal(level) / 4000)
        level += watts(moment.astimezone(ZONE))
    return MeterReadings("register", tuple(times), tuple(values))


def evening(moment: datetime) -> int:
    """A home that is busy in the evening, more so at the weekend."""
    base = 200 if moment.weekday() < 5 else 350
    return base + (1600 if 17 <= moment.hour < 22 else 0)


def day_shift(moment: datetime) -> int:
    return 1500 if 9 <= moment.hour < 16 else 100


def bounds_of(first: datetime, days: int) -> list[int]:
    start = microseconds(first)
    return list(range(start, start + days * 86_400_000_000 + 1, 900_000_000))


def energies(community: Community, known: dict[str, MeterReadings], bounds: list[int]) -> dict[str, Series]:
    return of_all(community, known, bounds)[0]


FIRST = local("2026-02-02T00:00")
GAP = (local("2026-03-03T06:00"), local("2026-03-06T06:00"))
BOUNDS = bounds_of(local("2026-03-01T00:00"), 14)


def off(series: Series, whole: Series) -> int:
    return sum(abs((a or 0) - (b or 0)) for a, b in zip(series.energy, whole.energy, strict=True))


def test_three_days_take_the_profile_of_their_weekdays_and_meet_the_register():
    community = town()
    whole = {"el-A": register(FIRST, 50, evening)}
    true = energies(community, whole, BOUNDS)["el-A"]
    found = energies(community, {"el-A": register(FIRST, 50, evening, GAP)}, BOUNDS)["el-A"]
    assert found.known() == true.known()
    assert set(found.method) == {None, "weekday-profile"}
    assert off(found, true) == 0
    straight = energies(town(estimates="linear"), {"el-A": register(FIRST, 50, evening, GAP)}, BOUNDS)["el-A"]
    assert straight.known() == true.known()
    assert off(straight, true) > 20 * KWH


def test_neighbours_shape_the_gap_where_they_came_nearer_before_it():
    """Both flats do the same at random hours, which no weekday tells but the neighbour does."""
    community = town()

    def together(moment: datetime) -> int:
        return 2500 if (moment.hour * 7 + moment.timetuple().tm_yday * 5) % 24 < 4 else 100

    known = {"el-A": register(FIRST, 50, together, GAP), "el-B": register(FIRST, 50, together)}
    true = energies(community, {"el-A": register(FIRST, 50, together)}, BOUNDS)["el-A"]
    found = energies(community, known, BOUNDS)["el-A"]
    assert set(found.method) == {None, "neighbours"}
    assert off(found, true) == 0


def test_a_weekday_that_tells_more_than_the_neighbours_is_preferred():
    known = {"el-A": register(FIRST, 50, evening, GAP), "el-B": register(FIRST, 50, day_shift)}
    assert set(energies(town(), known, BOUNDS)["el-A"].method) == {None, "weekday-profile"}


def test_days_that_hold_estimates_are_no_days_to_compare_with():
    """The three Tuesdays before the gap each have a gap of their own; the one before them is whole."""
    broken = [(local(f"2026-02-{day}T10:00"), local(f"2026-02-{day}T12:00")) for day in ("10", "17", "24")]
    odd = (local("2026-03-03T14:00"), local("2026-03-03T20:00"))

    def uses(moment: datetime) -> int:
        return 3000 if moment.date() == local("2026-02-10T00:00").date() else evening(moment)

    found = energies(town(), {"el-A": register(FIRST, 50, uses, *broken, odd)}, BOUNDS)["el-A"]
    true = energies(town(), {"el-A": register(FIRST, 50, uses)}, BOUNDS)["el-A"]
    assert off(found, true) == 0


def test_two_hours_are_a_straight_line():
    gap = (local("2026-03-03T17:00"), local("2026-03-03T19:00"))
    found = energies(town(), {"el-A": register(FIRST, 50, evening, gap)}, BOUNDS)["el-A"]
    assert set(found.method) == {None, "linear"}


def sun(moment: datetime) -> int:
    """Panels from eight to six."""
    return max(0, 4000 - 160 * (2 * moment.hour - 26) ** 2 // 4) if 8 <= moment.hour < 18 else 0


@pytest.mark.parametrize("place", [True, False])
def test_the_sun_is_never_estimated_at_night(place):
    gap = (local("2026-03-03T16:00"), local("2026-03-04T11:00"))
    known = {"pv": register(FIRST, 50, sun, gap)}
    found = energies(town(place=place), known, BOUNDS)["pv"]
    true = energies(town(place=place), {"pv": register(FIRST, 50, sun)}, BOUNDS)["pv"]
    assert found.known() == true.known()
    assert set(found.method) == {None, "clear-sky" if place else "last-days"}
    night = [index for index, at in enumerate(BOUNDS[:-1]) if local("2026-03-03T19:00") <= moment(at) < DAWN]
    assert {found.energy[index] for index in night} == {0}
    assert {found.quality[index] for index in night} == {"estimated"}


DAWN = local("2026-03-04T06:00")


def moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 10**6, ZONE)


def test_a_short_gap_of_the_sun_is_straight_by_day_and_shaped_across_sunset():
    noon = (local("2026-03-03T12:00"), local("2026-03-03T13:30"))
    dusk = (local("2026-03-04T17:30"), local("2026-03-04T19:00"))
    found = energies(town(), {"pv": register(FIRST, 50, sun, noon, dusk)}, BOUNDS)["pv"]
    assert {found.method[index] for index, at in enumerate(BOUNDS[:-1]) if moment(at).day == 3} == {None, "linear"}
    assert {found.method[index] for index, at in enumerate(BOUNDS[:-1]) if moment(at).day == 4} == {None, "clear-sky"}


def test_a_measured_value_at_night_stays_as_it_was_measured():
    found = energies(town(), {"pv": register(FIRST, 50, lambda _moment: 100)}, BOUNDS)["pv"]
    assert set(found.quality) == {"measured"}
    assert set(found.energy) == {100 * KWH // 4000}


def test_a_meter_that_is_always_read_once_a_day_has_no_gaps():
    times = tuple(microseconds(FIRST) + day * 86_400_000_000 for day in range(50))
    known = {"el-A": MeterReadings("register", times, tuple(Decimal(day) for day in range(50)))}
    assert spans_needed(town(), known, BOUNDS) == {}
    assert set(energies(town(), known, BOUNDS)["el-A"].method) == {"linear"}


def test_nothing_to_go_by_is_a_straight_line():
    known = {"el-A": register(GAP[0] - timedelta(hours=12), 5, evening, GAP)}
    found = energies(town(), known, BOUNDS)["el-A"]
    assert set(found.method) == {None, "linear"}


def test_an_estimate_does_not_depend_on_the_month_that_is_settled():
    """A gap over the turn of a month: each month finds its own part of one and the same estimate."""
    gap = (local("2026-02-26T09:00"), local("2026-03-03T06:00"))
    known = {"el-A": register(local("2026-01-20T00:00"), 60, evening, gap)}
    before = bounds_of(local("2026-02-01T00:00"), 28)
    after = bounds_of(local("2026-03-01T00:00"), 14)
    both = bounds_of(local("2026-02-01T00:00"), 42)
    parts = [energies(town(), known, bounds)["el-A"].energy for bounds in (before, after)]
    assert (*parts[0], *parts[1]) == energies(town(), known, both)["el-A"].energy


def test_an_estimate_does_not_depend_on_other_gaps_of_the_month_that_is_settled():
    """February holds an earlier gap, so more is read for it; the day it could then compare with would decide otherwise.

    On the Wednesday before the gap, the profile and the neighbour are tried. By the Wednesdays within four weeks the
    profile comes nearer; by one before them, which was like no other, it would not.
    """
    begin, odd = local("2026-01-01T00:00"), local("2026-01-28T00:00").date()

    def own(moment: datetime) -> int:
        return (40_000 if moment.hour == 3 else 0) if moment.date() == odd else evening(moment)

    def other(moment: datetime) -> int:
        return 900 if moment.hour == 12 else evening(moment)

    gap = (local("2026-02-26T09:00"), local("2026-03-03T06:00"))
    early = (local("2026-02-05T09:00"), local("2026-02-05T15:00"))
    wednesday = (local("2026-02-18T10:00"), local("2026-02-18T12:00"))  # so that the fourth before would count
    known = {"el-A": register(begin, 80, own, early, wednesday, gap), "el-B": register(begin, 80, other)}
    months = [bounds_of(local("2026-02-01T00:00"), 28), bounds_of(local("2026-03-01T00:00"), 14)]
    found = [energies(town(), known, bounds)["el-A"] for bounds in months]
    true = energies(town(), {"el-A": register(begin, 80, own)}, bounds_of(local("2026-02-01T00:00"), 42))["el-A"]
    assert sum(one.known() for one in found) == true.known()
    assert found[1].method[0] == found[0].method[-1] == "weekday-profile"


def test_when_clocks_change_the_profile_follows_the_local_hour():
    first, bounds = (
        local("2026-02-20T00:00"),
        list(range(microseconds(local("2026-03-29T00:00")), microseconds(local("2026-03-30T00:00")) + 1, 900_000_000)),
    )
    assert len(bounds) == 93
    gap = (local("2026-03-28T20:00"), local("2026-03-29T22:00"))
    true = energies(town(), {"el-A": register(first, 45, evening)}, bounds)["el-A"]
    found = energies(town(), {"el-A": register(first, 45, evening, gap)}, bounds)["el-A"]
    assert off(found, true) == 0


@pytest.mark.parametrize("broken", ["el-A", "el-B"])
def test_the_two_ways_are_tried_on_the_nearest_day_that_both_can_tell(broken):
    """On Monday the weekday would have won, but one of the meters has a gap of its own then: Sunday decides."""
    community = town()

    def together(moment: datetime) -> int:
        return 2500 if (moment.hour * 7 + moment.timetuple().tm_yday * 5) % 24 < 4 else 100

    def flat(moment: datetime) -> int:
        return evening(moment) if moment.weekday() == 0 else together(moment)

    def other(moment: datetime) -> int:
        return day_shift(moment) if moment.weekday() == 0 else together(moment)

    monday = (local("2026-03-02T03:00"), local("2026-03-02T05:00"))
    gaps = {"el-A": [GAP], "el-B": []}
    gaps[broken] = [monday, *gaps[broken]]
    known = {"el-A": register(FIRST, 50, flat, *gaps["el-A"]), "el-B": register(FIRST, 50, other, *gaps["el-B"])}
    found = energies(community, known, BOUNDS)["el-A"]
    tuesday = BOUNDS.index(microseconds(GAP[0]))
    assert found.method[tuesday] == "neighbours"
    whole = {"el-A": register(FIRST, 50, flat, GAP), "el-B": register(FIRST, 50, other)}
    assert energies(community, whole, BOUNDS)["el-A"].method[tuesday] == "weekday-profile"


def test_neighbours_that_were_never_measured_before_do_not_displace_the_own_profile():
    """The neighbour's meter is new: nothing says how near it would have come."""
    known = {"el-A": register(FIRST, 50, evening, GAP), "el-B": register(local("2026-03-03T00:00"), 5, evening)}
    assert set(energies(town(), known, BOUNDS)["el-A"].method) == {None, "weekday-profile"}


def test_the_suns_own_past_is_not_known_on_a_first_day_without_a_place():
    gap = (local("2026-03-03T12:00"), local("2026-03-03T15:00"))
    known = {"pv": register(local("2026-03-03T08:00"), 2, sun, gap)}
    found = energies(town(place=False), known, BOUNDS)["pv"]
    assert set(found.method) == {None, "linear"}
    assert found.known() == energies(town(estimates="linear"), known, BOUNDS)["pv"].known()


@pytest.mark.parametrize(("hours", "shaped"), [(2, False), (3, True)])
def test_an_estimator_leaves_up_to_two_hours_to_a_straight_line(hours, shaped):
    community, grid = town(), bounds_of(local("2026-02-02T00:00"), 30)
    whole = energies(community, {"el-A": register(FIRST, 50, evening)}, grid)
    start = local("2026-03-03T17:00")
    until = start + timedelta(hours=hours)
    shape = Estimator(community, grid, whole).shape(community.meters[1], microseconds(start), microseconds(until))
    assert (shape is not None) is shaped


def test_where_clocks_move_half_an_hour_a_gap_may_end_before_the_first_hour_of_its_day():
    """Hours counted from before the change begin at half past: none begins on the new day before the gap's end."""
    zone = ZoneInfo("Australia/Lord_Howe")
    first, start, until = (
        datetime.fromisoformat(text).replace(tzinfo=zone)
        for text in ("2026-03-01T00:00", "2026-04-08T06:00", "2026-04-09T00:15")
    )
    community = town("Australia/Lord_Howe", settlement_interval="1h")
    begin = microseconds(datetime.fromisoformat("2026-04-08T00:00").replace(tzinfo=zone))
    bounds = list(range(begin, begin + 48 * 3_600_000_000 + 1, 3_600_000_000))
    found = energies(community, {"el-A": register(first, 45, lambda _moment: 400, (start, until))}, bounds)["el-A"]
    assert found.quality.counts()["estimated"] == 19  # from six o'clock into the hour after midnight
    assert set(found.energy) == {400_000}  # 0.4 kWh in every hour


def test_the_way_of_estimating_goes_into_the_hash_only_where_it_is_not_a_straight_line():
    """Where the sun rises decides nothing then either."""

    def line(**how: Any) -> str:
        return next(iter(canonical(town(**how), Month(2026, 3), {})))

    assert '"estimates":"shaped"' in line()
    assert '"location":{"altitude_m":"0","latitude":"53.2","longitude":"5.8"}' in line()
    assert '"location":null' in line(place=False)
    assert line(estimates="linear") == line(estimates="linear", place=False)
    assert '"estimates"' not in line(estimates="linear")
