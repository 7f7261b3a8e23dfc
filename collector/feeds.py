"""Which point of a device fills which meter, and whether that can work."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from decimal import Decimal, localcontext
from typing import Final

from collector.catalogue import load
from collector.links import PLACEHOLDER, HttpLink, Link, MbusLink, ModbusLink, MqttLink, parse_link
from collector.profile import Point, Profile
from collector.quantities import EXACT
from core.community import Community, Device, Meter
from core.errors import BadInput
from core.units import ENERGY_UNITS, OTHER_UNITS, convert_exactly
from core.yamltext import Path

_DECIMALS: Final = Decimal(1).scaleb(-12)
"""Finest step of a stored reading: what the readings file can carry. A billionth of a mWh or less."""

_FITTING: Final[dict[str, frozenset[str]]] = {
    "solar_generation": frozenset({"pv_energy", "electric_energy_import", "electric_energy_export"}),
    "grid_import": frozenset({"electric_energy_import"}),
    "grid_export": frozenset({"electric_energy_export"}),
    "electricity": frozenset({"electric_energy_import", "electric_energy_export"}),
    "heat_produced": frozenset({"thermal_energy"}),
    "heat": frozenset({"thermal_energy", "heat_units"}),
    "hot_water": frozenset({"thermal_energy", "volume"}),
    "pellet_stock": frozenset({"fuel_stock"}),
}


_SPOKEN: Final[dict[str, type[Link]]] = {
    "modbus-tcp": ModbusLink,
    "modbus-rtu": ModbusLink,
    "rtu-over-tcp": ModbusLink,
    "http-json": HttpLink,
    "http-xml": HttpLink,
    "mbus": MbusLink,
    "mqtt": MqttLink,
    "dsmr": MqttLink,
}
"""Links by the transport of a profile: a Modbus device is the same on any Modbus line."""


def speaks(profile: Profile, link: Link) -> bool:
    """Whether a device of this kind can be reached by such a link."""
    return isinstance(link, _SPOKEN[profile.link.transport])


def feeds_of(device: Device, profile: Profile, community: Community) -> dict[str, Meter]:
    """Return the meter that each point of a device fills, by the point's id.

    Raises
    ------
    BadInput
        If a name in ``feeds`` is neither a point nor a quantity with exactly one point.
    """
    meters = {meter.id: meter for meter in community.meters}
    return {_point(profile, name).id: meters[meter] for name, meter in device.feeds.items()}


def point_for(profile: Profile, meter: Meter) -> Point:
    """Return the point that would fill a meter: the first of a fitting quantity that is not internal.

    Raises
    ------
    BadInput
        If the profile has none.
    """
    for point in profile.points:
        if not point.internal and point.kind != "enum" and point.quantity in _FITTING[meter.measures]:
            return point
    raise BadInput(f"'{profile.id}' has nothing that meter '{meter.id}' measures ({meter.measures}).")


def meter_value(value: Decimal, unit: str, meter: Meter) -> Decimal:
    """Convert a device's value to the unit of the meter it fills; exact but for binary floats beyond 12 decimals."""
    with localcontext(EXACT):
        converted = convert_exactly(value, unit, meter.unit) if _convertible(unit, meter.unit) else None
        if converted is None:
            raise BadInput(f"Meter '{meter.id}' counts in {meter.unit}, which {unit} does not turn into exactly.")
        exponent = converted.as_tuple().exponent
        fine = isinstance(exponent, int) and exponent < int(_DECIMALS.logb())
        return converted.quantize(_DECIMALS).normalize() if fine else converted


def feed_faults(community: Community) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with the devices of a community: profile, link and feeds, with the place in the file."""
    meters = {meter.id: meter for meter in community.meters}
    fed: dict[str, str] = {}
    for index, device in enumerate(community.devices):
        where: Path = ("devices", index)
        try:
            profile = load(device.profile)
        except BadInput as error:
            yield (*where, "profile"), _clause(error)
            continue
        yield from _link_faults(device, profile, where)
        for name, meter_id in device.feeds.items():
            place: Path = (*where, "feeds", name)
            try:
                point = _point(profile, name)
            except BadInput as error:
                yield place, _clause(error)
                continue
            if meter_id in fed:
                yield place, f"meter '{meter_id}' is fed by '{fed[meter_id]}' already; a register has one source"
            fed[meter_id] = device.id
            if meter_id in meters:
                yield from _fit_faults(point, meters[meter_id], place)
    yield from _sharing_faults(community.devices)


def _link_faults(device: Device, profile: Profile, where: Path) -> Iterator[tuple[Path, str]]:
    place: Path = (*where, "link")
    try:
        link = parse_link(device.link)
    except BadInput as error:
        yield place, _clause(error)
        return
    if not speaks(profile, link):
        yield place, f"'{profile.id}' speaks {profile.link.transport}; give a link of that kind"
    elif isinstance(link, HttpLink) and link.secret is None:
        hidden = any(PLACEHOLDER in text for text in (link.base, *profile.link.requests))
        if hidden or profile.link.auth != "none":
            yield place, f"'{profile.id}' wants a password or token; name its file with ?secret=name at the end"


def _sharing_faults(devices: Iterable[Device]) -> Iterator[tuple[Path, str]]:
    """Yield devices that would use one port in two ways: there is one connection, and it is of one kind."""
    first: dict[str, tuple[object, str]] = {}
    for index, device in enumerate(devices):
        try:
            link = parse_link(device.link)
        except BadInput:
            continue  # said already
        if isinstance(link, MqttLink):
            continue
        way = (type(link), link.port, isinstance(link, ModbusLink) and link.rtu)
        used, by = first.setdefault(str(link.port), (way, device.id))
        if used != way:
            yield ("devices", index, "link"), f"{link.port} is used in another way by '{by}'; one port has one setting"


def _fit_faults(point: Point, meter: Meter, place: Path) -> Iterator[tuple[Path, str]]:
    if point.quantity not in _FITTING[meter.measures]:
        yield place, f"{point.quantity} is not {meter.measures}, which meter '{meter.id}' measures"
    elif not _convertible(point.unit, meter.unit):
        yield (
            place,
            f"the device counts in {point.unit}, which does not turn into {meter.unit} exactly;"
            f" give meter '{meter.id}' the unit {point.unit}",
        )


def _convertible(source: str, target: str) -> bool:
    if source in ENERGY_UNITS and target in ENERGY_UNITS:
        return convert_exactly(Decimal(1), source, target) is not None
    return source == target and source in OTHER_UNITS


def _point(profile: Profile, name: str) -> Point:
    points = [point for point in profile.points if not point.internal and point.kind != "enum"]
    exact = [point for point in points if point.id == name]
    if exact:
        return exact[0]
    same = [point for point in points if point.quantity == name]
    if len(same) == 1:
        return same[0]
    if same:
        choice = ", ".join(point.id for point in same)
        raise BadInput(f"'{profile.id}' has several points of {name}; name one of {choice}.")
    known = sorted({point.quantity for point in points} | {point.id for point in points})
    near = difflib.get_close_matches(name, known, 1)
    hint = f"the nearest is '{near[0]}'." if near else f"it has {', '.join(known)}."
    raise BadInput(f"'{profile.id}' has no '{name}'; {hint}")


def _clause(error: BadInput) -> str:
    return str(error).rstrip(".")
