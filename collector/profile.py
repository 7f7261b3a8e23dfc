"""Device profiles: what a kind of device says where, as data.

A profile is one YAML file in ``collector/profiles``: no code, no templating. Addresses are 0-based, as sent on the
wire. `load` reads one by its id (or a file by its path), `published` lists them all.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from collector.quantities import DEVICE_UNITS, fits
from core.errors import BadInput
from core.fields import Day, Duration, Number, Slug, Whole, YesNo
from core.wire import COUNTERS, QUANTITY_UNITS
from core.yamltext import Path as TreePath
from core.yamltext import read

FOLDER: Final = Path(__file__).parent / "profiles"

RegisterType = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
WORDS: Final[dict[str, int]] = {
    "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "int64": 4, "uint64": 4, "float32": 2, "float64": 4,
}  # fmt: skip
"""Registers each type takes."""

_LAST_ADDRESS = 65535


def _address(value: object) -> int:
    text = str(value)
    if not re.fullmatch(r"0x[0-9A-Fa-f]{1,4}|\d{1,5}", text) or int(text, 0) > _LAST_ADDRESS:
        raise ValueError(f"'{value}' is not an address; use 0 to 65535 or 0x0000 to 0xFFFF, as on the wire")
    return int(text, 0)


def _code(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("this must be a text or a number")  # noqa: TRY004 - pydantic turns it into a fault
    return value


def _quantity(value: object) -> str:
    if value not in QUANTITY_UNITS:
        near = difflib.get_close_matches(str(value), QUANTITY_UNITS, 1)
        raise ValueError(
            f"'{value}' is not a quantity; " + (f"the nearest is '{near[0]}'" if near else "docs/devices.md lists them")
        )
    return str(value)


def _unit(value: object) -> str:
    if value not in DEVICE_UNITS:
        raise ValueError(f"'{value}' is not a unit; use one of {', '.join(sorted(DEVICE_UNITS - {''}))}")
    return str(value)


def _pointer(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError(f"'{value}' is not a JSON pointer; it starts with '/', like /ENERGY/Total")
    return value


Address = Annotated[int, BeforeValidator(_address)]
Code = Annotated[str, BeforeValidator(_code)]
Quantity = Annotated[str, BeforeValidator(_quantity)]
DeviceUnit = Annotated[str, BeforeValidator(_unit)]
Pointer = Annotated[str, BeforeValidator(_pointer)]
SunSpecName = Annotated[str, Field(pattern=r"^\d{1,5}:\w+$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Match(_Part):
    """Which devices the profile is for."""

    vendor: str
    models: tuple[str, ...] = Field(min_length=1)
    firmware: str | None = None


class Provenance(_Part):
    """Where the facts come from, under which licence, as of when."""

    source: str
    licence: str | None = None
    date: Day | None = None


class Caveats(_Part):
    """What a person must know before trusting the device."""

    en: tuple[str, ...] = ()
    nl: tuple[str, ...] = ()


class Transport(_Part):
    """How the device is spoken to; times as spans like 500ms or 3s."""

    transport: Literal["modbus-tcp", "modbus-rtu", "rtu-over-tcp", "mqtt", "http-json", "http-xml", "mbus", "dsmr"]
    exclusive: YesNo = False
    connect_delay: Duration | None = None
    request_gap: Duration | None = None
    timeout: Duration = timedelta(seconds=3)
    keep_open: YesNo = True
    max_registers: Annotated[Whole, Field(ge=1, le=125)] = 125
    byte_order: Literal["big", "little"] = "big"
    word_order: Literal["big", "little"] = "big"
    requests: tuple[str, ...] = ()
    auth: Literal["none", "basic", "digest", "bearer"] = "none"
    min_interval: Duration | None = None
    idle_close: Duration | None = None


class Block(_Part):
    """A run of registers that is read whole; never widened to registers that are not declared."""

    id: Slug
    function: Literal[3, 4]
    start: Address
    count: Annotated[Whole, Field(ge=1, le=1000)]
    every: Duration | None = None
    on_error: Literal["fail", "skip"] = "skip"

    @property
    def end(self) -> int:
        """First register behind the block."""
        return self.start + self.count


class SunSpecSearch(_Part):
    """Where the marker may stand, in the order it is tried."""

    bases: tuple[Address, ...] = (40000, 0, 50000)


class Messages(_Part):
    """Which topics belong to the device and when their values were measured.

    ``topic`` is what follows the prefix of the link; empty where the link is the whole topic. Without ``time`` the
    time of arrival counts: then retained and duplicate messages are no readings.
    """

    topic: str = ""
    time: Pointer | None = None
    time_format: Literal["rfc3339", "unix_s", "unix_ms"] = "rfc3339"


class Status(_Part):
    """A register that says whether a point's value can be trusted."""

    at: Address
    good: tuple[Whole, ...] = Field(min_length=1)


class Range(_Part):
    """Values that are possible, in the point's unit."""

    min: Number | None = None
    max: Number | None = None


class Point(_Part):
    """One value of a device and its meaning.

    Exactly one of ``at`` (with ``block`` and ``type``), ``sunspec``, ``path``, ``scalar``, ``sum`` and ``difference``
    says where it comes from. ``invalid`` lists raw values that mean "no value": hexadecimal ones are compared with the
    bits, decimal ones with the number, anything else with the text. An ``internal`` point only serves others.
    """

    id: Slug
    quantity: Quantity
    unit: DeviceUnit = ""
    kind: Literal["counter", "gauge", "enum"] = Field(alias="class")
    block: Slug | None = None
    at: Address | None = None
    type: RegisterType | None = None
    status: Status | None = None
    sunspec: tuple[SunSpecName, ...] = ()
    path: Pointer | None = None
    scalar: YesNo = False
    item: Whole | None = None
    sum: tuple[Slug, ...] = ()
    difference: tuple[Slug, ...] = ()
    scale: Number = Decimal(1)
    scale_from: Pointer | None = None
    invalid: tuple[Code, ...] = ()
    zero_is_missing: YesNo = False
    range: Range = Range()
    resolution: Number | None = None
    wrap: Number | None = None
    may_reset: YesNo = False
    states: dict[str, Slug] = {}
    internal: YesNo = False
    settlement: YesNo = False


class Profile(_Part):
    """A kind of device."""

    format: Literal["1"] = Field(alias="schema")
    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")]
    revision: Annotated[Whole, Field(ge=1)]
    kind: Literal["inverter", "electricity_meter", "heat_meter", "boiler", "level_sensor"]
    match: Match
    maturity: Literal["capture-tested", "document-only", "community"]
    provenance: tuple[Provenance, ...] = Field(min_length=1)
    caveats: Caveats = Caveats()
    link: Transport
    sunspec: SunSpecSearch | None = None
    blocks: tuple[Block, ...] = ()
    messages: Messages | None = None
    points: tuple[Point, ...] = Field(min_length=1)

    def point(self, name: str) -> Point:
        """Return the point with this id."""
        return next(point for point in self.points if point.id == name)

    def block(self, name: str | None) -> Block:
        """Return the block with this id."""
        return next(block for block in self.blocks if block.id == name)

    @property
    def timeless(self) -> bool:
        """Whether values carry no time of their own, so that their arrival counts."""
        return self.messages is None or self.messages.time is None


def published() -> list[str]:
    """Ids of all profiles, sorted."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


@cache
def load(name: str) -> Profile:
    """Read a profile by its id, or a profile file by its path.

    Raises
    ------
    BadInput
        If there is no such profile, or the file is wrong: one sentence with file, line and field.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if path.parent == FOLDER and path.stem not in published():
        near = difflib.get_close_matches(name, published(), 1)
        hint = f"the nearest is '{near[0]}'." if near else "see 'wijkenergie device list'."
        raise BadInput(f"There is no profile '{name}'; {hint}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}: the file cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: this is not UTF-8 text; save the file as UTF-8.") from None
    return parse(text, path.name)


def parse(text: str, source: str) -> Profile:
    """Parse a profile's text; see `load`."""
    tree, lines = read(text, source)
    try:
        profile = Profile.model_validate(_with_numbers(tree))
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(_sentence(source, lines, tuple(first["loc"]), _what(first))) from None
    for path, what in faults(profile):
        raise BadInput(_sentence(source, lines, path, what))
    return profile


def faults(profile: Profile) -> Iterator[tuple[TreePath, str]]:
    """Yield every rule between fields that a profile breaks, with its place."""
    ids = [point.id for point in profile.points]
    blocks = {block.id for block in profile.blocks}
    for index, point in enumerate(profile.points):
        where: TreePath = ("points", index)
        if ids.count(point.id) > 1:
            yield (*where, "id"), f"'{point.id}' is used twice"
        if not fits(point.unit, point.quantity) and point.kind != "enum":
            wanted = QUANTITY_UNITS[point.quantity] or "no unit"
            yield (*where, "unit"), f"{point.quantity} is reported in {wanted}, which '{point.unit}' does not turn into"
        if point.kind == "counter" and point.quantity not in COUNTERS | {"operating_time", "starts"}:
            yield (*where, "class"), f"{point.quantity} does not count up"
        if point.settlement and (point.kind != "counter" or profile.maturity != "capture-tested"):
            yield (*where, "settlement"), "only counters of a capture-tested profile are proven for settlement"
        yield from _source_faults(profile, point, where, set(ids), blocks)
    if profile.messages is not None and profile.link.transport != "mqtt":
        yield ("messages",), "only mqtt has messages"
    if profile.link.transport == "mqtt" and profile.messages is None:
        yield ("link", "transport"), "an mqtt profile needs 'messages' (topic and time)"


def _source_faults(
    profile: Profile, point: Point, where: TreePath, ids: set[str], blocks: set[str]
) -> Iterator[tuple[TreePath, str]]:
    given = {
        "at": point.at is not None,
        "sunspec": bool(point.sunspec),
        "path": point.path is not None,
        "scalar": point.scalar,
        "sum": bool(point.sum),
        "difference": bool(point.difference),
    }
    if sum(given.values()) != 1:
        yield where, f"a point needs exactly one of {', '.join(given)}"
        return
    for name in (*point.sum, *point.difference):
        if name not in ids or profile.point(name).sum or profile.point(name).difference:
            yield where, f"'{name}' is not a point that is read"
        elif profile.point(name).unit != point.unit:
            yield where, f"'{name}' is in another unit than this point"
    if point.sunspec and profile.sunspec is None:
        yield where, "a SunSpec point needs 'sunspec' (where the marker may stand) in the profile"
    if point.at is None:
        return
    if point.block not in blocks or point.type is None:
        yield where, "a register needs its 'block' and 'type'"
        return
    block = profile.block(point.block)
    if not block.start <= point.at <= point.at + WORDS[point.type] <= block.end:
        yield (
            (*where, "at"),
            f"registers {point.at} to {point.at + WORDS[point.type] - 1} are not in block '{block.id}'",
        )
    if point.status is not None and not block.start <= point.status.at < block.end:
        yield (*where, "status"), f"the status register must be in block '{block.id}' too, to be of the same moment"


def _with_numbers(tree: dict[str, Any]) -> dict[str, Any]:
    """Give function codes their number: the text tree knows only text."""
    blocks = tree.get("blocks")
    if isinstance(blocks, list):
        for block in blocks:
            if isinstance(block, dict) and block.get("function") in ("3", "4"):
                block["function"] = int(block["function"])
    return tree


def _sentence(source: str, lines: dict[TreePath, int], path: TreePath, what: str) -> str:
    known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in lines), ())
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return f"{source}:{lines.get(known, 1)}: {name or 'profile'}: {what}."


def _what(item: Any) -> str:
    kind = item["type"]
    if kind == "missing":
        return "this field is missing; add it"
    if kind == "extra_forbidden":
        return "unknown field; docs/devices.md lists the fields there are"
    if kind == "value_error":
        return str(item["ctx"]["error"])
    if kind == "literal_error":
        return f"'{item['input']}' is not possible here; choose {item['ctx']['expected']}"
    return str(item["msg"]).lower()
