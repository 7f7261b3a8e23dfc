"""M-Bus telegrams on the wire (EN 13757-2): what is sent, and what may be believed.

What a telegram means is for the decoder; only so much is looked at here as is needed to get it whole, from the meter
that was asked.
"""

from __future__ import annotations

from typing import Final

ACKNOWLEDGED: Final = 0xE5
SHORT: Final = 0x10
LONG: Final = 0x68
STOP: Final = 0x16
SHORT_SIZE: Final = 5
SELECTED: Final = 0xFD
"""Address of whichever meter was selected by its secondary address."""

RESET: Final = 0x40
"""SND_NKE: begin anew."""
REQUEST: Final = 0x7B
"""REQ_UD2 with the frame count bit set, as the first request after a reset has it."""
COUNT_BIT: Final = 0x20
"""Alternates from request to request; a meter that sees the same twice repeats its last telegram."""
_SELECT: Final = (0x53, SELECTED, 0x52)
_ANSWER_MASK, _ANSWER = 0xCF, 0x08

_CONTROL, _ADDRESS, _KIND, _HEADER = 4, 5, 6, 7
_LONG_HEADER: Final = {0x72, 0x76}
_HEADER_SIZE: Final = 12


def short(control: int, address: int) -> bytes:
    """Return a short frame."""
    return bytes([SHORT, control, address, (control + address) & 0xFF, STOP])


def select(mask: str) -> bytes:
    """Return the frame that selects a meter.

    Parameters
    ----------
    mask
        16 hexadecimal digits: the eight of the meter's number as printed on it, then manufacturer, version and medium
        as they stand in a telegram. F stands for any digit.
    """
    body = bytes([*_SELECT, *_identity(mask)])
    return bytes([LONG, len(body), len(body), LONG, *body, sum(body) & 0xFF, STOP])


def rest_of(head: bytes) -> int:
    """Return how many bytes follow the first four of a long frame.

    Raises
    ------
    ValueError
        If they do not begin a long frame.
    """
    if head[0] != LONG or head[3] != LONG or head[1] != head[2] or head[1] < _KIND - _CONTROL + 1:
        raise ValueError("no head of a long frame")
    return head[1] + 2


def sound(frame: bytes) -> bool:
    """Whether a long frame is whole and its checksum right."""
    return frame[-1] == STOP and sum(frame[_CONTROL:-2]) & 0xFF == frame[-2]


def is_answer(frame: bytes) -> bool:
    """Whether a long frame is a meter's answer, not the echo of something sent."""
    return frame[_CONTROL] & _ANSWER_MASK == _ANSWER


def is_from(frame: bytes, address: int | str) -> bool:
    """Whether an answer is from the meter that was asked: by its primary address, or the number in its header."""
    if isinstance(address, int):
        return frame[_ADDRESS] == address
    header = frame[_HEADER : _HEADER + 8]
    if frame[_KIND] not in _LONG_HEADER or len(header) < _HEADER - 1:
        return False
    found = header.hex()
    wanted = bytes(_identity(address)).hex()
    return all(digit in ("f", shown) for digit, shown in zip(wanted, found, strict=False))


def content(frame: bytes) -> bytes:
    """Return the records of a telegram, without its header, which counts reads."""
    return frame[_HEADER + _HEADER_SIZE : -2] if frame[_KIND] in _LONG_HEADER else frame[_HEADER:-2]


def _identity(mask: str) -> tuple[int, ...]:
    """Return the eight bytes of a secondary address in the order of the wire: the number runs backwards."""
    given = bytes.fromhex(mask)
    return (*given[3::-1], *given[4:])
