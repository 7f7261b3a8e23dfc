"""Modbus registers as devices fill them: 16-bit words, high word first."""

from __future__ import annotations

Words = list[int]


def u16(value: int) -> Words:
    """Return an unsigned 16-bit number as one register."""
    if not 0 <= value < 2**16:
        raise OverflowError(f"{value} does not fit in an unsigned 16-bit register")
    return [value]


def s16(value: int) -> Words:
    """Return a signed 16-bit number as one register."""
    if not -0x8000 <= value < 0x8000:
        raise OverflowError(f"{value} does not fit in a signed 16-bit register")
    return [value & 0xFFFF]


def u32(value: int) -> Words:
    """Return an unsigned 32-bit number as two registers."""
    if not 0 <= value < 2**32:
        raise OverflowError(f"{value} does not fit in two registers")
    return [value >> 16, value & 0xFFFF]


def s32(value: int) -> Words:
    """Return a signed 32-bit number as two registers."""
    if not -(2**31) <= value < 2**31:
        raise OverflowError(f"{value} does not fit in two signed registers")
    return u32(value % 2**32)


def string(text: str, registers: int) -> Words:
    """Return ASCII text padded with NUL over so many registers."""
    data = text.encode("ascii").ljust(2 * registers, b"\0")
    if len(data) != 2 * registers:
        raise OverflowError(f"'{text}' does not fit in {registers} registers")
    return [int.from_bytes(data[place : place + 2], "big") for place in range(0, len(data), 2)]
