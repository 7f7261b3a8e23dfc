"""Intervals by columns are those of the exact way, number for number, or there are none."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import event, example, given
from hypothesis import strategies as st

from core.community import Community
from core.communityfile import build
from core.time import Month
from core.units import ENERGY_UNITS, UNITS, to_core
from settlement.derived import columns
from settlement.derived.columns import NUMERIC_WORDS
from settlement.derived.store import LABELS
from settlement.derived.touched import Span, blocks, ranges
from settlement.model import MeterReadings
from settlement.readings import boundaries, intervals, normal_spacing

SECOND = 1_000_000
INTERVALS = {"15min": 15, "30min": 30, "1h": 60}
MONTHS = st.sampled_from([Month(2026, 1), Month(2026, 3), Month(2026, 10)])


def numeric(value: Decimal) -> bytes:
    """Make PostgreSQL's binary form of a number, as its documentation describes it, filled up with zeros."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    whole, part = "".join(map(str, digits)).rjust(1 - exponent, "0"), ""
    if exponent < 0:
        whole, part = whole[:exponent], whole[exponent:]
    else:
        whole += "0" * exponent
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    part = part.ljust(-(-len(part) // 4) * 4, "0")
    text = whole + part
    groups = [int(text[place : place + 4]) for place in range(0, len(text), 4)]
    weight = len(whole) // 4 - 1
    while groups and groups[0] == 0:
        groups.pop(0)
        weight -= 1
    while groups and groups[-1] == 0:
        groups.pop()
    words = [len(groups), weight if groups else 0, 0x4000 if sign and groups else 0, max(0, -exponent), *groups]
    return np.array(words, dtype=">i2").tobytes().ljust(2 * NUMERIC_WORDS, b"\0")[: 2 * NUMERIC_WORDS]


def town(unit: str, interval: str, digits: int | None, every: str | None) -> Community:
    meter = {"id": "el", "measures": "electricity", "flat": "A01", "unit": unit}
    extra = {name: str(value) for name, value in (("digits", digits), ("every", every)) if value}
    return build(
        {
            "community": "c",
            "name": "C",
            "timezone": "Europe/Amsterdam",
            "settlement_interval": interval,
            "owner": "owner",
            "flats": [{"id": "A01"}],
            "households": [],
            "meters": [meter | extra],
            "sharing": [{"from": "2026-01-01", "key": "proportional"}],
            "tariffs": [{"from": "2026-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "0"}}],
        },
        "the case",
    ).community


@st.composite
def cases(draw):
    """A register over up to three days around a month's edge or a change of clocks; it may dip, reset or roll over."""
    unit = draw(st.sampled_from(sorted(ENERGY_UNITS)))
    community = town(
        unit,
        draw(st.sampled_from(sorted(INTERVALS))),
        draw(st.sampled_from([None, 4, 6])),
        draw(st.sampled_from([None, "1min", "1h", "6h"])),
    )
    bounds = boundaries(community, draw(MONTHS))
    first = draw(st.integers(0, len(bounds) - 10))
    bounds = bounds[first : first + draw(st.integers(2, 288))]
    inside = st.integers(-7200, (bounds[-1] - bounds[0]) // SECOND + 7200)
    seconds = draw(st.sets(st.one_of(inside, inside.map(lambda at: at // 900 * 900)), max_size=50))
    far = draw(st.sets(st.integers(-40 * 86400, 40 * 86400), max_size=2))
    fine = draw(st.sampled_from([0, 0, 1, 999_999]))
    times = sorted({bounds[0] + second * SECOND + fine * (second % 2) for second in seconds | far})
    places = draw(st.integers(0, 9))
    level = draw(st.integers(0, 10 ** draw(st.sampled_from([3, 6, 12, 16]))))
    most = 10 ** draw(st.sampled_from([0, 3, 6, 12]))
    fall = draw(st.sampled_from([0, 0, 0, 1, 20]))
    values = []
    for _ in times:
        level = max(0, level + draw(st.integers(-min(most, 10**6) if draw(st.integers(1, 100)) <= fall else 0, most)))
        values.append(Decimal(level).scaleb(-places))
    return community, bounds, times, values


def by_columns(community, bounds, times, values):
    meter = community.meters[0]
    raw = columns.numbers(b"".join(map(numeric, values)))
    core = None if raw is None else columns.in_core(raw, meter.unit)
    if core is None:
        return None
    grid, at = np.array(bounds, dtype=np.int64), np.array(times, dtype=np.int64)
    return columns.of_register(at, core, grid, normal_spacing(community, meter))


@given(cases())
def test_columns_give_what_the_exact_way_gives(case):
    community, bounds, times, values = case
    found = by_columns(community, bounds, times, values)
    event("by columns" if found is not None else "left to the exact way")
    if found is None:
        return
    series, _ = intervals(community, community.meters[0], MeterReadings("register", times, values), bounds)
    energy = [None if value < 0 else value for value in found.energy.tolist()]
    assert energy == list(series.energy)
    labels = [LABELS[label] for label in found.label.tolist()]
    assert labels == list(zip(series.quality, series.method, strict=True))


@given(cases())
def test_only_what_falls_or_does_not_fit_is_left_to_the_exact_way(case):
    community, bounds, times, values = case
    cores = [to_core(value, community.meters[0].unit) for value in values]
    falls = any(later < earlier for earlier, later in pairwise(cores))
    fine = all(value == round(value, 8) for value in values)
    small = all(value < 10**8 for value in values)
    if fine and small:
        assert (by_columns(community, bounds, times, values) is None) == falls


@given(st.decimals(0, 10**13, places=9), st.sampled_from(sorted(UNITS)))
@example(Decimal("0.00000001"), "Wh")
@example(Decimal("0.00005"), "kWh")
@example(Decimal("0.0000000018"), "GJ")
@example(Decimal("39999999999.99999999"), "kWh")
@example(Decimal(40000000000), "kWh")
@example(Decimal("0E+3"), "kWh")
@example(Decimal("1E+5"), "kWh")
def test_a_number_is_converted_exactly_or_not_at_all(value, unit):
    raw = columns.numbers(numeric(value))
    if raw is None:
        assert value >= 4 * 10**10 or value != round(value, 8)
        return
    assert raw.tolist() == [int(Fraction(value) * 10**8)]
    core = columns.in_core(raw, unit)
    assert core is None or core.tolist() == [to_core(value, unit)]


def test_what_is_no_number_that_a_meter_shows_is_refused():
    assert columns.numbers(numeric(Decimal(-1))) is None
    nan = np.array([0, 0, -0x4000, 0], dtype=">i2").tobytes().ljust(2 * NUMERIC_WORDS, b"\0")
    assert columns.numbers(nan) is None


def test_what_may_not_fit_after_conversion_is_left_to_the_exact_way():
    """A megajoule is 2,500,000 / 9 mWh, so that 10^-8 of it are 1 / 360 mWh and those of a gigajoule 25 / 9."""
    most = 2**62 // 25
    assert columns.in_core(np.array([0, most]), "GJ") is None
    (zero, found) = columns.in_core(np.array([0, most - 1]), "GJ").tolist()
    assert (zero, found) == (0, to_core(Decimal(most - 1).scaleb(-8), "GJ"))
    assert columns.in_core(np.array([], dtype=np.int64), "GJ").tolist() == []


STEP = timedelta(minutes=15) // timedelta(microseconds=1)
GRID = [index * STEP for index in range(2977)]


@given(
    st.lists(
        st.builds(
            lambda meter, first, length: Span(meter, first, first + length),
            st.sampled_from("abcdef"),
            st.integers(-10 * STEP, 2990 * STEP),
            st.one_of(st.integers(0, 3 * STEP), st.integers(0, 400 * STEP)),
        ),
        max_size=30,
    )
)
def test_blocks_hold_every_touched_interval_and_a_short_range_reads_little_of_other_meters(spans):
    touched = ranges(spans, GRID)
    for meter, pieces in touched.items():
        wanted = {
            index
            for span in spans
            for index in range(2976)
            if span.meter == meter and GRID[index] < span.last and GRID[index + 1] > span.first
        }
        assert wanted == {index for first, end in pieces for index in range(first, end)}
    found = blocks(touched)
    for meter, pieces in touched.items():
        for first, end in pieces:
            fitting = [block for block in found if meter in block.meters and block.first <= first and end <= block.end]
            assert fitting
            assert min(block.end - block.first for block in fitting) < 8 * (end - first)
