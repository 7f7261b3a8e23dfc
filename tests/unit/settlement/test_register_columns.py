"""Columns of registers at their edges, by hand: the largest number that is read, gaps, halves, falls."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from settlement.derived.columns import ESTIMATED, MEASURED, MISSING, in_core, numbers, of_register

MINUTE = 60_000_000


def sent(*words: int) -> bytes:
    """A number as the database sends it, filled up to ten words."""
    return struct.pack(">10h", *words, *[0] * (10 - len(words)))


def column(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def listed(found: np.ndarray | None) -> list[int] | None:
    return None if found is None else found.tolist()


def test_each_number_is_twenty_bytes_and_has_eight_decimals() -> None:
    # 12 3456.7800 and 0.00000001, and zero, which has no digits.
    data = sent(3, 1, 0, 2, 12, 3456, 7800) + sent(1, -2, 0, 8, 1) + sent(0, 0, 0, 0)
    assert listed(numbers(data)) == [12_345_678_000_000, 1, 0]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ((5, 2, 0, 8, 399, 9999, 9999, 9999, 9999), 4 * 10**18 - 1),
        ((1, 2, 0, 0, 400), None),
        ((1, 2, 0, 0, 399), 399 * 10**16),
        ((1, 3, 0, 0, 1), None),
        ((1, 1, 0, 0, 9999), 9999 * 10**12),
        ((2, -1, 0, 8, 1, 2), 10_002),
        ((3, -1, 0, 12, 1, 2, 3), None),  # twelve decimals
        ((7, 2, 0, 16, 1, 1, 1, 1, 1, 1, 1), None),
        ((1, 0, 0x4000, 0, 1), None),  # below zero
        ((0, 0, -0x4000, 0), None),  # no number
    ],
)
def test_what_does_not_fit_is_left_to_the_exact_way(words: tuple[int, ...], value: int | None) -> None:
    assert listed(numbers(sent(*words[:10]))) == (None if value is None else [value])


@pytest.mark.parametrize(("tenths", "mwh"), [(5, 0), (15, 2), (25, 2), (35, 4), (4, 0), (6, 1)])
def test_a_half_of_a_milliwatt_hour_goes_to_the_even_one(tenths: int, mwh: int) -> None:
    """Ten hundred-millionths of a kWh are a tenth of a milliwatt-hour."""
    assert listed(in_core(column(tenths * 10), "kWh")) == [mwh]


def test_a_half_on_the_line_between_two_readings_goes_to_the_even_register() -> None:
    for low, high, middle in ((0, 1, 0), (1, 2, 2), (2, 3, 2), (1, 4, 2), (3, 4, 4)):
        found = of_register(column(0, 30 * MINUTE), column(low, high), column(0, 15 * MINUTE, 30 * MINUTE), MINUTE)
        assert found is not None
        assert list(found.energy) == [middle - low, high - middle]


def test_a_gap_is_more_than_half_as_much_again_as_the_usual_distance() -> None:
    bounds = column(0, 15 * MINUTE, 30 * MINUTE)
    for spacing, label in ((20, MEASURED), (19, ESTIMATED)):
        found = of_register(column(0, 30 * MINUTE), column(0, 10), bounds, spacing * MINUTE)
        assert found is not None
        assert list(found.label) == [label, label]


def test_nothing_is_known_outside_the_readings() -> None:
    bounds = column(*(15 * MINUTE * place for place in range(6)))
    found = of_register(column(15 * MINUTE, 30 * MINUTE, 45 * MINUTE), column(4, 5, 7), bounds, 15 * MINUTE)
    assert found is not None
    assert list(found.energy) == [-1, 1, 2, -1, -1]
    assert list(found.label) == [MISSING, MEASURED, MEASURED, MISSING, MISSING]
    nothing = of_register(column(), column(), bounds, 15 * MINUTE)
    assert nothing is not None
    assert list(nothing.energy) == [-1] * 5
    assert list(nothing.label) == [MISSING] * 5


def test_a_register_that_falls_anywhere_is_left_to_the_exact_way() -> None:
    times, bounds = column(0, MINUTE, 2 * MINUTE), column(0, 2 * MINUTE)
    assert of_register(times, column(5, 9, 7), bounds, MINUTE) is None
    assert of_register(times, column(5, 4, 9), bounds, MINUTE) is None
    assert of_register(times, column(5, 5, 5), bounds, MINUTE) is not None
