"""Numbers in 16-bit registers: word order, types, and the values that mean "no value"."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from collector.raw import Registers
from collector.refusal import NoValue

_SIGNED: Final = {"int16", "int32", "int64", "sunssf"}
_FLOATS: Final = {"float32": (">f", 24, -149), "float64": (">d", 53, -1074)}
"""Layout, digits of the mantissa, and the exponent of the smallest number [bits]."""
WORDS: Final[dict[str, int]] = {
    "int16": 1, "uint16": 1, "sunssf": 1, "enum16": 1, "acc16": 1,
    "int32": 2, "uint32": 2, "acc32": 2, "float32": 2,
    "int64": 4, "uint64": 4, "acc64": 4, "float64": 4,
}  # fmt: skip


class Number(NamedTuple):
    """A number as a device gave it.

    Attributes
    ----------
    value
        Exact, also of a binary float.
    words
        Registers it was read from; 0 if it came otherwise.
    bits
        The pattern in them, for comparison with "no value" codes.
    resolution
        Distance to the next number the type can carry, for floats; else None.
    time
        When it was measured, if that differs from the sample it came in.
    """

    value: Decimal
    words: int = 0
    bits: int = 0
    resolution: Decimal | None = None
    time: datetime | None = None


class Memory:
    """Registers of one poll, by function and address; a refused run is remembered with its reason."""

    def __init__(self, runs: Iterable[Registers]) -> None:
        self._words: dict[tuple[int, int], int] = {}
        self._refused: list[Registers] = []
        for run in runs:
            if run.error is not None:
                self._refused.append(run)
            for offset, word in enumerate(run.values):
                self._words[run.function, run.start + offset] = word

    def words(self, function: int, start: int, count: int) -> tuple[int, ...]:
        """Return a run of registers.

        Raises
        ------
        NoValue
            If one of them was not in a reply to this function.
        """
        found = []
        for address in range(start, start + count):
            word = self._words.get((function, address))
            if word is None:
                raise NoValue("missing", self._why(function, address))
            found.append(word)
        return tuple(found)

    def _why(self, function: int, address: int) -> str:
        for run in self._refused:
            if run.function == function and run.start <= address < run.start + max(run.count, 1):
                return f"the device did not give register {address}: {run.error}"
        other = next((fn for fn, at in self._words if at == address and fn != function), None)
        if other is not None:
            return f"register {address} came in a reply to function {other}, not {function}"
        return f"register {address} was not in the reply"


def number(words: tuple[int, ...], kind: str, *, word_order: str = "big", byte_order: str = "big") -> Number:
    """Read a number.

    Raises
    ------
    NoValue
        If the bits are a float that is no number.
    """
    ordered = words if word_order == "big" else words[::-1]
    content = b"".join(struct.pack(">H" if byte_order == "big" else "<H", word) for word in ordered)
    bits = int.from_bytes(content, "big")
    if kind in _FLOATS:
        layout, digits, smallest = _FLOATS[kind]
        value: float = struct.unpack(layout, content)[0]
        if not math.isfinite(value):
            raise NoValue("no_value", "not a number (NaN)" if math.isnan(value) else "not a finite number")
        exponent = max(math.frexp(value)[1] - digits, smallest) if value else smallest
        return Number(Decimal(value), len(words), bits, Decimal(math.ldexp(1.0, exponent)))
    signed = kind in _SIGNED
    return Number(Decimal(int.from_bytes(content, "big", signed=signed)), len(words), bits)


def text(words: tuple[int, ...], *, byte_order: str = "big") -> str:
    """Read a text: two characters a register, filled up with NULs or blanks.

    Raises
    ------
    NoValue
        If nothing is written there.
    """
    content = b"".join(struct.pack(">H" if byte_order == "big" else "<H", word) for word in words)
    found = content.split(b"\0", 1)[0].decode("latin-1").strip()
    if not found or set(content) == {0xFF}:
        raise NoValue("no_value", "the text is empty")
    return found


def bits_text(found: Number) -> str:
    """Print the pattern of a number, like 0xFFFFFFFF."""
    return f"0x{found.bits:0{4 * found.words}X}"
