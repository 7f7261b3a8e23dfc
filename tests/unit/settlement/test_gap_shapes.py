"""A gap spread by weights, by hand: what an instant within it is given, and which way a half goes."""

from __future__ import annotations

import pytest

from settlement.shape import Shape


@pytest.mark.parametrize(("instant", "value"), [(0, 0), (450, 50), (900, 100), (1350, 250), (1800, 400)])
def test_weights_count_from_the_very_beginning_of_the_first_interval(instant: int, value: int) -> None:
    assert Shape("x", [0, 900, 1800], [1, 3]).value((0, 0), (1800, 400), instant) == value


@pytest.mark.parametrize(
    ("low", "high", "value"),
    [
        (0, 1, 0),  # 0.5
        (1, 2, 2),  # 1.5
        (2, 3, 2),  # 2.5
        (0, 3, 2),  # 1.5
        (1, 4, 2),  # 2.5: what counts is the register, not how much it rose
        (2, 7, 4),  # 4.5
    ],
)
def test_a_half_goes_to_the_even_register(low: int, high: int, value: int) -> None:
    assert Shape("x", [0, 900, 1800], [1, 1]).value((0, low), (1800, high), 900) == value


@pytest.mark.parametrize(("high", "value"), [(1, 0), (2, 1), (4, 1), (5, 2)])
def test_what_is_no_half_goes_to_the_nearest(high: int, value: int) -> None:
    """A third of 1, 2, 4 and 5."""
    assert Shape("x", [0, 900, 1800], [1, 2]).value((0, 0), (1800, high), 900) == value
