"""A draft of a profile from what a device announced about itself, with what a person must check written beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from collector.discovery import Availability, Sensor, sensors
from collector.payload import printable
from collector.quantities import fits
from collector.raw import Raw
from core.errors import BadInput

_UNITS: Final = {"m³": "m3", "L": "l", "m³/h": "m3/h", "L/h": "l/h"}
_QUANTITIES: Final = {
    "energy": "electric_energy_import",
    "power": "active_power",
    "voltage": "voltage",
    "current": "current",
    "frequency": "frequency",
    "water": "volume",
    "volume": "volume",
    "volume_flow_rate": "volume_flow",
    "weight": "fuel_stock",
    "distance": "distance",
    "duration": "operating_time",
}
"""What a device class means; a temperature is left out, because nothing says of what."""
_CHECKS: Final = {
    "electric_energy_import": "is this import, export, sun (pv_energy) or heat (thermal_energy)?",
    "fuel_stock": "is this the stock of pellets?",
    "volume": "is this hot water?",
}
_COUNTING: Final = frozenset({"total", "total_increasing"})
_LONGEST_ID: Final = 40


def draft(raw: Raw, device: str | None = None) -> list[str]:
    """Return the lines of a draft profile.

    Parameters
    ----------
    raw
        A recording with discovery messages (``homeassistant/.../config``).
    device
        Which device, where the recording has several.

    Raises
    ------
    BadInput
        If there is no discovery message, none that a profile can use, or more than one device to choose from.
    """
    found = list(sensors(raw))
    known = sorted({printable(sensor.device) for sensor in found})
    if not known:
        raise BadInput("There is no discovery message in the file; record the topics homeassistant/# of the broker.")
    if device is None and len(known) > 1:
        raise BadInput(f"The file announces several devices; choose one with --device: {', '.join(known)}.")
    name = device or known[0]
    chosen = [sensor for sensor in found if printable(sensor.device) == printable(name)]
    if not chosen:
        raise BadInput(f"The file announces no device '{printable(name)}'; it has {', '.join(known)}.")
    left_out = [(sensor, why) for sensor in chosen if (why := _trouble(sensor, chosen))]
    usable = [sensor for sensor in chosen if not _trouble(sensor, chosen)]
    if not usable:
        reasons = "; ".join(f"{printable(sensor.name)}: {why}" for sensor, why in left_out)
        raise BadInput(f"Nothing of '{printable(name)}' can be read by a profile: {reasons}.")
    return _lines(name, usable, left_out)


def _trouble(sensor: Sensor, others: Sequence[Sensor]) -> str | None:
    """Say why a sensor is left out, or None; nothing is guessed."""
    if sensor.trouble is not None:
        return sensor.trouble
    quantity = _QUANTITIES.get(sensor.device_class)
    unit = _unit(sensor)
    if quantity is None:
        return f"no quantity is known for the device class '{printable(sensor.device_class)}'"
    if not fits(unit, quantity):
        return f"the unit '{printable(unit)}' does not turn into that of {quantity}"
    if quantity in ("electric_energy_import", "volume", "operating_time") and sensor.state_class not in _COUNTING:
        return "it does not say that it counts up"
    if sensor.path is None and any(other.path for other in others if other.topic == sensor.topic):
        return "other values of its topic are fields of a document"
    return None


def _unit(sensor: Sensor) -> str:
    return _UNITS.get(sensor.unit, sensor.unit)


def _lines(name: str, usable: Sequence[Sensor], left_out: Sequence[tuple[Sensor, str]]) -> list[str]:
    prefix, availability = _prefix(usable)
    usual = next((sensor.topic for sensor in usable if sensor.topic == prefix), usable[0].topic)
    label = _quoted(name)
    lines = [
        f"# Draft from a discovery message; in the community file: link: {_quoted(f'mqtt:{prefix}')}",
        "# Check: do the messages say when the value was measured? Then add 'time' to 'messages'.",
        "# Check: the kind, and every point against the display of the device.",
        *(f"# Left out: {printable(sensor.name)}: {why}" for sensor, why in left_out),
        "schema: 1",
        f"id: {_profile_id(name)}",
        "revision: 1",
        "kind: electricity_meter",
        f"match: {{vendor: {label}, models: [{label}]}}",
        "maturity: community",
        f"provenance: [{{source: {_quoted(f'discovery message of {printable(name)}')}}}]",
        "caveats:",
        "  en: [This is a draft from a discovery message; nobody has compared it with the device.]",
        "  nl: [Dit is een ontwerp uit een discovery-bericht; niemand heeft het met het apparaat vergeleken.]",
        "link: {transport: mqtt}",
        f"messages: {{topic: {_quoted(_behind(usual, prefix))}{_presence(availability, prefix)}}}",
        "points:",
    ]
    taken: set[str] = set()
    for sensor in usable:
        lines += _point(sensor, usual, prefix, taken)
    return lines


def _point(sensor: Sensor, usual: str, prefix: str, taken: set[str]) -> list[str]:
    quantity = _QUANTITIES[sensor.device_class]
    stem = re.sub(r"[^a-z0-9]+", "-", sensor.name.lower()).strip("-")[:_LONGEST_ID] or "value"
    name = next(found for n in range(1, len(taken) + 2) if (found := stem if n == 1 else f"{stem}-{n}") not in taken)
    taken.add(name)
    counts = sensor.state_class in _COUNTING and quantity in ("electric_energy_import", "volume", "operating_time")
    fields = [f"id: {name}", f"quantity: {quantity}", f"unit: {_quoted(_unit(sensor))}"]
    fields += [f"class: {'counter' if counts else 'gauge'}"]
    fields += ["scalar: true" if sensor.path is None else f"path: {_quoted(sensor.path)}"]
    fields += [] if sensor.topic == usual else [f"topic: {_quoted(_behind(sensor.topic, prefix))}"]
    fields += ["may_reset: true"] if counts else []
    check = [f"  # Check: {_CHECKS[quantity]}"] if quantity in _CHECKS else []
    return [*check, f"  - {{{', '.join(fields)}}}"]


def _prefix(usable: Sequence[Sensor]) -> tuple[str, Availability | None]:
    """Return the part that all topics begin with, and the first availability that lies behind it or beside it."""
    topics = list(dict.fromkeys(sensor.topic for sensor in usable))
    common = _common(topics)
    if not common:
        raise BadInput(
            f"The topics {', '.join(map(printable, topics))} have no beginning in common; record one device."
        )
    for found in usable[0].availability:
        near = _common([*topics, found.topic])
        if near and found.topic not in topics and near.count("/") >= common.count("/") - 1:
            return near, found
    return common, None


def _common(topics: Sequence[str]) -> str:
    parts = [topic.split("/") for topic in topics]
    same = 0
    while all(len(part) > same and part[same] == parts[0][same] for part in parts):
        same += 1
    return "/".join(parts[0][:same])


def _behind(topic: str, prefix: str) -> str:
    return topic.removeprefix(prefix).removeprefix("/")


def _presence(found: Availability | None, prefix: str) -> str:
    if found is None:
        return ""
    path = "" if found.path is None else f"path: {_quoted(found.path)}, "
    words = f"{path}online: [{_quoted(found.online)}], offline: [{_quoted(found.offline)}]"
    return f", availability: {{topic: {_quoted(_behind(found.topic, prefix))}, {words}}}"


def _profile_id(name: str) -> str:
    return f"draft.{re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')[:_LONGEST_ID] or 'device'}"


def _quoted(text: str) -> str:
    """Write a foreign text as YAML, whatever is in it."""
    return json.dumps("".join(sign if sign.isprintable() else "?" for sign in text), ensure_ascii=False)
