"""M-Bus telegrams of heat and other meters: frames in, records out, exact.

Source: EN 13757-3 (variable data structure, data and value information blocks, annexes on encodings) and EN 13757-2
(long frame and its checksum). A record counts as the plain value of its kind only if every extension of its value
information is understood: "energy counted backwards" must never pass for energy.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from collector.profile import MBusRecord, Origin, Point
from collector.quantities import EXACT, converted
from collector.refusal import NoValue
from collector.registers import Number

_START, _STOP, _VARIABLE = 0x68, 0x16, 0x72
_FRAME_HEAD, _DATA_HEAD = 4, 15
"""Bytes before the control field, and from there to the first record: control, address, CI and the header of 12."""
_EXTENDED: Final = 0x80
_FUNCTIONS: Final = ("instantaneous", "maximum", "minimum", "error")
_BYTES: Final = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 8, 8: 0, 9: 1, 10: 2, 11: 3, 12: 4, 14: 6}
"""Length of a data field by its code; 13 states its length itself."""
_REAL, _VARIABLE_LENGTH = 5, 13
_BCD: Final = frozenset({9, 10, 11, 12, 14})
_FILLER, _MAKERS_OWN, _MORE_FOLLOW = 0x2F, 0x0F, 0x1F
_MOST_EXTENSIONS: Final = 10
_TEXT_UNIT: Final = 0x7C
_TABLES: Final = (0xFB, 0xFD)
"""Kinds that go on in a table of their own, chosen by the next byte."""
_FACTOR, _THOUSAND, _MAKERS_EXTENSION, _LAST_ERROR = 0x70, 0x7D, 0x7F, 0x1F
"""Extensions: a factor 10^(n-6), a factor 1000, the maker's own from here on, and the last of the record errors."""

_PLAIN: Final = (
    # first code, last code, kind, unit, exponent of the first code
    (0x00, 0x07, "energy_wh", "Wh", -3),
    (0x08, 0x0F, "energy_j", "MJ", -6),
    (0x10, 0x17, "volume", "m3", -6),
    (0x18, 0x1F, "mass", "kg", -3),
    (0x28, 0x2F, "power", "W", -3),
    (0x38, 0x3F, "volume_flow", "m3/h", -6),
    (0x58, 0x5B, "flow_temperature", "°C", -3),
    (0x5C, 0x5F, "return_temperature", "°C", -3),
    (0x64, 0x67, "external_temperature", "°C", -3),
    (0x6E, 0x6E, "units", "units", 0),
    (0xFB00, 0xFB01, "energy_wh", "MWh", -1),
    (0xFB08, 0xFB09, "energy_j", "GJ", -1),
    (0xFB10, 0xFB11, "volume", "m3", 2),
    (0xFB18, 0xFB19, "mass", "t", 2),
    (0xFB28, 0xFB29, "power", "kW", 2),
)
_TIMES: Final = {0x20: "on_time", 0x24: "operating_time"}
_TIME_UNITS: Final = ("s", "min", "h", "d")


class Record(NamedTuple):
    """One value of a telegram; ``value`` is None where the meter has none, and ``why`` says so."""

    kind: str
    function: str
    storage: int
    tariff: int
    subunit: int
    value: Decimal | None
    unit: str
    resolution: Decimal | None = None
    why: str = ""


class Telegram(NamedTuple):
    """What a meter answered: who it is, and its records."""

    identity: dict[str, str]
    records: tuple[Record, ...]

    def read(self, place: Origin) -> Number | str:
        """Return the record, or the part of the meter's identity, that a profile names.

        Raises
        ------
        NoValue
            If it is not there, or the meter marks it as bad.
        """
        wanted = place.mbus or MBusRecord(record="serial_number")
        if wanted.record in self.identity:
            return self.identity[wanted.record]
        place_of = (wanted.storage, wanted.tariff, wanted.subunit)
        fitting = [r for r in self.records if r.kind == wanted.record and (r.storage, r.tariff, r.subunit) == place_of]
        found = next((record for record in fitting if record.function == wanted.function), None)
        if found is None:
            if any(record.function == "error" for record in fitting):
                raise NoValue(
                    "no_value", f"the meter gives its {_words(wanted.record)} only as a value during an error"
                )
            raise NoValue("missing", f"the telegram has no {_words(wanted.record)} like the profile names")
        if found.value is None:
            raise NoValue("no_value", f"the meter's {_words(wanted.record)} is no number: {found.why}")
        unit = place.unit if isinstance(place, Point) else found.unit
        value = converted(found.value, found.unit, unit)
        if value is None:
            raise NoValue("unreadable", f"the meter counts in {found.unit}, the profile says {unit}")
        resolution = None if found.resolution is None else converted(found.resolution, found.unit, unit)
        return Number(value, resolution=resolution)


def telegram_of(frames: Sequence[bytes]) -> Telegram:
    """Read the frames of one answer; a meter that has much to say sends several.

    Raises
    ------
    NoValue
        If a frame is not whole, its checksum is wrong, or the frames come from different meters.
    """
    if not frames:
        raise NoValue("missing", "there is no M-Bus telegram")
    heads, records = [], []
    for frame in frames:
        content = _content(frame)
        heads.append(_identity(content))
        records += list(_records(content[_DATA_HEAD:]))
    if any(head["serial_number"] != heads[0]["serial_number"] for head in heads):
        raise NoValue("unreadable", "the telegrams come from different meters")
    return Telegram(heads[0], tuple(records))


def more_follow(frame: bytes) -> bool:
    """Whether the meter has more to say in a further telegram: its last record says so."""
    try:
        data = _content(frame)[_DATA_HEAD:]
        at = 0
        while at < len(data):
            if data[at] == _FILLER:
                at += 1
            elif data[at] & 0x0F == _MAKERS_OWN:
                return data[at] == _MORE_FOLLOW
            else:
                _, at = _record(data, at)
    except (IndexError, NoValue):  # cut short or odd; decoding will say so
        return False
    return False


def _content(frame: bytes) -> bytes:
    """Return a long frame from its control field to the end of its data."""
    if len(frame) < _FRAME_HEAD + _DATA_HEAD + 2 or frame[0] != _START or frame[3] != _START or frame[1] != frame[2]:
        raise NoValue("unreadable", "this is not a long M-Bus frame with data")
    end = _FRAME_HEAD + frame[1]
    if len(frame) != end + 2 or frame[-1] != _STOP:
        raise NoValue("unreadable", f"the frame is cut off or too long: it says {frame[1]} bytes of content")
    content = frame[_FRAME_HEAD:end]
    if sum(content) & 0xFF != frame[end]:
        raise NoValue("unreadable", "the frame's checksum is wrong: part of it was lost or changed on the way")
    if content[2] != _VARIABLE:
        raise NoValue("unreadable", f"the frame's data has a structure that is not read here (CI 0x{content[2]:02X})")
    return content


def _identity(content: bytes) -> dict[str, str]:
    """Read the header: identification, manufacturer, version, medium, status."""
    maker = int.from_bytes(content[7:9], "little")
    letters = "".join(chr((maker >> shift & 0x1F) + 64) for shift in (10, 5, 0))
    return {
        "serial_number": content[6:2:-1].hex().upper(),
        "manufacturer": letters,
        "version": str(content[9]),
        "medium": str(content[10]),
        "status": str(content[12]),
    }


def _records(data: bytes) -> Iterator[Record]:
    """Take data apart; what follows something that cannot be measured off is left aside."""
    at = 0
    try:
        while at < len(data):
            if data[at] == _FILLER:
                at += 1
                continue
            if data[at] & 0x0F == _MAKERS_OWN:  # also "more records follow", in the next frame
                return
            record, at = _record(data, at)
            yield record
    except (IndexError, NoValue):
        return


def _record(data: bytes, at: int) -> tuple[Record, int]:
    code, function = data[at] & 0x0F, _FUNCTIONS[data[at] >> 4 & 3]
    storage, tariff, subunit = data[at] >> 6 & 1, 0, 0
    extensions = 0
    while data[at] & _EXTENDED:
        at += 1
        storage |= (data[at] & 0x0F) << (1 + 4 * extensions)
        tariff |= (data[at] >> 4 & 3) << (2 * extensions)
        subunit |= (data[at] >> 6 & 1) << extensions
        extensions += 1
        if extensions > _MOST_EXTENSIONS:
            raise NoValue("unreadable", "a record has more extensions than the standard allows")
    kind, unit, exponent, error, at = _meaning(data, at + 1)
    size = _BYTES.get(code)
    if size is None:
        size, at = _stated_size(data[at]), at + 1
    content = data[at : at + size]
    if len(content) < size:
        raise IndexError
    value, resolution, why = (None, None, error) if error else _value(code, content)
    if value is not None:
        value = value.scaleb(exponent, EXACT)
    if resolution is not None:
        resolution = resolution.scaleb(exponent, EXACT)
    if kind in _TIMES.values() and value is not None and unit == "d":
        value, unit = value * 24, "h"
    return Record(kind, function, storage, tariff, subunit, value, unit, resolution, why), at + size


def _meaning(data: bytes, at: int) -> tuple[str, str, int, str, int]:
    """Read the value information block: kind, unit, exponent, the meter's error if any, and where the data begins."""
    first = data[at]
    code, extended = first & 0x7F, bool(first & _EXTENDED)
    at += 1
    if code == _TEXT_UNIT:
        at += 1 + data[at]
        code = 0x7F
    elif first in _TABLES:
        code, extended = first << 8 | data[at] & 0x7F, bool(data[at] & _EXTENDED)
        at += 1
    kind, unit, exponent = _kind(code)
    error = ""
    while extended:
        extension, extended = data[at] & 0x7F, bool(data[at] & _EXTENDED)
        at += 1
        if extension == _MAKERS_EXTENSION:
            kind = f"{kind}, maker's own"
            while extended:
                extended, at = bool(data[at] & _EXTENDED), at + 1
        elif extension & 0x78 == _FACTOR:
            exponent += (extension & 7) - 6
        elif extension == _THOUSAND:
            exponent += 3
        elif 0 < extension <= _LAST_ERROR:
            error = f"record error 0x{extension:02X}"
        elif extension:
            kind = f"{kind}, extended 0x{extension:02X}"
    return kind, unit, exponent, error, at


def _kind(code: int) -> tuple[str, str, int]:
    for first, last, kind, unit, exponent in _PLAIN:
        if first <= code <= last:
            return kind, unit, exponent + code - first
    if code & ~3 in _TIMES:
        return _TIMES[code & ~3], _TIME_UNITS[code & 3], 0
    return f"other 0x{code:02X}", "", 0


def _stated_size(length: int) -> int:
    """Bytes of a data field that states its own length."""
    for first, last, size in ((0x00, 0xBF, length), (0xC0, 0xC9, length - 0xC0), (0xD0, 0xD9, length - 0xD0),
                              (0xE0, 0xEF, length - 0xE0), (0xF0, 0xF4, 4 * (length - 0xEC))):  # fmt: skip
        if first <= length <= last:
            return size
    raise NoValue("unreadable", "a record of a length that the standard keeps free")


def _value(code: int, content: bytes) -> tuple[Decimal | None, Decimal | None, str]:
    """Read a data field: the number, for a float its resolution, and why there is none."""
    if code == _VARIABLE_LENGTH or not content:
        return None, None, "it holds no number"
    if code in _BCD:
        value, why = _of_digits(content)
        return value, None, why
    if code == _REAL:
        real: float = struct.unpack("<f", content)[0]
        if not math.isfinite(real):
            return None, None, "not a number"
        step = math.ldexp(1.0, max(math.frexp(real)[1] - 24, -149) if real else -149)
        return Decimal(real), Decimal(step), ""
    found = int.from_bytes(content, "little", signed=True)
    if found == -(1 << 8 * len(content) - 1):
        return None, None, "the pattern for an invalid value"
    return Decimal(found), None, ""


def _of_digits(content: bytes) -> tuple[Decimal | None, str]:
    """Read decimal digits, the last first; an F in the place of the first digit is a minus sign."""
    digits = content[::-1].hex().upper()
    sign, amount = ("-", digits[1:]) if digits[0] == "F" else ("", digits)
    if not amount.isdecimal():
        return None, f"0x{digits} is no decimal number"
    return Decimal(sign + amount), ""


def _words(kind: str) -> str:
    return kind.removesuffix("_wh").removesuffix("_j").replace("_", " ")
