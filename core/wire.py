"""The wire format: what devices may say, in which words.

The closed list of quantities, the native MQTT topic, and the reading every source ends in.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from itertools import repeat
from typing import Any, Final, NamedTuple

import msgspec

from core.time import parse_time

QUANTITY_UNITS: Final[dict[str, str]] = {
    "pv_energy": "kWh",
    "electric_energy_import": "kWh",
    "electric_energy_export": "kWh",
    "thermal_energy": "kWh",
    "volume": "m3",
    "heat_units": "units",
    "fuel_mass_consumed": "kg",
    "fuel_stock": "kg",
    "active_power": "W",
    "thermal_power": "W",
    "flow_temperature": "°C",
    "return_temperature": "°C",
    "outdoor_temperature": "°C",
    "boiler_temperature": "°C",
    "flue_gas_temperature": "°C",
    "distance": "mm",
    "operating_time": "h",
    "starts": "1",
    "frequency": "Hz",
    "voltage": "V",
    "current": "A",
    "volume_flow": "m3/h",
    "modulation": "%",
    "fuel_level": "%",
    "state": "",
    "fault": "",
    "serial_number": "",
    "model": "",
}
"""Every quantity there is, with the unit it is reported in."""

COUNTERS: Final = frozenset(
    {
        "pv_energy",
        "electric_energy_import",
        "electric_energy_export",
        "thermal_energy",
        "volume",
        "heat_units",
        "fuel_mass_consumed",
    }
)
"""Quantities that count up."""

TEXTS: Final = frozenset({"serial_number", "model"})
"""Quantities that are a text."""

_NUMBER = re.compile(r"-?[0-9]{1,18}+(?:\.[0-9]{1,12}+)?+")
_NUMBERS = re.compile(f"(?:{_NUMBER.pattern},)*+")
_NATIVE = re.compile(r"wijkenergie/([^/+#]+)/([^/+#]+)")


class Reading(NamedTuple):
    """What a meter showed at an instant; ``value`` in the meter's own unit, exact."""

    meter: str
    time: datetime
    value: Decimal


def plain_decimal(text: str) -> Decimal:
    """Read a plain decimal number.

    Raises
    ------
    ValueError
        If it is anything else (an exponent, NaN, a comma); the message is a clause that fits behind "is".
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a plain decimal number")
    return Decimal(text)


def native_topic(community: str, meter: str) -> str:
    """Topic a meter that can speak for itself publishes on."""
    return f"wijkenergie/{community}/{meter}"


def status_topic(community: str, member: str | None = None) -> str:
    """Topic of the service's own state, retained, with a last will; of one member where several share the work."""
    return f"wijkenergie/{community}/status" + ("" if member is None else f"/{member}")


def alert_topic(community: str, kind: str) -> str:
    """Topic of alerts."""
    return f"wijkenergie/{community}/alerts/{kind}"


def native_meter(topic: str, community: str) -> str | None:
    """Meter of a native topic of this community, or None."""
    match = _NATIVE.fullmatch(topic)
    if match is None or match[1] != community or match[2] == "status":
        return None
    return match[2]


class _Entry(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What nearly every native payload holds: exactly these two, both texts."""

    time: str
    value: str


_usual = msgspec.json.Decoder(_Entry | list[_Entry])


def native_readings(meter: str, payload: bytes) -> list[Reading]:
    """Read a native payload: one ``{"time": ..., "value": "..."}`` or an array of them.

    Raises
    ------
    ValueError
        If anything in the payload is not as described; then none of it counts. The message says what and where.
    """
    with suppress(ValueError, ArithmeticError, RecursionError):  # what is wrong is told below
        found = _usual.decode(payload)
        if isinstance(found, _Entry):
            return [Reading(meter, parse_time(found.time), plain_decimal(found.value))]
        texts = [entry.value for entry in found]
        # All in one look, which takes a third of the time; a comma inside a text passes it and is no number then.
        if _NUMBERS.fullmatch(",".join([*texts, ""])):
            times = [parse_time(entry.time) for entry in found]
            return list(map(Reading._make, zip(repeat(meter), times, map(Decimal, texts), strict=False)))
    # Not the usual form, or a fault in it: read once more, ten times as slowly, by the letter of the description.
    return _by_the_letter(meter, payload)


def _by_the_letter(meter: str, payload: bytes) -> list[Reading]:
    """Read any native payload; raises as of `native_readings`."""
    try:
        document: Any = json.loads(payload, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError("the payload is not JSON") from None
    items = document if isinstance(document, list) else [document]
    readings = []
    for index, item in enumerate(items):
        place = f"entry {index}: " if isinstance(document, list) else ""
        if not isinstance(item, dict) or "time" not in item or "value" not in item:
            raise ValueError(f'{place}expected {{"time": ..., "value": ...}}')
        try:
            time = parse_time(str(item["time"]))
        except ValueError as error:
            raise ValueError(f"{place}time is {error}") from None
        raw = item["value"]
        if not isinstance(raw, (str, Decimal)):
            raise ValueError(f"{place}value is not a number")  # noqa: TRY004 - a bad payload, not a bug
        try:
            value = plain_decimal(raw if isinstance(raw, str) else format(raw, "f"))
        except ValueError as error:
            raise ValueError(f"{place}value is {error}") from None
        readings.append(Reading(meter, time, value))
    return readings


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
