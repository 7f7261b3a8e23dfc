"""Fields in a sensor's bytes: a tag of two bytes (channel and type), then the value, one behind the other."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from collector.profile import BYTES
from collector.refusal import NoValue
from collector.registers import Number

_TAG: Final = 2  # [bytes]


def content_of(text: str, encoding: str) -> bytes:
    """Undo the encoding of bytes in a document.

    Raises
    ------
    NoValue
        If it is not what the profile says.
    """
    try:
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise NoValue("unreadable", f"the bytes are not written in {encoding}") from None


class Fields(NamedTuple):
    """The fields of a message, the first of each tag, and the bytes behind them that could not be read."""

    found: dict[str, bytes]
    rest: bytes

    def field(self, tag: str) -> bytes:
        """Return the bytes of a field.

        Raises
        ------
        NoValue
            If the message does not have it, or cannot be read that far.
        """
        if tag in self.found:
            return self.found[tag]
        if self.rest:
            unknown = self.rest[:_TAG].hex().upper()
            raise NoValue("unreadable", f"field {unknown} is unknown or cut off; what follows it cannot be read")
        raise NoValue("missing", f"the bytes have no field {tag}")


def fields(content: bytes, sizes: Mapping[str, int]) -> Fields:
    """Take bytes apart as far as the sizes of the fields are known."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(content):
        tag = content[at : at + _TAG].hex().upper()
        end = at + _TAG + sizes.get(tag, len(content))
        if end > len(content):
            break
        found.setdefault(tag, content[at + _TAG : end])
        at = end
    return Fields(found, content[at:])


def whole_number(content: bytes, kind: str, byte_order: str) -> Number:
    """Read a whole number from the bytes of a field.

    Raises
    ------
    NoValue
        If the field is longer or shorter than the type.
    """
    if BYTES.get(kind) != len(content):
        raise NoValue("unreadable", f"a field of {len(content)} bytes is no {kind}")
    order: Literal["big", "little"] = "big" if byte_order == "big" else "little"
    return Number(Decimal(int.from_bytes(content, order, signed=kind.startswith("int"))))
