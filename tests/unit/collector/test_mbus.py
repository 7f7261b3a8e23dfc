"""M-Bus telegrams: what a record means, and which are not what they seem."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from collector.mbus import Telegram, telegram_of
from collector.profile import MBusRecord, Point
from collector.refusal import NoValue
from collector.registers import Number
from tests.support.mbusframes import bcd, frame, record

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def point(name: str, unit: str, **place: object) -> Point:
    wanted = MBusRecord.model_validate({"record": name} | {key: str(value) for key, value in place.items()})
    return Point.model_validate({"id": "x", "quantity": "volume", "unit": unit, "class": "gauge", "mbus": wanted})


def telegram(*records: bytes) -> Telegram:
    return telegram_of([frame(b"".join(records))])


def value(found: Number | str) -> Decimal:
    assert isinstance(found, Number)
    return found.value


ENERGY = point("energy_wh", "kWh")


def test_energy_in_kilowatt_hours_of_eight_digits():
    assert value(telegram(record(0x0C, 0x06, bcd(37351, 8))).read(ENERGY)) == 37351


@pytest.mark.parametrize(
    ("records", "wanted", "expected"),
    [
        (record(0x04, 0x03, (123456).to_bytes(4, "little")), ENERGY, "123.456"),
        (record(0x04, b"\xfb\x00", (12).to_bytes(4, "little")), point("energy_wh", "MWh"), "1.2"),
        (record(0x04, 0x0E, (7).to_bytes(4, "little")), point("energy_j", "MJ"), "7"),
        (record(0x0C, 0x0F, bcd(42, 8)), point("energy_j", "GJ"), "0.42"),
        (record(0x0B, 0x3B, bcd(543, 6)), point("volume_flow", "m3/h"), "0.543"),
        (record(0x0C, 0x14, bcd(56108, 8)), point("volume", "m3"), "561.08"),
        (record(0x0A, 0x59, bcd(9999, 4)), point("flow_temperature", "°C"), "99.99"),
        (record(0x02, 0x2D, (347).to_bytes(2, "little")), point("power", "kW"), "34.7"),
        (record(0x05, 0x2B, struct.pack("<f", 1.5)), point("power", "W"), "1.5"),
        (record(0x0B, 0x23, bcd(985, 6)), point("on_time", "h"), "23640"),
        (record(0x04, b"\x86\x73", (5).to_bytes(4, "little")), ENERGY, "0.005"),
        (record(0x0C, 0x06, bcd(9, 8), storage=1), point("energy_wh", "kWh", storage=1), "9"),
        (record(0x0C, 0x06, bcd(8, 8), tariff=2), point("energy_wh", "kWh", tariff=2), "8"),
        (record(0x0C, 0x06, bcd(7, 8), subunit=1), point("energy_wh", "kWh", subunit=1), "7"),
        (record(0x1C, 0x2D, bcd(448, 8)), point("power", "W", function="maximum"), "44800"),
    ],
)
def test_records_are_read_in_the_unit_of_the_profile(records, wanted, expected):
    assert value(telegram(records).read(wanted)) == Decimal(expected)


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        (record(0x3C, 0x06, bcd(99999999, 8)), "only as a value during an error"),
        (record(0x0C, 0x06, bytes.fromhex("BDEBDDDD")), "0xDDDDEBBD is no decimal number"),
        (record(0x0C, b"\x86\x3c", bcd(5, 8)), "has no energy like the profile names"),
        (record(0x0C, b"\x86\x18", bcd(5, 8)), "record error 0x18"),
        (record(0x0C, 0x06, bcd(5, 8), storage=1), "has no energy like the profile names"),
        (record(0x04, 0x06, b"\x00\x00\x00\x80"), "the pattern for an invalid value"),
        (record(0x05, 0x06, struct.pack("<f", float("nan"))), "not a number"),
        (record(0x0C, 0x0E, bcd(5, 8)), "has no energy like the profile names"),
        (record(0x0D, 0x06, b"\x02ab"), "it holds no number"),
        (record(0x04, 0x06, b"\x01"), "has no energy like the profile names"),
        (b"", "has no energy like the profile names"),
    ],
)  # fmt: skip
def test_what_is_no_energy_is_refused(records, reason):
    with pytest.raises(NoValue, match=reason):
        telegram(records).read(ENERGY)


def test_negative_decimal_digits_are_a_negative_number():
    """A leading F is a minus sign, which some readers print as F0000099."""
    assert value(telegram(record(0x0C, 0x06, bytes.fromhex("990000F0"))).read(ENERGY)) == -99


def test_energy_counted_backwards_or_above_a_limit_never_passes_for_energy():
    found = telegram(record(0x0C, b"\x86\x3c", bcd(465, 8)), record(0x0C, b"\x86\x6f", bcd(1, 8)))
    assert [item.kind for item in found.records] == ["energy_wh, extended 0x3C", "energy_wh, extended 0x6F"]


def test_the_maker_s_own_extensions_are_skipped_and_the_next_record_is_read():
    found = telegram(record(0x04, b"\xab\xff\x81\x02", b"\x01\x00\x00\x00"), record(0x0C, 0x06, bcd(5, 8)))
    assert value(found.read(ENERGY)) == 5
    assert found.records[0].kind == "power, maker's own"


def test_data_behind_the_maker_s_own_mark_and_fillers_are_left_aside():
    found = telegram(b"\x2f\x2f", record(0x0C, 0x06, bcd(5, 8)), b"\x0f\x0c\x06\x01\x00\x00\x00")
    assert len(found.records) == 1


def test_a_value_without_a_bit_for_extensions_has_none():
    """0x7B is a kind of its own, 0xFB opens the extension table: taking one for the other shifts all that follows."""
    found = telegram(record(0x0C, 0x7B, bcd(302, 8)), record(0x0C, 0x06, bcd(5, 8)))
    assert value(found.read(ENERGY)) == 5


def test_the_header_tells_who_the_meter_is():
    found = telegram_of([frame(b"", 6855817, "LUG", version=7, status=16)])
    assert found.identity == {
        "serial_number": "06855817",
        "manufacturer": "LUG",
        "version": "7",
        "medium": "4",
        "status": "16",
    }


def test_several_telegrams_of_one_meter_are_one_answer_and_those_of_two_are_none():
    first, second = record(0x0C, 0x0E, bcd(1, 8)) + b"\x1f", record(0x0C, 0x14, bcd(2, 8))
    both = telegram_of([frame(first), frame(second)])
    assert [item.kind for item in both.records] == ["energy_j", "volume"]
    with pytest.raises(NoValue, match="different meters"):
        telegram_of([frame(first), frame(second, serial=1)])


GOOD = frame(record(0x0C, 0x06, bcd(37351, 8)))


@pytest.mark.parametrize("at", range(len(GOOD)))
def test_a_frame_with_one_wrong_bit_is_refused(at):
    wrong = bytearray(GOOD)
    wrong[at] ^= 0x01
    with pytest.raises(NoValue):
        telegram_of([bytes(wrong)])


@pytest.mark.parametrize("end", range(len(GOOD)))
def test_a_frame_that_is_cut_off_is_refused(end):
    with pytest.raises(NoValue):
        telegram_of([GOOD[:end]])
