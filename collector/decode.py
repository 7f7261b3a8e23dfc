"""From what a device sent to what it means: a pure function of raw data and profile.

Nothing is guessed: a point either has a value that the device really gave, or it is refused with a reason. No input
makes this fail; what cannot be read is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from collector.payload import at_pointer, decimal_of, document_of, instant_of, printable, scalar_text, shown, text_of
from collector.profile import WORDS, Point, Profile
from collector.quantities import EXACT, reported
from collector.raw import Message, Raw
from collector.refusal import Code, NoValue
from collector.registers import Memory, Number, bits_text, number
from collector.sunspec import Place, choose, find_models, models
from collector.sunspec import read_point as read_sunspec
from core.time import rfc3339
from core.wire import QUANTITY_UNITS

_WORTH_TELLING: Final = Decimal("1e-9")
"""A finer step than this of a binary float says nothing about a meter."""
_TOO_LARGE: Final = Decimal(10) ** 15


@dataclass(frozen=True)
class Value:
    """What a point says: ``value`` in ``unit`` as the device counts, or ``text`` for a state."""

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
    """Every point of a profile that is not internal, either here or there."""

    values: tuple[Value, ...]
    refused: tuple[Refused, ...]


class _Sample(NamedTuple):
    """One moment of a device: how to read a point of it, and when it was."""

    read: Callable[[Point], Number | str]
    time: datetime


def decode(raw: Raw, profile: Profile) -> Decoded:
    """Decode raw data.

    Parameters
    ----------
    raw
        One poll, or one or more messages.
    profile
        What the device is.

    Returns
    -------
    Decoded
        Values in the device's own units, exact; refusals with plain reasons. Never raises.
    """
    values: list[Value] = []
    refused: list[Refused] = []
    for sample in _samples(raw, profile):
        for point in profile.points:
            if point.internal:
                continue
            try:
                if isinstance(sample, NoValue):
                    raise sample
                values.append(_value(profile, point, sample))
            except NoValue as why:
                refused.append(Refused(point.quantity, point.id, why.code, why.reason))
    return Decoded(tuple(values), tuple(refused))


def _samples(raw: Raw, profile: Profile) -> Iterator[_Sample | NoValue]:
    transport = profile.link.transport
    if transport == "mqtt":
        for message in raw.messages:
            try:
                yield _message_sample(message, profile)
            except NoValue as why:
                yield why
        if not raw.messages:
            yield NoValue("missing", "there is no message")
        return
    if raw.at is None:
        yield NoValue("time", "the data does not say when it was read")
    elif transport == "modbus-tcp":
        yield _Sample(_register_reader(Memory(raw.registers), profile), raw.at)
    else:
        try:
            contents = [document_of(text_of(document.body)) for document in raw.documents]
        except NoValue as why:
            yield why
        else:
            yield _Sample(_document_reader(contents), raw.at)


def _message_sample(message: Message, profile: Profile) -> _Sample:
    rule = profile.messages
    text = text_of(message.payload)
    if rule is not None and rule.time is not None:
        document = document_of(text)
        time = instant_of(scalar_text(at_pointer(document, rule.time), None), rule.time_format)
        return _Sample(_document_reader([document]), time)
    if message.retained:
        raise NoValue("stale", "a retained message without a time of its own: nobody knows how old it is")
    if message.duplicate:
        raise NoValue("stale", "a repeated message without a time of its own")
    if message.at is None:
        raise NoValue("time", "the message has no time, and when it arrived is not known")
    if any(point.scalar for point in profile.points):
        return _Sample(lambda point: _from_text(point, text.strip()), message.at)
    return _Sample(_document_reader([document_of(text)]), message.at)


def _document_reader(documents: list[Any]) -> Callable[[Point], Number | str]:
    def read(point: Point) -> Number | str:
        why = NoValue("missing", f"the field {point.path} is missing")
        for document in documents:
            try:
                found = _from_text(point, scalar_text(at_pointer(document, point.path or "/"), point.item))
                if point.scale_from is None or isinstance(found, str):
                    return found
                factor = decimal_of(scalar_text(at_pointer(document, point.scale_from), None))
                return found._replace(value=EXACT.multiply(found.value, factor))
            except NoValue as error:
                why = error
        raise why

    return read


def _from_text(point: Point, text: str) -> Number | str:
    if text in point.invalid:
        raise NoValue("no_value", f"{shown(text)} is the device's sign for no value")
    if not text:
        raise NoValue("no_value", "the payload is empty")
    if point.kind == "enum":
        return text
    return Number(decimal_of(text), 0, None)


def _register_reader(memory: Memory, profile: Profile) -> Callable[[Point], Number | str]:
    places: dict[int, Place] | NoValue = {}
    if profile.sunspec is not None:
        try:
            places = find_models(memory, profile.sunspec.bases)
        except NoValue as why:
            places = why

    def read(point: Point) -> Number | str:
        if point.sunspec:
            if isinstance(places, NoValue):
                raise places
            found = read_sunspec(memory, places, point.sunspec)
            model, name = choose(places, point.sunspec)
            _refuse_codes(point, found, models()[model].points[name].type)
        else:
            found = _from_registers(memory, profile, point)
        return str(found.value) if point.kind == "enum" else found

    return read


def _from_registers(memory: Memory, profile: Profile, point: Point) -> Number:
    kind, function = point.type or "", profile.block(point.block).function
    words = memory.words(function, point.at or 0, WORDS[kind])
    found = number(words, kind, word_order=profile.link.word_order, byte_order=profile.link.byte_order)
    if point.status is not None:
        status = memory.words(function, point.status.at, 1)[0]
        if status not in point.status.good:
            raise NoValue("status", f"the device marks this value as bad (status {status})")
    _refuse_codes(point, found, kind)
    return found


def _refuse_codes(point: Point, found: Number, kind: str) -> None:
    for code in point.invalid:
        if code.startswith("0x"):
            if found.bits == int(code, 16):
                raise NoValue("no_value", f"not implemented value {bits_text(found, WORDS.get(kind, 1))}")
        elif found.value == decimal_of(code):
            raise NoValue("no_value", f"{code} is the device's sign for no value")


def _value(profile: Profile, point: Point, sample: _Sample) -> Value:
    if point.sum or point.difference:
        found: Number | str = _derived(profile, point, sample)
    else:
        found = _scaled(point, sample.read(point))
    if isinstance(found, str):
        text = point.states.get(found, f"code {printable(found)}")
        return Value(point.quantity, point.id, None, text, "", sample.time)
    if point.zero_is_missing and not found.value:
        raise NoValue("no_value", "zero, which this device shows when it has no value")
    _refuse_impossible(point, found.value)
    return Value(point.quantity, point.id, found.value, None, point.unit, sample.time, found.resolution)


def _derived(profile: Profile, point: Point, sample: _Sample) -> Number:
    """Add or subtract; one part without a value leaves the whole without one."""
    total, resolution = Decimal(0), None
    for index, name in enumerate(point.sum or point.difference):
        part = profile.point(name)
        found = _scaled(part, sample.read(part))
        if isinstance(found, str):
            raise NoValue("unreadable", f"{name} is not a number")
        subtract = index > 0 and bool(point.difference)
        total = EXACT.subtract(total, found.value) if subtract else EXACT.add(total, found.value)
        resolution = max(resolution or found.resolution, found.resolution) if found.resolution else resolution
    return Number(total, 0, resolution)


def _scaled(point: Point, found: Number | str) -> Number | str:
    if isinstance(found, str) or point.scale == 1:
        return found
    resolution = found.resolution
    return Number(
        EXACT.multiply(found.value, point.scale),
        found.bits,
        None if resolution is None else EXACT.multiply(resolution, abs(point.scale)),
    )


def _refuse_impossible(point: Point, value: Decimal) -> None:
    if abs(value) >= _TOO_LARGE:
        raise NoValue("range", "a number too large to be true")
    low, high = point.range.min, point.range.max
    if point.kind == "counter" and value < 0:
        raise NoValue("range", "a counter below zero")
    if (low is not None and value < low) or (high is not None and value > high):
        raise NoValue(
            "range", f"{value:f} {point.unit} is outside what is possible ({low} to {high})".replace("  ", " ")
        )
