"""Fields in a sensor's bytes."""

from __future__ import annotations

import pytest

from collector.refusal import NoValue
from collector.tlv import content_of, fields, whole_number

SIZES = {"0175": 1, "0382": 2, "0400": 1, "FF16": 8}


def test_the_maker_s_example_is_read() -> None:
    found = fields(bytes.fromhex("01755C03824408040001"), SIZES)
    assert found.rest == b""
    assert whole_number(found.field("0382"), "uint16", "little").value == 2116
    assert whole_number(found.field("0382"), "uint16", "big").value == 0x4408
    assert whole_number(found.field("0175"), "uint8", "little").value == 92


def test_the_first_of_two_fields_with_one_tag_counts() -> None:
    assert fields(bytes.fromhex("017501017502"), SIZES).field("0175") == b"\x01"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("01755C", "the bytes have no field 0382"),
        ("01755CAA0101", "field AA01 is unknown or cut off; what follows it cannot be read"),
        ("01755C038244", "field 0382 is unknown or cut off; what follows it cannot be read"),
        ("01755C03", "field 03 is unknown or cut off; what follows it cannot be read"),
        ("", "the bytes have no field 0382"),
    ],
)
def test_what_is_behind_an_unknown_field_is_not_guessed(content: str, reason: str) -> None:
    with pytest.raises(NoValue) as caught:
        fields(bytes.fromhex(content), SIZES).field("0382")
    assert caught.value.reason == reason


@pytest.mark.parametrize("kind", ["uint8", "uint32", "int64", "float32", "string", ""])
def test_a_field_of_another_size_is_no_number(kind: str) -> None:
    with pytest.raises(NoValue, match="a field of 2 bytes"):
        whole_number(b"\x44\x08", kind, "little")


def test_signs_count() -> None:
    assert whole_number(b"\xff\xff", "int16", "little").value == -1
    assert whole_number(b"\xff\xff", "uint16", "little").value == 65535


@pytest.mark.parametrize(("text", "encoding"), [("%", "base64"), ("AQ", "base64"), ("ü", "base64"), ("0", "hex")])
def test_bytes_in_another_writing_are_refused(text: str, encoding: str) -> None:
    with pytest.raises(NoValue, match=f"not written in {encoding}"):
        content_of(text, encoding)


def test_both_writings_give_the_same_bytes() -> None:
    assert content_of("AXVc", "base64") == content_of("01755C", "hex") == b"\x01\x75\x5c"
