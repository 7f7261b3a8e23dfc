"""When devices are asked: aligned to the clock, near every quarter-hour, and not all at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.refusal import NoConnection
from collector.sources.clockwork import LONGEST_BREAK, SPREAD, next_poll, pause, phases
from collector.sources.polling import _Group

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SPANS = st.integers(1, 7_200_000).map(lambda found: timedelta(milliseconds=found))
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda found: found.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("now", "every", "expected"),
    [
        (NOON, 10, NOON + timedelta(seconds=10)),
        (NOON + timedelta(seconds=9.999), 10, NOON + timedelta(seconds=10)),
        (NOON + timedelta(minutes=11), 240, NOON + timedelta(minutes=12)),
        (NOON + timedelta(minutes=12, seconds=1), 240, NOON + timedelta(minutes=15)),
        (NOON + timedelta(minutes=1), 7200, NOON + timedelta(minutes=15)),
    ],
)
def test_polls_are_aligned_and_one_stands_behind_every_quarter_hour(now, every, expected) -> None:
    assert next_poll(now, timedelta(seconds=every)) == expected


@given(MOMENTS, SPANS, st.floats(0, 0.999))
def test_a_poll_is_never_far_behind_a_quarter_hour_and_never_skips_one(now, every, share) -> None:
    phase = min(every, SPREAD) * share
    due = next_poll(now, every, phase)
    assert now < due <= now + every
    base = due - phase - EPOCH
    assert not base % every or not base % QUARTER
    quarter = EPOCH + ((now - phase - EPOCH) // QUARTER + 1) * QUARTER
    assert due <= quarter + phase <= quarter + SPREAD


@given(st.lists(SPANS, min_size=1, max_size=50))
def test_every_device_has_a_share_of_its_own_that_is_less_than_its_period(periods: list[timedelta]) -> None:
    found = phases(periods)
    assert all(timedelta(0) <= phase < min(every, SPREAD) for phase, every in zip(found, periods, strict=True))
    if len({*periods}) == 1 and periods[0] >= timedelta(seconds=1):
        assert len({*found}) == len(found)


def test_a_thousand_devices_are_spread_evenly() -> None:
    found = phases([timedelta(seconds=2)] * 1000)
    assert {after - before for before, after in pairwise(found)} == {timedelta(milliseconds=2)}


def test_pauses_grow_to_five_minutes_and_no_further() -> None:
    found = [pause(failures) for failures in range(1, 2000)]
    assert found[:3] == [timedelta(seconds=2), timedelta(seconds=4), timedelta(seconds=8)]
    assert found == sorted(found)
    assert found[-1] == LONGEST_BREAK == timedelta(minutes=5)


class Wire:
    """A line that nobody calls."""

    async def close(self) -> None:
        """Be closed."""


def test_a_port_that_is_away_is_tried_once_for_all_its_devices_and_less_and_less_often() -> None:
    group = _Group(Wire(), [])
    group.refuse_while_away(NOON)
    now, tries = NOON, []
    while now < NOON + timedelta(hours=1):
        tries.append(now)
        until = group.away("no connection to the gateway", now)
        assert group.away("asked by another device", until - timedelta(seconds=1)) == until
        with pytest.raises(NoConnection, match=r"^no connection to the gateway$"):
            group.refuse_while_away(until - timedelta(milliseconds=1))
        group.refuse_while_away(until)
        now = until
    assert len(tries) < 20
    assert max(after - before for before, after in pairwise(tries)) == LONGEST_BREAK
    group.away("again", now)
    group.reached()
    group.refuse_while_away(now)
    assert group.away("anew", now) == now + timedelta(seconds=2)
