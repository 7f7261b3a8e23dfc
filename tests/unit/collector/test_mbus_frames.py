"""M-Bus telegrams: frames to the byte, and whether more follow, whatever stands in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.mbus import more_follow
from collector.sources import telegram
from tests.support.fieldbus import mbus_telegram

TEXT_UNIT = bytes([0x02, 0xFC, 3, *b"kWh", 0x74, 1, 2])
"""A record whose unit is a text, with an extension behind it."""


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """Draw any record of the standard: chains of extensions, every kind of value, units as text."""
    size = draw(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14]))
    chain = draw(st.integers(0, 3))
    dif = bytes([size | 0x80 * bool(chain), *([0x80] * (chain - 1)), *([0x00] if chain else [])])
    if draw(st.booleans()):
        unit = draw(st.binary(max_size=5))
        vif = bytes([0x7C, len(unit)]) + unit
    else:
        more = draw(st.integers(0, 3))
        vif = bytes([0x13 | 0x80 * bool(more), *([0xFF] * (more - 1)), *([0x74] if more else [])])
    length = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, 0, 6)[size]
    if size == 13:
        text = draw(st.binary(max_size=20))
        return dif + vif + bytes([len(text)]) + text
    return dif + vif + draw(st.binary(min_size=length, max_size=length))


@given(st.lists(records(), max_size=8), st.booleans(), st.binary(max_size=5))
def test_whether_more_follow_is_told_by_the_last_record_alone(found: list[bytes], more: bool, maker: bytes) -> None:
    tail = bytes([0x1F if more else 0x0F]) + maker
    assert more_follow(mbus_telegram(5, b"\x2f".join(found) + tail)) is more


@given(st.lists(records(), max_size=8))
def test_a_telegram_without_such_a_record_is_the_last(found: list[bytes]) -> None:
    assert not more_follow(mbus_telegram(5, b"".join(found)))


@given(st.binary(max_size=60))
def test_no_content_makes_it_fail(content: bytes) -> None:
    assert more_follow(mbus_telegram(5, content)) in (True, False)


def test_a_unit_written_out_is_stepped_over() -> None:
    assert more_follow(mbus_telegram(5, TEXT_UNIT + b"\x1f"))


@given(st.binary(max_size=60), st.integers(0, 250), st.integers(0, 99_999_999))
def test_a_frame_is_sound_and_from_the_meter_it_is_from(content: bytes, address: int, number: int) -> None:
    frame = mbus_telegram(address, content, number)
    assert telegram.rest_of(frame[:4]) == len(frame) - 4
    assert telegram.sound(frame)
    assert telegram.is_answer(frame)
    assert telegram.is_from(frame, address)
    assert not telegram.is_from(frame, (address + 1) % 251)
    assert telegram.is_from(frame, f"{number:08d}43040704")
    assert telegram.is_from(frame, f"{number:08d}FFFFFFFF")
    assert not telegram.is_from(frame, f"{(number + 1) % 100_000_000:08d}FFFFFFFF")


@given(st.binary(min_size=1, max_size=60), st.data())
def test_one_wrong_byte_is_noticed(content: bytes, data: st.DataObject) -> None:
    frame = bytearray(mbus_telegram(5, content))
    at = data.draw(st.integers(4, len(frame) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    assert not telegram.sound(bytes(frame))


@pytest.mark.parametrize("head", ["10400545", "68050569", "68050668", "68020268"])
def test_what_does_not_begin_a_long_frame_is_refused(head: str) -> None:
    with pytest.raises(ValueError, match="no head of a long frame"):
        telegram.rest_of(bytes.fromhex(head))
