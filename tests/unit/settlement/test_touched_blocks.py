"""Which intervals new readings touch, and which meters are worked in together; by hand, on intervals of ten."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.derived.touched import Block, Span, blocks, ranges

BOUNDS = range(1000, 1101, 10)
"""Ten intervals of ten microseconds."""


@pytest.mark.parametrize(
    ("first", "last", "touched"),
    [
        (1000, 1010, (0, 1)),
        (1009, 1011, (0, 2)),
        (1010, 1020, (1, 2)),
        (1019, 1030, (1, 3)),
        (1090, 1100, (9, 10)),
        (400, 1001, (0, 1)),
        (1099, 9000, (9, 10)),
        (400, 9000, (0, 10)),
    ],
)
def test_a_span_touches_the_intervals_it_is_partly_in_and_none_outside(first, last, touched) -> None:
    assert ranges([Span("el-A", first, last)], BOUNDS) == {"el-A": [touched]}


@pytest.mark.parametrize(("first", "last"), [(400, 900), (400, 1000), (1100, 1200), (1150, 1200), (1030, 1030)])
def test_a_span_outside_or_a_single_boundary_touches_nothing(first, last) -> None:
    assert ranges([Span("el-A", first, last)], BOUNDS) == {}


def test_spans_that_overlap_or_meet_are_one_range_of_their_meter_in_whatever_order_they_came() -> None:
    spans = [
        Span("el-A", 1000, 1060),  # holds the next
        Span("el-A", 1010, 1030),
        Span("el-A", 1060, 1070),  # meets the first
        Span("el-A", 1080, 1090),  # an interval apart
        Span("el-B", 1020, 1030),
    ]
    for order in permutations(spans):
        assert ranges(order, BOUNDS) == {"el-A": [(0, 7), (8, 9)], "el-B": [(2, 3)]}


@given(st.lists(st.builds(Span, st.sampled_from(("a", "b")), st.integers(950, 1150), st.integers(0, 60))))
def test_an_interval_is_in_a_range_exactly_where_some_span_has_a_part_of_it(lengths: list[Span]) -> None:
    """An instant strictly inside an interval is a part of it: what was read then may have changed."""
    spans = [Span(meter, first, first + length) for meter, first, length in lengths]
    found = ranges(spans, BOUNDS)
    for meter in ("a", "b"):
        touched = {
            place
            for place, start in enumerate(BOUNDS[:-1])
            for span in spans
            if span.meter == meter and span.first < start + 10 and span.last > start
        }
        pieces = found.get(meter, [])
        assert [place for first, end in pieces for place in range(first, end)] == sorted(touched)
        assert all(end < first for (_, end), (first, _) in pairwise(pieces))


def gathered(*pieces: tuple[str, int, int]) -> list[Block]:
    """Blocks of these ranges; the same in whatever order the ranges came."""
    orders = []
    for order in permutations(pieces):
        touched: dict[str, list[tuple[int, int]]] = {}
        for meter, first, end in order:
            touched.setdefault(meter, []).append((first, end))
        orders.append(blocks(touched))
    assert all(found == orders[0] for found in orders)
    return orders[0]


def test_ranges_of_about_one_length_that_overlap_or_meet_are_worked_in_together() -> None:
    assert gathered(("A", 0, 4), ("B", 3, 8), ("C", 8, 12)) == [Block(("A", "B", "C"), 0, 12)]
    assert gathered(("A", 0, 4), ("B", 5, 9)) == [Block(("A",), 0, 4), Block(("B",), 5, 9)]


def test_the_one_that_ends_last_tells_who_still_overlaps_and_where_the_block_ends() -> None:
    assert gathered(("A", 0, 7), ("B", 1, 5), ("C", 6, 10)) == [Block(("A", "B", "C"), 0, 10)]
    assert gathered(("A", 0, 7), ("B", 1, 5)) == [Block(("A", "B"), 0, 7)]
    assert gathered(("A", 2, 9), ("B", 3, 7), ("C", 10, 14)) == [Block(("A", "B"), 2, 9), Block(("C",), 10, 14)]


def test_a_meter_that_was_away_for_long_does_not_have_others_read_that_far_back() -> None:
    """Lengths that need as many binary digits are about the same: 4 to 7 are, 3 and 8 are not. The short come first."""
    assert gathered(("A", 0, 700), ("B", 695, 699), ("C", 696, 703)) == [
        Block(("B", "C"), 695, 703),
        Block(("A",), 0, 700),
    ]
    assert gathered(("A", 0, 3), ("B", 0, 8), ("C", 0, 4), ("D", 0, 7)) == [
        Block(("A",), 0, 3),
        Block(("C", "D"), 0, 7),
        Block(("B",), 0, 8),
    ]


def test_a_block_is_no_longer_than_four_times_the_power_of_two_above_its_ranges() -> None:
    """Ranges of 4 to 7 intervals, each overlapping the next: 4 x 8 intervals are a block, from wherever it begins."""
    chain = [
        ("ABCDE"[place], 100 + 7 * place - 2 * (place == 4), 107 + 7 * place - 3 * (place == 4)) for place in range(5)
    ]
    assert gathered(*chain) == [Block(("A", "B", "C", "D", "E"), 100, 132)]
    longer = [*chain[:4], ("E", 127, 133)]
    assert gathered(*longer) == [Block(("A", "B", "C", "D"), 100, 128), Block(("E",), 127, 133)]


def test_what_would_stretch_a_block_too_far_begins_another_and_gathers_what_overlaps_it() -> None:
    chain = {"A": [(0, 7)], "B": [(7, 14)], "C": [(14, 21)], "D": [(21, 27)], "E": [(26, 33)], "F": [(33, 37)]}
    assert blocks(chain) == [Block(("A", "B", "C", "D"), 0, 27), Block(("E", "F"), 26, 37)]


def test_a_meter_is_named_once_in_a_block() -> None:
    assert gathered(("A", 0, 4), ("B", 4, 8), ("A", 8, 12)) == [Block(("A", "B"), 0, 12)]
