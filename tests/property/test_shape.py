"""A gap spread by weights: met exactly, never negative, equal to fractions rounded half-even."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from settlement.shape import Shape

STEP = 900


@st.composite
def gaps(draw):
    weights = draw(st.lists(st.integers(0, 10**9), min_size=1, max_size=60))
    grid = [STEP * index for index in range(len(weights) + 1)]
    start = draw(st.integers(0, grid[-1] - 1))
    until = draw(st.integers(start + 1, grid[-1]))
    low = draw(st.integers(0, 10**12))
    return weights, grid, (start, low), (until, low + draw(st.integers(0, 10**10)))


def exact(weights, grid, start, until, instant):
    def up_to(at):
        return sum(weight * Fraction(min(max(at - grid[index], 0), STEP), STEP) for index, weight in enumerate(weights))

    share = (up_to(instant) - up_to(start[0])) / (up_to(until[0]) - up_to(start[0]))
    return round(start[1] + (until[1] - start[1]) * share)


@given(gaps(), st.lists(st.integers(0, 60 * STEP), max_size=20))
def test_values_within_a_gap_rise_from_one_reading_to_the_other(case, instants):
    weights, grid, start, until = case
    shape = Shape("x", grid, weights)
    assume(shape.covers(start[0], until[0]))
    inside = sorted({start[0], until[0], *(at for at in instants if start[0] <= at <= until[0])})
    values = [shape.value(start, until, at) for at in inside]
    assert values == [exact(weights, grid, start, until, at) for at in inside]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (start[1], until[1])


@given(gaps())
def test_a_shape_covers_a_gap_only_where_it_has_weight(case):
    weights, grid, start, until = case
    touched = [weight for at, weight in zip(grid, weights, strict=False) if at < until[0] and at + STEP > start[0]]
    assert Shape("x", grid, weights).covers(start[0], until[0]) == any(touched)
    assert not Shape("x", grid, weights).covers(start[0], grid[-1] + 1)
