"""The rules between the fields of a profile, each broken one with its place and a clause that says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from collector.profile import BYTES, HTTP, MODBUS, Identify, Origin, Point, Profile
from collector.quantities import fits
from core.wire import COUNTERS, QUANTITY_UNITS, TEXTS
from core.yamltext import Path

_COUNTING: Final = COUNTERS | {"operating_time", "starts"}
_ORIGINS: Final = ("at", "sunspec", "path", "scalar", "mbus", "obis", "tlv")
_OPERATORS: Final = ("sum", "difference", "negate", "first_valid", "select", "silo")
_ORIGINS_OF: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(MODBUS, frozenset({"at", "sunspec"})),
    **dict.fromkeys(HTTP, frozenset({"path"})),
    "mqtt": frozenset({"path", "scalar", "tlv"}),
    "mbus": frozenset({"mbus"}),
    "dsmr": frozenset({"obis"}),
}


def faults(profile: Profile) -> Iterator[tuple[Path, str]]:
    """Yield every rule between fields that a profile breaks, with its place."""
    yield from _message_faults(profile)
    ids = [point.id for point in profile.points]
    for index, point in enumerate(profile.points):
        where: Path = ("points", index)
        if ids.count(point.id) > 1:
            yield (*where, "id"), f"'{point.id}' is used twice"
        yield from _meaning_faults(profile, point, where)
        yield from _origin_faults(profile, point, where)
    for index, mark in enumerate(profile.identify):
        yield from _origin_faults(profile, mark, ("identify", index))
        yield from _identity_faults(profile, mark, ("identify", index))


def _identity_faults(profile: Profile, mark: Identify, where: Path) -> Iterator[tuple[Path, str]]:
    if not mark.equals and not mark.starts_with and not mark.not_equals:
        yield where, "say what must be found, with 'equals', 'starts_with' or 'not_equals'"
    if mark.not_equals and (mark.equals or mark.starts_with):
        yield (*where, "not_equals"), "say either what must be found or what must not, not both"
    if any(block.id == mark.block and block.every is not None for block in profile.blocks):
        yield (*where, "block"), f"block '{mark.block}' is not read each time, so nothing could be believed in between"


def _meaning_faults(profile: Profile, point: Point, where: Path) -> Iterator[tuple[Path, str]]:
    if point.kind in ("counter", "gauge") and not fits(point.unit, point.quantity):
        wanted = QUANTITY_UNITS[point.quantity] or "no unit"
        yield (*where, "unit"), f"{point.quantity} is reported in {wanted}, which '{point.unit}' does not turn into"
    if point.kind == "counter" and point.quantity not in _COUNTING:
        yield (*where, "class"), f"{point.quantity} does not count up"
    if (point.kind == "text") != (point.quantity in TEXTS):
        yield (*where, "class"), f"{point.quantity} is {'' if point.quantity in TEXTS else 'not '}a text"
    if point.settlement and (point.kind != "counter" or profile.maturity != "capture-tested"):
        yield (*where, "settlement"), "only counters of a capture-tested profile are proven for settlement"
    if point.first_valid and point.kind == "counter":
        yield (*where, "first_valid"), "a counter must not hop from one source to another; use 'select' or two profiles"


def _origin_faults(profile: Profile, item: Origin, where: Path) -> Iterator[tuple[Path, str]]:
    names = _ORIGINS if isinstance(item, Identify) else _ORIGINS + _OPERATORS
    given = [name for name in names if _is_given(getattr(item, name))]
    if len(given) != 1:
        yield where, f"{'this' if isinstance(item, Identify) else 'a point'} needs exactly one of {', '.join(names)}"
        return
    if isinstance(item, Point) and item.parts:
        yield from _part_faults(profile, item, where)
        return
    if given[0] not in _ORIGINS_OF[profile.link.transport]:
        yield (*where, given[0]), f"this is not how something is found over {profile.link.transport}"
    if item.sunspec and profile.sunspec is None:
        yield where, "a SunSpec point needs 'sunspec' (where the marker may stand) in the profile"
    if item.tlv:
        yield from _byte_faults(profile, item, where)
    if item.at is not None:
        yield from _register_faults(profile, item, where)


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != ()  # register 0 is an address like any other


def _byte_faults(profile: Profile, item: Origin, where: Path) -> Iterator[tuple[Path, str]]:
    binary = profile.messages.binary if profile.messages is not None else None
    if binary is None:
        yield where, "a point in bytes needs 'binary' (where they are and how long each field is) in 'messages'"
    elif item.tlv not in binary.sizes:
        yield (*where, "tlv"), f"'sizes' does not say how many bytes a field {item.tlv} has"
    elif item.type not in BYTES or BYTES[item.type] != binary.sizes[item.tlv]:
        yield (*where, "type"), f"a field of {binary.sizes[item.tlv]} bytes needs a whole number of that size"


def _part_faults(profile: Profile, point: Point, where: Path) -> Iterator[tuple[Path, str]]:
    known = {other.id: other for other in profile.points}
    if len({known[name].topic for name in point.parts if name in known}) > 1:
        yield where, "its parts come in different messages, which are never of one moment"
    for name in point.parts:
        part = known.get(name)
        chooses = point.select is not None and name == point.select.by
        if part is None or part.parts:
            yield where, f"'{name}' is not a point that is read"
        elif chooses and part.kind not in ("enum", "text"):
            yield where, f"'{name}' must be an enum, to choose by"
        elif not chooses and not point.silo and part.unit != point.unit:
            yield where, f"'{name}' is in another unit than this point"
        elif point.silo and part.quantity != "distance":
            yield where, f"'{name}' is not a distance, which a silo's geometry needs"


def _register_faults(profile: Profile, item: Origin, where: Path) -> Iterator[tuple[Path, str]]:
    blocks = {block.id: block for block in profile.blocks}
    if item.block not in blocks or item.type is None:
        yield where, "a register needs its 'block' and 'type'"
        return
    if item.type in ("int8", "uint8"):
        yield (*where, "type"), "a register holds 16 bits; single bytes are for 'tlv'"
        return
    if (item.type == "string") != (item.length is not None):
        yield (*where, "length"), "a string needs its 'length' in registers, and nothing else has one"
        return
    block, at = blocks[item.block], item.at or 0
    if not block.start <= at <= at + item.words <= block.end:
        yield (*where, "at"), f"registers {at} to {at + item.words - 1} are not in block '{block.id}'"
    if item.doc_address is not None and item.doc_address != at + (block.doc_offset or 0):
        wanted = at + (block.doc_offset or 0)
        yield (*where, "doc_address"), f"with the block's 'doc_offset' this address is {wanted} in the maker's list"
    status = item.status if isinstance(item, Point) else None
    if status is not None and not block.start <= status.at < block.end:
        yield (*where, "status"), f"the status register must be in block '{block.id}' too, to be of the same moment"


def _message_faults(profile: Profile) -> Iterator[tuple[Path, str]]:
    rule, transport = profile.messages, profile.link.transport
    if rule is None:
        if transport == "mqtt":
            yield ("link", "transport"), "an mqtt profile needs 'messages' (topic and time)"
        return
    if transport not in ("mqtt", "dsmr"):
        yield ("messages",), "only mqtt has messages"
    if rule.retained == "accept" and profile.timeless:
        yield ("messages", "retained"), "without a time of its own nobody knows how old a retained message is"
    if rule.time_format in ("local", "yymmddhhmmss") and rule.zone is None:
        yield ("messages", "zone"), "a local time needs its 'zone', like Europe/Amsterdam"
    if rule.availability is not None and rule.availability.topic in profile.topics:
        yield ("messages", "availability"), "this topic carries values"
