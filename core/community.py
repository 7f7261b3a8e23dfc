"""The community file: what the building is, who lives there, and the rules residents agreed on.

Every scalar arrives as text (`core.yamltext`) and is given its meaning here. Decimals keep the digits as they
were written, so that a price is printed as given. Rules that span fields are in `core.consistency`.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.errors import BadInput
from core.time import parse_time
from core.yamltext import Path as TreePath
from core.yamltext import Tree, read

EVENT_SECTIONS = ("households", "replacements", "costs", "advances")
"""Top-level sections that are events: owned by the database, a first import when they stand in the file."""
PELLET_EVENTS = ("opening", "deliveries", "counts")


def _slug(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        raise ValueError(f"'{value}' is not a short name; use letters, digits, '-', '_' and '.', like A01")
    return value


def _number(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,15}(\.\d{1,12})?", value):
        raise ValueError(f"'{value}' is not a plain number; write it like \"62.0\"")
    return Decimal(value)


def _amount(value: object) -> Decimal:
    number = _number(value)
    if number < 0:
        raise ValueError(f"'{value}' is negative; it must be 0 or more")
    return number


def _euro(value: object) -> Decimal:
    number = _number(value)
    if number != round(number, 2):
        raise ValueError(f"'{value}' has parts of a cent; write euros with two decimals")
    return number


def _percent(value: object) -> Decimal:
    number = _amount(value)
    if number > 100:  # noqa: PLR2004 - a percentage
        raise ValueError(f"'{value}' is more than 100 percent")
    return number


def _positive(value: object) -> Decimal:
    number = _amount(value)
    if not number:
        raise ValueError("0 is not possible here; it must be more than 0")
    return number


def _day(value: object) -> date:
    try:
        if not isinstance(value, str) or len(value) != len("2026-01-01"):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"'{value}' is not a day; write it like 2026-01-31") from None


def _instant(value: object) -> datetime:
    try:
        return parse_time(str(value))
    except ValueError as error:
        raise ValueError(f"'{value}' is {error}") from None


def _yes_no(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError(f"'{value}' is neither true nor false")
    return value == "true"


def _whole(value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,6}", value):
        raise ValueError(f"'{value}' is not a whole number")
    return int(value)


def _duration(value: object) -> timedelta:
    match = re.fullmatch(r"(\d{1,5})\s*(ms|s|min|h|d)", str(value))
    if match is None or not int(match[1]):
        raise ValueError(f"'{value}' is not a span of time; write it like 10s, 15min or 1h")
    milliseconds = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
    return timedelta(milliseconds=int(match[1]) * milliseconds[match[2]])


def _zone(value: object) -> str:
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{value}' is not a known time zone; write it like Europe/Amsterdam") from None
    return str(value)


Slug = Annotated[str, BeforeValidator(_slug)]
Number = Annotated[Decimal, BeforeValidator(_number)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
Percent = Annotated[Decimal, BeforeValidator(_percent)]
Positive = Annotated[Decimal, BeforeValidator(_positive)]
Euro = Annotated[Decimal, BeforeValidator(_euro)]
EuroPaid = Annotated[Decimal, BeforeValidator(_amount), BeforeValidator(_euro)]
Day = Annotated[date, BeforeValidator(_day)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
YesNo = Annotated[bool, BeforeValidator(_yes_no)]
Whole = Annotated[int, BeforeValidator(_whole)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Zone = Annotated[str, BeforeValidator(_zone)]

Measures = Literal[
    "solar_generation",
    "grid_import",
    "grid_export",
    "electricity",
    "heat_produced",
    "heat",
    "hot_water",
    "pellet_stock",
]
Unit = Literal["kWh", "Wh", "MWh", "GJ", "MJ", "m3", "kg", "units"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Location(_Part):
    """Where the building stands [degrees, m above sea level]."""

    latitude: Number
    longitude: Number
    altitude_m: Number = Decimal(0)


class Flat(_Part):
    """A dwelling; ``floor_area_m2`` is needed by every rule that divides by area [m2]."""

    id: Slug
    floor_area_m2: Positive | None = None
    building: Slug = "main"


class Household(_Part):
    """Who lives in a flat; ``until`` is the first day not included."""

    id: Slug
    flat: Slug
    start: Day = Field(alias="from")
    until: Day | None = None
    building: Slug = "main"


class Meter(_Part):
    """A register that counts up, or a level (``pellet_stock``).

    ``digits`` before the point give the roll-over; ``every`` is how often it is normally read.
    """

    id: Slug
    measures: Measures
    unit: Unit
    flat: Slug | None = None
    common: YesNo = False
    digits: Annotated[Whole, Field(ge=1, le=15)] | None = None
    every: Duration | None = None
    building: Slug = "main"


class Replacement(_Part):
    """A meter was swapped: last value of the old register, first of the new, in the meter's unit."""

    meter: Slug
    at: Instant
    old_end: Amount
    new_start: Amount


class Device(_Part):
    """Something that is read; ``feeds`` maps a quantity or a point of the profile to a meter."""

    id: Slug
    profile: str
    link: str
    every: Duration = timedelta(seconds=60)
    feeds: dict[str, Slug] = {}


class Sharing(_Part):
    """How the sun is divided from a day on; a change never reaches back."""

    start: Day = Field(alias="from")
    key: Literal["fixed", "equal", "proportional", "optimal", "hybrid", "priority"]
    weights: dict[str, Amount] | None = None
    order: tuple[Slug, ...] | None = None
    surplus: Literal["owner", "community", "unused_share"] = "owner"
    common: Literal["first", "participant", "last", "never"] = "first"
    common_weight: Amount | None = None


class VatPercent(_Part):
    """VAT rates [percent]."""

    electricity: Percent
    heat: Percent | None = None


class Tariff(_Part):
    """Prices from a day on [EUR per kWh, EUR per month]."""

    start: Day = Field(alias="from")
    solar_eur_per_kwh: Number
    feed_in_eur_per_kwh: Number = Decimal(0)
    grid_eur_per_kwh: Number | None = None
    fixed_eur_per_month: Number = Decimal(0)
    vat_percent: VatPercent
    prices_include_vat: YesNo = True


class HeatRule(_Part):
    """Which part of the heat cost follows the meters, and how the rest is divided."""

    start: Day = Field(alias="from")
    measured_percent: Percent
    fixed_by: Literal["floor_area", "equal"] = "floor_area"


class Opening(_Part):
    """First stock of the pellet account [kg, EUR]."""

    at: Instant
    kg: Amount
    eur: EuroPaid


class Delivery(_Part):
    """Pellets bought [kg, EUR as invoiced]."""

    at: Instant
    kg: Positive
    eur: EuroPaid
    invoice: str


class Count(_Part):
    """A stock take [kg]."""

    at: Instant
    kg: Amount


class Pellets(_Part):
    """The fuel: its heat content [kWh/kg], the silo [kg], and the stock account."""

    kwh_per_kg: Positive
    ash_percent: Percent = Decimal("0.5")
    silo_kg: Positive | None = None
    efficiency_percent: Annotated[Decimal, BeforeValidator(_positive), Field(le=100)] = Decimal(85)
    valuation: Literal["average", "fifo"] = "average"
    opening: Opening
    deliveries: tuple[Delivery, ...] = ()
    counts: tuple[Count, ...] = ()


class Cost(_Part):
    """An invoice that residents share [EUR]."""

    date: Day
    pool: Literal["heat", "common"]
    eur: Euro
    invoice: str
    what: str = ""


class Advance(_Part):
    """What a household pays in advance from a day on [EUR per month]."""

    household: Slug
    start: Day = Field(alias="from")
    eur_per_month: EuroPaid


class Task(_Part):
    """Work that residents do.

    ``refill``: the hopper of ``hopper_kg`` is filled by hand with bags of ``bag_kg``; a task opens when the
    stock lasts fewer than ``warn_days``. ``ash``: the drawer of ``drawer_kg`` is emptied when 80 % full.
    Other ids open every ``every_days``.
    """

    id: Slug
    title: str | None = None
    bag_kg: Positive = Decimal(15)
    hopper_kg: Positive | None = None
    warn_days: Positive = Decimal(3)
    drawer_kg: Positive = Decimal(5)
    every_days: Whole | None = None


class Community(_Part):
    """Everything the community file says; frozen."""

    community: Slug
    name: str
    timezone: Zone
    currency: Literal["EUR"] = "EUR"
    language: Literal["nl", "en", "fr"] = "nl"
    settlement_interval: Literal["15min", "30min", "1h"] = "15min"
    location: Location | None = None
    owner: Slug
    flats: tuple[Flat, ...] = Field(min_length=1)
    households: tuple[Household, ...]
    meters: tuple[Meter, ...]
    replacements: tuple[Replacement, ...] = ()
    devices: tuple[Device, ...] = ()
    sharing: tuple[Sharing, ...] = Field(min_length=1)
    tariffs: tuple[Tariff, ...] = Field(min_length=1)
    heat: tuple[HeatRule, ...] | None = None
    pellets: Pellets | None = None
    costs: tuple[Cost, ...] = ()
    advances: tuple[Advance, ...] = ()
    tasks: tuple[Task, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The community's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def interval(self) -> timedelta:
        """Length of a settlement interval."""
        return {"15min": timedelta(minutes=15), "30min": timedelta(minutes=30), "1h": timedelta(hours=1)}[
            self.settlement_interval
        ]

    def meters_of(self, *measures: Measures) -> tuple[Meter, ...]:
        """Meters that measure one of the given things, in the file's order."""
        return tuple(meter for meter in self.meters if meter.measures in measures)


@dataclass(frozen=True)
class CommunityFile:
    """A community as parsed, and the text tree it came from (what the database keeps and `export` writes)."""

    community: Community
    tree: Tree


def load(path: Path) -> CommunityFile:
    """Read and check a community file.

    Raises
    ------
    BadInput
        If the file cannot be read or breaks a rule; one line per fault with file, line, field and remedy.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; give the path of a community file.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: this is not UTF-8 text; save the file as UTF-8.") from None
    except OSError as error:
        raise BadInput(f"{path}: the file cannot be read: {error.strerror}.") from None
    return parse(text, path.name)


def parse(text: str, source: str = "community.yaml") -> CommunityFile:
    """Parse a community file's text; see `load`."""
    tree, lines = read(text, source)
    return build(tree, source, lines)


def build(tree: Tree, source: str, lines: dict[TreePath, int] | None = None) -> CommunityFile:
    """Give a text tree its meaning, and check it; ``lines`` are for the messages."""
    from core.consistency import faults  # noqa: PLC0415 - the rules need the models above

    try:
        community = Community.model_validate(tree)
    except ValidationError as error:
        items = [(tuple(item["loc"]), item) for item in error.errors()]
        # A list whose entries are all wrong is also reported as empty, which would only confuse.
        deeper = {path[:end] for path, _ in items for end in range(len(path))}
        told = [(path, item) for path, item in items if item["type"] != "too_short" or path not in deeper]
        messages = [_message(source, lines, path, _what(item)) for path, item in told]
        raise BadInput("\n".join(dict.fromkeys(messages))) from None
    found = [_message(source, lines, path, text) for path, text in faults(community)]
    if found:
        raise BadInput("\n".join(found))
    return CommunityFile(community, tree)


def _message(source: str, lines: dict[TreePath, int] | None, path: TreePath, text: str) -> str:
    path = tuple({"start": "from"}.get(part, part) if isinstance(part, str) else part for part in path)
    line = ""
    if lines:
        known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in lines), ())
        line = f":{lines[known]}"
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    stop = "" if text.endswith("?") else "."
    return f"{source}{line}: {name}: {text}{stop}" if name else f"{source}{line}: {text}{stop}"


def _what(item: Any) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "missing":
        return "this field is missing; add it"
    if kind == "extra_forbidden":
        known = sorted(_fields_at(item["loc"]))
        near = difflib.get_close_matches(str(item["loc"][-1]), known, 1)
        return f"unknown field; did you mean '{near[0]}'?" if near else f"unknown field; known are {', '.join(known)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"'{item['input']}' is not possible here; choose {context['expected']}"
    if kind in ("tuple_type", "list_type"):
        return "this must be a list, one '- ...' line for each"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return "this must be a group of 'field: value' pairs"
    if kind == "string_type":
        return "this must be a single text"
    if kind == "too_short":
        return "this needs at least one entry"
    return str(item["msg"]).lower()


def _fields_at(path: TreePath) -> set[str]:
    model: Any = Community
    for part in path[:-1]:
        if isinstance(part, int):
            continue
        field = next((field for name, field in model.model_fields.items() if part in (name, field.alias)), None)
        if field is None:
            break
        model = _model_in(field.annotation) or model
    return {field.alias or name for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
