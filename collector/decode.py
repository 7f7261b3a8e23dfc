"""From what a device sent to what it means: a pure function of raw data and profile.

Nothing is guessed: a point either has a value that the device really gave, or it is refused with a reason. No input
makes this fail; what cannot be read is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from collector.payload import decimal_of, printable, shown
from collector.profile import Identify, Origin, Point, Profile, Range
from collector.quantities import EXACT, divided, reported
from collector.raw import Raw
from collector.refusal import Code, NoValue
from collector.registers import Number, bits_text
from collector.samples import Found, Sample, covered, covers, samples
from collector.silo import stock_kg
from core.community import Silo
from core.time import rfc3339
from core.wire import QUANTITY_UNITS

_WORTH_TELLING: Final = Decimal("1e-9")
"""A finer step than this of a binary float says nothing about a meter."""
_SIGNS_TOLD: Final = 3
"""How many codes a sentence names before it only counts them."""
_TOO_LARGE: Final = Decimal(10) ** 15


@dataclass(frozen=True)
class Value:
    """What a point says: ``value`` in ``unit`` as the device counts, or ``text`` for a state or a name."""

    quantity: str
    point: str
    value: Decimal | None
    text: str | None
    unit: str
    time: datetime
    resolution: Decimal | None = None

    def line(self) -> dict[str, str]:
        """Return the value in the unit its quantity is reported in, as ``device decode`` prints it."""
        amount = self.text or "" if self.value is None else format(reported(self.value, self.unit), "f")
        line = {"quantity": self.quantity, "point": self.point, "value": amount, "unit": QUANTITY_UNITS[self.quantity]}
        line |= {"time": rfc3339(self.time), "quality": "measured"}
        if self.resolution is not None and self.resolution >= _WORTH_TELLING:
            line["resolution"] = format(reported(self.resolution, self.unit), "f")
        return line


@dataclass(frozen=True)
class Refused:
    """A point without a value, and why."""

    quantity: str
    point: str
    code: Code
    reason: str

    def line(self) -> dict[str, str]:
        """Return what ``device decode`` prints."""
        return {"refused": self.quantity, "point": self.point, "reason": self.reason}


class Decoded(NamedTuple):
    """Every point that is not internal and that the raw data says something about, either here or there."""

    values: tuple[Value, ...]
    refused: tuple[Refused, ...]


def decode(raw: Raw, profile: Profile) -> Decoded:
    """Decode raw data.

    Parameters
    ----------
    raw
        One poll, or one or more messages; for a level sensor with the shape of its silo.
    profile
        What the device is.

    Returns
    -------
    Decoded
        Values in the device's own units, exact; refusals with plain reasons. Never raises.
    """
    values: list[Value] = []
    refused: list[Refused] = []
    for sample in samples(raw, profile):
        stranger = _stranger(profile, sample)
        for point in covered(sample, profile):
            try:
                if stranger is not None:
                    raise stranger
                values.append(_value(profile, point, sample, raw.silo))
            except NoValue as why:
                refused.append(Refused(point.quantity, point.id, why.code, why.reason))
    return Decoded(tuple(values), tuple(refused))


def _stranger(profile: Profile, sample: Sample) -> NoValue | None:
    """Say why this is not the device the profile is for, or None."""
    for mark in profile.identify:
        if not covers(mark, sample.topic, profile):
            continue
        try:
            found = sample.read(mark)
        except NoValue as why:
            return why
        if not _fits(found, mark):
            says = f"this is another device: {_place(mark)} says {shown(_text(found))}"
            return NoValue("identity", f"{says}, expected {_wanted(mark)}")
    return None


def _fits(found: Found, mark: Identify) -> bool:
    if mark.not_equals:
        return not _is_one_of(found, mark.not_equals)
    return _is_one_of(found, mark.equals) or any(_text(found).startswith(begin) for begin in mark.starts_with)


def _is_one_of(found: Found, codes: tuple[str, ...]) -> bool:
    if isinstance(found, str):
        return found in codes
    return any(_is_code(found, code) for code in codes)


def _wanted(mark: Identify) -> str:
    if mark.not_equals:
        return "none of the codes of the other kind"
    signs = [*mark.equals, *(f"{begin}..." for begin in mark.starts_with)]
    others = f" or one of {len(signs) - _SIGNS_TOLD} more" if len(signs) > _SIGNS_TOLD + 1 else ""
    return " or ".join(signs[:_SIGNS_TOLD] if others else signs) + others


def _place(place: Origin) -> str:
    if place.at is not None:
        return f"register {place.at}"
    if place.sunspec:
        return f"SunSpec {' or '.join(place.sunspec)}"
    return place.path or place.obis or "the device"


def _value(profile: Profile, point: Point, sample: Sample, silo: Silo | None) -> Value:
    found = _derived(profile, point, sample, silo) if point.parts else _scaled(point, _found(point, sample))
    if point.kind in ("enum", "text"):
        text = _text(found)
        named = point.states.get(text, f"code {printable(text)}") if point.kind == "enum" else printable(text)
        return Value(point.quantity, point.id, None, named, "", sample.time)
    number = _possible(point, _number(found))
    return Value(
        point.quantity, point.id, number.value, None, point.unit, number.time or sample.time, number.resolution
    )


def _found(point: Point, sample: Sample) -> Found:
    """Read a point and refuse the codes that mean "no value"."""
    found = sample.read(point)
    for code in point.invalid:
        if isinstance(found, str):
            if found == code:
                raise NoValue("no_value", f"{shown(found)} is the device's sign for no value")
        elif _is_code(found, code):
            raise NoValue(
                "no_value",
                f"not implemented value {bits_text(found)}"
                if code.startswith("0x")
                else f"{code} is the device's sign for no value",
            )
    return found


def _is_code(found: Number, code: str) -> bool:
    if code.startswith("0x"):
        return found.words > 0 and found.bits == int(code, 16)
    try:
        return found.value == decimal_of(code)
    except NoValue:
        return False


def _text(found: Found) -> str:
    return found if isinstance(found, str) else format(found.value, "f")


def _number(found: Found) -> Number:
    return Number(decimal_of(found)) if isinstance(found, str) else found


def _derived(profile: Profile, point: Point, sample: Sample, silo: Silo | None) -> Found:
    """Work out a point that is made of others; one part without a value leaves the whole without one."""
    if point.select is not None:
        return _chosen(profile, point, sample)
    if point.first_valid:
        return _first_valid(profile, point, sample)
    parts = [_part(profile, name, sample) for name in point.parts]
    if point.silo is not None:
        if silo is None:
            raise NoValue("missing", "the shape of the silo is not known; give the device its 'silo'")
        return Number(stock_kg(reported(_number(parts[0]).value, profile.point(point.silo).unit), silo))
    numbers = [_number(part) for part in parts]
    total = Decimal(0)
    for index, number in enumerate(numbers):
        subtract = point.negate is not None or (index > 0 and bool(point.difference))
        total = EXACT.subtract(total, number.value) if subtract else EXACT.add(total, number.value)
    resolutions = [number.resolution for number in numbers if number.resolution is not None]
    return Number(total, resolution=max(resolutions, default=None))


def _part(profile: Profile, name: str, sample: Sample) -> Found:
    part = profile.point(name)
    found = _scaled(part, _found(part, sample))
    return found if part.kind in ("enum", "text") else _possible(part, _number(found))


def _chosen(profile: Profile, point: Point, sample: Sample) -> Found:
    if point.select is None:
        raise NoValue("missing", "nothing to choose from")
    key = _text(_part(profile, point.select.by, sample))
    name = point.select.cases.get(key)
    if name is None:
        raise NoValue("missing", f"{point.select.by} is {shown(key)}, for which the profile names no value")
    return _part(profile, name, sample)


def _first_valid(profile: Profile, point: Point, sample: Sample) -> Found:
    why = NoValue("missing", "none of its sources is there")
    for name in point.first_valid:
        try:
            return _part(profile, name, sample)
        except NoValue as error:
            why = error
    raise why


def _scaled(point: Point, found: Found) -> Found:
    if point.kind in ("enum", "text") or (point.scale == 1 and point.divide is None):
        return found
    number = _number(found)
    resolution = number.resolution
    if point.divide is not None:
        number = number._replace(value=divided(number.value, point.divide))
        resolution = None if resolution is None else divided(resolution, point.divide)
    value = EXACT.multiply(number.value, point.scale)
    return number._replace(
        value=value, resolution=None if resolution is None else EXACT.multiply(resolution, abs(point.scale))
    )


def _possible(point: Point, number: Number) -> Number:
    """Return a number that can be, of a point or of a part of one.

    Raises
    ------
    NoValue
        If it stands for "no value", or cannot be.
    """
    value = abs(number.value) if point.absolute else number.value
    if point.zero_is_missing and not value:
        named = f"{point.id} is " if point.internal else ""
        raise NoValue("no_value", f"{named}zero, which this device shows when it has no value")
    if abs(value) >= _TOO_LARGE:
        raise NoValue("range", "a number too large to be true")
    if point.kind == "counter" and value < 0:
        raise NoValue("range", "a counter below zero")
    low, high = point.range.min, point.range.max
    if (low is not None and value < low) or (high is not None and value > high):
        named = f"{point.id}: " if point.internal else ""
        shown_value = f"{value:f} {point.unit}".strip()
        raise NoValue("range", f"{named}{shown_value} is outside what is possible ({_bounds(point.range)})")
    return number._replace(value=value)


def _bounds(possible: Range) -> str:
    if possible.min is None or possible.max is None:
        return f"at most {possible.max}" if possible.min is None else f"at least {possible.min}"
    return f"{possible.min} to {possible.max}"
