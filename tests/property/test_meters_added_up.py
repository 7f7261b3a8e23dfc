"""Several meters of one flat or of one roof are one amount: whole numbers of any size, missing where one is missing."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from settlement.model import WORST_FIRST, Quality, Series
from settlement.sun import total, worst

SIZE = 4
amounts = st.one_of(st.none(), st.just(0), st.integers(0, 10**9), st.integers(2**60, 2**62), st.integers(2**62, 2**70))
columns = st.lists(st.lists(amounts, min_size=SIZE, max_size=SIZE), max_size=4)


def series(energy: list[int | None], quality: list[Quality]) -> Series:
    return Series.of("a meter", energy, quality, [None] * len(energy))


@given(columns)
@example([[0, 0, None, 1], [0, 5, 7, None]])
@example([[2**62 - 1, 0, 0, 0], [2**62 - 1, 1, None, 0], [2**62 - 1, 0, 0, 3]])  # together more than 63 bits
@example([[2**64, 0, None, 5], [1, 0, 3, None]])
def test_meters_add_up_interval_by_interval(rows: list[list[int | None]]) -> None:
    found = list(total([series(row, ["measured"] * SIZE) for row in rows], SIZE))
    for place, amount in enumerate(found):
        held = [row[place] for row in rows]
        known = [value for value in held if value is not None]
        assert amount == (sum(known) if held and len(known) == len(held) else None)


@given(st.lists(st.lists(st.sampled_from(WORST_FIRST), min_size=SIZE, max_size=SIZE), max_size=4))
def test_the_worst_of_several_qualities_counts(rows: list[list[Quality]]) -> None:
    found = worst([series([0] * SIZE, row) for row in rows], SIZE)
    order = ["missing", "estimated", "edited", "validated", "measured"]
    told = [min((row[place] for row in rows), key=order.index, default="missing") for place in range(SIZE)]
    assert list(found) == told
