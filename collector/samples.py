"""Raw data as samples: moments of a device, each with a way to read what a profile says is there.

A sample covers the points it can say something about: a message on one topic says nothing about points of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from collector import tlv
from collector.mbus import telegram_of
from collector.payload import at_pointer, decimal_of, document_of, instant_of, scalar_text, text_of
from collector.profile import HTTP, MODBUS, Binary, Messages, Origin, Point, Profile
from collector.quantities import EXACT, divided
from collector.raw import Message, Raw
from collector.refusal import NoValue
from collector.registers import Memory, Number, number, text
from collector.sunspec import find_models
from collector.sunspec import read_point as read_sunspec
from collector.telegram import parse as parse_telegram
from collector.xmltree import tree_of

Found = Number | str
Read = Callable[[Origin], Found]
"""Returns what is found at a place; raises `NoValue`."""
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_ENTRIES: Final = 5000
"""Entries of one message that are read; a month of quarter-hours has fewer than 3000."""


class Sample(NamedTuple):
    """One moment of a device.

    Attributes
    ----------
    read
        Finds what a profile's origin names.
    time
        When it was measured.
    topic
        The message it came in, as the profile names it; None where that makes no difference.
    """

    read: Read
    time: datetime
    topic: str | None = None


def samples(raw: Raw, profile: Profile) -> Iterator[Sample]:
    """Yield every moment that raw data holds; one that cannot be read says why at every point."""
    transport = profile.link.transport
    if transport in ("mqtt", "dsmr"):
        if not raw.messages:
            yield _failed(NoValue("missing", "there is no message"))
        for message in raw.messages:
            yield from _of_message(message, profile)
    elif raw.at is None:
        yield _failed(NoValue("time", "the data does not say when it was read"))
    elif transport in MODBUS:
        yield Sample(_registers(Memory(raw.registers), profile), raw.at)
    elif transport in HTTP:
        yield Sample(_documents(raw, profile), raw.at)
    else:
        yield Sample(_frames(raw), raw.at)


def dedupe_key(message: Message, profile: Profile) -> tuple[str, ...] | None:
    """Return what a message can be told from others by, where the profile names such fields and one of them is there.

    A field that is left out counts as empty: some servers drop a counter that is zero.
    """
    rule = profile.messages
    if rule is None or not rule.dedupe:
        return None
    try:
        document = document_of(text_of(message.payload))
    except NoValue:
        return None
    key = tuple(_text_at(document, pointer) for pointer in rule.dedupe)
    return key if any(key) else None


def _failed(why: NoValue, topic: str | None = None) -> Sample:
    def read(_origin: Origin) -> Found:
        raise why

    return Sample(read, _NEVER, topic)


def _of_message(message: Message, profile: Profile) -> Iterator[Sample]:
    topic = _topic(message.topic, profile)
    try:
        _refuse_old(message, profile)
        if not message.payload.strip():
            raise NoValue("no_value", "the payload is empty, which deletes what the broker kept")
        yield from _contents(message, profile, topic)
    except NoValue as why:
        yield _failed(why, topic)


def _refuse_old(message: Message, profile: Profile) -> None:
    if message.retained and profile.timeless:
        raise NoValue("stale", "a retained message without a time of its own: nobody knows how old it is")
    if message.retained and profile.messages is not None and profile.messages.retained == "ignore":
        raise NoValue("stale", "a retained message, which this device keeps sending however old it is")
    if message.duplicate and profile.timeless:
        raise NoValue("stale", "a repeated message without a time of its own")


def _contents(message: Message, profile: Profile, topic: str | None) -> Iterator[Sample]:
    rule = profile.messages or Messages()
    if profile.link.transport == "dsmr":
        telegram = parse_telegram(message.payload)
        yield Sample(lambda place: telegram.read(place.obis or "", getattr(place, "unit", "")), telegram.time, topic)
        return
    if message.at is None and profile.timeless:
        raise NoValue("time", "the message has no time, and when it arrived is not known")
    content = text_of(message.payload)
    if any(point.scalar for point in profile.points if covers(point, topic, profile)):
        yield Sample(lambda _place: content.strip(), message.at or _NEVER, topic)
        return
    document = document_of(content)
    for entry in _entries(document, rule):
        yield _entry(entry, document, rule, message, topic)


def _entry(entry: Any, document: Any, rule: Messages, message: Message, topic: str | None) -> Sample:
    """Make a sample of one entry of a document; its time stands in the entry, or for all of them in the document."""
    try:
        if rule.time is None:
            time = message.at or _NEVER
        else:
            try:
                stated = at_pointer(entry, rule.time)
            except NoValue:
                stated = at_pointer(document, rule.time)
            time = instant_of(scalar_text(stated), rule.time_format, rule.zone)
    except NoValue as why:
        return _failed(why, topic)
    return Sample(lambda place: _in_message(entry, rule, place), time, topic)


def _entries(document: Any, rule: Messages) -> list[Any]:
    if rule.each is None:
        return [document]
    found = at_pointer(document, rule.each) if rule.each else document
    if not isinstance(found, list):
        raise NoValue("unreadable", "expected a list of entries")
    if len(found) > _MOST_ENTRIES:
        raise NoValue("unreadable", f"more than {_MOST_ENTRIES} entries in one message")
    return found


def _topic(topic: str, profile: Profile) -> str | None:
    """Tell which of a profile's topics a message is on; None where it has only one."""
    if len(profile.topics) == 1:
        return None
    return max((name for name in profile.topics if is_on(topic, name)), key=len, default="")


def is_on(topic: str, name: str) -> bool:
    """Whether a topic ends in the part that a profile names."""
    return topic == name or topic.endswith(f"/{name}")


def covers(place: Origin, topic: str | None, profile: Profile) -> bool:
    """Whether a message on a topic says something about a place, or about the parts a point is made of."""
    if topic is None:
        return True
    source = profile.point(place.parts[0]) if isinstance(place, Point) and place.parts else place
    usual = profile.messages.topic if profile.messages is not None else ""
    return topic == (usual if source.topic is None else source.topic)


def covered(sample: Sample, profile: Profile) -> Iterator[Point]:
    """Yield the points that others may see and that a sample says something about."""
    for point in profile.points:
        if not point.internal and covers(point, sample.topic, profile):
            yield point


def _in_message(document: Any, rule: Messages, place: Origin) -> Found:
    try:
        if place.tlv is not None and rule.binary is not None:
            return _in_bytes(document, rule.binary, place)
        return _in_document(document, place)
    except NoValue as why:
        if rule.merge == "delta" and why.code == "missing":
            where = place.path or f"field {place.tlv}"
            raise NoValue("unchanged", f"{where} is not in this message, so it has not changed") from None
        raise


def _in_bytes(document: Any, binary: Binary, place: Origin) -> Number:
    content = tlv.content_of(scalar_text(at_pointer(document, binary.path)), binary.encoding)
    found = tlv.fields(content, binary.sizes).field(place.tlv or "")
    return tlv.whole_number(found, place.type or "", place.byte_order or "little")


def _in_document(document: Any, place: Origin) -> Found:
    found = scalar_text(at_pointer(document, place.path or "/"), place.item, place.accept)
    if not found:
        raise NoValue("no_value", f"the field {place.path} is empty")
    if not isinstance(place, Point) or (place.scale_from is None and place.divide_from is None):
        return found
    if found in place.invalid:
        return found
    value = Number(decimal_of(found))
    if place.scale_from is not None:
        factor = decimal_of(scalar_text(at_pointer(document, place.scale_from)))
        return value._replace(value=EXACT.multiply(value.value, factor))
    divisor = decimal_of(scalar_text(at_pointer(document, place.divide_from or "/")))
    if not divisor:
        raise NoValue("unreadable", f"the divisor {place.divide_from} is zero")
    return value._replace(value=divided(value.value, divisor))


def _documents(raw: Raw, profile: Profile) -> Read:
    trees: list[tuple[str, Any]] = []
    broken: list[NoValue] = []
    for document in raw.documents:
        try:
            json = profile.link.transport == "http-json"
            tree = document_of(text_of(document.body)) if json else tree_of(document.body)
            trees.append((document.path, tree))
        except NoValue as why:
            broken.append(why)

    def read(place: Origin) -> Found:
        why = broken[0] if broken else NoValue("missing", f"there is no answer that holds {place.path}")
        for path, tree in trees:
            if place.document is None or path.split("?")[0].endswith(place.document):
                try:
                    return _in_document(tree, place)
                except NoValue as error:
                    why = error
        raise why

    return read


def _registers(memory: Memory, profile: Profile) -> Read:
    bases = profile.sunspec.bases if profile.sunspec is not None else ()
    places: Any = None
    if profile.sunspec is not None:
        try:
            places = find_models(memory, bases)
        except NoValue as why:
            places = why

    def read(place: Origin) -> Found:
        if place.sunspec:
            if isinstance(places, NoValue):
                raise places
            return read_sunspec(memory, places, place.sunspec)
        function = profile.block(place.block).function
        words = memory.words(function, place.at or 0, place.words)
        byte_order = place.byte_order or profile.link.byte_order
        if place.type == "string":
            return text(words, byte_order=byte_order)
        word_order = place.word_order or profile.link.word_order
        found = number(words, place.type or "", word_order=word_order, byte_order=byte_order)
        if isinstance(place, Point) and place.status is not None:
            status = memory.words(function, place.status.at, 1)[0]
            if status not in place.status.good:
                raise NoValue("status", f"the device marks this value as bad (status {status})")
        return found

    return read


def _frames(raw: Raw) -> Read:
    try:
        telegram = telegram_of(raw.frames)
    except NoValue as why:
        return _failed(why).read
    return telegram.read


def _text_at(document: Any, pointer: str) -> str:
    try:
        return scalar_text(at_pointer(document, pointer))
    except NoValue:
        return ""
