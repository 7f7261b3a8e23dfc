"""P1 telegrams: nothing of a telegram is believed unless all of it arrived."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from collector.catalogue import load
from collector.decode import Decoded, decode
from collector.raw import Message, Raw
from collector.refusal import NoValue
from collector.telegram import checksum, parse

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
LINES = (
    "1-3:0.2.8(50)",
    "0-0:1.0.0(260131120000W)",
    "0-0:96.1.1(4531)",
    "1-0:1.8.1(000004.426*kWh)",
    "1-0:1.8.2(000002.399*kWh)",
    "1-0:2.8.1(000002.444*kWh)",
    "1-0:2.8.2(000000.000*kWh)",
    "1-0:1.7.0(00.244*kW)",
    "1-0:2.7.0(00.000*kW)",
)


def telegram(*lines: str, end: str = "\r\n") -> bytes:
    body = "\r\n".join(("/WKE5\\2M550", "", *lines, "!")).encode()
    return body + f"{checksum(body):04X}{end}".encode()


def read(content: bytes, profile: str = "p1.telegram") -> Decoded:
    return decode(Raw(AT, messages=(Message("p1", content, AT),)), load(profile))


def why(content: bytes) -> set[str]:
    found = read(content)
    assert found.values == ()
    return {refusal.reason for refusal in found.refused}


def changed(old: str, new: str) -> tuple[str, ...]:
    return tuple(new if line == old else line for line in LINES)


def test_the_checksum_is_the_crc_16_of_the_standard() -> None:
    """The check value of CRC-16/ARC in every catalogue of such codes."""
    assert checksum(b"123456789") == 0xBB3D


def test_a_telegram_has_its_own_time_and_both_tariffs() -> None:
    values = {value.point: value for value in read(telegram(*LINES)).values}
    assert values["import"].value == Decimal("6.825")
    assert values["export"].value == Decimal("2.444")
    assert values["power"].value == Decimal("0.244")
    assert values["serial"].text == "E1"
    assert {value.time for value in values.values()} == {datetime(2026, 1, 31, 11, tzinfo=UTC)}


@pytest.mark.parametrize("position", range(0, len(telegram(*LINES)) - 6, 3))
def test_a_corrupt_telegram_is_refused(position: int) -> None:
    content = bytearray(telegram(*LINES))
    content[position] ^= 0x01
    assert read(bytes(content)).values == ()


def test_two_telegrams_in_one_message_and_half_ones_are_refused() -> None:
    whole = telegram(*LINES)
    wrong = {"the telegram's checksum is wrong: part of it was lost or changed on the way"}
    assert why(whole + whole) == wrong
    assert why(whole[:100] + whole) == wrong
    assert why(whole[10:]) == {"this is not a whole P1 telegram: it goes from '/' to '!'"}
    assert why(whole[:-6]) == {"the telegram has no checksum, so nobody can tell whether it arrived whole"}
    assert read(b"noise\r\n" + whole).values


def test_a_checksum_without_its_leading_zeros_is_right_and_a_cut_one_is_not() -> None:
    short = next(
        content
        for number in range(10_000)
        if (content := telegram(*LINES, f"0-0:96.7.21({number:05d})"))[-6:-5] == b"0"
    )
    assert read(short[:-6] + short[-5:]).values
    assert read(short[:-4]).values == ()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("1-0:1.8.1(000004.426*kWh)", "1-0:1.8.1(004426*Wh)", "1-0:1.8.1 counts in 'Wh', the profile says kWh"),
        ("1-0:1.8.1(000004.426*kWh)", "1-0:1.8.1()", "1-0:1.8.1 is empty"),
        ("1-0:1.8.1(000004.426*kWh)", "1-0:1.8.1(????*kWh)", "'????' is not a number"),
        ("1-0:1.8.1(000004.426*kWh)", "1-0:1.8.1(-000004.426*kWh)", "a counter below zero"),
        ("1-0:1.8.1(000004.426*kWh)", "text(1-0:1.8.1(000004.426*kWh))", "the telegram has no 1-0:1.8.1"),
        ("1-0:1.8.1(000004.426*kWh)", "1-0:1.8.1", "the telegram has no 1-0:1.8.1"),
    ],
)
def test_one_bad_line_costs_the_sum_it_belongs_to(old: str, new: str, reason: str) -> None:
    found = read(telegram(*changed(old, new)))
    assert [(refusal.point, refusal.reason) for refusal in found.refused] == [("import", reason)]
    assert {value.point for value in found.values} == {"export", "power", "serial"}


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        ("260131120000", "'260131120000' is not a time like 260131120000W"),
        ("260231120000W", "'260231120000W' is not a time that exists"),
        ("2601311200W", "'2601311200W' is not a time like 260131120000W"),
    ],
)
def test_a_telegram_without_a_true_time_is_refused(stamp: str, reason: str) -> None:
    assert why(telegram(*changed("0-0:1.0.0(260131120000W)", f"0-0:1.0.0({stamp})"))) == {reason}
    assert why(telegram(*(line for line in LINES if "1.0.0" not in line))) == {
        "the telegram does not say when it was made"
    }


def test_the_hour_that_the_autumn_repeats_is_two_hours_here() -> None:
    summer, winter = (
        parse(telegram(*changed("0-0:1.0.0(260131120000W)", f"0-0:1.0.0(261025023000{season})"))).time
        for season in "SW"
    )
    assert (summer, winter) == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC))


def test_an_equipment_number_that_is_written_plainly_stays_as_it_is() -> None:
    for written, text in [("ADC3100000158491", "ADC3100000158491"), ("414243", "ABC"), ("4142zz", "4142zz")]:
        values = read(telegram(*changed("0-0:96.1.1(4531)", f"0-0:96.1.1({written})"))).values
        assert [value.text for value in values if value.point == "serial"] == [text]


def test_a_huge_telegram_is_refused_at_once() -> None:
    with pytest.raises(NoValue, match="larger than 20000 bytes"):
        parse(b"/" + b"1-0:1.8.1(" * 2_000_000 + b"!0000")
    with pytest.raises(NoValue):
        parse(b"/" + b"1-0:1.8.1((" * 1_800 + b"!0000")


def test_delivered_means_opposite_things_in_two_dutch_programs() -> None:
    """What dsmr-reader calls delivered came in (1.8.x); dsmr-parser gives the same name to what went out (2.8.x)."""
    heard = b'{"timestamp": "2026-01-31T12:00:00+01:00", "electricity_delivered_1": "4.426", '
    heard += b'"electricity_delivered_2": "2.399", "electricity_returned_1": "2.444", "electricity_returned_2": "0", '
    heard += b'"electricity_currently_delivered": "0.244", "electricity_currently_returned": "0"}'
    reader = {value.quantity: value.value for value in read(heard, "dsmr_reader.p1").values}
    meter = {value.quantity: value.value for value in read(telegram(*LINES)).values}
    for quantity in ("electric_energy_import", "electric_energy_export", "active_power"):
        assert reader[quantity] == meter[quantity]
    assert reader["electric_energy_import"] == Decimal("6.825")
