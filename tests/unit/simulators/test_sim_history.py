"""History in bulk is the truth at every quarter-hour, the same bytes each time."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.errors import BadInput, Unavailable
from core.time import Month, parse_time
from simulators.grid import ZONE
from simulators.history import history, history_csv, history_start
from simulators.meters import METERS, REGISTERS
from simulators.truth import live_truth

NOW = datetime(2026, 11, 23, 4, 40, 17, tzinfo=UTC)


def test_history_begins_thirteen_full_months_before_the_present_one():
    assert history_start(NOW) == datetime(2025, 9, 30, 22, tzinfo=UTC)
    assert history_start(datetime(2026, 10, 31, 23, 30, tzinfo=UTC)) == history_start(NOW)  # November in Amsterdam


def test_every_line_is_the_truth_at_its_time():
    start = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)
    lines = "".join(history(3, start, start + timedelta(hours=5))).splitlines()
    assert len(lines) == 21 * len(REGISTERS) + 5
    for line in lines:
        meter, time, value = line.split("\t")
        assert Decimal(value) == live_truth(3, meter, parse_time(time)), line
        assert value == str(live_truth(3, meter, parse_time(time)))


def test_history_ends_where_the_live_minute_begins():
    last: dict[str, tuple[str, str]] = {}
    for block in history(3, NOW - timedelta(hours=2), NOW):
        for line in block.splitlines():
            meter, time, value = line.split("\t")
            last[meter] = (time, value)
    assert set(last) == set(METERS)
    for register in REGISTERS:
        time, value = last[register.id]
        assert NOW - parse_time(time) < timedelta(minutes=15)
        assert Decimal(value) <= live_truth(3, register.id, NOW) <= Decimal(value) + 12


@pytest.mark.parametrize(("month", "quarters"), [(Month(2026, 3), 2972), (Month(2025, 10), 2980)])
def test_a_month_in_which_clocks_change_has_all_its_quarter_hours(month, quarters):
    start, end = month.bounds(ZONE)
    times = [
        line.split("\t")[1] for block in history(3, start, end) for line in block.splitlines() if line[:3] == "pv\t"
    ]
    assert len(times) == len(set(times)) == quarters + 1


def test_the_same_seed_gives_the_same_bytes_whenever_the_history_starts():
    start, until = NOW - timedelta(days=20), NOW
    whole = "".join(history(3, start, until))
    assert (
        hashlib.sha256(whole.encode()).digest() == hashlib.sha256("".join(history(3, start, until)).encode()).digest()
    )
    late = set("".join(history(3, NOW - timedelta(days=3), until)).splitlines())
    assert late < set(whole.splitlines())
    assert whole != "".join(history(4, start, until))


def test_a_readings_file_holds_the_same_readings(tmp_path):
    start = NOW - timedelta(days=1)
    path = tmp_path / "readings.csv"
    count = history_csv(path, 3, start, NOW)
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    assert head == "time,meter,value"
    assert count == len(rows)
    expected = [
        "{1},{0},{2}".format(*line.split("\t")) for block in history(3, start, NOW) for line in block.splitlines()
    ]
    assert rows == expected


def test_impossible_spans_and_folders_are_refused_in_words(tmp_path):
    with pytest.raises(BadInput, match="begins on 2025-01-01"):
        list(history(3, datetime(2024, 12, 31, tzinfo=UTC), NOW))
    with pytest.raises(BadInput, match="no history"):
        list(history(3, NOW, NOW - timedelta(days=1)))
    with pytest.raises(Unavailable, match="cannot be written"):
        history_csv(tmp_path / "absent" / "readings.csv", 3, NOW - timedelta(days=1), NOW)
