"""Dials that pass their last digit and are swapped meanwhile count what was counted; pieces never fall."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate, pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from core.time import from_microseconds, microseconds, rfc3339
from settlement.model import MeterReadings
from settlement.registers import across_replacements, rising_pieces
from tests.support.watchtown import town

HOUR = 3_600_000_000
START = microseconds(datetime(2026, 1, 10, 23, tzinfo=UTC))
DIAL = 100
"""Two digits, so that a flat that uses less than its connection carries passes the last one within hours."""


@given(
    steps=st.lists(st.integers(0, 17), min_size=2, max_size=60),
    swapped=st.dictionaries(st.integers(1, 60), st.tuples(st.booleans(), st.integers(0, DIAL - 1)), max_size=3),
    first=st.integers(0, DIAL - 1),
)
@example(steps=[17] * 12, swapped={3: (True, 90), 4: (False, 99)}, first=95)
def test_whatever_dials_counted_in_a_row_is_counted(
    steps: list[int], swapped: dict[int, tuple[bool, int]], first: int
) -> None:
    """A meter read every hour, and swapped in some hours: between its readings or, as they are taken, in between."""
    counts = list(accumulate(steps, initial=0))
    dial, times, values, swaps = first, [START], [Decimal(first)], []
    truth = {START: 0}
    for hour, step in enumerate(steps, start=1):
        at_reading, new = swapped.get(hour, (None, 0))
        time = START + hour * HOUR
        if at_reading is None:
            dial = (dial + step) % DIAL
        else:
            # Half of the step before the swap and the rest after it, or all of it before.
            part = step if at_reading else step // 2
            moment = time if at_reading else time - HOUR // 2
            old_end = (dial + part) % DIAL
            swaps.append(
                {"meter": "m", "at": rfc3339(from_microseconds(moment)), "old_end": str(old_end), "new_start": str(new)}
            )
            truth[moment] = counts[hour - 1] + part
            dial = (new + step - part) % DIAL
        truth[time] = counts[hour]
        times.append(time)
        values.append(Decimal(dial))
    community = town(*swaps, digits="2")
    known = MeterReadings("register", tuple(times), tuple(values))
    (piece,), breaks = rising_pieces(community.meters[0], across_replacements(community, community.meters[0], known))
    assert {time: value - first * 10**6 for time, value in piece} == {at: kwh * 10**6 for at, kwh in truth.items()}
    assert {one.kind for one in breaks} <= {"rolled-over"}


@given(
    values=st.lists(st.integers(-250, 1500), min_size=1, max_size=40),
    minutes=st.lists(st.integers(1, 2000), min_size=40, max_size=40),
    digits=st.sampled_from(["1", "2", "3", None]),
    swap=st.tuples(st.integers(0, 40), st.integers(0, 1200), st.integers(0, 1200)),
)
def test_no_piece_of_any_register_ever_falls(
    values: list[int], minutes: list[int], digits: str | None, swap: tuple[int, int, int]
) -> None:
    times = list(accumulate(minutes[: len(values)], initial=0))[1:]
    where, old_end, new_start = swap
    at = rfc3339(from_microseconds(START + where * HOUR))
    community = town(
        {"meter": "m", "at": at, "old_end": str(old_end), "new_start": str(new_start)},
        **({"digits": digits} if digits else {}),
    )
    known = MeterReadings(
        "register", tuple(START + time * 60_000_000 for time in times), tuple(Decimal(value) for value in values)
    )
    meter = community.meters[0]
    register = across_replacements(community, meter, known)
    assert len(register.zeros) == len(register.points)
    pieces, _ = rising_pieces(meter, register)
    for piece in pieces:
        assert all(early[0] < late[0] and early[1] <= late[1] for early, late in pairwise(piece))
    kept = [time for piece in pieces for time, _ in piece]
    assert kept == sorted(set(kept) & {time for time, _ in register.points})
