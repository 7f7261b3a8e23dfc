"""How a delivery lies on disk: a mark, its length, a checksum, and what it brings as MessagePack.

    | mark, 4 bytes | length, 4 | CRC-32 of length and content, 4 | content |

The mark is drawn at random for each file, so that nothing a device sends can pass for the start of a record when a
damaged one before it makes the reader look for the next. Pure: bytes in, bytes and deliveries out.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from collector.delivery import DeadLetter, Delivery, Health, Measurement
from core.wire import Reading

MARK_BYTES: Final = 4
_NUMBERS: Final = struct.Struct(">II")
_HEAD_BYTES: Final = MARK_BYTES + _NUMBERS.size

_Content = tuple[
    datetime,
    str,
    tuple[Reading, ...],
    tuple[Measurement, ...],
    tuple[DeadLetter, ...],
    tuple[Health, ...],
]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Content)


class Piece(NamedTuple):
    """A stretch of a file: the content of a whole record, or None for bytes that are none."""

    start: int
    end: int
    content: bytes | None


def pack(deliveries: Iterable[Delivery], mark: bytes) -> bytes:
    """Return deliveries as records, without their acknowledgements."""
    parts = []
    for delivery in deliveries:
        content = _encode(delivery)
        length = len(content)
        parts += [mark, _NUMBERS.pack(length, _checksum(length, content)), content]
    return b"".join(parts)


def unpack(data: bytes, mark: bytes, start: int = 0) -> Iterator[Piece]:
    """Take a file apart; what is torn or damaged comes out as one piece, up to the next whole record."""
    at = start
    while at < len(data):
        piece = _record(data, mark, at) or _damage(data, mark, at)
        yield piece
        at = piece.end


def open_content(content: bytes) -> Delivery:
    """Return the delivery in a record.

    Raises
    ------
    ValueError
        If it is whole and yet nothing this program knows.
    """
    try:
        return Delivery(*_decoder.decode(content))
    except msgspec.MsgspecError as error:
        raise ValueError(f"a record of another program: {error}") from None


def _damage(data: bytes, mark: bytes, start: int) -> Piece:
    """Return the stretch from ``start`` up to the next whole record."""
    at = data.find(mark, start + 1)
    while at >= 0 and _record(data, mark, at) is None:
        at = data.find(mark, at + 1)
    return Piece(start, at if at >= 0 else len(data), None)


def _record(data: bytes, mark: bytes, at: int) -> Piece | None:
    head_end = at + _HEAD_BYTES
    if head_end > len(data) or data[at : at + MARK_BYTES] != mark:
        return None
    length, checksum = _NUMBERS.unpack_from(data, at + MARK_BYTES)
    end = head_end + length
    if end > len(data):
        return None
    content = data[head_end:end]
    return Piece(at, end, content) if _checksum(length, content) == checksum else None


def _checksum(length: int, content: bytes) -> int:
    return zlib.crc32(content, length)


def _encode(delivery: Delivery) -> bytes:
    content = (
        delivery.received_at,
        delivery.source,
        delivery.readings,
        delivery.measurements,
        delivery.dead_letters,
        delivery.health,
    )
    try:
        return _encoder.encode(content)
    except UnicodeEncodeError:  # half a character (a lone surrogate), which JSON from a device may hold
        builtin = (bytes, datetime, Decimal)
        return _encoder.encode(_whole(msgspec.to_builtins(content, builtin_types=builtin)))


def _whole(value: Any) -> Any:
    """Replace half characters by question marks, as the database's side does."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, (list, tuple)):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return value
