"""The tree of a seal: how wide it is, and that nothing is hidden by a salt that can be guessed."""

from __future__ import annotations

import pytest

from settlement.seal.commitments import LEAST_LEAVES, salt_of, width


@pytest.mark.parametrize(
    ("entries", "leaves"),
    [
        (0, LEAST_LEAVES),
        (1, LEAST_LEAVES),
        (LEAST_LEAVES, LEAST_LEAVES),
        (LEAST_LEAVES + 1, 2 * LEAST_LEAVES),
        (2 * LEAST_LEAVES, 2 * LEAST_LEAVES),
        (2 * LEAST_LEAVES + 1, 4 * LEAST_LEAVES),
    ],
)
def test_a_tree_is_the_next_power_of_two_wide_so_that_it_does_not_count_the_flats(entries: int, leaves: int) -> None:
    assert width(entries) == leaves


def test_a_salt_of_sixteen_bytes_hides_and_a_shorter_one_is_refused() -> None:
    assert salt_of(lambda _: b"s" * 16, "A01") == b"s" * 16
    with pytest.raises(ValueError, match="the salt of 'A01' has 15 bytes; at least 16 random bytes are needed"):
        salt_of(lambda _: b"s" * 15, "A01")
