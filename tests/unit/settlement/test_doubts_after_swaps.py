"""What is odd about a meter that was swapped is named and shown by its own dial, not by the count over both meters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.time import from_microseconds, microseconds, rfc3339
from settlement.model import MeterReadings
from settlement.watch.doubts import doubts
from tests.support.watchtown import town

MINUTE = 60_000_000
START = microseconds(datetime(2026, 1, 10, 23, tzinfo=UTC))
SWAP = {"meter": "m", "at": rfc3339(from_microseconds(START)), "old_end": "5000", "new_start": "40"}
"""A meter that showed 5000 gave way to one that began at 40."""


def told(odd: Mapping[int, str], last: int = 300) -> list[tuple[str, float, float, str, str]]:
    """Doubts about the new meter, by minutes: six watt-hours a minute, at some minutes something else."""
    values = {minute: Decimal(40) + Decimal("0.006") * minute for minute in range(1, last)}
    values = {-1: Decimal("4999.994")} | values | {minute: Decimal(value) for minute, value in odd.items()}
    times = tuple(START + minute * MINUTE for minute in sorted(values))
    known = MeterReadings("register", times, tuple(values[minute] for minute in sorted(values)))
    community = town(SWAP, max_kw="1")
    found = doubts(community, community.meters[0], known)
    return [
        (one.code, (one.since - START) / MINUTE, (one.until - START) / MINUTE, one.before, one.after) for one in found
    ]


def test_a_swap_that_was_declared_is_not_doubted() -> None:
    assert told({}) == []


def test_a_zero_for_one_reading_is_a_zero_and_something_else_a_dip() -> None:
    assert told({100: "0"}) == [("register-zero", 100, 100, "40.594", "0")]
    assert told({100: "3"}) == [("register-dipped", 100, 100, "40.594", "3")]


def test_a_spike_is_shown_with_the_value_before_it() -> None:
    assert told({100: "900"}) == [("register-spiked", 100, 100, "40.594", "900")]
    # In another unit for one reading.
    assert told({100: "40600"}) == [("unit-slipped", 100, 100, "40.594", "40600")]
    assert told({100: "0.0406"}) == [("unit-slipped", 100, 100, "40.594", "0.0406")]


@pytest.mark.parametrize(("value", "code"), [("0", "register-strayed"), ("900", "register-strayed"),
                                             ("0.0406", "unit-slipped"), ("40600", "unit-slipped")])  # fmt: skip
def test_what_is_away_for_hours_is_shown_as_the_new_dial_showed_it(value: str, code: str) -> None:
    assert told(dict.fromkeys(range(100, 200), value)) == [(code, 100, 199, "40.594", value)]


def test_a_reset_of_the_new_meter_is_a_reset() -> None:
    assert told(dict.fromkeys(range(100, 300), "0.000")) == [("register-reset", 99, 100, "40.594", "0.000")]
    assert told(dict.fromkeys(range(100, 300), "20.000")) == [("register-fell", 99, 100, "40.594", "20.000")]


def test_a_jump_of_the_new_meter_may_be_another_unit() -> None:
    assert told(dict.fromkeys(range(100, 300), "60.000")) == [("register-jumped", 99, 100, "40.594", "60.000")]
    assert told(dict.fromkeys(range(100, 300), "40600.000")) == [("unit-slipped", 99, 100, "40.594", "40600.000")]


def test_what_the_new_meter_shows_wrongly_at_first_has_strayed_from_where_the_old_one_ended() -> None:
    """A kWh too much for its first ten minutes: only the named connection tells, and it is back where it should be."""
    values = {minute: str(41 + Decimal("0.006") * minute) for minute in range(1, 11)}
    assert told(values) == [("register-strayed", 1, 10, "5000", "41.006")]
