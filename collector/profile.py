"""Device profiles: what a kind of device says where, as data.

A profile is one YAML file in ``collector/profiles``: no code, no templating. Addresses are 0-based, as sent on the
wire. These are its parts; `collector.catalogue` reads the files, `collector.profilerules` has the rules between fields.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from collector.fields import Address, Code, DeviceUnit, Function, Obis, Pointer, Quantity, SunSpecName, Tag
from core.fields import Day, Duration, Number, Positive, Slug, Whole, YesNo, Zone

RegisterType = Literal[
    "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "string"
]  # fmt: skip
WORDS: Final[dict[str, int]] = {
    "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "int64": 4, "uint64": 4, "float32": 2, "float64": 4,
}  # fmt: skip
"""Registers each type of number takes."""
BYTES: Final[dict[str, int]] = {
    "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
}  # fmt: skip
"""Bytes of each whole number."""
Order = Literal["big", "little"]
MODBUS: Final = frozenset({"modbus-tcp", "modbus-rtu", "rtu-over-tcp"})
"""Transports that carry registers; which one reaches a device is said by its link."""
HTTP: Final = frozenset({"http-json", "http-xml"})


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Match(_Part):
    """Which devices the profile is for; ``datagram`` names a layout that the maker offers in several versions."""

    vendor: str
    models: tuple[str, ...] = Field(min_length=1)
    firmware: str | None = None
    datagram: str | None = None


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
    """How the device is spoken to; times as spans like 500ms or 3s.

    ``silence`` is how long it may say nothing before that is worth an alert; ``min_interval`` is a meter's budget: it
    is never asked more often. ``requests`` are the addresses an HTTP device is asked for, in that order; without any
    it is asked for the link itself.
    """

    transport: Literal["modbus-tcp", "modbus-rtu", "rtu-over-tcp", "mqtt", "http-json", "http-xml", "mbus", "dsmr"]
    exclusive: YesNo = False
    connect_delay: Duration | None = None
    request_gap: Duration | None = None
    timeout: Duration = timedelta(seconds=3)
    keep_open: YesNo = True
    idle_close: Duration | None = None
    max_registers: Annotated[Whole, Field(ge=1, le=125)] = 125
    byte_order: Order = "big"
    word_order: Order = "big"
    requests: tuple[str, ...] = ()
    auth: Literal["none", "basic", "digest", "bearer"] = "none"
    min_interval: Duration | None = None
    silence: Duration | None = None


class Block(_Part):
    """A run of registers that is read whole; never widened to registers that are not declared.

    ``every`` asks for a block less often than the device; with ``on_error: fail`` a poll counts only if this block
    was answered. ``doc_offset`` is what the maker's list adds to an address.
    """

    id: Slug
    function: Annotated[Literal[3, 4], Function]
    start: Address
    count: Annotated[Whole, Field(ge=1, le=1000)]
    every: Duration | None = None
    on_error: Literal["skip", "fail"] = "skip"
    doc_offset: Whole | None = None

    @property
    def end(self) -> int:
        """First register behind the block."""
        return self.start + self.count


class SunSpecSearch(_Part):
    """Where the marker may stand, in the order it is tried."""

    bases: tuple[Address, ...] = (40000, 0, 50000)


class Availability(_Part):
    """The topic, behind the link's prefix, on which a device or its gateway says whether it is there."""

    topic: str
    path: Pointer | None = None
    online: tuple[str, ...] = Field(min_length=1)
    offline: tuple[str, ...] = Field(min_length=1)


class Binary(_Part):
    """Bytes inside a document: fields one behind the other, each with a tag of channel and type.

    ``sizes`` gives the bytes behind each tag; what follows an unknown tag cannot be read.
    """

    path: Pointer
    encoding: Literal["base64", "hex"] = "base64"
    sizes: dict[Tag, Whole]


class Messages(_Part):
    """Which topics belong to the device and when their values were measured.

    ``topic`` is what follows the prefix of the link; empty where the link is the whole topic. Without ``time`` the
    time of arrival counts: then retained and duplicate messages are no readings. ``each`` points to a list whose
    entries are messages of their own. Under ``merge: delta`` a field that is not there has not changed, under ``full``
    it is missing. ``dedupe`` names fields that together tell a repeated message from a new one.
    """

    topic: str = ""
    time: Pointer | None = None
    time_format: Literal["rfc3339", "unix_s", "unix_ms", "local", "yymmddhhmmss"] = "rfc3339"
    zone: Zone | None = None
    each: Pointer | Literal[""] | None = None
    merge: Literal["full", "delta"] = "full"
    retained: Literal["ignore", "accept"] | None = None
    dedupe: tuple[Pointer, ...] = ()
    availability: Availability | None = None
    binary: Binary | None = None


class Status(_Part):
    """A register that says whether a point's value can be trusted."""

    at: Address
    good: tuple[Whole, ...] = Field(min_length=1)


class Range(_Part):
    """Values that are possible, in the point's unit."""

    min: Number | None = None
    max: Number | None = None


class MBusRecord(_Part):
    """Which record of an M-Bus telegram: what it says, and its function, storage, tariff and subunit.

    The last five are in the telegram's header.
    """

    record: Literal[
        "energy_wh", "energy_j", "volume", "mass", "power", "volume_flow", "flow_temperature", "return_temperature",
        "external_temperature", "units", "on_time", "operating_time", "serial_number", "manufacturer", "version",
        "medium", "status",
    ]  # fmt: skip
    function: Literal["instantaneous", "maximum", "minimum"] = "instantaneous"
    storage: Whole = 0
    tariff: Whole = 0
    subunit: Whole = 0


class Select(_Part):
    """Take the point that a raw value of another point names."""

    by: Slug
    cases: dict[str, Slug] = Field(min_length=1)


class Origin(_Part):
    """Where something is found.

    One of ``at`` (with ``block`` and ``type``), ``sunspec``, ``path``, ``scalar``, ``mbus``, ``obis`` and ``tlv``.
    ``length`` is that of a text [registers]; ``topic`` and ``document`` say in which message or answer, where a device
    has several; ``accept`` tells numbers from texts that look like one.
    """

    block: Slug | None = None
    at: Address | None = None
    type: RegisterType | None = None
    length: Annotated[Whole, Field(ge=1, le=64)] | None = None
    doc_address: Whole | None = None
    word_order: Order | None = None
    byte_order: Order | None = None
    sunspec: tuple[SunSpecName, ...] = ()
    path: Pointer | None = None
    scalar: YesNo = False
    item: Whole | None = None
    accept: tuple[Literal["number", "text"], ...] = ("number", "text")
    mbus: MBusRecord | None = None
    obis: Obis | None = None
    tlv: Tag | None = None
    topic: str | None = None
    document: str | None = None

    @property
    def words(self) -> int:
        """Registers it takes."""
        return self.length or 0 if self.type == "string" else WORDS.get(self.type or "", 0)


class Identify(Origin):
    """What must be found before any value of the device is believed; one of the texts, numbers or beginnings.

    ``not_equals`` is for a device that can only be told by what it is not: no model of the other kind.
    """

    equals: tuple[Code, ...] = ()
    starts_with: tuple[str, ...] = ()
    not_equals: tuple[Code, ...] = ()


class Point(Origin):
    """One value of a device and its meaning.

    Exactly one origin, or one operator over other points: ``sum``, ``difference``, ``negate``, ``first_valid``,
    ``select``, or ``silo`` (a distance through the geometry of the device's silo). ``invalid`` lists raw values that
    mean "no value": hexadecimal ones are compared with the bits, decimal ones with the number, anything else with the
    text. An ``internal`` point only serves others.
    """

    id: Slug
    quantity: Quantity
    unit: DeviceUnit = ""
    kind: Literal["counter", "gauge", "enum", "text"] = Field(alias="class")
    status: Status | None = None
    sum: tuple[Slug, ...] = ()
    difference: tuple[Slug, ...] = ()
    negate: Slug | None = None
    first_valid: tuple[Slug, ...] = ()
    select: Select | None = None
    silo: Slug | None = None
    scale: Number = Decimal(1)
    divide: Positive | None = None
    scale_from: Pointer | None = None
    divide_from: Pointer | None = None
    absolute: YesNo = False
    invalid: tuple[Code, ...] = ()
    zero_is_missing: YesNo = False
    range: Range = Range()
    resolution: Number | None = None
    wrap: Number | None = None
    may_reset: YesNo = False
    states: dict[str, Slug] = {}
    internal: YesNo = False
    settlement: YesNo = False

    @property
    def parts(self) -> tuple[str, ...]:
        """Points it is made of; empty where it is read itself."""
        chosen = () if self.select is None else (self.select.by, *self.select.cases.values())
        single = tuple(name for name in (self.negate, self.silo) if name is not None)
        return (*self.sum, *self.difference, *self.first_valid, *single, *chosen)


class Profile(_Part):
    """A kind of device."""

    format: Literal["1"] = Field(alias="schema")
    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")]
    revision: Annotated[Whole, Field(ge=1)]
    kind: Literal[
        "inverter", "electricity_meter", "heat_meter", "heat_cost_allocator", "water_meter", "boiler", "level_sensor",
        "energy_manager"
    ]  # fmt: skip
    match: Match
    maturity: Literal["capture-tested", "document-only", "community"]
    provenance: tuple[Provenance, ...] = Field(min_length=1)
    caveats: Caveats = Caveats()
    link: Transport
    identify: tuple[Identify, ...] = ()
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
        """Whether values carry no time of their own, so that their arrival counts; a P1 telegram has its own."""
        return self.link.transport != "dsmr" and (self.messages is None or self.messages.time is None)

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics behind the link's prefix on which values come."""
        usual = self.messages.topic if self.messages is not None else ""
        named = [usual if point.topic is None else point.topic for point in self.points if not point.parts]
        return tuple(dict.fromkeys(named)) or (usual,)

    @property
    def silence(self) -> timedelta:
        """How long the device may say nothing before that is worth an alert."""
        usual = timedelta(minutes=15) if self.link.transport in MODBUS else timedelta(hours=1)
        return self.link.silence or usual
