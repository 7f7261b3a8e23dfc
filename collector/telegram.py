"""P1 telegrams of Dutch and Belgian smart meters (DSMR 4 and 5, e-MUCS): lines of ``code(value*unit)``.

Source: Netbeheer Nederland, P1 Companion Standard 5.0.2, chapters 5 and 6: OBIS codes, times with S or W for summer or
winter, and the CRC-16 (polynomial 0xA001, from the first '/' up to and including '!') that follows the '!'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from collector.payload import decimal_of, shown
from collector.refusal import NoValue
from collector.registers import Number

_CLOCK: Final = "0-0:1.0.0"
_LARGEST: Final = 20_000
"""Bytes; a line has at most 1024, and real telegrams have one to three thousand in all."""
_LINE: Final = re.compile(rb"^(\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3})((?:\([^()\r\n]*\))+)", re.MULTILINE)
_GROUP: Final = re.compile(r"\(([^()]*)\)")
_TIME: Final = re.compile(r"(\d{12})([SW])")
_OFFSET: Final = {"S": timedelta(hours=2), "W": timedelta(hours=1)}
"""Summer and winter time of the Netherlands, Belgium and Luxembourg, ahead of UTC."""
_NAMING: Final = re.compile(r"\d+-\d+:96\.1\.[01]")
"""Codes of equipment numbers, whose letters and digits are written in hexadecimal."""
_CHECKSUM: Final = re.compile(rb"!([0-9A-Fa-f]{1,4})\s*\Z")
"""Behind the last line; some readers drop leading zeros."""


def _table() -> Iterator[int]:
    """Yield what each byte does to the checksum."""
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        yield crc


_TABLE: Final = tuple(_table())


class Telegram(NamedTuple):
    """A telegram whose checksum is right: its time, and the value groups of every code."""

    time: datetime
    groups: dict[str, tuple[str, ...]]

    def read(self, code: str, unit: str) -> Number | str:
        """Return what stands behind a code: a number if it is in a unit, else the text.

        Raises
        ------
        NoValue
            If the code is missing, has no value, or counts in another unit than the profile says.
        """
        groups = self.groups.get(code)
        if groups is None:
            raise NoValue("missing", f"the telegram has no {code}")
        amount, _, counted = groups[-1].partition("*")
        if not amount:
            raise NoValue("no_value", f"{code} is empty")
        if not counted:
            return _plain(amount) if _NAMING.fullmatch(code) else amount
        if counted != unit:
            raise NoValue("unreadable", f"{code} counts in {shown(counted)}, the profile says {unit}")
        own = _instant(groups[0]) if _TIME.fullmatch(groups[0]) else None
        return Number(decimal_of(amount), time=own)


def parse(content: bytes) -> Telegram:
    """Read a telegram.

    Raises
    ------
    NoValue
        If it is not whole, its checksum is wrong, or it has no time.
    """
    if len(content) > _LARGEST:
        raise NoValue("unreadable", f"this is no P1 telegram: it is larger than {_LARGEST} bytes")
    start, end = content.find(b"/"), content.rfind(b"!")
    if start < 0 or end < start:
        raise NoValue("unreadable", "this is not a whole P1 telegram: it goes from '/' to '!'")
    stated = _CHECKSUM.match(content, end)
    if stated is None:
        raise NoValue("unreadable", "the telegram has no checksum, so nobody can tell whether it arrived whole")
    if int(stated[1], 16) != checksum(content[start : end + 1]):
        raise NoValue("unreadable", "the telegram's checksum is wrong: part of it was lost or changed on the way")
    groups: dict[str, tuple[str, ...]] = {}
    for match in _LINE.finditer(content, start, end):
        groups.setdefault(match[1].decode(), tuple(_GROUP.findall(match[2].decode("latin-1"))))
    if _CLOCK not in groups:
        raise NoValue("time", "the telegram does not say when it was made")
    return Telegram(_instant(groups[_CLOCK][0]), groups)


def checksum(content: bytes) -> int:
    """CRC-16 of a telegram from '/' to '!'."""
    crc = 0
    for byte in content:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def _plain(hexadecimal: str) -> str:
    """Undo the hexadecimal of an equipment number; one that is written plainly stays as it is."""
    try:
        text = bytes.fromhex(hexadecimal).decode("ascii")
    except ValueError:
        return hexadecimal
    return text if text.isprintable() else hexadecimal


def _instant(text: str) -> datetime:
    match = _TIME.fullmatch(text)
    if match is None:
        raise NoValue("time", f"{shown(text)} is not a time like 260131120000W")
    try:
        local = datetime.strptime(match[1], "%y%m%d%H%M%S").replace(tzinfo=UTC)
        return local - _OFFSET[match[2]]
    except (ValueError, OverflowError):
        raise NoValue("time", f"{shown(text)} is not a time that exists") from None
