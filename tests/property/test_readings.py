"""From register to intervals: nothing is lost between them, whatever times a meter happened to be read at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.community import Community
from core.communityfile import build
from core.time import Month, from_microseconds, rfc3339
from core.units import UNITS, decimal_text, to_core
from settlement import readingsfile
from settlement.model import MeterReadings, Series
from settlement.readings import boundaries, intervals

MONTH = Month(2026, 1)
SECOND = 1_000_000
QUARTER = 900 * SECOND


def town(unit: str = "kWh", *, digits: str | None = None, swap: dict[str, str] | None = None) -> Community:
    meter = {"id": "el", "measures": "electricity", "flat": "A01", "unit": unit}
    return build(
        {
            "community": "c",
            "name": "C",
            "timezone": "Europe/Amsterdam",
            "owner": "owner",
            "flats": [{"id": "A01"}],
            "households": [],
            "meters": [meter | ({"digits": digits} if digits else {})],
            "replacements": [swap] if swap else [],
            "sharing": [{"from": "2026-01-01", "key": "proportional"}],
            "tariffs": [{"from": "2026-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "0"}}],
        },
        "the case",
    ).community


PLAIN = town()
START = boundaries(PLAIN, MONTH)[0]
BOUNDS = boundaries(PLAIN, MONTH)[: 4 * 24 + 1]
"""The first day of the month."""


def of_day(community: Community, known: MeterReadings) -> Series:
    return intervals(community, community.meters[0], known, BOUNDS)[0]


@st.composite
def registers(draw: st.DrawFn, /, *, pinned: bool = False) -> MeterReadings:
    """A register read at odd seconds from two hours before the day to two hours after it, in whole watt-hours.

    ``pinned`` adds a reading at the very start and at the very end of the day.
    """
    odd = draw(st.sets(st.integers(-7200, 26 * 3600), min_size=2, max_size=60))
    seconds = sorted(odd | {0, 24 * 3600} if pinned else odd)
    level = draw(st.integers(0, 10**9))
    values = []
    for step in draw(st.lists(st.integers(0, 5000), min_size=len(seconds), max_size=len(seconds))):
        level += step
        values.append(Decimal(level) / 1000)
    return MeterReadings("register", tuple(START + second * SECOND for second in seconds), tuple(values))


def at(known: MeterReadings, instant: int) -> int | None:
    """Register at an instant by a straight line, half-even to a milliwatt-hour; the oracle."""
    if not known.times[0] <= instant <= known.times[-1]:
        return None
    index = bisect_right(known.times, instant) - 1
    value = Fraction(known.values[index])
    if known.times[index] < instant:
        slope = (Fraction(known.values[index + 1]) - value) / (known.times[index + 1] - known.times[index])
        value += slope * (instant - known.times[index])
    return round(value * 10**6)


@given(registers())
def test_every_interval_is_the_difference_of_its_interpolated_boundaries(known: MeterReadings) -> None:
    levels = [at(known, bound) for bound in BOUNDS]
    expected = [None if a is None or b is None else b - a for a, b in pairwise(levels)]
    assert list(of_day(PLAIN, known).energy) == expected


@given(registers())
def test_intervals_telescope_to_the_register_and_are_never_negative(known: MeterReadings) -> None:
    series = of_day(PLAIN, known)
    measured = [value for value in series.energy if value is not None]
    levels = [level for level in (at(known, bound) for bound in BOUNDS) if level is not None]
    assert sum(measured) == (levels[-1] - levels[0] if levels else 0)
    assert all(value >= 0 for value in measured)
    for value, quality in zip(series.energy, series.quality, strict=True):
        assert (value is None) == (quality == "missing")


@given(registers(pinned=True), st.randoms(use_true_random=False))
def test_readings_left_out_in_between_change_no_total(known: MeterReadings, random: Random) -> None:
    ends = (BOUNDS[0], BOUNDS[-1])
    kept = [index for index, time in enumerate(known.times) if time in ends or random.random() < 0.5]
    fewer = MeterReadings("register", tuple(known.times[i] for i in kept), tuple(known.values[i] for i in kept))
    all_day, thinned = of_day(PLAIN, known), of_day(PLAIN, fewer)
    assert None not in all_day.energy
    assert None not in thinned.energy
    assert all_day.known() == thinned.known()


@given(registers(), st.lists(st.tuples(st.integers(0, 59), st.integers(-4000, 4000)), max_size=8))
def test_no_interval_is_negative_however_a_register_misbehaves(
    known: MeterReadings, noise: list[tuple[int, int]]
) -> None:
    values = list(known.values)
    for index, kwh in noise:
        values[index % len(values)] = max(Decimal(0), values[index % len(values)] + kwh)
    series = of_day(PLAIN, MeterReadings("register", known.times, tuple(values)))
    assert all(value is None or value >= 0 for value in series.energy)
    assert len(series.energy) == len(BOUNDS) - 1


@given(registers(), st.integers(4, 6))
def test_a_register_that_rolls_over_counts_on(known: MeterReadings, digits: int) -> None:
    turn = Decimal(10) ** digits
    start = turn - Decimal("20.5")  # a day of at most 300 kWh passes the last digit once
    rising = [value - known.values[0] + start for value in known.values]
    wrapped = MeterReadings("register", known.times, tuple(value % turn for value in rising))
    unrolled = of_day(PLAIN, MeterReadings("register", known.times, tuple(rising)))
    assert of_day(town(digits=str(digits)), wrapped).energy == unrolled.energy


@given(registers(), st.data())
def test_a_replaced_meter_counts_on(known: MeterReadings, data: st.DataObject) -> None:
    index = data.draw(st.integers(1, len(known.times) - 1))
    old_end, moment = known.values[index - 1], (known.times[index - 1] + known.times[index]) // 2 // SECOND * SECOND
    if moment <= known.times[index - 1]:
        return
    swap = {
        "meter": "el",
        "at": rfc3339(from_microseconds(moment)),
        "old_end": format(old_end, "f"),
        "new_start": "3.250",
    }
    old, new = known.values[:index], known.values[index:]
    shown = (*old, *(value - old_end + Decimal("3.250") for value in new))
    # The same register without a swap: it stood still until the moment of the swap, then counted on.
    times = (*known.times[:index], moment, *known.times[index:])
    whole = MeterReadings("register", times, (*old, old_end, *new))
    found = of_day(town(swap=swap), MeterReadings("register", known.times, shown))
    assert found.energy == of_day(PLAIN, whole).energy


@given(st.decimals(0, 10**9, places=6), st.sampled_from(sorted(UNITS)))
@example(Decimal("0.0000005"), "kWh")
@example(Decimal("0.0000015"), "kWh")
@example(Decimal("0.0000000018"), "GJ")
@example(Decimal("0.0000000054"), "GJ")
def test_units_convert_half_even(value: Decimal, unit: str) -> None:
    factor = {
        "Wh": Fraction(1000),
        "kWh": Fraction(10**6),
        "MWh": Fraction(10**9),
        "MJ": Fraction(10**6 * 10, 36),
        "GJ": Fraction(10**9 * 10, 36),
    }.get(unit, Fraction(10**6))
    exact = Fraction(value) * factor
    found = to_core(value, unit)
    assert abs(found - exact) <= Fraction(1, 2)
    assert abs(found - exact) < Fraction(1, 2) or found % 2 == 0


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=40).map(sorted))
def test_a_register_in_gigajoules_telescopes_without_drift(microjoule: list[int]) -> None:
    times = tuple(START + index * QUARTER for index in range(len(microjoule)))
    values = tuple(Decimal(value).scaleb(-6) for value in microjoule)
    series = of_day(town("GJ"), MeterReadings("register", times, values))
    total = sum(value for value in series.energy if value is not None)
    exact = (Fraction(values[-1]) - Fraction(values[0])) * Fraction(10**10, 36)
    assert abs(total - exact) <= 1  # half a milliwatt-hour at either end, however many intervals lie between


@given(registers(), st.randoms(use_true_random=False))
def test_order_and_repetition_of_rows_do_not_matter(known: MeterReadings, random: Random) -> None:
    rows = readingsfile.text({"el": known}).splitlines()
    mixed = [*rows[1:], *random.choices(rows[1:], k=5)]
    random.shuffle(mixed)
    kind, parsed = readingsfile.parse([rows[0], *mixed], "mixed.csv", PLAIN)
    found = readingsfile.group(kind, parsed, "mixed.csv")["el"]
    assert (found.kind, list(found.times), list(found.values)) == ("register", list(known.times), list(known.values))


@given(st.dictionaries(st.integers(0, 95), st.integers(0, 10**9), min_size=1))
def test_given_quantities_stay_as_they_are_and_only_short_gaps_are_bridged(day: dict[int, int]) -> None:
    slots = sorted(day)
    known = MeterReadings(
        "interval", tuple(BOUNDS[slot] for slot in slots), tuple(Decimal(decimal_text(day[slot])) for slot in slots)
    )
    series = of_day(PLAIN, known)
    for slot in range(96):
        if slot in day:
            assert (series.energy[slot], series.quality[slot]) == (day[slot], "measured")
            continue
        left = max((s for s in slots if s < slot), default=None)
        right = min((s for s in slots if s > slot), default=None)
        assert series.energy[slot] == bridged(day, left, slot, right)


def bridged(day: dict[int, int], left: int | None, slot: int, right: int | None) -> int | None:
    """A straight line over a gap of at most eight quarter-hours, else nothing."""
    if left is None or right is None or right - left - 1 > 8:
        return None
    return round(day[left] + Fraction((day[right] - day[left]) * (slot - left), right - left))


def test_qualities_say_how_far_apart_the_readings_were() -> None:
    def qualities(minutes: Sequence[float]) -> set[str]:
        times = tuple(START + int(minute * 60) * SECOND for minute in minutes)
        values = tuple(Decimal(minute) for minute in minutes)
        return set(of_day(PLAIN, MeterReadings("register", times, values)).quality)

    assert qualities(range(0, 24 * 60 + 1, 15)) == {"measured"}
    assert qualities([number * 22.5 for number in range(65)]) == {"measured"}  # one and a half times the interval
    assert "estimated" in qualities([number * 22.75 for number in range(65)])
    assert "estimated" in qualities([*range(0, 600, 15), *range(660, 24 * 60 + 1, 15)])
    assert qualities([0, 24 * 60]) == {"estimated"}


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_never_converted(value: str) -> None:
    with pytest.raises(TypeError, match="is not a number"):
        to_core(Decimal(value), "kWh")
