"""The sun of a month lands in its own interval, under the rule of its own day, whatever its size."""

from __future__ import annotations

from datetime import date

import pytest

from core.community import Community
from core.communityfile import build
from core.time import microseconds, midnight
from settlement.model import Quality
from settlement.sun import Sun, between, share
from settlement.tariffs import stretches_between
from tests.support.pricehouse import tree

FIRST, END = date(2026, 1, 1), date(2026, 1, 5)
HOURS = 4 * 24
HOUR = 3_600_000_000  # [microseconds]


def town() -> Community:
    """Two flats by the hour; from the third day on F1 has three quarters of the sun, before that a half."""
    rules = [
        {"from": "2025-01-01", "key": "fixed", "weights": {"F1": "1", "F2": "1"}},
        {"from": "2026-01-03", "key": "fixed", "weights": {"F1": "3", "F2": "1"}},
    ]
    return build(tree(2, settlement_interval="1h", sharing=rules), "the town").community


def bounds() -> range:
    start = microseconds(midnight(FIRST, town().zone))
    return range(start, start + HOURS * HOUR + 1, HOUR)


def shared(sun: dict[int, int], use: int) -> Sun:
    """Divide what the sun gives in a few hours; both flats use the same in all of them."""
    here, quality = town(), dict.fromkeys(("F1", "F2"), ["measured"] * HOURS)
    kinds: dict[str, list[Quality]] = {name: ["measured"] * HOURS for name in quality}
    used: dict[str, list[int | None]] = {name: [use] * HOURS for name in quality}
    generated = [sun.get(hour, 0) for hour in range(HOURS)]
    return share(here, stretches_between(here, FIRST, END), bounds(), generated, used, kinds)


@pytest.mark.parametrize("size", [1, 2**63])
def test_every_hour_of_sun_is_divided_in_its_own_place_by_the_rule_of_its_day(size: int) -> None:
    hours = {0: 400 * size, 13: 40 * size, 47: 8 * size, 48: 80 * size, 90: 4 * size, 95: 800 * size}
    found = shared(hours, use=1000 * size)
    first, second = list(found.shared["F1"]), list(found.shared["F2"])
    for hour in range(HOURS):
        sun = hours.get(hour, 0)
        part = sun // 2 if hour < 48 else sun * 3 // 4
        assert (first[hour], second[hour], found.surplus[hour]) == (part, sun - part, 0)


def test_the_smallest_sun_there_is_has_its_taker() -> None:
    found = shared({5: 1, 60: 1}, use=10)
    assert sum(found.shared["F1"]) + sum(found.shared["F2"]) == 2
    assert sum(found.surplus) == 0


@pytest.mark.parametrize(
    ("start", "until", "places"),
    [
        ("2026-01-01", "2026-01-02", range(24)),
        ("2026-01-02", "2026-01-04", range(24, 72)),
        ("2025-12-01", "2026-01-02", range(24)),
        ("2026-01-04", "2026-02-01", range(72, 96)),
        ("2025-01-01", "2027-01-01", range(96)),
        ("2025-12-01", "2026-01-01", range(0)),
        ("2026-01-05", "2026-02-01", range(0)),
    ],
)
def test_days_are_where_they_are_and_nowhere_else(start: str, until: str, places: range) -> None:
    assert between(town(), bounds(), date.fromisoformat(start), date.fromisoformat(until)) == places
