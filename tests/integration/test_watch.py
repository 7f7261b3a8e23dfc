"""The watch over stored readings: what it finds, when it lets go, and that order and batches do not matter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from core.db.connection import Connection, connect
from settlement import store as settlement_store
from settlement.watch import sentences
from settlement.watch.look import look, look_around
from tests.support import watchtown as town
from tests.support.watchtown import NOW, everything, open_codes

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SLUG = "de-ster"

Rows = list[tuple[str, datetime, Decimal]]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url, autocommit=True) as opened:
        yield opened


def rising(meter: str, start: datetime, count: int, step: timedelta = MINUTE, first: int = 5_000_000) -> Rows:
    """A register that counts ten watt-hours per reading."""
    return [(meter, start + step * number, Decimal(first + 10 * number) / 1000) for number in range(count)]


def test_readings_that_rise_leave_nothing_to_find(connection: Connection) -> None:
    town.make(connection)
    town.insert(connection, SLUG, rising("el-A01", NOW - DAY, 1440))
    look(connection, SLUG, NOW)
    look_around(connection, SLUG, NOW)
    assert everything(connection) == []


def test_a_dip_is_doubted_at_first_and_explained_by_the_next_reading(connection: Connection) -> None:
    town.make(connection)
    rows = rising("el-A01", NOW - HOUR, 62)
    rows[60] = (*rows[60][:2], Decimal(4000))
    town.insert(connection, SLUG, rows[:61])
    look(connection, SLUG, NOW)
    assert open_codes(connection) == [("register-fell", "el-A01")]
    town.insert(connection, SLUG, rows[61:])
    look(connection, SLUG, NOW + MINUTE)
    assert open_codes(connection) == []
    ended = {one.code: one.closed_at for one in everything(connection)}
    assert ended == {"register-fell": NOW + MINUTE, "register-dipped": NOW + MINUTE}
    assert settlement_store.readings_between(connection, SLUG, "el-A01", 0, 2**52).values[60] == 4000


def test_a_sentence_names_the_meter_its_unit_and_the_local_time(connection: Connection) -> None:
    community = town.make(connection)
    rows = rising("el-A01", NOW - HOUR, 61)
    rows += [("el-A01", NOW + MINUTE, Decimal("0.010"))]
    town.insert(connection, SLUG, rows)
    look(connection, SLUG, NOW + MINUTE)
    (one,) = everything(connection)
    text = sentences.sentence(one.code, one.meter or "", one.since, one.until, one.facts, community.zone)
    assert text.startswith("Meter el-A01 fell from 5000.6 to 0.010 kWh at 13 May 2026 14:01 and counts on from there")


def test_a_swap_that_is_written_down_later_ends_the_doubt(connection: Connection) -> None:
    town.make(connection)
    rows = rising("el-A01", NOW - DAY, 60) + rising("el-A01", NOW - DAY + HOUR, 60, first=500)
    town.insert(connection, SLUG, rows)
    look(connection, SLUG, NOW)
    assert open_codes(connection) == [("register-reset", "el-A01")]
    swap = (
        f"{{meter: el-A01, at: {(NOW - DAY + HOUR - MINUTE / 2).isoformat()}, old_end: '5000.590', new_start: '0.5'}}"
    )
    town.make(connection, extra=f"replacements: [{swap}]\n")
    look_around(connection, SLUG, NOW)
    assert open_codes(connection) == []


def test_a_batch_that_is_taken_back_takes_its_doubts_along(connection: Connection) -> None:
    town.make(connection)
    town.insert(connection, SLUG, rising("el-A01", NOW - DAY, 60))
    number = settlement_store.add_batch(connection, SLUG, "test", NOW)
    connection.execute(
        "INSERT INTO reading (community, meter, time, value, batch) VALUES (%s, 'el-A01', %s, 9999, %s)",
        (SLUG, NOW - DAY + HOUR, number),
    )
    look(connection, SLUG, NOW)
    assert open_codes(connection) == [("register-jumped", "el-A01")]
    settlement_store.remove_batch(connection, SLUG, number)
    look_around(connection, SLUG, NOW)
    assert open_codes(connection) == []


def test_what_happened_long_ago_is_not_looked_at_and_an_old_doubt_is_let_go(connection: Connection) -> None:
    town.make(connection)
    old = rising("el-A01", NOW - 40 * DAY, 60) + rising("el-A01", NOW - 40 * DAY + HOUR, 60, first=500)
    town.insert(connection, SLUG, old)
    look(connection, SLUG, NOW)
    assert everything(connection) == []
    fresh = rising("el-A02", NOW - DAY, 60) + rising("el-A02", NOW - DAY + HOUR, 60, first=500)
    town.insert(connection, SLUG, fresh)
    look(connection, SLUG, NOW)
    assert open_codes(connection) == [("register-reset", "el-A02")]
    look(connection, SLUG, NOW + 31 * DAY)
    assert open_codes(connection) == []


def test_one_meter_that_stands_still_while_the_others_move_is_frozen(connection: Connection) -> None:
    town.make(connection)
    start, step = NOW - 10 * DAY, timedelta(minutes=15)
    for meter in ("el-A01", "el-A02", "el-A03"):
        town.insert(connection, SLUG, rising(meter, start, 961, step))
    connection.execute(
        "UPDATE reading SET value = 5005.000 WHERE meter = 'el-A02' AND time >= %s", (start + 500 * step,)
    )
    look_around(connection, SLUG, NOW)
    (one,) = everything(connection)
    assert (one.code, one.meter, one.since, one.until) == ("register-frozen", "el-A02", start + 500 * step, NOW)
    town.insert(connection, SLUG, [("el-A02", NOW + step, Decimal("5005.010"))])
    look_around(connection, SLUG, NOW + step)
    assert open_codes(connection) == []


def test_all_meters_standing_still_together_is_the_season(connection: Connection) -> None:
    town.make(connection)
    rows = [(meter, NOW - 5 * DAY + HOUR * hour, Decimal(7)) for meter in ("el-A01", "el-A02", "el-A03")
            for hour in range(121)]  # fmt: skip
    town.insert(connection, SLUG, rows)
    look_around(connection, SLUG, NOW)
    assert everything(connection) == []


def test_an_inverter_alone_is_held_against_its_own_past(connection: Connection) -> None:
    town.make(connection)
    rows: Rows = []
    level = Decimal(100)
    for hour in range(20 * 24):
        at = NOW - 20 * DAY + HOUR * hour
        if 6 <= at.hour < 18 and hour < 17 * 24:
            level += Decimal("1.5")
        rows.append(("pv", at, level))
    town.insert(connection, SLUG, [row for row in rows if row[1] < NOW - 1.2 * DAY])
    look_around(connection, SLUG, NOW - 1.2 * DAY)
    assert open_codes(connection) == []  # not yet two days
    town.insert(connection, SLUG, rows)
    look_around(connection, SLUG, NOW)
    assert open_codes(connection) == [("register-frozen", "pv")]


def test_a_meter_that_crawls_at_a_thousandth_while_others_go_on(connection: Connection) -> None:
    town.make(connection)
    step = timedelta(minutes=15)
    for meter in ("el-A01", "el-A02", "el-A03"):
        rows = rising(meter, NOW - 10 * DAY, 961, step)
        if meter == "el-A03":
            last = rows[860][2]
            rows = rows[:860] + [(m, at, last + (value - last) / 1000) for m, at, value in rows[860:]]
        town.insert(connection, SLUG, rows)
    look_around(connection, SLUG, NOW)
    assert open_codes(connection) == [("register-crawls", "el-A03")]
    look_around(connection, SLUG, NOW + MINUTE)
    assert len(everything(connection)) == 1


def test_serial_numbers_tell_a_swap_and_a_twin(connection: Connection) -> None:
    town.make(connection)
    town.serial(connection, SLUG, "p1-A01", NOW - 9 * DAY, "E0001")
    town.serial(connection, SLUG, "p1-A02", NOW - 9 * DAY, "E0002")
    town.serial(connection, SLUG, "p1-A03", NOW - 9 * DAY, "0000")
    town.serial(connection, SLUG, "roof", NOW - 9 * DAY, "0000")
    look_around(connection, SLUG, NOW)
    assert everything(connection) == []
    town.serial(connection, SLUG, "p1-A01", NOW - HOUR, "E0002")
    look_around(connection, SLUG, NOW)
    assert open_codes(connection) == [
        ("serial-changed", "p1-A01"), ("serial-duplicate", "p1-A01"), ("serial-duplicate", "p1-A02"),
    ]  # fmt: skip
    town.serial(connection, SLUG, "p1-A02", NOW - MINUTE, "E0003")
    look_around(connection, SLUG, NOW)
    assert open_codes(connection) == [("serial-changed", "p1-A01"), ("serial-changed", "p1-A02")]


def test_a_fall_with_another_serial_number_is_a_replaced_meter(connection: Connection) -> None:
    town.make(connection)
    town.serial(connection, SLUG, "p1-A01", NOW - 9 * DAY, "E0001")
    town.insert(connection, SLUG, rising("el-A01", NOW - DAY, 60))
    town.insert(connection, SLUG, rising("el-A01", NOW - DAY + HOUR, 60, first=17_000))
    look(connection, SLUG, NOW)
    assert open_codes(connection) == [("register-fell", "el-A01")]
    town.serial(connection, SLUG, "p1-A01", NOW - DAY + 2 * HOUR, "E0009")
    look_around(connection, SLUG, NOW)
    assert open_codes(connection) == [("meter-replaced", "el-A01"), ("serial-changed", "p1-A01")]


def test_a_wrong_clock_is_a_finding_of_its_device_until_it_is_right(connection: Connection) -> None:
    town.make(connection)
    connection.execute(
        "INSERT INTO device_health (community, device, clock_said, clock_wrong_since) VALUES (%s, 'p1-A01', %s, %s)",
        (SLUG, NOW + 365 * DAY, NOW - HOUR),
    )
    look_around(connection, SLUG, NOW)
    assert open_codes(connection) == [("clock-wrong", "p1-A01")]
    connection.execute("UPDATE device_health SET clock_said = NULL, clock_wrong_since = NULL")
    look_around(connection, SLUG, NOW)
    assert open_codes(connection) == []
