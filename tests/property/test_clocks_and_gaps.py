"""Quarter-hours around the world: days of 23 and 25 hours, leap days, both hemispheres; nothing is lost in any gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import accumulate, pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.community import Community
from core.communityfile import build
from core.time import Month, microseconds
from settlement import readingsfile
from settlement.intervals import of_all
from settlement.model import MeterReadings
from settlement.readings import boundaries, intervals

SECOND = 1_000_000
MINUTES = {"15min": 15, "30min": 30, "1h": 60}
PLACES = {
    "Europe/Brussels": ("50.85", "4.35"),
    "Europe/Lisbon": ("38.72", "-9.14"),
    "Australia/Sydney": ("-33.87", "151.21"),
    "Pacific/Auckland": ("-36.85", "174.76"),
}
"""North and south: in the south clocks go forward in September or October and back in April."""
CHANGES = {
    "Europe/Brussels": ("2026-03-29", "2026-10-25"),
    "Europe/Lisbon": ("2026-03-29", "2026-10-25"),
    "Australia/Sydney": ("2026-10-04", "2026-04-05"),
    "Pacific/Auckland": ("2026-09-27", "2026-04-05"),
}
"""The day of 23 hours and the day of 25 hours of 2026."""
LEAP = "2028-02-29"


@cache
def town(zone: str, interval: str = "15min", estimates: str = "linear") -> Community:
    """Two flats and a roof."""
    latitude, longitude = PLACES[zone]
    return build(
        {
            "community": "c",
            "name": "C",
            "timezone": zone,
            "settlement_interval": interval,
            "estimates": estimates,
            "location": {"latitude": latitude, "longitude": longitude},
            "owner": "owner",
            "flats": [{"id": "A"}, {"id": "B"}],
            "households": [],
            "meters": [
                {"id": "el-A", "measures": "electricity", "flat": "A", "unit": "kWh"},
                {"id": "el-B", "measures": "electricity", "flat": "B", "unit": "kWh"},
                {"id": "pv", "measures": "solar_generation", "unit": "kWh"},
            ],
            "sharing": [{"from": "2026-01-01", "key": "proportional"}],
            "tariffs": [{"from": "2026-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "0"}}],
        },
        "the case",
    ).community


def bounds_of_day(community: Community, day: str) -> list[int]:
    """Boundaries of one local day, found by asking of every quarter-hour of three days which local day it is."""
    step = timedelta(minutes=MINUTES[community.settlement_interval])
    first = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=1)
    inside = [
        first + index * step
        for index in range(3 * 24 * 60 // MINUTES[community.settlement_interval])
        if (first + index * step).astimezone(community.zone).date() == date.fromisoformat(day)
    ]
    return [microseconds(instant) for instant in [*inside, inside[-1] + step]]


FEWER = settings(max_examples=50)
"""Each example draws a zone and a day as well; all of them are met many times over."""
DAYS = [(zone, day) for zone, days in CHANGES.items() for day in (*days, LEAP)]


@pytest.mark.parametrize("interval", MINUTES)
@pytest.mark.parametrize("zone", PLACES)
def test_local_days_have_the_intervals_of_their_own_length(zone: str, interval: str) -> None:
    community = town(zone, interval)
    short, long = CHANGES[zone]
    for day, hours in ((short, 23), (long, 25), (LEAP, 24)):
        month = boundaries(community, Month.parse(day[:7]))
        days = Counter(datetime.fromtimestamp(at / SECOND, ZoneInfo(zone)).date() for at in month[:-1])
        per_hour = 60 // MINUTES[interval]
        assert days[date.fromisoformat(day)] == hours * per_hour
        assert {count for one, count in days.items() if str(one) != day} == {24 * per_hour}
        assert set(bounds_of_day(community, day)) <= set(month)


@st.composite
def registers(draw: st.DrawFn, start: int, end: int) -> MeterReadings:
    """A register read at odd seconds around a span, in whole watt-hours."""
    length = (end - start) // SECOND
    seconds = sorted(draw(st.sets(st.integers(-7200, length + 7200), min_size=2, max_size=50)))
    steps = draw(st.lists(st.integers(0, 5000), min_size=len(seconds), max_size=len(seconds)))
    levels = accumulate(steps, initial=draw(st.integers(0, 10**9)))
    return MeterReadings(
        "register",
        tuple(start + second * SECOND for second in seconds),
        tuple(Decimal(level) / 1000 for _, level in zip(seconds, levels, strict=False)),
    )


def level(known: MeterReadings, instant: int) -> int | None:
    """Register at an instant by a straight line between exact fractions, half-even to a milliwatt-hour."""
    for (start, low), (until, high) in pairwise(zip(known.times, map(Fraction, known.values), strict=True)):
        if start <= instant <= until:
            return round((low + (high - low) * Fraction(instant - start, until - start)) * 10**6)
    return None


def differences(levels: Sequence[int | None]) -> list[int | None]:
    return [None if a is None or b is None else b - a for a, b in pairwise(levels)]


@FEWER
@given(st.sampled_from(DAYS), st.sampled_from(sorted(MINUTES)), st.data())
def test_every_interval_of_an_odd_day_is_the_difference_of_its_boundaries(
    where: tuple[str, str], interval: str, data: st.DataObject
) -> None:
    zone, day = where
    community = town(zone, interval)
    bounds = bounds_of_day(community, day)
    known = data.draw(registers(bounds[0], bounds[-1]))
    series, _ = intervals(community, community.meters[0], known, bounds)
    assert list(series.energy) == differences([level(known, bound) for bound in bounds])


@FEWER
@given(st.sampled_from(DAYS), st.data())
def test_hours_are_their_quarters_and_halves_added_up(where: tuple[str, str], data: st.DataObject) -> None:
    zone, day = where
    bounds = bounds_of_day(town(zone, "1h"), day)
    known = data.draw(registers(bounds[0], bounds[-1]))
    found = {}
    for interval in MINUTES:
        community = town(zone, interval)
        found[interval] = intervals(community, community.meters[0], known, bounds_of_day(community, day))[0].energy
    for interval, parts in (("15min", 4), ("30min", 2)):
        for hour, whole in enumerate(found["1h"]):
            quarters = found[interval][hour * parts : (hour + 1) * parts]
            known_ones = [one for one in quarters if one is not None]
            if len(known_ones) == parts:
                assert whole == sum(known_ones)
            else:
                assert whole is None


@FEWER
@given(st.sampled_from(DAYS), st.data(), st.randoms(use_true_random=False))
def test_order_repetition_and_batches_do_not_matter(
    where: tuple[str, str], data: st.DataObject, random: Random
) -> None:
    """However rows are cut into files, shuffled and sent again, the same intervals come of them."""
    zone, day = where
    community = town(zone)
    bounds = bounds_of_day(community, day)
    known = data.draw(registers(bounds[0], bounds[-1]))
    header, *rows = readingsfile.text({"el-A": known}).splitlines()
    mixed = [*rows, *random.choices(rows, k=7)]
    random.shuffle(mixed)
    cuts = sorted(random.sample(range(len(mixed) + 1), k=2))
    arrived: dict[int, Decimal] = {}
    for batch in (mixed[: cuts[0]], mixed[cuts[0] : cuts[1]], mixed[cuts[1] :]):
        kind, parsed = readingsfile.parse([header, *batch], "a batch", community)
        for one in readingsfile.group(kind, parsed, "a batch").values():
            arrived |= zip(one.times, one.values, strict=True)
    times = tuple(sorted(arrived))
    again = MeterReadings("register", times, tuple(arrived[time] for time in times))
    meter = community.meters[0]
    assert intervals(community, meter, again, bounds) == intervals(community, meter, known, bounds)


BEFORE = 30 * 96
"""Quarter-hours of the thirty days before an odd day, which shapes are found from."""


@cache
def history(zone: str, day: str, seed: int) -> dict[str, MeterReadings]:
    """Thirty-three days of readings every quarter-hour around an odd day: two flats and a roof."""
    random = Random(seed)
    start = bounds_of_day(town(zone), day)[0] - BEFORE * 900 * SECOND
    known = {}
    for meter in ("el-A", "el-B", "pv"):
        hours = [0 if meter == "pv" and not 6 <= hour < 19 else random.randint(0, 900) for hour in range(24)]
        level, times, values = 10**6, [], []
        for index in range(33 * 96):
            at = start + index * 900 * SECOND
            times.append(at)
            values.append(Decimal(level) / 1000)
            level += hours[datetime.fromtimestamp(at / SECOND, ZoneInfo(zone)).hour] + random.randint(0, 40)
        known[meter] = MeterReadings("register", tuple(times), tuple(values))
    return known


@settings(max_examples=10)
@given(
    st.sampled_from(DAYS), st.sampled_from(["el-A", "pv"]), st.integers(-96, 60), st.integers(2, 150), st.integers(0, 1)
)
def test_a_shaped_gap_telescopes_to_the_register_whatever_its_shape(
    where: tuple[str, str], meter: str, begin: int, length: int, seed: int
) -> None:
    zone, day = where
    community = town(zone, "15min", "shaped")
    known = dict(history(zone, day, seed))
    whole = known[meter]
    first = BEFORE + begin
    kept = [index for index in range(len(whole.times)) if not first < index < first + length]
    known[meter] = MeterReadings("register", tuple(whole.times[i] for i in kept), tuple(whole.values[i] for i in kept))
    bounds = list(whole.times[BEFORE - 96 : BEFORE + 2 * 96 + 1])
    series = of_all(community, known, bounds)[0][meter]
    truth = of_all(town(zone), {meter: whole}, bounds)[0][meter]
    assert None not in series.energy
    assert all(value >= 0 for value in series.energy if value is not None)
    low, high = max(0, begin + 96), min(len(series.energy), begin + 96 + length)
    for index in (*range(low), *range(high, len(series.energy))):
        assert (series.energy[index], series.quality[index]) == (truth.energy[index], "measured")
    if begin >= -96 and high == begin + 96 + length:
        assert series.known(low, high) == truth.known(low, high)
        assert series.known() == truth.known()
